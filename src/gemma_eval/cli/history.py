"""`gemma-eval history METRIC`: a metric run by run and where its level changed, or how the gates fared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import click

from gemma_eval.cli import database, history_gates
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.records import MICROBENCHMARK, Group, Outcome, Run, Where
from gemma_eval.report.comparisons import change, value, wrapped
from gemma_eval.report.gates.words import one_line
from gemma_eval.stats.change_points import LEAST
from gemma_eval.stats.summary import METRICS
from gemma_eval.store.read import Reader, open_reader
from gemma_eval.verdict.audit import audit
from gemma_eval.verdict.over_runs import Point, Series, over_runs
from gemma_eval.wire import dump

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 76
"""So many runs are drawn in a line."""

_TOLD = 5
"""Of so many runs that are left out it is said why: the newest."""

_CHANGED, _LEFT_OUT, _BEGINS = "^", "x", "|"


@click.command(short_help="Show a metric run by run, and where its level changed.")
@click.argument("metric", required=False)
@click.option("--gates", "of_gates", is_flag=True, help="Instead of a metric, show how the gates fared.")
@click.option("--model", help="Only models of this name; * and ? stand for others.")
@click.option("--profile", help="Only profiles of this name.")
@click.option("--template", help="Only templates of this name.")
@click.option("--retrieval", help="Only retrievals of this name.")
@click.option("--suite", help="Only cases of suites of this name.")
@click.option("--case", help="Only cases of this name; of microbenchmark_s, tests of this full name.")
@click.option("--last", type=click.IntRange(1, 500), default=50, show_default=True, help="The newest runs.")
@database.option
@click.option("--json", "as_json", is_flag=True, help="Print the series as JSON.")
def history(
    *,
    metric: str | None,
    of_gates: bool,
    last: int,
    database: Path,
    as_json: bool,
    **names: str | None,
) -> None:
    """Show what METRIC (score, ttft_s, tpot_s …) came to in the newest runs, for each model, profile,
    template and retrieval on each machine, or with --gates how often the gates of these runs decided and
    erred.

    A score is the mean over the cases, a cost the geometric mean of their medians. A change of level is a
    hint and no verdict: it is looked for where at least 12 runs were asked the same, and one is
    found in about one of twenty short series that are noise alone.
    """
    given = {name: glob for name, glob in names.items() if glob is not None}
    if of_gates:
        if metric is not None or given:
            raise UsageError("--gates is of all gates; leave the metric and the names out")
        _show_gates(database, last=last, as_json=as_json)
        return
    if metric is None:
        raise UsageError("give a metric, as ttft_s, or --gates")
    where = _where(metric, given)
    with closing(open_reader(database)) as reader:
        runs = reader.runs()
        bases = {run.base for run in runs if run.base is not None}
        found = over_runs(_recorded(reader, runs[:last]), metric, where=where, bases=bases)
    if as_json:
        told = {"version": 1, "metric": metric, "least": LEAST, "series": [dump(each) for each in found]}
        click.echo(json.dumps(told, indent=1))
        return
    if not found:
        raise UsageError(f"{database}: none of the {len(runs[:last])} newest runs has a {metric} of that")
    for each in found:
        for line in lines(each):
            click.echo(line)


def _where(metric: str, given: Mapping[str, str]) -> Where:
    """Return which cells are meant. Raises UnknownName, UsageError."""
    if metric not in (*METRICS, MICROBENCHMARK):
        raise UnknownName("metric", metric, (*METRICS, MICROBENCHMARK))
    other = [name for name in given if name != "case"]
    if metric == MICROBENCHMARK and other:
        raise UsageError(f"--{other[0]}: a test has no {other[0]}; choose by its full name, with --case")
    return Where(**given)  # type: ignore[arg-type]


def _show_gates(database: Path, *, last: int, as_json: bool) -> None:
    with closing(open_reader(database)) as reader:
        runs = reader.runs()[:last]
        gatings = [found for run in reversed(runs) if (found := reader.gating(run.id)) is not None]
    fared = audit(gatings)
    if as_json:
        click.echo(json.dumps({"version": 1, **dump(fared)}, indent=1))
        return
    if not fared.runs:
        raise UsageError(f"{database}: none of the {len(runs)} newest runs was held against a gate")
    for line in history_gates.lines(fared):
        click.echo(line)


def lines(series: Series) -> Iterator[str]:
    """Write a series: a bar for each run, marks below the bars, and what the marks mean."""
    group, host, points = series.group, series.host, series.points
    write = value(series.metric)
    memory = f"{round(host.memory_bytes / 2**30)} GiB"
    machine = f"{host.cpu}, {host.logical_cores} cores, {memory}"
    yield f"{series.metric} of {_named(group)}"
    yield from wrapped(f"{_runs(len(points))} on {machine}, {_day(points[0])} to {_day(points[-1])}")
    values = [point.value for point in points]
    yield from wrapped(f"from {write(min(values))} to {write(max(values))}, the last {write(values[-1])}")
    drawn, marks = bars(values), "".join(_marks(series))
    for start in range(0, len(points), WIDTH):
        yield f"  {drawn[start : start + WIDTH]}"
        if below := marks[start : start + WIDTH].rstrip():
            yield f"  {below}"
    yield from _notes(series)
    yield ""


def _named(group: Group) -> str:
    return one_line(group.shown)


def bars(values: Sequence[float]) -> str:
    """Draw values as bars between the smallest and the largest, all in the middle where these are equal."""
    low, span = min(values), max(values) - min(values)
    highest = len(BARS) - 1
    return "".join(BARS[round(highest * (each - low) / span) if span else highest // 2] for each in values)


def _recorded(reader: Reader, runs: Sequence[Run]) -> Iterator[tuple[Run, Sequence[Outcome]]]:
    """Yield runs that are given newest first with their outcomes, oldest first."""
    for run in reversed(runs):
        yield run, reader.outcomes(run.id)


def _marks(series: Series) -> Iterator[str]:
    changed = {each.point for each in series.changes or ()}
    for number, point in enumerate(series.points):
        if number in changed:
            yield _CHANGED
        else:
            yield _LEFT_OUT if point.left_out else _BEGINS if point.begins else " "


def _notes(series: Series) -> Iterator[str]:
    """Say what each mark means, or why no change could be found."""
    write, points = value(series.metric), series.points
    for each in series.changes or ():
        levels = f"{write(each.before)} → {write(each.after)}"
        by = change(series.metric)(each.difference)
        yield from wrapped(
            f"{_CHANGED} from run {each.run} on: {levels} ({by}){_commits(series, each.point)}"
        )
    for point in points:
        if point.begins:
            yield from wrapped(f"{_BEGINS} from run {point.run} on: other cases, or other formulas")
    left_out = [point for point in points if point.left_out]
    if (more := len(left_out) - _TOLD) > 0:
        yield from wrapped(f"{_LEFT_OUT} {_runs(more)} left out before these; --json says why")
    for point in left_out[-_TOLD:]:
        yield from wrapped(f"{_LEFT_OUT} run {point.run}, left out: {point.left_out}")
    if series.changes is None:
        yield from wrapped(
            f"a change of level is looked for in {LEAST} and more runs that were asked the same"
        )
    elif not series.changes:
        yield from wrapped("no change of level was found")


def _commits(series: Series, number: int) -> str:
    """Say between which commits a level changed, where both are known and differ."""
    before = next(point for point in reversed(series.points[:number]) if not point.left_out).commit
    after = series.points[number].commit
    if before is None or after is None or before == after:
        return ""
    return f", commit {_short(before)} → {_short(after)}"


def _short(commit: str) -> str:
    name, dash, more = commit.partition("-")
    return f"{name[:9]}{dash}{more}"


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"


def _day(point: Point) -> str:
    return point.started_utc[:10]
