"""`gemma-eval steps RUN`: what the steps of a run's retrievals took, and which of them takes longest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path

import click

from gemma_eval.cli import completing, database
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.records import Outcome, Run
from gemma_eval.report import numbers
from gemma_eval.report.waterfall import waterfall
from gemma_eval.stats.critical_path import Profile, profile
from gemma_eval.store.read import LATEST, open_reader
from gemma_eval.wire import Plain, dump

Asked = tuple[str, bool]
"""The name of a retrieval, and whether a model was asked with what it found."""


@click.command(short_help="Show what each step of retrievals takes.")
@click.argument("run", default=LATEST, shell_complete=completing.runs)
@click.option("--retrieval", help="Only retrievals of this name; * and ? stand for others.")
@click.option("--case", help="Only cases of this name.")
@database.option
@click.option("--json", "as_json", is_flag=True, help="Print the profiles as JSON.")
def steps(*, run: str, retrieval: str | None, case: str | None, database: Path, as_json: bool) -> None:
    """Show when each step of the retrievals of RUN mostly ran: an id from `gemma-eval runs`, or "latest".

    Steps that ran beside each other do not add up, so a step has a share of the critical path, the chain of
    steps that made each other wait. Answers that a cache gave are left out.
    """
    with closing(open_reader(database)) as reader:
        found = reader.run(run)
        outcomes = reader.outcomes(found.id)
    chosen = _chosen(outcomes, {"retrieval": retrieval, "case": case})
    profiles = {asked: of for asked, each in chosen.items() if (of := profile(each)).trials}
    if not profiles:
        raise UsageError(f"run {found.id} has no steps of a retrieval: no passages were looked for")
    if as_json:
        click.echo(json.dumps(_document(found, profiles), indent=1))
        return
    for line in lines(found, profiles):
        click.echo(line)


def lines(run: Run, profiles: Mapping[Asked, Profile]) -> Iterator[str]:
    """Yield a waterfall for each retrieval."""
    yield f"run {run.id}"
    for (retrieval, has_model), of in profiles.items():
        name = retrieval or "a retrieval without a name"
        trials = "1 trial" if of.trials == 1 else f"{numbers.count(of.trials)} trials"
        p95 = "" if of.before_p95_s is None else f" (p95 {numbers.seconds(of.before_p95_s)})"
        what = "the prompt" if has_model else "the passages alone"
        yield ""
        yield f"{name}: {trials}, {numbers.seconds(of.before_p50_s)} to {what}{p95}"
        yield from (f"  {line}" for line in waterfall(of))


def _document(run: Run, profiles: Mapping[Asked, Profile]) -> Mapping[str, Plain]:
    told = [
        {"retrieval": retrieval, "passages_alone": not has_model, **dump(of)}
        for (retrieval, has_model), of in profiles.items()
    ]
    return {"version": 1, "run": run.id, "profiles": told}


def _chosen(outcomes: Sequence[Outcome], globs: Mapping[str, str | None]) -> dict[Asked, list[Outcome]]:
    """Return the outcomes that fit the globs, by what they were asked. Raises UnknownName: one fits none."""
    for kind, glob in globs.items():
        names = {_name(kind, each) for each in outcomes}
        if glob is not None and not any(fnmatchcase(name, glob) for name in names):
            raise UnknownName(kind, glob, sorted(filter(None, names)))
    found: dict[Asked, list[Outcome]] = {}
    for outcome in outcomes:
        if all(glob is None or fnmatchcase(_name(kind, outcome), glob) for kind, glob in globs.items()):
            group = outcome.trial.cell.group
            found.setdefault((group.retrieval, group.has_model), []).append(outcome)
    return found


def _name(kind: str, outcome: Outcome) -> str:
    cell = outcome.trial.cell
    return cell.retrieval.name if kind == "retrieval" else cell.case.id
