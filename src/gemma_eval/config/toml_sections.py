"""Where the tables of a TOML text are, line by line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gemma_eval.files.tokens import Token, toml_tokens

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """The lines of a table with a header, from it to the last of its keys; the first of all has no header."""

    path: Path
    begin: int
    end: int


def sections(text: str) -> tuple[Section, ...]:
    """Return the tables in their order; of several tables of an array none is told from another."""
    found: list[Section] = []
    path: Path = ()
    begin = end = 0
    for statement in _statements(toml_tokens(text)):
        if statement[0].text == "[":
            found.append(Section(path, begin, end))
            path = tuple(key_of(token.text) for token in statement if token.is_part() and token.text != ".")
            begin = text.rfind("\n", 0, statement[0].start) + 1
        line_end = text.find("\n", statement[-1].end)
        end = len(text) if line_end < 0 else line_end + 1
    return (*found, Section(path, begin, end))


def key_of(text: str) -> str:
    """Return a key as it is meant, of one that may be in quotes."""
    return str(tomllib.loads(f"key = {text}")["key"]) if text[0] in "\"'" else text


def _statements(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Yield headers and pairs: what stands between line ends that are in no bracket."""
    statement: list[Token] = []
    depth = 0
    for token in tokens:
        if token.kind == "newline":
            if statement and not depth:
                yield statement
                statement = []
            continue
        if token.kind == "mark":
            depth += (token.text in "[{") - (token.text in "]}")
        statement.append(token)
    if statement:
        yield statement
