"""Find the line of every key of a TOML or JSON text, for its parsers do not tell."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gemma_eval.files.tokens import Token

Path = tuple[str | int, ...]
"""Where a value is: keys of tables and indices of arrays, as `("case", 2, "prompt")`."""


class Later(Mapping[Path, int]):
    """Lines by path that are found when the first of them is asked for."""

    def __init__(self, find: Callable[[], Mapping[Path, int]]) -> None:
        """`find` returns them."""
        self._find = find

    @cached_property
    def _found(self) -> Mapping[Path, int]:
        return self._find()

    def __getitem__(self, path: Path) -> int:
        """Return the line of a path."""
        return self._found[path]

    def __iter__(self) -> Iterator[Path]:
        """Return the paths in the order of the text."""
        return iter(self._found)

    def __len__(self) -> int:
        """Return how many paths there are."""
        return len(self._found)


@dataclass(frozen=True, slots=True)
class Lines:
    """The line of each path; `repeated` are the keys that a table gives twice, which JSON lets pass."""

    of: Mapping[Path, int]
    repeated: tuple[tuple[Path, int], ...] = ()

    def at(self, path: Path) -> int:
        """Return the line of `path`, or of the nearest thing around it; 0 when nothing is known."""
        while path and path not in self.of:
            path = path[:-1]
        return self.of.get(path, 0)


def toml_lines(tokens: Sequence[Token]) -> Lines:
    """Return the lines of a TOML text that tomllib has accepted."""
    walk = _Walk(tokens, _toml_key)
    table: Path = ()
    while walk.more():
        if walk.skip("\n"):
            continue
        if walk.skip("["):
            table = walk.header()
            continue
        walk.pair(table)
    return Lines(walk.lines)


def json_lines(tokens: Sequence[Token]) -> Lines:
    """Return the lines of a JSON text that json has accepted."""
    walk = _Walk([token for token in tokens if token.kind != "newline"], _json_key)
    walk.value(())
    return Lines(walk.lines, tuple(walk.repeated))


@dataclass(slots=True)
class _Walk:
    """One pass over the tokens of a valid text."""

    tokens: Sequence[Token]
    key_of: Callable[[str], str]
    next: int = 0
    lines: dict[Path, int] = field(default_factory=dict)
    repeated: list[tuple[Path, int]] = field(default_factory=list)
    lengths: dict[Path, int] = field(default_factory=dict)

    def more(self) -> bool:
        return self.next < len(self.tokens)

    def skip(self, text: str) -> bool:
        found = self.more() and self.tokens[self.next].text == text
        self.next += found
        return found

    def newlines(self) -> None:
        while self.skip("\n"):
            pass

    def header(self) -> Path:
        """Read `[a.b]` or `[[a.b]]` after its first bracket."""
        line = self.tokens[self.next].line
        is_array = self.skip("[")
        path = self.key(())
        if is_array:
            index = self.lengths.get(path, 0)
            self.lengths[path] = index + 1
            path = (*path, index)
        self.lines[path] = line
        self.skip("]")
        self.skip("]")
        return path

    def key(self, table: Path) -> Path:
        """Read a dotted key; a part that names an array of tables means its last table."""
        path = table
        while True:
            token = self.tokens[self.next]
            self.next += 1
            if path in self.lengths:
                path = (*path, self.lengths[path] - 1)
            path = (*path, self.key_of(token.text))
            self.lines.setdefault(path, token.line)
            if not self.skip("."):
                return path

    def pair(self, table: Path) -> None:
        """Read `key = value` or `"key": value`."""
        path, line = (*table, self.key_of(self.tokens[self.next].text)), self.tokens[self.next].line
        if path in self.lines:
            self.repeated.append((path, line))
        path = self.key(table)
        self.next += 1
        self.value(path)

    def value(self, path: Path) -> None:
        self.lines.setdefault(path, self.tokens[self.next].line)
        if self.skip("["):
            self.elements(path)
        elif self.skip("{"):
            self.entries(path)
        else:
            self.scalar()

    def elements(self, path: Path) -> None:
        index = 0
        self.newlines()
        while not self.skip("]"):
            self.value((*path, index))
            index += 1
            self.newlines()
            self.skip(",")
            self.newlines()

    def entries(self, path: Path) -> None:
        self.newlines()
        while not self.skip("}"):
            self.pair(path)
            self.newlines()
            self.skip(",")
            self.newlines()

    def scalar(self) -> None:
        """Read a scalar: TOML's numbers and dates are several tokens."""
        self.next += 1
        while self.more() and self.tokens[self.next].is_part():
            self.next += 1


def _toml_key(text: str) -> str:
    return str(tomllib.loads(f"key = {text}")["key"]) if text[0] in "\"'" else text


def _json_key(text: str) -> str:
    return str(json.loads(text))
