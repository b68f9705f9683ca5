"""`gemma-eval baseline`: give runs names, so that later ones are held against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import click

from gemma_eval.cli import database
from gemma_eval.cli.screen import json_option, print_json
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.files.rows import name_flaw
from gemma_eval.gating.baseline import unfit
from gemma_eval.records import Run
from gemma_eval.report.columns import columns
from gemma_eval.store.read import LATEST, open_reader
from gemma_eval.store.write import open_store

_TAKEN = (LATEST, "auto")
"""What a name as a baseline would be taken for."""
_DATABASE = ".db"


@click.group(short_help="Name the runs that others are held against.")
def baseline() -> None:
    """Name the runs that others are held against: `pytest --gemma-suite … --gemma-baseline NAME`."""


@baseline.command("set", short_help="Give a run a name.")
@click.argument("name")
@click.argument("run")
@click.option(
    "--force",
    is_flag=True,
    help="Take a run all the same that is refused, and say why it was.",
)
@database.option
def set_(*, name: str, run: str, force: bool, database: Path) -> None:
    """Give RUN (an id from `gemma-eval runs`, or "latest") the NAME; a run that had it has it no longer."""
    with closing(open_reader(database)) as reader:
        chosen, known, runs = reader.run(run), reader.baselines(), reader.runs()
    if flaw := name_flaw(name):
        raise UsageError(f"the name of a baseline {flaw}")
    if name.endswith(_DATABASE):
        raise UsageError(f'"{name}" would be taken for a results database; choose another name')
    if name in _TAKEN or name in {each.id for each in runs}:
        raise UsageError(f'"{name}" means a run already; choose another name')
    reasons = tuple(flaw.told for flaw in unfit(chosen))
    if reasons and not force:
        told = "".join(f"\n  {reason}" for reason in reasons)
        raise UsageError(f"run {chosen.id} makes a poor baseline; --force takes it all the same{told}")
    with closing(open_store(database)) as store:
        store.set_baseline(name, chosen.id)
    before = known.get(name)
    was = f" (it was {before})" if before not in (None, chosen.id) else ""
    click.echo(f"{name} is run {chosen.id}{was}")
    for reason in reasons:
        click.echo(f"  {reason}")


@baseline.command("list", short_help="List the names.")
@database.option
@json_option
def list_(*, database: Path, as_json: bool) -> None:
    """List the names and their runs."""
    known, runs = _read(database)
    if as_json:
        print_json(dict(known))
        return
    if not known:
        click.echo(f"{database}: no run has a name as a baseline; gemma-eval baseline set NAME RUN gives one")
        return
    rows = [
        ("name", "run", "started (UTC)", "state", "suites"),
        *(_row(*each, runs) for each in known.items()),
    ]
    for line in columns(rows):
        click.echo(line)


@baseline.command(short_help="Say which run a name means.")
@click.argument("name")
@database.option
def show(*, name: str, database: Path) -> None:
    """Say which run NAME means, and what is to know of it."""
    known, runs = _read(database)
    if name not in known:
        raise UnknownName("baseline", name, known)
    for line in columns(tuple(_facts(runs[known[name]]))):
        click.echo(line)


@baseline.command(short_help="Forget a name.")
@click.argument("name")
@database.option
def unset(*, name: str, database: Path) -> None:
    """Forget NAME; its run stays."""
    known, _ = _read(database)  # first, since to open a store would create one where there is none
    if name not in known:
        raise UnknownName("baseline", name, known)
    with closing(open_store(database)) as store:
        store.unset_baseline(name)
    click.echo(f"{name} is forgotten; run {known[name]} stays")


def _read(database: Path) -> tuple[Mapping[str, str], Mapping[str, Run]]:
    with closing(open_reader(database)) as reader:
        return reader.baselines(), {run.id: run for run in reader.runs()}


def _row(name: str, run_id: str, runs: Mapping[str, Run]) -> tuple[str, ...]:
    run = runs[run_id]
    return name, run_id, _started(run), run.state, ", ".join(run.suites)


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    yield "run", run.id
    yield "started (UTC)", _started(run)
    yield "state", run.state
    yield "suites", ", ".join(run.suites)
    yield "commit", run.commit or "not known"
    yield "machine", f"{run.host.cpu}, {run.host.logical_cores} cores"
    yield from (("beware", flaw.told) for flaw in unfit(run))


def _started(run: Run) -> str:
    return run.started_utc[:19].replace("T", " ")
