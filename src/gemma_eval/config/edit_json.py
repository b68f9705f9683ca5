"""Edit a JSON text member by member: what is not changed keeps its bytes, what is new looks like the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json.decoder import JSONDecodeError

from gemma_eval.config.same import same
from gemma_eval.errors import UsageError
from gemma_eval.files.rows import dotted

UNIT = "  "
"""What a level is indented by where a file does not show it."""

_SPACE = re.compile(r"[ \t\r\n]*")
_READ = json.JSONDecoder().raw_decode
_DEEPEST_ON_LINES = 2
"""Objects so deep, and no deeper, have a member on each line if the file has lines."""


def put(text: str, at: Sequence[str], value: object) -> str:
    """Return a valid JSON object with the value at a path of keys; what is not there yet is added at the end.

    Raises UsageError where something on the way is no object.
    """
    return _put(text, _object(text, _skip(text, 0)), tuple(at), value)


def drop(text: str, at: Sequence[str]) -> str:
    """Return a valid JSON object without what is at a path of keys, which need not be there."""
    while (found := _find(text, at)) is not None:
        text = _dropped(text, *found)
    return text


@dataclass(frozen=True, slots=True)
class _Member:
    """Where a member is: its key, what is between key and value, its value, and the end of that."""

    key: str
    begin: int
    between: str
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class _Object:
    """Where an object is, from its `{` up to behind its `}`."""

    begin: int
    end: int
    members: tuple[_Member, ...]
    depth: int

    def last(self, key: str) -> _Member | None:
        """Return the member of a key, of several the one that counts."""
        return next((member for member in reversed(self.members) if member.key == key), None)


def _object(text: str, begin: int, *, depth: int = 0) -> _Object:
    members: list[_Member] = []
    at = _skip(text, begin + 1)
    while text[at] != "}":
        key, after = _READ(text, at)
        value = _skip(text, _skip(text, after) + 1)
        _, end = _READ(text, value)
        members.append(_Member(key, at, text[after:value], value, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return _Object(begin, at + 1, tuple(members), depth)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    if found is None or found.end() == len(text):
        raise JSONDecodeError("Unexpected end", text, at)
    return found.end()


def _find(text: str, at: Sequence[str]) -> tuple[_Object, _Member] | None:
    holder = _object(text, _skip(text, 0))
    for key in at[:-1]:
        member = holder.last(key)
        if member is None or text[member.value] != "{":
            return None
        holder = _object(text, member.value)
    member = holder.last(at[-1])
    return None if member is None else (holder, member)


def _dropped(text: str, holder: _Object, member: _Member) -> str:
    index = holder.members.index(member)
    if index:
        return text[: holder.members[index - 1].end] + text[member.end :]
    if len(holder.members) > 1:
        return text[: member.begin] + text[holder.members[1].begin :]
    return text[: holder.begin + 1] + text[holder.end - 1 :]


def _put(text: str, holder: _Object, at: tuple[str, ...], value: object) -> str:
    member = holder.last(at[0])
    if member is None:
        return _added(text, holder, at[0], _nested(at[1:], value))
    if len(at) > 1:
        if text[member.value] != "{":
            raise UsageError(f"{dotted((at[0],))} is no object, and nothing can be put into it")
        return _put(text, _object(text, member.value, depth=holder.depth + 1), at[1:], value)
    old = text[member.value : member.end]
    if same(json.loads(old), value):
        return text
    look = _Look.of(text, holder)
    return text[: member.value] + look.shown(value, lines="\n" in old) + text[member.end :]


def _nested(keys: tuple[str, ...], value: object) -> object:
    return value if not keys else {keys[0]: _nested(keys[1:], value)}


def _added(text: str, holder: _Object, key: str, value: object) -> str:
    look = _Look.of(text, holder)
    shown = f"{json.dumps(key, ensure_ascii=False)}{look.colon}"
    shown += look.shown(value, lines=_has_lines(text, holder))
    if holder.members:
        end = holder.members[-1].end
        return text[:end] + look.comma + shown + text[end:]
    inside = f"{look.newline}{look.indent}{shown}{look.newline}{look.outer}" if look.on_lines else shown
    return text[: holder.begin + 1] + inside + text[holder.end - 1 :]


def _has_lines(text: str, holder: _Object) -> bool:
    """Whether the last object or list beside a new one takes several lines."""
    beside = (text[member.value : member.end] for member in reversed(holder.members))
    return "\n" in next((each for each in beside if each[0] in "[{" and len(each) > 2), "")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    """How the members of one object are written: line ends, indentation, and what is between its parts."""

    newline: str
    on_lines: bool
    outer: str
    indent: str
    unit: str
    comma: str
    colon: str

    @classmethod
    def of(cls, text: str, holder: _Object) -> _Look:
        newline = "\r\n" if "\r\n" in text else "\n"
        unit, outer = _unit(text), _indent_at(text, holder.begin)
        members = holder.members
        if not members:
            return cls(
                newline=newline,
                on_lines="\n" in text.strip() and holder.depth < _DEEPEST_ON_LINES,
                outer=outer,
                indent=outer + unit,
                unit=unit,
                comma=",",
                colon=_colon(text),
            )
        lead = text[holder.begin + 1 : members[0].begin]
        colon = members[-1].between
        comma = "," + (lead if "\n" in lead else " " if colon[-1:].isspace() else "")
        if len(members) > 1:
            comma = text[members[-2].end : members[-1].begin]
        return cls(
            newline=newline,
            on_lines="\n" in lead,
            outer=outer,
            indent=_indent_at(text, members[-1].begin),
            unit=unit,
            comma=comma,
            colon=colon,
        )

    def shown(self, value: object, *, lines: bool) -> str:
        """Return a value as JSON: on one line, or with a line for each of its parts."""
        if not isinstance(value, Mapping | list | tuple) or not value or not lines:
            separators = (", ", ": ") if self.colon.endswith((" ", "\t", "\n")) else (",", ":")
            return json.dumps(value, ensure_ascii=False, separators=separators)
        dumped = json.dumps(value, ensure_ascii=False, indent=self.unit)
        return dumped.replace("\n", self.newline + self.indent)


def _indent_at(text: str, at: int) -> str:
    """Return what the line of an index begins with."""
    line = text.rfind("\n", 0, at) + 1
    return text[line : line + len(text[line:at]) - len(text[line:at].lstrip(" \t"))]


def _unit(text: str) -> str:
    found = re.match(r"\s*\{\s*\n([ \t]+)\"", text)
    return found[1] if found else UNIT


def _colon(text: str) -> str:
    """Return what is between the first key of the text and its value."""
    root = _object(text, _skip(text, 0))
    return root.members[0].between if root.members else ": "
