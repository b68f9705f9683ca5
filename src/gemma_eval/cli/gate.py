"""`gemma-eval gate RUN`: hold a recorded run against its base again, by gates as they are written now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import click

from gemma_eval.cases.gates import DEFAULT_GATES, load_gates
from gemma_eval.cli import completing, database
from gemma_eval.config.accepted import load_accepted
from gemma_eval.errors import UsageError
from gemma_eval.gating import baseline as baselines
from gemma_eval.gating.baseline import Baseline
from gemma_eval.gating.hold import Held, earlier_runs, hold, of_base_run
from gemma_eval.records import Gate, Gating, Outcome, Run
from gemma_eval.report.gates.terminal import lines
from gemma_eval.report.gates.verdicts_json import document
from gemma_eval.store.read import Reader, open_reader
from gemma_eval.store.write import open_store

REGRESSED = 1
BLOCKS = "--gemma-blocks"
USUAL = Path("gemma-gates.toml")


@click.command(short_help="Hold a recorded run against its base again.")
@click.argument("run", default="latest", shell_complete=completing.runs)
@click.option(
    "--baseline",
    help="The base: a run, a name, a database, merge-base:REF or auto.  [default: that of before, else auto]",
)
@click.option(
    "--gates",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of gates beside those of the suites.  [default: gemma-gates.toml, else those of before]",
)
@click.option(
    "--accepted",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("gemma-accepted.toml"),
    show_default=True,
    help="Regressions that are accepted.",
)
@database.option
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
@click.pass_context
def gate(  # noqa: PLR0913 - one parameter per option
    context: click.Context,
    *,
    run: str,
    baseline: str | None,
    gates: Path | None,
    accepted: Path,
    database: Path,
    as_json: bool,
) -> None:
    """Judge RUN (an id, "latest") by the gates as they are now, and keep the verdicts in the database.

    What the run was held against before, it is held against again, else the base that it was measured in turn
    with, else what auto finds. Gates of suites stay as they were when it was made. The exit code is 1 when a
    critical gate is broken, else 0.
    """
    with closing(open_reader(database)) as reader:
        recorded = reader.run(run)
        before, outcomes = reader.gating(recorded.id), reader.outcomes(recorded.id)
        base = _base(reader, recorded, before, given=baseline, database=database)
        together = base.run is not None and base.run.id == recorded.base and base.elsewhere is None
        held = Held(
            run=recorded,
            outcomes=outcomes,
            base=base,
            gates=_gates(gates, before, outcomes),
            together=together,
            blocks=_blocks(before, recorded.arguments),
            spoiled="" if before is None else before.spoiled,
            acceptances=load_accepted(accepted) if accepted.exists() else (),
            today=datetime.now(UTC).date().isoformat(),
        )
        gating = hold(held, earlier=earlier_runs(reader, recorded, together=together))
    with closing(open_store(database)) as store:
        store.gate(gating)
    if as_json:
        click.echo(json.dumps(document(gating), indent=1))
    else:
        for text, _ in lines(gating):
            click.echo(text)
    context.exit(REGRESSED if _is_broken(gating) else 0)


def _base(reader: Reader, run: Run, before: Gating | None, *, given: str | None, database: Path) -> Baseline:
    """Return the base that is named, else that of before, else the one in turn, else what auto finds."""
    if given is None and before is not None and before.base is not None:
        return _again(reader, before.base, before, database)
    if given is None and run.base is not None:
        return of_base_run(reader, run, database)
    name = given or baselines.AUTO
    found = baselines.find(name, run, database=database, folder=Path.cwd(), is_recorded=True)
    is_own = found.run is not None and found.run.id == run.base and found.elsewhere is None
    return of_base_run(reader, run, database) if is_own else found


def _again(reader: Reader, base: str, before: Gating, database: Path) -> Baseline:
    if before.base_database is None:
        return Baseline(run=reader.run(base), database=database, found=before.found)
    path = database.resolve().parent / before.base_database
    with closing(open_reader(path)) as other:
        run = other.run(base)
    return Baseline(run=run, database=path, found=before.found, elsewhere=before.base_database)


def _blocks(before: Gating | None, arguments: Sequence[str]) -> int | None:
    """Return the most blocks that a run was asked for, so that it is looked at when it was then."""
    if before is not None and before.most_blocks is not None:
        return before.most_blocks
    words = [word for argument in arguments for word in argument.split("=", 1)]
    given = [value for name, value in pairwise(words) if name == BLOCKS and value.isdecimal()]
    return int(given[-1]) if given else None


def _gates(given: Path | None, before: Gating | None, outcomes: Sequence[Outcome]) -> tuple[Gate, ...]:
    """Return the gates of a file and of the suites, else those of before, else the usual ones.

    Raises SuiteError, UsageError: two have one id.
    """
    known = () if before is None else before.gates or tuple(dict.fromkeys(each.gate for each in before.gated))
    if given is None and not USUAL.exists():
        return known or DEFAULT_GATES
    path = given or USUAL
    suites = {each.trial.cell.case.source.path for each in outcomes} - {path.name}
    of_suites = [gate for gate in known if gate.source is not None and gate.source.path in suites]
    gates = load_gates(path)
    for gate in of_suites:
        if gate.id in {each.id for each in gates}:
            place = f"{gate.source.path}:{gate.source.line}" if gate.source else ""
            raise UsageError(f'{path}: gate "{gate.id}" has the id of that in {place}; rename it')
    return (*gates, *of_suites)


def _is_broken(gating: Gating) -> bool:
    return any(
        each.gate.tier == "critical" and each.comparison.verdict in ("REGRESSED", "MISSING")
        for each in gating.gated
    )
