"""Percentiles of latencies know that some requests took longer than anybody waited."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.records import Outcome
from gemma_eval.stats.latencies import Latencies, latencies, of_times
from tests.stats.requests_of_a_load import made, request

ANSWER = made(0, 100, deltas=[(10, 1)])


def answered(e2e_s: float) -> Outcome:
    """Return a request that took so long."""
    return request(ANSWER, e2e_s=e2e_s)


TIMED_OUT = request(made(0, 20_000, deltas=[(10, 1)]), error="timeout", ttft_s=0.2)
"""A request with a first token and no end, ended after twenty seconds."""


def test_a_request_that_timed_out_is_longer_than_every_other() -> None:
    """With one of eleven, the ninth tenth is between the last known time and nobody knows what."""
    outcomes = [*(answered(float(each)) for each in range(10)), TIMED_OUT]
    found = latencies(outcomes, "e2e_s")
    assert (found.n, found.missing, found.censored) == (10, 0, 1)
    assert (found.p50_s, found.p90_s, found.max_s) == (5.0, 9.0, None)
    assert latencies([*outcomes, TIMED_OUT], "e2e_s").p90_s is None


def test_dropping_what_timed_out_is_caught() -> None:
    """The planted error makes a server look faster the more requests it never answers."""
    outcomes = [*(answered(float(each)) for each in range(10)), *[TIMED_OUT] * 10]
    assert latencies(outcomes, "e2e_s").p50_s is None
    assert latencies(outcomes[:10], "e2e_s").p50_s == 4.5


def test_a_time_beyond_the_lowest_limit_may_be_longer_than_a_censored_one_or_not() -> None:
    """So no percentile is told among those, and the summary of a group says the same."""
    outcomes = [*(answered(float(each)) for each in (1, 2, 3, 25, 30)), TIMED_OUT]
    found = latencies(outcomes, "e2e_s")
    assert (found.n, found.censored, found.p50_s) == (5, 1, None)
    assert latencies([*outcomes, answered(4.0), answered(5.0)], "e2e_s").p50_s == 4.5


def test_a_time_that_came_before_the_limit_is_known() -> None:
    """The first token of what timed out later."""
    found = latencies([TIMED_OUT], "ttft_s")
    assert (found.n, found.censored, found.p50_s, found.max_s) == (1, 0, 0.2, 0.2)


def test_errors_are_not_latencies_and_what_was_not_measured_is_missing() -> None:
    """A refusal is fast, and no answer."""
    found = latencies([request(None, error="server_error"), request(ANSWER), answered(1.0)], "e2e_s")
    assert (found.n, found.missing, found.censored, found.p50_s) == (1, 1, 0, 1.0)


def test_nothing_has_no_percentiles() -> None:
    """Not 0."""
    assert of_times(()) == Latencies(
        n=0, missing=0, censored=0, p50_s=None, p90_s=None, p95_s=None, p99_s=None, max_s=None
    )


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=150), st.integers(0, 20))
def test_percentiles_are_those_of_numpy_with_infinity_for_what_timed_out(
    times: list[float], censored: int
) -> None:
    """Where there are data enough and the percentile is finite."""
    found = of_times(times, beyond=[math.inf] * censored)
    everything = np.array([*times, *[math.inf] * censored])
    for percent, least, value in ((50, 1, found.p50_s), (90, 10, found.p90_s), (99, 100, found.p99_s)):
        below, above = (
            float(np.percentile(everything, percent, method=each)) for each in ("lower", "higher")
        )
        if len(everything) < least or math.isinf(below) or (math.isinf(above) and above != below):
            assert value is None
        else:
            expected = below if below == above else float(np.percentile(everything, percent))
            assert value == pytest.approx(expected, rel=1e-12)
