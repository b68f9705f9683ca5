"""Which groups are not beaten in quality and speed at once, and whether that those are is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gemma_eval.records import Group
from gemma_eval.report.groups import Groups, Measured, overlap
from gemma_eval.stats.intervals import ALPHA
from gemma_eval.stats.power import detectable

Metric = Literal["output_tokens_per_s", "ttft_s"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A group with its score and its speed.

    `ahead` is the group that beats it by most of what is shown, of equal ones that which scores best, `None`
    of one on the front; `shown` says in which of the two their intervals lie apart. `detectable` is the
    smallest distance of the score from a fixed one that would be shown in 80 % of runs.
    """

    group: Group
    score: Measured
    speed: Measured
    cases: int
    answers: int
    ahead: Group | None
    shown: tuple[Literal["score", "speed"], ...]
    detectable: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trade:
    """Quality against speed, those on the front first; `metric` is what speed is."""

    metric: Metric
    choices: tuple[Choice, ...]


def front(points: Sequence[tuple[float, float]]) -> tuple[bool, ...]:
    """Return which points (more is better in both) no other one is as good as in both and better in one."""
    return tuple(not any(_beats(other, point) for other in points) for point in points)


def trade(groups: Groups) -> Trade | None:
    """Return the groups that have both, `None` below two. Speed is tokens/s, else the time to first token.

    Tokens/s are not taken where too different numbers of answers have them: they are of unlike answers.
    """
    for metric in _metrics(groups):
        speeds = {each.group: each for each in groups.measured(metric)}
        found = [(each, speeds[each.group]) for each in groups.measured("score") if each.group in speeds]
        if len(found) > 1:
            choices = [_choice(groups, metric, score, speed, found) for score, speed in found]
            ordered = sorted(choices, key=lambda each: (each.ahead is not None, -each.score.value))
            return Trade(metric=metric, choices=tuple(ordered))
    return None


def _metrics(groups: Groups) -> tuple[Metric, ...]:
    counts = [
        summary.n
        for group in groups.order
        if (summary := groups.summary(group, "output_tokens_per_s")) is not None and summary.n
    ]
    unlike = bool(counts) and min(counts) < max(counts) / 2
    return ("ttft_s",) if unlike else ("output_tokens_per_s", "ttft_s")


def _choice(
    groups: Groups,
    metric: Metric,
    score: Measured,
    speed: Measured,
    every: Sequence[tuple[Measured, Measured]],
) -> Choice:
    own = _point(metric, score, speed)
    ahead = sorted(
        ((a, b) for a, b in every if _beats(_point(metric, a, b), own)),
        key=lambda each: _point(metric, *each),
        reverse=True,
    )
    told = [(_shown(groups, metric, score, speed, a, b), a.group) for a, b in ahead]
    most = max(told, key=lambda each: len(each[0]), default=None)
    summary = groups.summary(score.group, "score")
    timed = groups.summary(score.group, metric)
    return Choice(
        group=score.group,
        score=score,
        speed=speed,
        cases=0 if summary is None else summary.n,
        answers=0 if timed is None else timed.n,
        ahead=None if most is None else most[1],
        shown=() if most is None else most[0],
        detectable=None if summary is None or not summary.sd else _found(summary.sd, summary.n),
    )


def _point(metric: Metric, score: Measured, speed: Measured) -> tuple[float, float]:
    """Return both so that more is better."""
    return score.value, -speed.value if metric == "ttft_s" else speed.value


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] >= other[0] and one[1] >= other[1]


def _shown(
    groups: Groups, metric: Metric, score: Measured, speed: Measured, a: Measured, b: Measured
) -> tuple[Literal["score", "speed"], ...]:
    """Return in what the intervals of a group lie apart from those of one that is ahead."""
    apart: list[Literal["score", "speed"]] = []
    if not overlap(*groups.score_intervals(a.group, score.group)):
        apart.append("score")
    if not overlap(b.interval, speed.interval):
        apart.append("speed")
    return tuple(apart)


def _found(sd: float, n: int) -> float | None:
    if n < 2:
        return None
    least = detectable(sd, n, level=ALPHA / 2)
    return least if least <= 1 else None
