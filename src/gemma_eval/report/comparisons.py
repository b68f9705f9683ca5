"""What a comparison says, in lines: both values, the change with its bounds, the verdict and its grounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from textwrap import wrap

from gemma_eval.records import Compared, Comparison
from gemma_eval.report import numbers
from gemma_eval.report.columns import columns

WIDTH = 80

_LEANS = {
    "identical": "every answer is the same text",
    "improved": "better, proved",
    "drift": "worse by less than the margin, proved",
    "worse": "leans to worse",
    "better": "leans to better",
}
"""More of a verdict, in words."""


def lines(compared: Compared) -> Iterator[str]:
    """Write comparisons as a table for each group, with what its verdicts rest on below it."""
    comparisons = compared.comparisons
    if compared.changes:
        yield from wrap(", ".join(compared.changes), WIDTH)
        yield ""
    for shared in dict.fromkeys(each.shared for each in comparisons):
        found = [each for each in comparisons if each.shared == shared]
        head = (shared, "base", "candidate", "change", "bounds", "n", "verdict")
        yield from columns([head, *(_row(each) for each in found)])
        for each in found:
            if notes := tuple(_notes(each)):
                yield from _wrapped(f"{each.metric}: {'; '.join(notes)}")
        yield ""
    for reason in dict.fromkeys(each.reason for each in comparisons if each.reason):
        metrics = dict.fromkeys(each.metric for each in comparisons if each.reason == reason)
        yield from _wrapped(f"{', '.join(metrics)}: {reason}")
    if compared.left_out:
        yield from _wrapped(f"left out: {', '.join(compared.left_out)}")


def _row(each: Comparison) -> tuple[str, ...]:
    write = numbers.score if each.metric == "score" else numbers.seconds
    unit = each.unit if each.n == 1 else f"{each.unit}s"
    return (
        each.metric,
        write(each.base),
        write(each.candidate),
        _change(each)(each.difference),
        _bounds(each),
        f"{numbers.count(each.n)} {unit}",
        each.verdict,
    )


def _notes(each: Comparison) -> Iterator[str]:
    write = _change(each)
    if each.lean:
        yield _LEANS[each.lean]
    if each.verdict == "INCONCLUSIVE" or each.lean == "drift":
        yield f"{write(each.margin)} is allowed"
    if each.detectable is not None:
        yield f"{write(each.detectable)} would mostly be found by so many {each.unit}s"
    if each.needed is not None:
        yield f"about {numbers.count(each.needed)} {each.unit}s would decide"
    if each.left_out:
        yield f"left out: {', '.join(each.left_out)}"


def _wrapped(text: str) -> Iterator[str]:
    yield from wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _bounds(each: Comparison) -> str:
    if each.low is None and each.high is None:
        return numbers.MISSING
    write = _change(each)
    low, high = write(each.low), write(each.high)
    # A score falls where its difference, in which + is worse, grows.
    return f"[{high}, {low}]" if each.metric == "score" else f"[{low}, {high}]"


def _change(each: Comparison) -> Callable[[float | None], str]:
    """Return how a difference is written as a change of the metric itself: of a score less is worse."""
    return _points if each.metric == "score" else _percent


def _points(worse: float | None) -> str:
    return numbers.MISSING if worse is None else f"{round(-worse, 3) + 0.0:+.3f}"


def _percent(log_ratio: float | None) -> str:
    return numbers.MISSING if log_ratio is None else f"{round(100 * math.expm1(log_ratio), 1) + 0.0:+.1f} %"
