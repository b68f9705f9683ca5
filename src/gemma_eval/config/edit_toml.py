"""Edit a TOML text table by table: comments, order and all that is not changed keep their bytes."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

from gemma_eval.config import edit_inline
from gemma_eval.config.edit_inline import literal, written
from gemma_eval.config.same import same
from gemma_eval.config.toml_sections import Path, sections
from gemma_eval.errors import UsageError
from gemma_eval.files.rows import dotted

Table = dict[str, Any]
"""A table while it is edited, of the standard library or of tomlkit."""


def put(text: str, at: Sequence[str], value: object) -> str:
    """Return a valid TOML text with the value at a path of keys; what is not there yet is added.

    A new table of tables, as that of a model, comes at the end. Of a table that is there the keys are
    changed, and those that the value lacks removed. Raises UsageError where that cannot be done by rule.
    """
    return _put(_Text(text, tomllib.loads(text)), tuple(at), value).text


def drop(text: str, at: Sequence[str]) -> str:
    """Return a valid TOML text without what is at a path of keys, which need not be there.

    Comments above and below a table that goes stay. Raises UsageError where that cannot be done by rule.
    """
    return _drop(_Text(text, tomllib.loads(text)), tuple(at)).text


@dataclass(frozen=True, slots=True)
class _Text:
    """A text, and what it says."""

    text: str
    table: Table


def _put(now: _Text, at: Path, value: object) -> _Text:
    found = _at(now.table, at)
    if isinstance(value, Mapping) and isinstance(found, Mapping):
        now = _with_keys(now, at, found, value)
        found = _at(now.table, at)
    if same(found, value):
        return now
    text = now.text
    ways = [
        lambda: _in_section(text, at, lambda table: _set(table, at, literal(value))),
        lambda: _edited(text, lambda table: _set(table, at, literal(value))),
    ]
    if isinstance(value, Mapping) and found is None and len(at) == _DEPTH_OF_SECTIONS:
        ways.insert(0, lambda: _with_section(text, at, cast(Mapping[str, object], value)))
    return _first_right([_wanted(now.table, at, value)], ways, what=dotted(at))


def _drop(now: _Text, at: Path) -> _Text:
    if _at(now.table, at) is None:
        return now
    ways = [
        lambda: _without_sections(now.text, at),
        lambda: _in_section(now.text, at, lambda table: _remove(table, at)),
        lambda: _edited(now.text, lambda table: _remove(table, at)),
    ]
    return _first_right(_without(now.table, at), ways, what=dotted(at))


_DEPTH_OF_SECTIONS = 2
"""A new table so deep, as `model.pocket`, has a header of its own."""


def _with_keys(now: _Text, at: Path, found: Mapping[str, object], value: Mapping[str, object]) -> _Text:
    """Return a text with what a table lacks put into it, and taken out what it has beyond that."""
    for key in found:
        if key not in value:
            now = _drop(now, (*at, key))
    for key, part in value.items():
        now = _put(now, (*at, key), part)
    return now


def _with_section(text: str, at: Path, value: Mapping[str, object]) -> str:
    """Return a text with a table at its end, in the line ends that it has."""
    lines = [f"[{'.'.join(map(written, at))}]", *(f"{written(key)} = {literal(value[key])}" for key in value)]
    section = "\n".join(lines)
    if not text or text.endswith("\n"):
        section += "\n"
    if text:
        section = f"\n{section}" if text.endswith("\n") else f"\n\n{section}"
    return text + (section.replace("\n", "\r\n") if "\r\n" in text else section)


def _without_sections(text: str, at: Path) -> str:
    """Return a text without a table and the tables in it, each with an empty line before it."""
    for section in reversed(sections(text)):
        if section.path[: len(at)] != at:
            continue
        before, after = text[: section.begin], text[section.end :]
        if before.endswith(("\n\n", "\n\r\n")):
            before = _less_a_line_end(before)
        if not after and not text.endswith("\n"):
            before = _less_a_line_end(before)
        text = before + after
    return text


def _less_a_line_end(text: str) -> str:
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def _in_section(text: str, at: Path, change: Callable[[Table], None]) -> str:
    """Return a text with a change in the table that is nearest to a path; no other line is touched."""
    around = [section for section in sections(text) if section.path == at[: len(section.path)]]
    nearest = max(around, key=lambda section: len(section.path))
    changed = _edited(text[nearest.begin : nearest.end], change)
    return text[: nearest.begin] + changed + text[nearest.end :]


def _edited(text: str, change: Callable[[Table], None]) -> str:
    """Return a text with a change made by tomlkit, in the line ends that it has."""
    import tomlkit

    whole = text if not text or text.endswith("\n") else f"{text}\n"
    document = tomlkit.parse(whole)
    change(cast(Table, document))
    dumped = tomlkit.dumps(document)
    if "\r\n" in text:
        dumped = dumped.replace("\r\n", "\n").replace("\n", "\r\n")
    return dumped if whole == text else _less_a_line_end(dumped)


def _set(table: Table, at: Path, text: str) -> None:
    """Put a value, as TOML, at a path; what is not there on the way becomes inline tables."""
    import tomlkit
    from tomlkit.items import InlineTable

    holder = table
    for depth, key in enumerate(at[:-1], start=1):
        if key not in holder:
            for inner in reversed(at[depth:]):
                text = edit_inline.put("{}", inner, text)
            return _set(table, at[:depth], text)
        holder = holder[key]
    if isinstance(holder, InlineTable):
        return _set(table, at[:-1], edit_inline.put(holder.as_string(), at[-1], text))
    holder[at[-1]] = tomlkit.parse(f"value = {text}\n")["value"]
    return None


def _remove(table: Table, at: Path) -> None:
    from tomlkit.items import InlineTable

    holder = table
    for key in at[:-1]:
        holder = holder[key]
    if isinstance(holder, InlineTable):
        _set(table, at[:-1], edit_inline.drop(holder.as_string(), at[-1]))
    else:
        del holder[at[-1]]


def _first_right(right: Sequence[Table], ways: Sequence[Callable[[], str]], *, what: str) -> _Text:
    """Return what the first way gives that says one of the right things, which is proven by reading it."""
    for way in ways:
        try:
            text = way()
            table = tomllib.loads(text)
        except (LookupError, TypeError, ValueError, AttributeError):  # tomlkit's errors are ValueErrors
            continue
        if any(same(table, each) for each in right):
            return _Text(text, table)
    raise UsageError(f"{what} is written in a way that cannot be edited by rule; edit the file by hand")


def _at(table: object, at: Path) -> object:
    for key in at:
        if not isinstance(table, Mapping) or key not in table:
            return None
        table = table[key]
    return table


def _wanted(table: Table, at: Path, value: object) -> Table:
    table = deepcopy(table)
    _holder(table, at)[at[-1]] = value
    return table


def _without(table: Table, at: Path) -> list[Table]:
    """Return what may be left: a table that has no header goes with the last thing in it."""
    left: list[Table] = []
    for depth in range(len(at), 0, -1):
        table = deepcopy(table)
        holder = _holder(table, at[:depth])
        del holder[at[depth - 1]]
        left.append(table)
        if holder:
            break
    return left


def _holder(table: Table, at: Path) -> Table:
    """Return the table that holds what is at a path. Raises UsageError where something there is no table."""
    for depth, key in enumerate(at[:-1], start=1):
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise UsageError(f"{dotted(at[:depth])} is no table, and nothing can be put into it")
    return table
