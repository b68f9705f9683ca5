"""Read YAML that somebody else wrote as plain data, with the line of every value; nothing is run or built.

The dialects, YAML 1.1 of other frameworks and the core schema of 1.2, share what stands here: no tag means
anything, no key is given twice, and neither depth nor aliases exhaust the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from gemma_eval.files import locate
from gemma_eval.files.read import ReadError
from gemma_eval.files.rows import show

DEEPEST = 32
"""Lists and tables may be nested this deep; the composer recurses per level."""
MOST_NODES = 200_000
"""Values of one file, those that an alias repeats counted each time."""

TAG = "tag:yaml.org,2002:"
PLAIN = frozenset(f"{TAG}{kind}" for kind in ("str", "int", "float", "bool", "null"))
MERGE = f"{TAG}merge"


@dataclass(frozen=True, slots=True)
class Written:
    """The table of a YAML text, the line of each of its values, and what cannot be used, by line."""

    table: dict[str, object]
    lines: locate.Lines
    refused: tuple[tuple[int, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How one kind of YAML is read.

    `resolver` gives a plain scalar its tag, `value` is that of a scalar by its tag; scalars with one of
    `as_text` are the text that was written. `about_key` says why a key cannot be one, and `about` what is
    wrong with that which stands before a value, as an anchor; both return `None` when nothing is.
    """

    resolver: BaseResolver
    value: Callable[[ScalarNode], object]
    as_text: frozenset[str]
    about_key: Callable[[Node], str | None]
    about: Callable[[yaml.NodeEvent], str | None]


def parse(text: str, dialect: Dialect) -> Written:
    """Return what a YAML text says. Raises ReadError when it is no YAML, no table, or built to exhaust."""
    node, refused = compose(text, dialect)
    walk = _Walk(dialect, refused=refused)
    table = walk.value((), node, 0) if node is not None else None
    if not isinstance(table, dict):
        raise ReadError("is not a table: it should begin with a key, as name: value", line=1)
    lines = locate.Lines(walk.lines)
    return Written(cast(dict[str, object], table), lines, tuple(sorted(walk.refused)))


def compose(text: str, dialect: Dialect) -> tuple[Node | None, list[tuple[int, str]]]:
    """Return the nodes of a YAML text, which know where they stand, and what is refused of them by line.

    Raises ReadError when it is no YAML, or is nested too deep.
    """
    try:
        loader = _Loader(str(text), dialect)  # the C parser takes no class below str
        return loader.get_single_node(), loader.refused
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).partition("\n")[0]
        line = mark.line + 1 if mark else 1
        if "nesting depth" in what:  # the C parser has a limit of its own
            raise ReadError(_TOO_DEEP, line=line) from error
        raise ReadError(f"is not YAML: {what}", line=line) from error


_TOO_DEEP = f"is nested deeper than {DEEPEST} levels"


class _Guarded(Composer):
    """PyYAML's composer, which stops before it is too deep and notes what a dialect refuses."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self.depth = 0
        self.dialect = dialect
        self.refused: list[tuple[int, str]] = []

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self.depth += 1
        event = cast(yaml.NodeEvent, self.peek_event())  # type: ignore[attr-defined]  # of the parser
        line = event.start_mark.line + 1 if event.start_mark else 1
        if self.depth > DEEPEST:
            raise ReadError(_TOO_DEEP, line=line)
        if what := self.dialect.about(event):
            self.refused.append((line, what))
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def resolve(self, kind: type[Node], value: str, implicit: object) -> str:
        return cast(str, self.dialect.resolver.resolve(kind, value, implicit))  # type: ignore[no-untyped-call]

    def descend_resolver(self, *_: object) -> None:
        """Do nothing: no tag depends on where a value stands."""

    ascend_resolver = descend_resolver


class _InPython(_Guarded, Reader, Scanner, Parser):
    """On the parser in Python, where PyYAML was built without libyaml."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        _Guarded.__init__(self, dialect)


def _loader() -> type[_InPython]:
    if not yaml.__with_libyaml__:
        return _InPython
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class _InC(_Guarded, CParser):
        """On the parser in C, which is many times as fast."""

        def __init__(self, text: str, dialect: Dialect) -> None:
            CParser.__init__(self, text)
            _Guarded.__init__(self, dialect)

    return cast(type[_InPython], _InC)


_Loader = _loader()


@dataclass(slots=True)
class _Walk:
    """One pass over the nodes; what is refused is noted, so that all of it is known at once."""

    dialect: Dialect
    refused: list[tuple[int, str]]
    lines: dict[locate.Path, int] = field(default_factory=dict)
    count: int = 0

    def value(self, path: locate.Path, node: Node, depth: int) -> object:
        """Return a node as plain data."""
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self.count += 1
        if self.count > MOST_NODES:
            raise ReadError(f"has more than {MOST_NODES:,} values, those of its aliases counted", line=line)
        if depth > DEEPEST:  # an alias inside of what it names
            raise ReadError(_TOO_DEEP, line=line)
        if isinstance(node, MappingNode) and node.tag == f"{TAG}map":
            return dict(self.pairs(path, node, depth))
        if isinstance(node, SequenceNode) and node.tag == f"{TAG}seq":
            return [self.value((*path, n), each, depth + 1) for n, each in enumerate(node.value)]
        if isinstance(node, ScalarNode) and node.tag in PLAIN | self.dialect.as_text:
            return self.scalar(node, line)
        self.refused.append((line, about_tag(node)))
        return None

    def pairs(self, path: locate.Path, node: MappingNode, depth: int) -> Iterator[tuple[str, object]]:
        given: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if what := self.dialect.about_key(key):
                self.refused.append((line, what))
                continue
            name = str(key.value)
            if name in given:
                self.refused.append((line, f"key {show(name)} is given twice; keep one"))
            given.add(name)
            self.lines[(*path, name)] = line
            yield name, self.value((*path, name), value, depth + 1)

    def scalar(self, node: ScalarNode, line: int) -> object:
        if node.tag in self.dialect.as_text:
            return str(node.value)
        try:
            return self.dialect.value(node)
        except (ValueError, OverflowError):
            self.refused.append((line, f"{show(node.value)} is no number that can be read"))
            return None


def about_tag(node: Node) -> str:
    """Say why a tag is refused: it asks for code to be run, or for an object to be built."""
    tag = str(node.tag)
    said = f"{tag} {node.value}" if isinstance(node, ScalarNode) else tag
    if tag == "!function":
        return f"{show(said)} is Python code of the task, and an import runs none; it cannot be carried over"
    return f"the tag {show(tag.removeprefix(TAG))} is not plain data; write texts, numbers, lists and tables"
