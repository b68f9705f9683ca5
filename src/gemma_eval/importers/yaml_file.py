"""Read YAML that somebody else wrote as plain data, with the line of every value; no tag means anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gemma_eval.files import locate
from gemma_eval.files.read import ReadError
from gemma_eval.files.rows import show

DEEPEST = 32
"""Lists and tables may be nested this deep; the parser recurses per level."""
MOST_NODES = 200_000
"""Values of one file, those that an alias repeats counted each time."""

_TAG = "tag:yaml.org,2002:"
_PLAIN = {f"{_TAG}{kind}" for kind in ("str", "int", "float", "bool", "null")}
_AS_TEXT = {f"{_TAG}timestamp", f"{_TAG}value"}
"""What YAML 1.1 takes for more than it is; here it is the text that was written."""


@dataclass(frozen=True, slots=True)
class Written:
    """The table of a YAML text, the line of each of its values, and what cannot be used, by line."""

    table: dict[str, object]
    lines: locate.Lines
    refused: tuple[tuple[int, str], ...]


def parse(text: str) -> Written:
    """Return what a YAML text says. Raises ReadError when it is no YAML, no table, or built to exhaust."""
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
        walk = _Walk(loader)
        table = walk.value((), node, 0) if node is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).partition("\n")[0]
        line = mark.line + 1 if mark else 1
        raise ReadError(f"is not YAML: {what}", line=line) from error
    except (RecursionError, MemoryError) as error:
        raise ReadError(f"is nested deeper than {DEEPEST} levels") from error
    if not isinstance(table, dict):
        raise ReadError("is not a table: it should begin with a key, as task: …", line=1)
    return Written(cast(dict[str, object], table), locate.Lines(walk.lines), tuple(walk.refused))


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, stopped before it recurses too deep; it constructs scalars alone."""

    depth = 0

    def compose_node(self, parent: Node | None, index: object) -> Node | None:
        self.depth += 1
        if self.depth > DEEPEST:
            event = self.peek_event()  # type: ignore[no-untyped-call]
            line = event.start_mark.line + 1 if event is not None else 0
            raise ReadError(f"is nested deeper than {DEEPEST} levels", line=line)
        try:
            return super().compose_node(parent, index)  # type: ignore[arg-type]
        finally:
            self.depth -= 1


@dataclass(slots=True)
class _Walk:
    """One pass over the nodes; what is refused is noted, so that all of it is known at once."""

    loader: _Loader
    lines: dict[locate.Path, int] = field(default_factory=dict)
    refused: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0

    def value(self, path: locate.Path, node: Node, depth: int) -> object:
        """Return a node as plain data."""
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self.count += 1
        if self.count > MOST_NODES:
            raise ReadError(f"has more than {MOST_NODES:,} values, those of its aliases counted", line=line)
        if depth > DEEPEST:  # an alias inside of what it names
            raise ReadError(f"is nested deeper than {DEEPEST} levels", line=line)
        if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
            return dict(self.pairs(path, node, depth))
        if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.value((*path, n), each, depth + 1) for n, each in enumerate(node.value)]
        if isinstance(node, ScalarNode) and node.tag in _PLAIN | _AS_TEXT:
            return self.scalar(node, line)
        self.refused.append((line, _about_tag(node)))
        return None

    def pairs(self, path: locate.Path, node: MappingNode, depth: int) -> Iterator[tuple[str, object]]:
        given: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode) or key.tag not in _PLAIN | _AS_TEXT:
                merges = key.tag == f"{_TAG}merge"
                what = '"<<" takes in another table' if merges else "a key is no plain text"
                self.refused.append((line, f"{what}; write its keys out"))
                continue
            name = str(key.value)
            if name in given:
                self.refused.append((line, f"key {show(name)} is given twice; keep one"))
            given.add(name)
            self.lines[(*path, name)] = line
            yield name, self.value((*path, name), value, depth + 1)

    def scalar(self, node: ScalarNode, line: int) -> object:
        if node.tag in _AS_TEXT:
            return str(node.value)
        try:
            return cast(object, self.loader.construct_object(node))
        except (ValueError, OverflowError):
            self.refused.append((line, f"{show(node.value)} is no number that can be read"))
            return None


def _about_tag(node: Node) -> str:
    """Say why a tag is refused: it asks for code to be run, or for an object to be built."""
    tag = str(node.tag)
    said = f"{tag} {node.value}" if isinstance(node, ScalarNode) else tag
    if tag == "!function":
        return f"{show(said)} is Python code of the task, and an import runs none; it cannot be carried over"
    return f"the tag {show(tag.removeprefix(_TAG))} is not plain data; write texts, numbers, lists and tables"
