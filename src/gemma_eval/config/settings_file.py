"""One settings.yaml: the keys that it gives, each with its value and line, and all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Optional, cast

from pydantic import Field, FiniteFloat, create_model

from gemma_eval.config import versions
from gemma_eval.config.files import NotParsed, Problems, read_text
from gemma_eval.config.settings_keys import KEYS, Key
from gemma_eval.errors import Problem
from gemma_eval.files import read, rows, yaml12
from gemma_eval.logs import secrets

NAME = "settings.yaml"
VERSION = 1
"""The version of settings.yaml that this package reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The value that a file gives a key, as it is written there, and its line."""

    value: object
    line: int


def load(path: Path) -> dict[str, Chosen]:
    """Return what a settings.yaml chooses by the names of keys. Raises ConfigError with every problem."""
    return parse(read_text(path), path=path)


def parse(text: str, *, path: Path) -> dict[str, Chosen]:
    """Return what `load` does of the text of a file that is, or is to be, at `path`.

    A text without a value, in which all may be commented out, chooses nothing. Raises ConfigError.
    """
    try:
        written = yaml12.parse(text)
    except read.ReadError as error:
        raise NotParsed([Problem(path=path, line=error.line, what=error.what)]) from error
    problems = Problems(path, written.lines)
    if what := versions.newer(written.table, known=VERSION):
        problems.say((versions.KEY,), what)
        problems.stop()
    problems.found.extend(Problem(path=path, line=line, what=what) for line, what in written.refused)
    if written.table and (what := versions.flaw(written.table, known=VERSION, written=f"version: {VERSION}")):
        problems.say((versions.KEY,), what)
    flaws = rows.check(row(), _without_version(written.table))[1]
    problems.say_flaws("", (), (_about_tables(flaw) for flaw in flaws))
    problems.say_flaws("", (), (rows.Flaw(at, what) for at, what in secrets.flaws(written.table)))
    problems.stop()
    return {
        key.name: Chosen(value=_at(written.table, key), line=written.lines.at(key.path))
        for key in KEYS
        if key.path in written.lines.of
    }


def flaw(key: Key, value: object) -> str | None:
    """Say what is wrong with a value of one key, `None` when nothing is."""
    nested: object = value
    for part in reversed(key.path):
        nested = {part: nested}
    flaws = rows.check(row(), cast(Mapping[str, object], nested))[1]
    return flaws[0].what if flaws else None


@cache
def row() -> type[rows.Row]:
    """Return the row of a whole settings.yaml, in which every key may be absent and tables may be empty."""
    tables: dict[str, dict[str, object]] = {"": {versions.KEY: (Literal[1] | None, None)}}
    for key in KEYS:
        table, _, name = key.name.rpartition(".")
        kind = Optional[_kind(key)] if key.may_be_none else _kind(key)  # noqa: UP045
        tables.setdefault(table, {})[name] = (kind, None)
    whole = tables.pop("")
    for table, fields in tables.items():
        made = create_model(f"{table.capitalize()}Row", __base__=rows.Row, **fields)  # type: ignore[call-overload]
        whole[table] = (made | None, None)
    return cast(type[rows.Row], create_model("SettingsRow", __base__=rows.Row, **whole))  # type: ignore[call-overload]


def _without_version(table: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in table.items() if key != versions.KEY}


def _about_tables(flaw: rows.Flaw) -> rows.Flaw:
    """Return a flaw; of a key that stands outside of its table, one that says where it belongs."""
    given = str(flaw.path[-1])
    meant = next((key for key in KEYS if key.field == given.replace(".", "_") and len(key.path) > 1), None)
    if not flaw.whole or len(flaw.path) > 1 or meant is None:
        return flaw
    table, key = meant.path
    return rows.Flaw(
        flaw.path, f"unknown key {rows.show(given)}; write {key} in the table {table}", whole=True
    )


def _at(table: Mapping[str, object], key: Key) -> object:
    value: object = table
    for part in key.path:
        value = cast(Mapping[str, object], value)[part]
    return value


def _kind(key: Key) -> object:
    """Return the type of a key, for pydantic."""
    within = Field(ge=key.least, le=key.most)
    kinds: Mapping[str, object] = {
        "path": rows.Text,
        "place": rows.Text,
        "paths": list[rows.Text],
        "name": rows.Name,
        "switch": bool,
        "count": Annotated[int, within],
        "seconds": Annotated[FiniteFloat, within],
    }
    return kinds[key.kind]
