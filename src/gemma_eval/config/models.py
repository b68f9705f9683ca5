"""Models, from TOML: `[model.pocket]` with `backend` and `location`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import Field

from gemma_eval.config import rope
from gemma_eval.config.files import VERSION, Problems, parse_table, read_text
from gemma_eval.config.versions import MIGRATE
from gemma_eval.files import locate, read, rows
from gemma_eval.logs import secrets
from gemma_eval.records import BRINGS_ITS_OWN, CHAT_FORMATS, ModelSpec, Options, RopeScaling

SHIPPED = "@"
"""A location that begins so is no path: its backend knows what it means."""


class ModelRow(rows.Row):
    """One model; the keys are those of `records.ModelSpec`, and `options` is for its backend."""

    backend: rows.Name | None = None
    location: rows.Text | None = None
    context_tokens: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    chat_template: rows.Text | None = None
    rope_scaling: dict[str, object] | None = None
    options: dict[str, rows.OptionValue] | None = None


class ModelsRow(rows.Row):
    """A whole models.toml."""

    version: Literal[1] | None = None
    model: dict[str, object] | None = None


def load(path: Path) -> dict[str, ModelSpec]:
    """Return the models of a TOML file by name. Raises ConfigError with every problem of the file."""
    return parse(read_text(path), path=path)


def parse(text: str, *, path: Path) -> dict[str, ModelSpec]:
    """Return what `load` does of the text of a file that is, or is to be, at `path`. Raises ConfigError."""
    table, problems = parse_table(text, path=path)
    row, flaws = rows.check(ModelsRow, table)
    problems.say_flaws("", (), flaws)
    if "version" not in table:
        problems.say((), f"needs version = {VERSION}; {MIGRATE} adds it")
    if "model" not in table:
        problems.say((), 'needs a model, as [model.pocket] with backend = "…" and location = "…"')
    found = {name: _model(name, table, problems) for name, table in (row.model or {}).items()}
    problems.stop()
    return found


def _model(name: str, table: object, problems: Problems) -> ModelSpec:
    at, prefix = ("model", name), f"model {rows.show(name)}: "
    if flaw := rows.name_flaw(name):
        problems.say(at, f"the name of a model {flaw}")
    if not isinstance(table, dict):
        problems.say(at, f"{prefix[:-2]} is {rows.show(table)}; it should be a table, as [model.pocket]")
        return ModelSpec(name=name, backend="", location="")
    row, flaws = rows.check(ModelRow, table)
    problems.say_flaws(prefix, at, flaws)
    for key in ("backend", "location"):
        if key not in table:
            problems.say(at, f"{prefix}needs a {key}")
    for path, what in secrets.flaws({key: table.get(key) for key in ("location", "options")}):
        problems.say((*at, *path), f"{prefix}{rows.dotted(path)} {what}")
    if flaw := _format_flaw(row.chat_template or ""):
        problems.say((*at, "chat_template"), prefix + flaw)
    scaling = None if row.rope_scaling is None else _scaling(row.rope_scaling, at, problems)
    return ModelSpec(
        name=name,
        backend=row.backend or "",
        location=_resolved(row.location or "", problems.path.parent),
        context_tokens=row.context_tokens,
        chat_template=row.chat_template,
        rope_scaling=scaling,
        options=cast(Options, row.options or {}),
    )


def _scaling(table: dict[str, object], model: locate.Path, problems: Problems) -> RopeScaling:
    at, prefix = (*model, "rope_scaling"), f"model {rows.show(str(model[-1]))}: rope_scaling: "
    row, flaws = rows.check(rope.RopeRow, table)
    problems.say_flaws(prefix, at, flaws)
    for key, what in rope.contradictions(row, given=table):
        problems.say((*at, key) if key else at, prefix + what)
    return rope.record(row)


def _format_flaw(chat_template: str) -> str | None:
    """Say what is wrong with the name of a chat format, `None` for one that is known and for Jinja2."""
    name = chat_template.strip().removeprefix("@")
    if not re.fullmatch(r"@[\w.-]*", chat_template.strip()) or name in CHAT_FORMATS:
        return None
    return BRINGS_ITS_OWN.get(name) or rows.unknown("chat format", name, CHAT_FORMATS)


def _resolved(location: str, folder: Path) -> str:
    """Resolve a relative path against the folder of models.toml; leave URLs and `@names` alone."""
    if location.startswith(SHIPPED) or "://" in location or "\0" in location:
        return location
    return str((folder / read.expanded(location)).absolute()) if location else location
