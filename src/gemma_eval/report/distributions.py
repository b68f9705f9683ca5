"""How latency is distributed: the time to first token by template, the time per later token by profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from gemma_eval.records import Delta, Generation, Group, Outcome, Report
from gemma_eval.report import charts, numbers
from gemma_eval.report.axes import Tick, across, share_ticks, upwards
from gemma_eval.report.groups import Groups, timed, way_of
from gemma_eval.stats.percentiles import Percent, percentile

COLOURS = 8
"""How many colours of curves the page has."""
PERCENTS: tuple[Percent, ...] = (50, 90, 95, 99)
PANEL = charts.Box(left=56, top=12, width=434, height=188)


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One distribution: its name, its colour, its path, and its figures as words."""

    name: str
    colour: int
    path: str
    n: int
    percentiles: tuple[str, ...]
    largest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """Cumulative curves over one axis of time."""

    id: str
    title: str
    unit: str
    kind: Literal["linear", "log"]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    curves: tuple[Curve, ...]
    width: float = 500
    height: float = 250
    frame: charts.Box = PANEL


def distributions(report: Report, groups: Groups) -> tuple[Distribution, ...]:
    """Return, for each model, the times to first token by template and the times per later token by profile.

    Where the tokens of a delta are not known, the times between deltas are drawn by themselves: they are
    another quantity. The figures of one kind share their axis, so that models can be compared.
    """
    members = timed(report)
    ways = tuple(map(groups.way_name, groups.ways))
    kinds = (
        (
            "ttft",
            f"Time to first token by {_ways(groups)}",
            ways,
            lambda group: groups.way_name(way_of(group)),
            _ttfts_s,
        ),
        ("gaps", "Time per later token by profile", groups.profiles, _profile, _gaps_s),
        ("pieces", "Time between pieces by profile", groups.profiles, _profile, _pieces_s),
    )
    drawn: dict[tuple[int, int], Distribution] = {}
    for kind, (name, title, names, name_of, read) in enumerate(kinds):
        pools = [_pooled(members, model, names, name_of, read) for model in groups.models]
        axis = _time_axis(pools)
        for index, (model, pool) in enumerate(zip(groups.models, pools, strict=True)):
            if axis is not None and any(pool.values()):
                suffix = f", {model}" if len(groups.models) > 1 else ""
                figure = _distribution(f"{name}-{index}", f"{title}{suffix}", pool, axis)
                drawn[index, kind] = figure
    return tuple(drawn[place] for place in sorted(drawn))


def token_gaps_s(generation: Generation) -> tuple[float, ...]:
    """Return the time of each token after the first delta that carries any, in seconds.

    A delta of k tokens is k equal gaps; one that does not know its tokens counts as one.
    """
    gaps: list[float] = []
    for before, after in pairwise(_bearing(generation)):
        tokens = after.n_tokens or 1
        gaps += [(after.at_ns - before.at_ns) / 1e9 / tokens] * tokens
    return tuple(gaps)


def _bearing(generation: Generation) -> list[Delta]:
    """Return the deltas that carry tokens: none that are a role or a sign of life."""
    return [
        delta
        for delta in generation.deltas
        if (delta.n_tokens or 0) > 0 or (delta.n_tokens is None and delta.text)
    ]


def _pooled(
    members: Mapping[Group, Sequence[Outcome]],
    model: str,
    names: Sequence[str],
    name_of: Callable[[Group], str],
    read: Callable[[Outcome], Sequence[float]],
) -> dict[str, list[float]]:
    """Pool what `read` finds in the outcomes of one model under the name of each outcome's group."""
    pooled: dict[str, list[float]] = {name: [] for name in names}
    for group, outcomes in members.items():
        if group.model == model and name_of(group) in pooled:
            pooled[name_of(group)] += [value for outcome in outcomes for value in read(outcome)]
    return pooled


def _ways(groups: Groups) -> str:
    """Say what `Groups.way_name` tells apart."""
    if not groups.tells_retrievals:
        return "template"
    return "template and retrieval" if len(groups.templates) > 1 else "retrieval"


def _profile(group: Group) -> str:
    return group.profile


def _ttfts_s(outcome: Outcome) -> tuple[float, ...]:
    measurement = outcome.measurement
    return () if measurement is None or measurement.ttft_s is None else (measurement.ttft_s,)


def _gaps_s(outcome: Outcome) -> tuple[float, ...]:
    """Return the times per token of an answer whose tokens are known."""
    measurement = outcome.measurement
    return () if measurement is None or measurement.itl_basis == "chunk" else _own_gaps_s(outcome)


def _pieces_s(outcome: Outcome) -> tuple[float, ...]:
    """Return the times between the deltas of an answer of which nobody knows what they carry."""
    measurement = outcome.measurement
    return () if measurement is None or measurement.itl_basis != "chunk" else _own_gaps_s(outcome)


def _own_gaps_s(outcome: Outcome) -> tuple[float, ...]:
    """Return the gaps of an answer that has times of its own: none of a batch, and none of a text read."""
    measurement, generation = outcome.measurement, outcome.generation
    if generation is None or measurement is None or measurement.max_stall_s is None:
        return ()
    if measurement.itl_basis != "chunk":
        return token_gaps_s(generation)
    return tuple((after.at_ns - before.at_ns) / 1e9 for before, after in pairwise(_bearing(generation)))


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeAxis:
    """An axis of time, its scale in seconds and its ticks labelled in a unit."""

    scale: charts.Scale
    unit: str
    ticks: tuple[Tick, ...]


def _time_axis(pools: Sequence[Mapping[str, Sequence[float]]]) -> TimeAxis | None:
    """Return an axis for all the times, logarithmic when they differ much; `None` when there are none."""
    times_s = [time_s for pool in pools for values_s in pool.values() for time_s in values_s]
    if not times_s:
        return None
    unit, per_s = ("s", 1.0) if max(times_s) >= 2 else ("ms", 1e3)
    positive = [time_s * per_s for time_s in times_s if time_s > 0]
    is_log = bool(positive) and max(positive) > 8 * min(positive)
    if is_log:
        ticks = charts.log_ticks(min(positive), max(positive))
    else:
        ticks = charts.nice_ticks(min(times_s) * per_s, max(times_s) * per_s, about=6)
    scale = across(PANEL, [tick / per_s for tick in ticks], is_log=is_log)
    return TimeAxis(
        scale=scale, unit=unit, ticks=tuple(Tick(at=scale(tick / per_s), label=f"{tick:g}") for tick in ticks)
    )


def _distribution(
    figure_id: str, title: str, pooled: Mapping[str, Sequence[float]], axis: TimeAxis
) -> Distribution:
    y = upwards(PANEL)
    return Distribution(
        id=figure_id,
        title=title,
        unit=axis.unit,
        kind=axis.scale.kind,
        x_ticks=axis.ticks,
        y_ticks=share_ticks(y),
        curves=tuple(
            _curve(name, index, values_s, charts.step_path(charts.ecdf(values_s), x=axis.scale, y=y))
            for index, (name, values_s) in enumerate(pooled.items())
            if values_s
        ),
    )


def _curve(name: str, index: int, values_s: Sequence[float], path: str) -> Curve:
    return Curve(
        name=name,
        colour=index % COLOURS,
        path=path,
        n=len(values_s),
        percentiles=tuple(numbers.seconds(percentile(values_s, percent)) for percent in PERCENTS),
        largest=numbers.seconds(max(values_s)),
    )
