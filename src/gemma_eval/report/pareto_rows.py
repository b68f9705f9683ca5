"""The choice between quality and speed as rows in words: who is on the front, and who is shown not to be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gemma_eval.report import numbers
from gemma_eval.report.groups import Groups, Measured
from gemma_eval.report.pareto import Choice, Trade, trade

MOST_ROWS = 40
"""How many rows the table has at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChoiceRow:
    """A group with both of its values; `standing` says which one is ahead, and how far that is shown."""

    name: str
    score: str
    score_interval: str
    speed: str
    speed_interval: str
    on_front: bool
    standing: str
    cases: str
    answers: str
    detectable: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TradeTable:
    """The choice between quality and speed, those on the front first."""

    speed: str
    rows: tuple[ChoiceRow, ...]
    notes: tuple[str, ...]


def trade_table(groups: Groups) -> TradeTable | None:
    """Return quality against speed as a table, `None` below two groups that have both."""
    found = trade(groups)
    if found is None:
        return None
    rows = tuple(_choice_row(groups, found, each) for each in found.choices[:MOST_ROWS])
    return TradeTable(
        speed="output tokens/s" if found.metric == "output_tokens_per_s" else "TTFT p50",
        rows=rows,
        notes=tuple(_trade_notes(found, same_cases=groups.same_cases)),
    )


def _choice_row(groups: Groups, found: Trade, each: Choice) -> ChoiceRow:
    is_rate = found.metric == "output_tokens_per_s"
    speed = numbers.known if is_rate else numbers.seconds
    low, high = each.speed.interval or (None, None)
    interval = "" if low is None or high is None else f"[{numbers.number(low)}, {numbers.number(high)}]"
    return ChoiceRow(
        name=groups.label(each.group),
        score=numbers.score(each.score.value),
        score_interval=_interval(each.score),
        speed=speed(each.speed.value),
        speed_interval=interval if is_rate else numbers.seconds_interval(low, high),
        on_front=each.ahead is None,
        standing=_standing(groups, each),
        cases=numbers.count(each.cases),
        answers=numbers.count(each.answers),
        detectable=numbers.MISSING if each.detectable is None else f"{each.detectable:.3f}",
    )


def _interval(measured: Measured) -> str:
    return "" if measured.interval is None else numbers.interval(*measured.interval)


def _standing(groups: Groups, each: Choice) -> str:
    if each.ahead is None:
        return "on the front"
    name = groups.label(each.ahead)
    if len(each.shown) == 2:
        return f"behind {name}: in both, shown"
    if each.shown:
        other = "speed" if each.shown[0] == "score" else "score"
        return f"behind {name} in {each.shown[0]}, shown; in {other} not told apart"
    return f"may be on it: not told apart from {name}"


def _trade_notes(found: Trade, *, same_cases: bool) -> Iterator[str]:
    counts = [each.answers for each in found.choices]
    if not same_cases:
        yield "Not every group has the same cases, so these scores do not compare as they stand."
    if len(found.choices) > MOST_ROWS:
        yield f"{numbers.count(len(found.choices) - MOST_ROWS)} more rows are left out."
    if found.metric == "ttft_s":
        yield "Speed is the time to first token: too few answers, or too unlike numbers of them, have a rate."
    elif min(counts) < max(counts):
        text = f"The number of answers with a rate goes from {numbers.count(min(counts))} to "
        text += (
            f"{numbers.count(max(counts))}: medians over unlike answers, so small differences of speed say "
        )
        yield text + "little."
    yield "Speed is that of one start of each engine; another start may differ by more than the interval."
