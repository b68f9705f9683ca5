"""How a measured number is written, the same in Markdown, in HTML and on the terminal.

Three significant digits, a unit chosen by size, groups of three digits apart, a dash for what was not
measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from gemma_eval.records import Summary
from gemma_eval.stats.percentiles import Percent
from gemma_eval.stats.percentiles import percentile as percentile_of

MISSING = "–"  # noqa: RUF001 - the dash that tables of numbers use for "no value"

_TIMES = ((1.0, "s"), (1e-3, "ms"))
_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))


def score(value: float | None) -> str:
    """Write a score of 0..1 with two decimals: `0.95`."""
    return MISSING if value is None else f"{value:.2f}"


def interval(low: float | None, high: float | None) -> str:
    """Write an interval of scores: `[0.88, 0.98]`."""
    return MISSING if low is None or high is None else f"[{score(low)}, {score(high)}]"


def score_with_interval(summary: Summary) -> str:
    """Write the mean of a score with its interval, or alone where it has none: `0.95 [0.88, 0.98]`."""
    if summary.ci_low is None or summary.ci_high is None:
        return score(summary.mean)
    return f"{score(summary.mean)} {interval(summary.ci_low, summary.ci_high)}"


def seconds(value_s: float | None) -> str:
    """Write a duration in seconds, or in milliseconds below one: `1.23 s`, `12.3 ms`."""
    return MISSING if value_s is None else _with_unit(value_s, _TIMES)


def percentile(summary: Summary | None, percent: Percent, write: Callable[[float | None], str]) -> str:
    """Write a percentile: `12.3 ms`, or `> 30.0 s` where it lies among data that were cut off at a limit."""
    if summary is None:
        return MISSING
    value = {50: summary.p50, 90: summary.p90, 95: summary.p95, 99: summary.p99}[percent]
    if value is not None or not summary.censored:
        return write(value)
    enough = percentile_of([0.0] * (summary.n + summary.censored), percent) is not None
    return f"> {write(summary.limit)}" if enough else MISSING


def seconds_interval(low_s: float | None, high_s: float | None) -> str:
    """Write an interval of durations in the unit of its upper end: `[0.980, 1.02] s`; empty where none is."""
    if low_s is None or high_s is None:
        return ""
    size, unit = _unit(high_s, _TIMES)
    return f"[{_in_unit(low_s, size, unit)}, {_in_unit(high_s, size, unit)}] {unit}"


def share(value: float | None) -> str:
    """Write a share of 0..1 in per cent: `95.0 %`, `100 %`."""
    return MISSING if value is None else f"{number(100 * value)} %"


def rate(per_s: float | None) -> str:
    """Write a rate per second: `1 234/s`."""
    return MISSING if per_s is None else f"{number(per_s)}/s"


def bytes_(value: float | None) -> str:
    """Write a size in decimal units: `184 MB`."""
    return MISSING if value is None else _with_unit(value, _SIZES)


def count(value: int | None) -> str:
    """Write a whole number, every digit of it: `12 345`."""
    return MISSING if value is None else _grouped(value)


def known(value: float | None) -> str:
    """Write a number as `number` does, or a dash."""
    return MISSING if value is None else number(value)


def number(value: float) -> str:
    """Write a number with three significant digits, or all digits before the point: `0.0123`, `1 234`."""
    rounded = _three_digits(value)
    if abs(rounded) >= 100:
        return _grouped(round(value))
    if rounded == 0:
        return "0"
    decimals = 2 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:.{decimals}f}"


def _with_unit(value: float, units: tuple[tuple[float, str], ...]) -> str:
    """Choose the unit after rounding, so that 999.9 ms becomes `1.00 s` and not `1 000 ms`."""
    size, unit = _unit(value, units)
    return f"{_in_unit(value, size, unit)} {unit}"


def _unit(value: float, units: tuple[tuple[float, str], ...]) -> tuple[float, str]:
    rounded = abs(_three_digits(value))
    return next((pair for pair in units if rounded >= pair[0]), units[-1])


def _in_unit(value: float, size: float, unit: str) -> str:
    return _grouped(round(value)) if unit == "B" else number(value / size)


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}")


def _grouped(value: int) -> str:
    return f"{value:,}".replace(",", " ")
