"""`gemma-eval compare BASE CANDIDATE`: how two runs, models, profiles or templates differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from gemma_eval.cli import database
from gemma_eval.cli.figures import Figure
from gemma_eval.errors import UnknownName
from gemma_eval.records import Outcome
from gemma_eval.report.comparisons import lines
from gemma_eval.store.read import Reader, open_reader
from gemma_eval.verdict.compare import compare as compare_sides
from gemma_eval.verdict.quality import MARGIN
from gemma_eval.verdict.sides import AXES, name_on, on
from gemma_eval.wire import dump

_Sides = tuple[Sequence[Outcome], Sequence[Outcome]]


@click.command(short_help="Say how two runs, models, profiles or templates differ.")
@click.argument("base")
@click.argument("candidate")
@click.option("--run", default="latest", show_default=True, help="The run in which models or the like are.")
@click.option(
    "--margin",
    type=Figure(min=0, max=1, min_open=True, max_open=True),
    default=MARGIN,
    show_default=True,
    help="How much of a score may be lost.",
)
@database.option
@click.option("--json", "as_json", is_flag=True, help="Print the comparisons as JSON.")
def compare(*, base: str, candidate: str, run: str, margin: float, database: Path, as_json: bool) -> None:
    """Compare CANDIDATE with BASE: two runs (ids, "latest", "latest~1"), or two models, profiles or templates
    of one run.

    Scores are held together case by case. A verdict is REGRESSED when the candidate is proved to be worse by
    more than the margin, PASS when it is proved not to be, and INCONCLUSIVE when the data show neither.
    """
    with closing(open_reader(database)) as reader:
        ours, theirs = _sides(reader, base, candidate, run=run)
    found = compare_sides(ours, theirs, margin=margin)
    if as_json:
        click.echo(json.dumps({"version": 1, "comparisons": [dump(each) for each in found]}, indent=1))
        return
    for line in lines(found):
        click.echo(line)


def _sides(reader: Reader, base: str, candidate: str, *, run: str) -> _Sides:
    """Return the outcomes of two runs, or those of one run with one name and with the other.

    Raises UnknownName for what is neither.
    """
    known = {each.id for each in reader.runs()}
    if _is_run(base, known) and _is_run(candidate, known):
        return tuple(reader.outcomes(reader.run(each).id) for each in (base, candidate))  # type: ignore[return-value]
    outcomes = reader.outcomes(reader.run(run).id)
    names = {axis: {name_on(axis, outcome) for outcome in outcomes} for axis in AXES}
    for axis in AXES:
        if base in names[axis] and candidate in names[axis]:
            return on(axis, outcomes, name=base), on(axis, outcomes, name=candidate)
    every = sorted(known | set().union(*names.values()))
    unknown = next((each for each in (base, candidate) if each not in every), None)
    if unknown is not None:
        raise UnknownName("run, model, profile or template", unknown, every)
    raise click.UsageError(f"{base} and {candidate} are not of one kind; give two runs, or two of one axis")


def _is_run(name: str, known: set[str]) -> bool:
    return name in known or name.partition("~")[0] == "latest"
