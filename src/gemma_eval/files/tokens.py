"""Split TOML or JSON into tokens that know their line, and refuse what would exhaust a parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from gemma_eval.files.read import ReadError

DEEPEST = 32
"""Tables, arrays and dotted keys may be nested this deep; parsers recurse or allocate per level."""

Kind = Literal["string", "word", "newline", "mark"]

_TOML = re.compile(
    r"""
    (?P<string> \"{3}(?:[^"\\]|\\.|"{1,2}(?!"))*+"{3,5} | '{3}(?:[^']|'{1,2}(?!'))*+'{3,5}
              | "(?:[^"\\\n]|\\.)*+" | '[^'\n]*+' )
  | (?P<comment> \#[^\n]*+ ) | (?P<newline> \n ) | (?P<word> [^\s\[\]{}=,.\#"']++ ) | (?P<mark> \S )
    """,
    re.VERBOSE | re.DOTALL,
)
_JSON = re.compile(
    r"""
    (?P<string> "(?:[^"\\]|\\.)*+" ) | (?P<newline> \n ) | (?P<word> [^\s\[\]{}:,"]++ ) | (?P<mark> \S )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; `line` is where it begins, counted from 1, and `start` the index of its letter."""

    kind: Kind
    text: str
    line: int
    start: int = 0

    @property
    def end(self) -> int:
        """The index after its last letter."""
        return self.start + len(self.text)

    def is_part(self) -> bool:
        """Whether it can belong to a key or to a scalar."""
        return self.kind in ("word", "string") or self.text == "."


def toml_tokens(text: str) -> tuple[Token, ...]:
    """Return the tokens of TOML without its comments. Raises ReadError when it is nested too deep."""
    return _bounded(_split(_TOML, text))


def json_tokens(text: str) -> tuple[Token, ...]:
    """Return the tokens of JSON. Raises ReadError when it is nested too deep."""
    return _bounded(_split(_JSON, text))


def _split(pattern: re.Pattern[str], text: str) -> Iterator[Token]:
    line = 1
    for match in pattern.finditer(text):
        piece = match.group()
        if match.lastgroup != "comment":
            yield Token(cast(Kind, match.lastgroup), piece, line, match.start())
        line += piece.count("\n")


def _bounded(tokens: Iterator[Token]) -> tuple[Token, ...]:
    depth = parts = 0
    kept = []
    for token in tokens:
        kept.append(token)
        if token.kind == "mark":
            depth += (token.text in "[{") - (token.text in "]}")
        parts = parts + (token.text == ".") if token.is_part() else 0
        if depth > DEEPEST:
            raise ReadError(f"is nested deeper than {DEEPEST} levels", line=token.line)
        if parts >= DEEPEST:
            raise ReadError(f"has a key of more than {DEEPEST} dotted parts", line=token.line)
    return tuple(kept)
