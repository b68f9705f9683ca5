"""Carry Jinja2 templates over so that they mean here what they meant there; nothing is rendered here.

Where they come from, lines of tags and the last line end of a template are kept; this package's templates
drop both. So each tag says itself, by a plus sign, that what is around it stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

import jinja2
from jinja2 import meta, nodes

from gemma_eval.importers.data import Plain

Render = Callable[[str, str, Mapping[str, Plain]], str]
"""Renders a template of a given name, in the sandbox of this package. Raises TemplateError."""

LONGEST = 1 << 16
"""Characters that a template of this package may have."""
_THEIRS = jinja2.Environment(keep_trailing_newline=True, autoescape=False)  # noqa: S701 - only ever lexes


def carried(text: str) -> str:
    """Return the template that is here what `text` is in an environment that trims nothing, but for its end.

    It can stand before and after others, of which it takes no space away. Raises jinja2.TemplateSyntaxError.
    """
    pieces, raw = [], False
    tokens = _tokens(text)
    for place, (kind, piece) in enumerate(tokens):
        if kind in ("raw_begin", "raw_end"):
            raw = kind == "raw_begin"
        elif raw:
            pieces.append(f"{{{{ {json.dumps(piece, ensure_ascii=False)} }}}}")
        elif kind.endswith("_begin"):
            pieces.append(_begin(kind, piece, first=place == 0))
        elif kind.endswith("_end"):
            pieces.append(_end(kind, piece, last=place == len(tokens) - 1))
        else:
            pieces.append(piece)
    return "".join(pieces)


def whole(template: str) -> str:
    """Return a template that keeps its last line end, which else is taken for that of the file."""
    return f'{template[:-1]}{{{{ "\\n" }}}}' if template.endswith("\n") else template


def expression(text: str) -> str | None:
    """Return what stands between the braces of a template that is one `{{ … }}`, or `None`."""
    tokens = _tokens(text)
    kinds = [kind for kind, _ in tokens]
    if len(tokens) < 3 or kinds[0] != "variable_begin" or kinds[-1] != "variable_end":
        return None
    if "data" in kinds or kinds.count("variable_begin") > 1:
        return None
    return "".join(piece for _, piece in tokens[1:-1]).strip()


def names(text: str) -> frozenset[str]:
    """Return the variables that a template looks up."""
    return frozenset(meta.find_undeclared_variables(_THEIRS.parse(text)))


def leaks(text: str) -> bool:
    """Whether a template gives names that one after it could see, as `{% set x = 1 %}` does."""
    return next(_THEIRS.parse(text).find_all((nodes.Assign, nodes.Macro, nodes.Import)), None) is not None


def literal(text: str) -> str:
    """Return the template that makes `text`, whatever is in it, but for a last line end."""
    return re.sub(r"\{[{%#]", lambda mark: f'{{{{ "{mark[0]}" }}}}', text)


def _tokens(text: str) -> list[tuple[str, str]]:
    """Return the kind and the text of each token. Raises jinja2.TemplateSyntaxError."""
    if len(text) > LONGEST:
        raise jinja2.TemplateSyntaxError(f"it is longer than {LONGEST:,} characters", 1)
    return [(kind, piece) for _, kind, piece in _THEIRS.lex(text)]


def _begin(kind: str, piece: str, *, first: bool) -> str:
    """Write what begins a tag; only a minus sign that has something to take away stays."""
    if piece.endswith("-") and not first:
        return piece
    bare = piece.rstrip("-+")
    return bare if kind == "variable_begin" else f"{bare}+"


def _end(kind: str, piece: str, *, last: bool) -> str:
    """Write what ends a tag, as `_begin` does."""
    if piece.startswith("-") and not last:
        return piece
    bare = piece.strip().lstrip("-+")
    return bare if kind == "variable_end" else f"+{bare}"
