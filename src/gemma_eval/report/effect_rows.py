"""What profile, template and retrieval do, pairs from the best on, the ledger of variance: rows in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from gemma_eval.records import NOBODY, Report
from gemma_eval.report import charts, numbers
from gemma_eval.report.effect_words import ends, least, notes, points, sentences, tested
from gemma_eval.report.effects import Change, Effects, effects_of
from gemma_eval.report.findings import Finding
from gemma_eval.report.grid import Grid, grids
from gemma_eval.report.groups import Groups
from gemma_eval.report.ledger import Account, accounts, advice
from gemma_eval.report.trends import some
from gemma_eval.stats.intervals import Interval

MOST_ROWS = 40
"""How many rows a table has at most."""
MOST_TABLES = 12
"""How many sets of cases have tables."""
BAR_WIDTH = 120.0
_WHOLE = 0.05
"""Mean numbers of repeats that are so near to a whole one are written as that."""

Standing = Literal["higher", "lower", "not shown", "first", "best", "may be as good"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedBar:
    """A change and its interval on a line that is the same in a whole table, with `zero` in its middle."""

    at: float
    low: float
    high: float
    zero: float = BAR_WIDTH / 2
    width: float = BAR_WIDTH


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectRow:
    """A level or a pair: its score, how it differs from what it is held against, and what that shows."""

    name: str
    score: str
    interval: str
    change: str
    bounds: str
    bar: SignedBar | None
    standing: Standing
    n: str
    detectable: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectPart:
    """The rows of one effect under its name and its test."""

    name: str
    test: str
    rows: tuple[EffectRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountRow:
    """What the standard error of one pair's score is made of, and what would make it smaller.

    `of_judges` is `None` where no pair was judged by several.
    """

    name: str
    score: str
    interval: str
    of_cases: str
    of_repeats: str
    now: str
    twice_cases: str
    twice_repeats: str
    cases: str
    repeats: str
    n: str
    detectable: str
    of_judges: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectTables:
    """Everything about the profiles, templates and retrievals of one model; tables may be empty.

    `title` says which model it is, and with what its cases were asked, where there are others.
    """

    title: str
    findings: tuple[Finding, ...]
    parts: tuple[EffectPart, ...]
    ranking: tuple[EffectRow, ...]
    ledger: tuple[AccountRow, ...]
    notes: tuple[str, ...]


def effect_tables(report: Report) -> tuple[EffectTables, ...]:
    """Return what is shown of each model that ran with two profiles, templates or retrievals at least.

    Cases that were asked with others have tables of their own.
    """
    found = grids(report)
    return tuple(_tables(grid, title=_title(grid, found)) for grid in found[:MOST_TABLES])


def factors(groups: Groups) -> str:
    """Name what is varied, for the head of the tables."""
    return "profile, template and retrieval" if groups.tells_retrievals else "profile and template"


def _title(grid: Grid, among: Sequence[Grid]) -> str:
    model = grid.model if len({each.model for each in among}) > 1 else ""
    model = "passages alone" if model == NOBODY else model
    own = [each for each in among if each.model == grid.model]
    names = [
        some(list(getattr(grid, axis)))
        for axis in ("profiles", "templates")
        if len({getattr(each, axis) for each in own}) > 1
    ]
    with_ = f" with {grid.beside}" if grid.beside else ""
    return ", ".join(part for part in (model, f"{' · '.join(names)}{with_}".strip()) if part)


def _tables(grid: Grid, *, title: str) -> EffectTables:
    found = effects_of(grid)
    if found is None:
        known = tuple(sentences(grid, None)), tuple(notes(grid, None))
        return EffectTables(title=title, findings=known[0], parts=(), ranking=(), ledger=(), notes=known[1])
    bought = accounts(grid)
    text = advice(bought, clustered=grid.data < grid.cases, reduced_by=grid.reduced_by)
    buy = Finding(topic="What to buy", text=text, tone="open")
    more = len(found.ranking) - MOST_ROWS
    left_out = (f"{numbers.count(more)} more rows are left out of the longer tables.",) if more > 0 else ()
    return EffectTables(
        title=title,
        findings=(*sentences(grid, found), buy),
        parts=tuple(_parts(grid, found)),
        ranking=tuple(_ranking(grid, found))[:MOST_ROWS],
        ledger=tuple(_account_row(grid, each, bought) for each in bought[:MOST_ROWS]),
        notes=(*notes(grid, found), *_without_spread(grid, bought), *left_out),
    )


def _without_spread(grid: Grid, bought: Sequence[Account]) -> Iterator[str]:
    silent = [grid.label(pair) for pair in grid.pairs if pair not in {each.pair for each in bought}]
    if silent:
        yield f"{some(silent)}: the same score in every case, so nothing tells how far off that may be."


def _parts(grid: Grid, found: Effects) -> Iterator[EffectPart]:
    together = found.together
    every = [level.change for factor in found.factors for level in factor.levels]
    scale = _scale([*every, *(() if together is None else (together.change,))])
    for factor in found.factors:
        rows = tuple(
            _row(grid, level.name, _scored(level.mean, level.interval), level.change, scale, nothing="first")
            for level in factor.levels[:MOST_ROWS]
        )
        yield EffectPart(name=factor.axis, test="" if factor.test is None else tested(factor.test), rows=rows)
    if together is not None:
        row = _row(grid, grid.label(together.pair), ("", ""), together.change, scale, nothing="first")
        test = "" if together.test is None else tested(together.test)
        yield EffectPart(name="together", test=test, rows=(row,))


def _ranking(grid: Grid, found: Effects) -> Iterator[EffectRow]:
    scale = _scale([each.change for each in found.ranking])
    for each in found.ranking:
        yield _row(
            grid, grid.label(each.pair), _scored(each.mean, each.interval), each.change, scale, nothing="best"
        )


def _row(
    grid: Grid,
    name: str,
    score: tuple[str, str],
    change: Change | None,
    scale: charts.Scale,
    *,
    nothing: Literal["first", "best"],
) -> EffectRow:
    """Write a row; what has no change is the first or the best, which the others are held against."""
    unshown: Standing = "not shown" if nothing == "first" else "may be as good"
    return EffectRow(
        name=name,
        score=score[0],
        interval=score[1],
        change=points(None if change is None else change.value),
        bounds="" if change is None else ends(change),
        bar=None if change is None else _bar(change, scale),
        standing=nothing if change is None else change.shown or unshown,
        n=numbers.count(grid.data),
        detectable=least(change),
    )


def _scored(score: float, interval: Interval) -> tuple[str, str]:
    """Write a score and its interval, which may be empty."""
    known = interval.low is not None and interval.high is not None
    return numbers.score(score), numbers.interval(interval.low, interval.high) if known else ""


def _scale(changes: Sequence[Change | None]) -> charts.Scale:
    values = [
        abs(end)
        for each in changes
        if each is not None
        for end in (each.value, each.low, each.high)
        if end is not None
    ]
    reach = max(values, default=0.0) or 1.0
    return charts.Scale(low=-reach, high=reach, start=0.0, stop=BAR_WIDTH)


def _bar(change: Change, scale: charts.Scale) -> SignedBar:
    low = change.value if change.low is None else change.low
    high = change.value if change.high is None else change.high
    return SignedBar(at=scale(change.value), low=scale(low), high=scale(high))


def _account_row(grid: Grid, each: Account, among: Sequence[Account]) -> AccountRow:
    judged = any(other.of_judges is not None for other in among)
    whole = round(each.repeats)
    times = numbers.count(whole) if abs(each.repeats - whole) < _WHOLE else f"{each.repeats:.1f}"
    score, interval = _scored(each.mean, each.interval)
    return AccountRow(
        name=grid.label(each.pair),
        score=score,
        interval=interval,
        of_cases=numbers.share(each.of_cases),
        of_repeats=numbers.share(None if each.of_cases is None else 1 - each.of_cases),
        now=f"{each.now:.3f}",
        twice_cases=f"{each.twice_cases:.3f}",
        twice_repeats=numbers.MISSING if each.twice_repeats is None else f"{each.twice_repeats:.3f}",
        cases=numbers.count(grid.cases),
        repeats=times,
        n=numbers.count(grid.data),
        detectable=numbers.MISSING if each.detectable is None else f"{each.detectable:.3f}",
        of_judges=(numbers.MISSING if each.of_judges is None else f"{each.of_judges:.3f}")
        if judged
        else None,
    )
