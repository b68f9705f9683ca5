"""`gemma-eval rescore RUN`: score the stored answers of a run again, by its suites as they are now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from gemma_eval.cli import chosen, completing, database
from gemma_eval.config.shipped import suite_path
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.executors.embedders import Embedders
from gemma_eval.executors.judges import Judges
from gemma_eval.executors.rescoring import Given, Rescored, Served
from gemma_eval.executors.rescoring import rescore as score_again
from gemma_eval.measure.clock import clock
from gemma_eval.plugins import Registry
from gemma_eval.protocols import Services
from gemma_eval.records import Cell, Outcome, Run, Scoring
from gemma_eval.report.columns import columns
from gemma_eval.report.rescorings import changed, day, lines
from gemma_eval.stages import load_backend
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import open_store
from gemma_eval.suite import load_suite

MOST_NAMED = 5
"""How many cases a line names before it counts the rest."""


@click.command(short_help="Score the answers of a recorded run again.")
@click.argument("run", default="latest", shell_complete=completing.runs)
@click.option(
    "--suite",
    "files",
    multiple=True,
    metavar="FILE",
    help="A suite of the run as it is now; several may be given.  [default: the files it was run with]",
)
@click.option("--judge", is_flag=True, help="Ask judges and embedders again, which may take long.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--list", "listed", is_flag=True, help="List the scorings of the run.")
@click.option("--undo", is_flag=True, help="Forget the newest scoring of the run.")
@database.option
@click.pass_obj
def rescore(  # noqa: PLR0913 - one parameter per option
    registry: Registry,
    *,
    run: str,
    files: tuple[str, ...],
    judge: bool,
    dry_run: bool,
    listed: bool,
    undo: bool,
    database: Path,
) -> None:
    """Score the answers of RUN (an id from `gemma-eval runs`, or "latest") by the checks of its suites now.

    Nothing is generated, and the scores of before are kept beside the new ones. A case that asks something
    else now is not scored, since its answers are to another question. A check that asks a model keeps what
    was said then, unless --judge is given.
    """
    with closing(open_reader(database)) as reader:  # first, since to open a store would create one
        recorded = reader.run(run)
    if listed:
        for line in _list(recorded):
            click.echo(line)
        return
    if undo:
        with closing(open_store(database)) as store:
            gone = store.undo_scoring(recorded.id)
        click.echo(f"{recorded.id}: scoring {gone.number} of {day(gone)} is forgotten")
        return
    _, outcomes = _read(recorded.id, database)
    given = _suites(recorded, outcomes.values(), files, registry)
    with _services(registry, is_asked=judge) as services:
        _rescore(recorded.id, given, registry, services, database=database, dry_run=dry_run)


def _rescore(
    run_id: str,
    given: Sequence[Given],
    registry: Registry,
    services: Served | None,
    *,
    database: Path,
    dry_run: bool,
) -> None:
    with nullcontext() if dry_run else closing(open_store(database)) as store:
        run, before = _read(run_id, database)  # now that nobody else writes
        found = score_again(before, given, registry=registry, services=services)
        scoring = _scoring(run, given, before, found)
        is_other = any(before[key] != outcome for key, outcome in found.outcomes.items())
        if is_other and store is not None:
            store.rescore(run.id, scoring, found.outcomes)
    for line in _told(scoring, before, found, run=run, is_other=is_other):
        click.echo(line)
    if is_other and dry_run:
        click.echo("nothing was written; leave out --dry-run to do that")


def _read(run_id: str, database: Path) -> tuple[Run, dict[str, Outcome]]:
    with closing(open_reader(database)) as reader:
        return reader.run(run_id), reader.outcomes_by_key(run_id)


def _scoring(run: Run, given: Sequence[Given], before: Mapping[str, Outcome], found: Rescored) -> Scoring:
    """Return what is written of the scoring. Raises UsageError where no case asks what it asked."""
    notes = tuple(_left_out(found))
    if not found.outcomes:
        raise UsageError(f"run {run.id}: none of its answers can be scored again: {'; '.join(notes)}")
    return Scoring(
        number=run.scorings[-1].number + 1 if run.scorings else 1,
        at_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        suites={each.suite.name: each.suite.sha256 for each in given},
        answers=len(found.outcomes),
        changed=changed(before, found.outcomes),
        notes=notes,
    )


def _left_out(found: Rescored) -> Iterator[str]:
    if found.otherwise:
        yield f"asked otherwise now, and not scored: {_some(found.otherwise)}"
    if found.fewer:
        yield f"answered fewer times than their k, and without a score: {_some(found.fewer)}"
    if found.removed:
        yield f"not in the suite any more, and not scored: {_some(found.removed)}"
    if found.added:
        yield f"in the suite now, and not in the run: {_some(found.added)}"
    if found.kept:
        yield f"{found.kept} answers keep what models said of them; --judge asks again"


def _told(
    scoring: Scoring, before: Mapping[str, Outcome], found: Rescored, *, run: Run, is_other: bool
) -> Iterator[str]:
    if not is_other:
        yield f"{run.id}: nothing to do, its checks and scores are those of the suite"
    else:
        yield (
            f"{run.id}: {scoring.changed} of {scoring.answers} answers have another score now "
            f"(scoring {scoring.number}, by the checks of {' and '.join(sorted(scoring.suites))})"
        )
        yield from ("", *lines(before, found.outcomes))
    if scoring.notes:
        yield from ("", *scoring.notes)


def _some(names: Sequence[str]) -> str:
    rest = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


# --- suites and judges -------------------------------------------------------------------------------


def _suites(run: Run, outcomes: Iterable[Outcome], files: Sequence[str], registry: Registry) -> list[Given]:
    """Return the suites of a run as they are now. Raises UsageError where one of them is not found."""
    sources = {each.trial.cell.suite: each.trial.cell.case.source.path for each in outcomes}
    if not sources:
        raise UsageError(f"run {run.id} has no recorded trial: there is nothing to score")
    if files:
        given = [_load(suite_path(name, folder=Path.cwd()), registry) for name in files]
        for each in given:
            if each.suite.name not in sources:
                raise UnknownName(f"suite in run {run.id}", each.suite.name, sources)
        return given
    return [_find(name, source, run, registry) for name, source in sources.items()]


def _find(name: str, source: str, run: Run, registry: Registry) -> Given:
    """Return the suite of that name among the files that the run was asked for, else in this folder."""
    words = [word for argument in run.arguments for word in argument.split("=", 1)]
    for word in (*words, source):
        with suppress(UnknownName, UsageError):
            path = suite_path(word.removeprefix("@").partition("::")[0], folder=Path.cwd())
            if path.name == source:
                break
    else:
        raise UsageError(f'suite "{name}" of run {run.id} is not found; give its file as --suite FILE')
    given = _load(path, registry)
    if given.suite.name != name:
        raise UsageError(f'{path}: is suite "{given.suite.name}" now, not "{name}"; give --suite FILE')
    return given


def _load(path: Path, registry: Registry) -> Given:
    suite, cells = load_suite(path, registry, say=chosen.say)
    return Given(suite=suite, judges={spec.name: spec for cell in cells for spec in cell.judges})


@contextmanager
def _services(registry: Registry, *, is_asked: bool) -> Iterator[Served | None]:
    """Give what checks may ask a model with; nothing unless that is asked for."""
    if not is_asked:
        yield None
        return
    judges = Judges(load=lambda spec: load_backend(spec, registry, clock=clock), answering=lambda _: None)
    embedders = Embedders(registry=registry)

    def served(cell: Cell) -> Services:
        judges.seat(cell)
        named = {spec.name: spec for spec in cell.judges}
        return Services(ask=judges.ask(cell), embed=lambda name, texts: embedders.embed(named[name], texts))

    with closing(judges):
        yield served


# --- what there is -----------------------------------------------------------------------------------


def _list(run: Run) -> Iterator[str]:
    if not run.scorings:
        yield f"{run.id} was never scored again"
        return
    head = ("scoring", "made", "answers", "changed", "by the checks of")
    rows = [(str(each.number), day(each), *_counts(each), _named(each)) for each in run.scorings]
    started = f"{run.started_utc[:16].replace('T', ' ')} UTC"
    yield from columns([head, ("0", started, "", "", "the run itself"), *rows])


def _counts(scoring: Scoring) -> tuple[str, str]:
    return str(scoring.answers), str(scoring.changed)


def _named(scoring: Scoring) -> str:
    return ", ".join(f"{name} ({sha256[:10]})" for name, sha256 in sorted(scoring.suites.items()))
