"""What so many data can find, and how many would decide.

    MDE = Δ + (t_level + t_power)·sd / √n        n* = ((t_level + t_power)·sd / max(|Δ - mean|, Δ/4))²

Data are blocks of log-ratios or cases of score differences, sd is that of one, and Δ the margin in the same
unit. t_level is the quantile of 1 - level. n* takes the difference that was found for the true one; one at
the margin, which no number would decide, counts as a quarter of the margin away.
Source: Cohen 1988, Statistical Power Analysis, section 2.4; Miller 2024, arXiv 2411.00640, section 5.
"""

from __future__ import annotations

import math

POWER = 0.8
"""How often a difference that is said to be found by so many data is found."""

MOST = 10**9
"""More data than this are not worth naming."""


def log_margin(tolerance: float) -> float:
    """Return the margin of log-ratios that a tolerance is: ln(1 + tolerance), 0.05 for 5 %."""
    return math.log1p(tolerance)


def change(log_ratio: float) -> float:
    """Return the relative change that a log-ratio is: 0.05 for 5 % more."""
    return math.expm1(log_ratio)


def discordant_sd(share: float, *, difference: float = 0.0) -> float:
    """Return the standard deviation of one paired difference of right and wrong answers.

    `share` is that of the pairs of which one is right and one is wrong, `difference` is the mean.
    """
    return math.sqrt(max(0.0, share - difference * difference))


def detectable(
    sd: float,
    n: int,
    *,
    level: float,
    margin: float = 0.0,
    power: float = POWER,
    df: float | None = None,
) -> float:
    """Return the smallest difference that `n` data would prove to be above the margin, as often as `power`.

    `df` are the degrees of freedom of `sd`: n - 1 unless given, `math.inf` where it is known.
    """
    return margin + _quantiles(level, power, n - 1 if df is None else df) * sd / math.sqrt(n)


def deciding(
    sd: float, mean: float, *, margin: float, level: float, power: float = POWER, prior_df: float = 0.0
) -> int | None:
    """Return how many data would decide whether a difference like `mean` is above or below the margin.

    `None` where more than 10^9 would be needed. It is never less than two, for one has no spread.
    """
    gap = max(abs(margin - mean), margin / 4)

    def decides(n: int) -> bool:
        return _quantiles(level, power, n - 1 + prior_df) * sd <= gap * math.sqrt(n)

    if not decides(MOST):
        return None
    low, high = 1, 2
    while not decides(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def _quantiles(level: float, power: float, df: float) -> float:
    from scipy.special import ndtri, stdtrit

    if math.isinf(df):
        return float(ndtri(1 - level) + ndtri(power))
    return float(stdtrit(df, 1 - level) + stdtrit(df, power))
