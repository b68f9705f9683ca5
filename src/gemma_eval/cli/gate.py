"""`gemma-eval gate RUN`: hold a recorded run against its base again, by gates as they are written now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import click

from gemma_eval.cases.gates import DEFAULT_GATES, load_gates
from gemma_eval.cli import database
from gemma_eval.config.accepted import load_accepted
from gemma_eval.gating import baseline as baselines
from gemma_eval.gating.hold import Held, earlier_runs, hold, of_base_run
from gemma_eval.records import Gate, Gating, Run
from gemma_eval.report.gates.terminal import lines
from gemma_eval.report.gates.verdicts_json import document
from gemma_eval.store.read import Reader, open_reader
from gemma_eval.store.write import open_store

REGRESSED = 1
BLOCKS = "--gemma-blocks"


@click.command(short_help="Hold a recorded run against its base again.")
@click.argument("run", default="latest")
@click.option("--baseline", help="The base: a run, a name, a database, merge-base:REF or auto.")
@click.option(
    "--gates",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of gates.  [default: gemma-gates.toml if there is one, else the gates of the run]",
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

    A run that was measured in turn with its base is held against that, any other against --baseline (auto).
    The exit code is 1 when a critical gate is broken, else 0.
    """
    with closing(open_reader(database)) as reader:
        recorded = reader.run(run)
        held = _held(reader, recorded, baseline=baseline, database=database)
        held = replace(
            held,
            gates=_gates(gates, reader.gating(recorded.id)),
            acceptances=load_accepted(accepted) if accepted.exists() else (),
            today=datetime.now(UTC).date().isoformat(),
        )
        gating = hold(held, earlier=earlier_runs(reader, recorded, together=held.together))
    with closing(open_store(database)) as store:
        store.gate(gating)
    if as_json:
        click.echo(json.dumps(document(gating), indent=1))
    else:
        for text, _ in lines(gating):
            click.echo(text)
    context.exit(REGRESSED if _is_broken(gating) else 0)


def _held(reader: Reader, run: Run, *, baseline: str | None, database: Path) -> Held:
    together = run.base is not None and baseline is None
    if together:
        base = of_base_run(reader, run, database)
    else:
        base = baselines.find(baseline or baselines.AUTO, run, database=database, folder=Path.cwd())
    return Held(
        run=run,
        outcomes=reader.outcomes(run.id),
        base=base,
        gates=(),
        together=together,
        blocks=_blocks(run.arguments),
    )


def _blocks(arguments: Sequence[str]) -> int | None:
    """Return the most blocks that a run was asked for, so that it is looked at when it was then."""
    words = [word for argument in arguments for word in argument.split("=", 1)]
    given = [after for before, after in pairwise(words) if before == BLOCKS and after.isdecimal()]
    return int(given[-1]) if given else None


def _gates(given: Path | None, before: Gating | None) -> tuple[Gate, ...]:
    """Return the gates of a file, else those that the run was judged by, else the usual ones."""
    usual = Path("gemma-gates.toml")
    if given is not None or usual.exists():
        return load_gates(given or usual)
    known = () if before is None else tuple(dict.fromkeys(each.gate for each in before.gated))
    return known or DEFAULT_GATES


def _is_broken(gating: Gating) -> bool:
    return any(
        each.gate.tier == "critical" and each.comparison.verdict in ("REGRESSED", "MISSING")
        for each in gating.gated
    )
