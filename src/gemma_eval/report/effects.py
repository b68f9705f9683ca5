"""What profile, template and retrieval do to the score of a model: each, two together, and the best pair.

All of it is over the cases that every pair has scores of, and cases of one cluster are one datum. Intervals
of one effect hold together: each bound has its share of 5 % / 2, so that in 95 % of runs none of them misses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from gemma_eval.report.grid import Grid, Pair
from gemma_eval.stats.intervals import ALPHA, Interval, of_clustered_scores
from gemma_eval.stats.layout import FTest, Layout, layout
from gemma_eval.stats.paired import bounds, paired
from gemma_eval.stats.percentiles import mean
from gemma_eval.stats.power import detectable
from gemma_eval.stats.selection import Best, best

_SPAN = 1.0
"""The most that two scores differ by."""

_DIGITS = 12
"""Means that agree in so many decimals are equal: what is beyond is of rounding."""

Axis = Literal["profile", "template", "retrieval"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """By how much one mean score is above another, with its bounds, `None` where the data give none.

    `detectable` is the smallest difference that so many data would show in 80 % of runs, `None` where they
    show no spread or would show none that scores can have. It is only a lower limit of that where `at_least`:
    fewer than ten data differ, and their spread may be more than was seen.
    """

    value: float
    low: float | None
    high: float | None
    detectable: float | None
    at_least: bool

    @property
    def shown(self) -> Literal["higher", "lower", ""]:
        """Which of the two is proved, empty for neither."""
        if self.low is not None and self.low > 0:
            return "higher"
        return "lower" if self.high is not None and self.high < 0 else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """One name on an axis: its mean score, and the change from the first, `None` of the first itself."""

    name: str
    mean: float
    interval: Interval
    change: Change | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Factor:
    """The levels of profile, template or retrieval, and the test of whether they differ at all."""

    axis: Axis
    levels: tuple[Level, ...]
    test: FTest | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Together:
    """What profile and template do beyond the sum of both; `change` is that of the pair with most of it."""

    test: FTest | None
    pair: Pair
    change: Change


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranked:
    """A pair, its mean score, and the change from the best one, `None` of the best itself."""

    pair: Pair
    mean: float
    interval: Interval
    change: Change | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Effects:
    """What a grid shows: `factors` and `together` unless a pair is absent, `best` from four data on."""

    factors: tuple[Factor, ...]
    together: Together | None
    ranking: tuple[Ranked, ...]
    best: Best[Pair] | None


def effects_of(grid: Grid) -> Effects | None:
    """Return what a grid shows, `None` below two data: nothing tells how others would differ."""
    if grid.data < 2:
        return None
    data = {pair: grid.data_of(grid.means(pair)) for pair in grid.pairs}
    found = None if grid.absent else layout(data)
    return Effects(
        factors=() if found is None else tuple(_factors(grid, found)),
        together=None if found is None else _together(grid, found),
        ranking=_ranking(grid),
        best=best(data),
    )


def change(grid: Grid, scores: Sequence[float], base: Sequence[float], *, comparisons: int) -> Change:
    """Return by how much scores of the grid's cases are above others, as one of several comparisons."""
    of = paired([b - score for score, b in zip(scores, base, strict=True)], clusters=grid.blocks, span=_SPAN)
    if of is None:
        return Change(value=0.0, low=None, high=None, detectable=None, at_least=False)
    level = ALPHA / 2 / comparisons
    # Differences are turned so that + is worse.
    worse = bounds(of, level=level)
    least = detectable(of.sd, of.data, level=level, df=of.df) if of.sd else None
    return Change(
        value=-of.mean,
        low=None if worse.high is None else max(-_SPAN, -worse.high),
        high=None if worse.low is None else min(_SPAN, -worse.low),
        detectable=None if least is None or least > _SPAN else least,
        at_least=of.few is not None,
    )


def interval(grid: Grid, scores: Sequence[float]) -> Interval:
    """Return the interval of the mean of scores of the grid's cases."""
    clusters: dict[object, list[float]] = {}
    for block, score in zip(grid.blocks, scores, strict=True):
        clusters.setdefault(block, []).append(score)
    return of_clustered_scores(list(clusters.values()))


def _factors(grid: Grid, found: Layout) -> Iterator[Factor]:
    if len(grid.profiles) > 1:
        levels = _levels(grid, grid.profiles, lambda name: lambda pair: pair[0] == name)
        yield Factor(axis="profile", levels=levels, test=found.profile_test)
    if len(grid.templates) > 1:
        levels = _levels(grid, grid.templates, lambda name: lambda pair: pair[1] == name)
        yield Factor(axis=grid.across, levels=levels, test=found.template_test)


def _levels(
    grid: Grid, names: Sequence[str], having: Callable[[str], Callable[[Pair], bool]]
) -> tuple[Level, ...]:
    scores = {name: grid.of(having(name)) for name in names}
    first = scores[names[0]]
    return tuple(
        Level(
            name=name,
            mean=mean(scores[name]) or 0.0,
            interval=interval(grid, scores[name]),
            change=None
            if name == names[0]
            else change(grid, scores[name], first, comparisons=len(names) - 1),
        )
        for name in names
    )


def _together(grid: Grid, found: Layout) -> Together | None:
    """Return the interaction, with the pair that is furthest from the sum of both effects."""
    if len(grid.profiles) < 2 or len(grid.templates) < 2:
        return None
    pair = max(found.both, key=lambda each: round(abs(found.both[each]), _DIGITS))
    row = grid.of(lambda each: each[0] == pair[0])
    column = grid.of(lambda each: each[1] == pair[1])
    whole = grid.of(lambda _: True)
    expected = [a + b - c for a, b, c in zip(row, column, whole, strict=True)]
    of = change(grid, grid.means(pair), expected, comparisons=len(grid.pairs))
    return Together(test=found.both_test, pair=pair, change=of)


def _ranking(grid: Grid) -> tuple[Ranked, ...]:
    """Return the pairs from the best on, each held against the best; of equal ones the first comes first.

    Which pair is best is seen from the same scores, so any two might have been held against each other: it is
    all these comparisons that share the error. With one share for each row, of six pairs that are alike one
    would be called lower in 9 % of runs, and not in 4 %.
    """
    means = {pair: round(mean(grid.means(pair)) or 0.0, _DIGITS) for pair in grid.pairs}
    order = sorted(grid.pairs, key=lambda pair: -means[pair])
    top = grid.means(order[0])
    comparisons = len(order) * (len(order) - 1) // 2
    return tuple(
        Ranked(
            pair=pair,
            mean=means[pair],
            interval=interval(grid, grid.means(pair)),
            change=None if pair == order[0] else change(grid, grid.means(pair), top, comparisons=comparisons),
        )
        for pair in order
    )
