"""What a template and its parts name: variables that they do not set themselves, and other parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from jinja2 import nodes

from gemma_eval.prompts import parts, sandbox

Texts = tuple[tuple[str, str], ...]
"""The texts of parts by their names, in order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a name stands: the part ("" for the template itself), and the line of its text."""

    part: str = ""
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """The variables that a template looks up, each with its first place, and the names that it sets.

    What one text sets may be given in another: a part that is included in a loop sees the variable of that.
    """

    of: Mapping[str, Place]
    set: frozenset[str] = field(default_factory=frozenset)


@lru_cache(maxsize=256)
def named_by(name: str, text: str, others: Texts = ()) -> Named:
    """Return what a template names. Raises TemplateError when it, or a part, is malformed or not there."""
    found: dict[str, Place] = {}
    known = trees(name, text, others)
    for part, tree in known.items():
        unknown = sandbox.variables_of(name, tree, part=part)
        for node in tree.find_all(nodes.Name):
            if node.name in unknown:
                found.setdefault(node.name, Place(part=part, line=node.lineno))
    return Named(of=found, set=frozenset(each for tree in known.values() for each in _set_by(tree)))


def trees(name: str, text: str, others: Texts) -> Mapping[str, nodes.Template]:
    """Return the syntax trees of a template ("") and of all parts that it leads to. Raises TemplateError."""
    texts = {**dict(others), "": text}
    found: dict[str, nodes.Template] = {}
    waiting = [""]
    while waiting:
        part = waiting.pop()
        found[part] = sandbox.parse(name, texts[part], part=part)
        for asked in parts.asked(found[part]):
            if asked.name not in texts:
                raise sandbox.said(name, f'there is no part "{asked.name}"', part=part, line=asked.line)
            if asked.name not in found and asked.name not in waiting:
                waiting.append(asked.name)
    return found


def _set_by(tree: nodes.Template) -> Iterator[str]:
    """Yield the names that a text gives a value: in loops, sets and macros, and by importing."""
    for node in tree.find_all((nodes.Name, nodes.Macro, nodes.Import, nodes.FromImport)):
        if (isinstance(node, nodes.Name) and node.ctx in ("store", "param")) or isinstance(node, nodes.Macro):
            yield node.name
        elif isinstance(node, nodes.Import):
            yield node.target
        elif isinstance(node, nodes.FromImport):
            yield from (each[1] if isinstance(each, tuple) else each for each in node.names)
