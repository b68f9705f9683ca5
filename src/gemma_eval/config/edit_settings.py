"""Change one key in the text of a settings.yaml; all else in it, comments too, stays as it was written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode
from yaml.resolver import Resolver

from gemma_eval.config.settings_keys import KEYS, Key
from gemma_eval.files import yaml12, yaml_tree
from gemma_eval.files.read import ReadError

HEADER = """\
# Settings of gemma_eval. `gemma-eval config show` lists every key, its value and where that was chosen;
# `gemma-eval config set KEY VALUE` writes one here, and leaves comments and the order of keys as they are.
version: 1
"""
"""What a new file begins with."""


def put(text: str, key: Key, value: object) -> str:
    """Return the text with a value for a key. Raises ReadError: no YAML, or only a person can change it."""
    whole = _Text.of(text if yaml12.has_value(text) else _ended(text) + HEADER)
    return whole.checked(_put(whole, key.path, value), key.path, value)


def drop(text: str, key: Key) -> str:
    """Return the text without a key. Raises ReadError: no YAML, or only a person can change it."""
    if not yaml12.has_value(text):
        return text
    whole = _Text.of(text)
    return whole.checked(_dropped(whole, key.path), key.path, _ABSENT)


def written(value: object) -> str:
    """Return a value as it stands after the name of a key, in quotes where it could be read as another."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{written(key)}: {written(each)}' for key, each in value.items())}}}"
    if isinstance(value, str):
        return value if _is_plain(value) else _quoted(value)
    return _WORDS[repr(value)] if repr(value) in _WORDS else repr(value)


_ABSENT = object()
_WORDS = {"None": "null", "True": "true", "False": "false"}
_TABLES = {key.path[0] for key in KEYS if len(key.path) > 1}
_PLAIN = re.compile(r"[A-Za-z0-9_./~][A-Za-z0-9_./~@+-]*")
_Pair = tuple[ScalarNode, Node]


@dataclass(frozen=True, slots=True)
class _Text:
    """A text with its values, and the nodes that know where they stand."""

    text: str
    values: Mapping[str, object]
    table: MappingNode

    @classmethod
    def of(cls, text: str) -> _Text:
        node, _ = yaml_tree.compose(_ended(text), yaml12.DIALECT)
        if not isinstance(node, MappingNode):
            raise ReadError("is not a table: it should begin with a key, as name: value", line=1)
        return cls(_ended(text), yaml12.parse(text).table, node)

    def replaced(self, start: int, end: int, new: str) -> str:
        return self.text[:start] + new + self.text[end:]

    def line(self, index: int) -> int:
        """Return where the line of an index begins."""
        return self.text.rfind("\n", 0, index) + 1

    def below(self, index: int) -> int:
        """Return where the line after that of an index begins."""
        return self.text.index("\n", index) + 1

    def end(self, node: Node) -> int:
        """Return the index behind a value; that which PyYAML names for one on many lines is too far on."""
        if isinstance(node, CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self.end(last[1] if isinstance(last, tuple) else last)
        end = _index(node.end_mark)
        is_block = isinstance(node, ScalarNode) and node.style in ("|", ">")
        return len(self.text[:end].rstrip()) if is_block else end

    def checked(self, after: str, path: Sequence[str], value: object) -> str:
        """Return the text after an edit, if it says what it should and has all comments. Raises ReadError."""
        try:
            is_right = _tidy(yaml12.parse(after).table) == _tidy(_edited(self.values, path, value))
        except ReadError:
            is_right = False
        if not is_right or _comments(self.text) != _comments(after):
            raise ReadError(f"has {'.'.join(path)} in a form that only a person can change; edit it by hand")
        return after


def _put(text: _Text, path: Sequence[str], value: object) -> str:
    table, at = text.table, path
    while not table.flow_style:
        found = _pair(table, at[0])
        if found is None:
            return _added(text, table, at, value)
        if len(at) == 1:
            return _valued(text, found, f" {written(value)}")
        if not isinstance(found[1], MappingNode):
            indent = " " * (found[0].start_mark.column + 2)
            return _valued(text, found, f"\n{indent}{at[1]}: {written(value)}")
        table, at = found[1], at[1:]
    return _in_braces(text, table, path[: -len(at)], _tidy(_edited(text.values, path, value)))


def _valued(text: _Text, pair: _Pair, new: str) -> str:
    """Return the text with `new` behind the colon of a key; on one line spaces and a comment stay."""
    key, old = pair
    start, end = _index(old.start_mark), text.end(old)
    colon = text.text.index(":", _index(key.end_mark))
    if end > start and text.line(start) == text.line(_index(key.start_mark)) and new[0] == " ":
        return text.replaced(start, end, new[1:])
    return text.replaced(colon + 1, max(colon + 1, end), new)


def _added(text: _Text, table: MappingNode, path: Sequence[str], value: object) -> str:
    """Return the text with a new key below the last one of a table."""
    key, last = cast(_Pair, table.value[-1])
    end = text.below(max(_index(key.end_mark), text.end(last)))
    lines = [" " * (key.start_mark.column + 2 * depth) + f"{part}:" for depth, part in enumerate(path)]
    return text.replaced(end, end, "\n".join(lines) + f" {written(value)}\n")


def _dropped(text: _Text, path: Sequence[str]) -> str:
    table: Node = text.table
    pairs: list[_Pair] = []
    for part in path:
        if isinstance(table, MappingNode) and table.flow_style:
            return _in_braces(text, table, path[: len(pairs)], _tidy(_edited(text.values, path, _ABSENT)))
        found = _pair(table, part) if isinstance(table, MappingNode) else None
        if found is None:
            return text.text
        pairs.append(found)
        table = found[1]
    (outer, _), (key, value) = pairs[0], pairs[-1]
    start, end = text.line(_index(key.start_mark)), text.below(max(_index(key.end_mark), text.end(value)))
    is_alone = len(pairs) > 1 and len(pairs[0][1].value) == 1
    if is_alone and not _comments(text.text[text.below(_index(outer.end_mark)) : start]):
        start = text.line(_index(outer.start_mark))
    return text.replaced(start, end, "")


def _in_braces(text: _Text, table: MappingNode, path: Sequence[str], whole: Mapping[str, object]) -> str:
    """Return the text with the table at a path, which is in braces, as the edited whole has it."""
    values: object = whole
    for part in path:
        values = cast(Mapping[str, object], values).get(part, {})
    return text.replaced(_index(table.start_mark), _index(table.end_mark), written(values))


def _pair(table: MappingNode, name: str) -> _Pair | None:
    return next((cast(_Pair, pair) for pair in table.value if pair[0].value == name), None)


def _edited(table: Mapping[str, object], path: Sequence[str], value: object) -> dict[str, object]:
    """Return the table that an edit should make."""
    made = dict(table)
    if len(path) > 1:
        below = made.get(path[0])
        made[path[0]] = _edited(below if isinstance(below, dict) else {}, path[1:], value)
    elif value is _ABSENT:
        made.pop(path[0], None)
    else:
        made[path[0]] = value
    return made


def _tidy(table: Mapping[str, object]) -> dict[str, object]:
    """Return the values without tables in which there is nothing, which say nothing."""
    return {key: value for key, value in table.items() if key not in _TABLES or value not in ({}, None)}


def _comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.lstrip().startswith("#")]


def _ended(text: str) -> str:
    return text if text.endswith("\n") or not text else f"{text}\n"


def _index(mark: object) -> int:
    return cast(yaml.Mark, mark).index


def _is_plain(text: str) -> bool:
    """Whether a text can stand without quotes, also for a reader of YAML 1.1."""
    resolvers = (yaml12.DIALECT.resolver, Resolver())
    kinds = {each.resolve(ScalarNode, text, (True, False)) for each in resolvers}  # type: ignore[no-untyped-call]
    return bool(_PLAIN.fullmatch(text)) and kinds == {f"{yaml_tree.TAG}str"}


def _quoted(text: str) -> str:
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=2**30).rstrip("\n")
