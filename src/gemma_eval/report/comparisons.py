"""What a comparison says, in lines: both values, the change with its bounds, the verdict and its grounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from textwrap import wrap

from gemma_eval.records import SHARES, Compared, Comparison
from gemma_eval.report import numbers
from gemma_eval.report.columns import columns

WIDTH = 80

HEAD = ("base", "candidate", "change", "bounds", "n", "verdict")
"""What `figures` returns."""

_LEANS = {
    "identical": "every answer is the same text",
    "improved": "better, proved",
    "drift": "worse by less than the margin, proved",
    "worse": "leans to worse",
    "better": "leans to better",
}
"""More of a verdict, in words."""

_TIMES_FROM = 1_000
"""A change of so many per cent and more is written as a ratio."""


def lines(compared: Compared) -> Iterator[str]:
    """Write comparisons as a table for each group, with what its verdicts rest on below it."""
    comparisons = compared.comparisons
    if compared.changes:
        yield from wrap(", ".join(compared.changes), WIDTH)
        yield ""
    for shared in dict.fromkeys(each.shared for each in comparisons):
        found = [each for each in comparisons if each.shared == shared]
        yield from columns([(shared, *HEAD), *((each.metric, *figures(each)) for each in found)])
        for each in found:
            if told := tuple(notes(each)):
                yield from wrapped(f"{each.metric}: {'; '.join(told)}")
        yield ""
    for reason in dict.fromkeys(each.reason for each in comparisons if each.reason):
        metrics = dict.fromkeys(each.metric for each in comparisons if each.reason == reason)
        yield from wrapped(f"{', '.join(metrics)}: {reason}")
    if compared.left_out:
        yield from wrapped(f"left out: {', '.join(compared.left_out)}")


def figures(each: Comparison) -> tuple[str, ...]:
    """Write both values, the change with its bounds, the data and the verdict, as `HEAD` names them."""
    unit = each.unit if each.n == 1 else f"{each.unit}s"
    write = value(each.metric)
    return (
        write(each.base),
        write(each.candidate),
        change(each.metric)(each.difference),
        bounds(each),
        f"{numbers.count(each.n)} {unit}",
        each.verdict,
    )


def notes(each: Comparison) -> Iterator[str]:
    """Say what a verdict rests on: where it leans to, what is allowed, and how many data would decide."""
    write = change(each.metric)
    if each.lean:
        yield _LEANS[each.lean]
    if each.margin > 0 and (each.verdict == "INCONCLUSIVE" or each.lean == "drift"):
        yield f"{write(each.margin)} is allowed"
    if each.detectable is not None:
        yield f"{write(each.detectable)} would mostly be found by so many {each.unit}s"
    elif each.metric in SHARES and each.low is not None and each.verdict in ("PASS", "INCONCLUSIVE"):
        yield f"no loss would mostly be found by so few {each.unit}s"
    if each.needed is not None:
        yield f"about {numbers.count(each.needed)} {each.unit}s would decide"
    elif each.verdict == "INCONCLUSIVE" and each.detectable is not None and not each.reason:
        yield f"how many {each.unit}s would decide cannot be told"
    if each.left_out:
        yield f"left out: {', '.join(each.left_out)}"


def wrapped(text: str) -> Iterator[str]:
    """Write a note below a table, in as many lines as it takes."""
    yield from wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


def bounds(each: Comparison) -> str:
    """Write the bounds of a change, the smaller one first: `[+2.1 %, +9.8 %]`; a side may have none."""
    if each.low is None and each.high is None:
        return numbers.MISSING
    write = change(each.metric)
    low, high = write(each.low), write(each.high)
    return f"[{high}, {low}]" if more_is_better(each.metric) else f"[{low}, {high}]"


def change(metric: str) -> Callable[[float | None], str]:
    """Return how a difference, in which + is worse, is written as a change of the metric itself.

    Scores change by points (`-0.040`), costs by per cent of the base or, from +1000 % on, times the base.
    """
    if metric in SHARES:
        return _points if more_is_better(metric) else _more_points
    return _percent_of_a_rate if more_is_better(metric) else _percent


def value(metric: str) -> Callable[[float | None], str]:
    """Return how a value of a metric is written, by the unit that its name ends with."""
    if metric in SHARES:
        return numbers.score
    if metric.endswith("_per_s"):
        return numbers.rate
    if metric.endswith("_bytes"):
        return numbers.bytes_
    return numbers.seconds if metric.endswith(("_s", "_s_per_output_token")) else numbers.known


def more_is_better(metric: str) -> bool:
    """Tell whether a larger value is the better one: of scores and of rates."""
    return metric == "score" or metric.endswith("_per_s")


def _more_points(worse: float | None) -> str:
    return numbers.MISSING if worse is None else f"{round(worse, 3) + 0.0:+.3f}"


def _points(worse: float | None) -> str:
    return numbers.MISSING if worse is None else f"{round(-worse, 3) + 0.0:+.3f}"


def _percent_of_a_rate(worse: float | None) -> str:
    return _percent(None if worse is None else -worse)


def _percent(log_ratio: float | None) -> str:
    if log_ratio is None:
        return numbers.MISSING
    if log_ratio < math.log1p(_TIMES_FROM / 100):
        return f"{round(100 * math.expm1(log_ratio), 1) + 0.0:+.1f} %"
    power = log_ratio / math.log(10)
    return f"x {numbers.number(math.exp(log_ratio))}" if power < 6 else f"x 10^{power:.1f}"
