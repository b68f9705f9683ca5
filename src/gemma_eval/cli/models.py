"""`gemma-eval models`: the models that can be named, what their files say, and work on those files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import chosen, completing, edited, screen
from gemma_eval.cli.model_files import export_gguf, serve
from gemma_eval.cli.model_test import test
from gemma_eval.cli.models_changed import add, remove, set_

if TYPE_CHECKING:
    from gemma_eval.cli.model_measured import Measured
    from gemma_eval.config.as_written import AsWritten, Written
    from gemma_eval.records import ModelSpec


@click.group(short_help="The models: list, add, test, convert, serve.")
def models() -> None:
    """List, add, test, convert and serve the models of models.toml."""


@models.command("list", short_help="List the models.")
@screen.json_option
def list_(*, as_json: bool) -> None:
    """List the models that can be named here: backend, place, origin, and how fast each was last measured.

    The figure is the median of output tokens per second over the answers of the newest run of the results
    database that has any.
    """
    from gemma_eval.cli.model_measured import last_measured

    found = known()
    measured = last_measured(chosen.settings().database)
    if as_json:
        screen.print_json([_as_plain(each, measured.get(name)) for name, each in found.of.items()])
        return
    rows = [_row(each, measured.get(name)) for name, each in found.of.items()]
    headings = ("model", "backend", "location", "there", "tokens/s", "measured (UTC)", "from")
    screen.table(headings, rows, right=("tokens/s",))


@models.command(short_help="Show a model, and what its files say.")
@click.argument("name", shell_complete=completing.models)
@screen.json_option
def show(*, name: str, as_json: bool) -> None:
    """Show what models.toml says of the model NAME, and what the header of its files does."""
    from gemma_eval.cli import model_facts
    from gemma_eval.cli.model_measured import last_measured
    from gemma_eval.errors import GemmaEvalError

    all_of = chosen.find("model", name, known().of)
    last = all_of[-1]
    flaw = facts = None
    try:
        facts = model_facts.of_location(last.value.location)
    except GemmaEvalError as error:
        flaw = str(error)
    if as_json:
        plain = _as_plain(all_of, last_measured(chosen.settings().database).get(name))
        plain |= {"files": None if facts is None else facts.as_plain(), "flaw": flaw}
        screen.print_json(plain)
        return
    click.echo(f"{name}: {last.path if last.layer == 'built-in' else edited.short(last.path)}:{last.line}")
    rows = [(key, _shown(value)) for key, value in last.table.items()]
    rows += [("files", facts.said())] if facts is not None else []
    rows += [("flaw", flaw)] if flaw is not None else []
    rows += [("overrules", ", ".join(map(_where, all_of[:-1])))] if len(all_of) > 1 else []
    screen.table(("key", "value"), rows)


for _command in (add, set_, remove, test, export_gguf, serve):
    models.add_command(_command)


def known() -> AsWritten[ModelSpec]:
    """Return the models as they are written in the files that count here. Raises ConfigError."""
    from gemma_eval.config import as_written

    found = as_written.of_models(edited.places())
    for notice in found.notices:
        click.echo(notice, err=True)
    return found


def _row(all_of: tuple[Written[ModelSpec], ...], measured: Measured | None) -> tuple[str, ...]:
    from gemma_eval.cli.model_facts import is_there
    from gemma_eval.report import numbers

    last = all_of[-1]
    there = {True: "yes", False: "no", None: "–"}[is_there(last.value.location)]  # noqa: RUF001 - no value
    return (
        last.value.name,
        last.value.backend,
        str(last.table["location"]),
        there,
        "" if measured is None else numbers.number(measured.output_tokens_per_s),
        "" if measured is None else measured.started_utc[:16].replace("T", " "),
        _where(last),
    )


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _where(written: Written[ModelSpec]) -> str:
    return "built-in" if written.layer == "built-in" else edited.short(written.path)


def _as_plain(all_of: tuple[Written[ModelSpec], ...], measured: Measured | None) -> dict[str, object]:
    from dataclasses import asdict

    from gemma_eval.cli.model_facts import is_there

    last = all_of[-1]
    return {
        "name": last.value.name,
        "layer": last.layer,
        "file": str(last.path),
        "line": last.line,
        "sets": dict(last.table),
        "location": last.value.location,
        "there": is_there(last.value.location),
        "measured": None if measured is None else asdict(measured),
        "overrules": [str(each.path) for each in all_of[:-1]],
    }
