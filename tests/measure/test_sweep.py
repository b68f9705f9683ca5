"""The search finds the highest rate that passes, says what it tried, and outlives one bad measurement."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.errors import UsageError
from gemma_eval.measure.sweep import Sweep, highest_rate

Search = Callable[[Callable[[float], bool]], Sweep]


def up_to(limit: float) -> Callable[[float], bool]:
    """Return an engine that holds its promise up to a rate, always."""
    return lambda rate: rate <= limit


def test_the_rate_is_doubled_until_it_fails_and_then_the_gap_is_halved() -> None:
    """Each rate twice, since two of three votes are a majority."""
    sweep = highest_rate(up_to(11.0), low=1.0, high=100.0, tolerance=0.1)
    rates = (1.0, 2.0, 4.0, 8.0, 16.0, 12.0, 10.0, 11.0)
    assert [(each.rate_per_s, each.met) for each in sweep.tried] == [
        (rate, rate <= 11.0) for rate in rates for _ in range(2)
    ]
    assert (sweep.rate_per_s, sweep.failed_per_s) == (11.0, 12.0)


def test_what_never_passes_has_no_rate() -> None:
    """The lowest is tried and no other."""
    sweep = highest_rate(up_to(0.0), low=2.0, high=64.0, tolerance=0.1, best_of=1)
    assert (sweep.rate_per_s, sweep.failed_per_s) == (None, 2.0)
    assert len(sweep.tried) == 1


def test_what_always_passes_has_the_highest_rate_and_no_limit() -> None:
    """The last step goes to the end of the range and not beyond."""
    sweep = highest_rate(up_to(1e9), low=1.0, high=5.0, tolerance=0.1, best_of=1)
    assert (sweep.rate_per_s, sweep.failed_per_s) == (5.0, None)
    assert [each.rate_per_s for each in sweep.tried] == [1.0, 2.0, 4.0, 5.0]


def test_one_rate_alone_is_tried() -> None:
    """Low and high may be the same."""
    assert highest_rate(up_to(3.0), low=3.0, high=3.0, tolerance=0.1).rate_per_s == 3.0


LIMITS = st.floats(0.5, 2000)


def finds(search: Search, limit: float) -> bool:
    """Say whether a search between 1 and 1000 finds a limit within a hundredth."""
    sweep = search(up_to(limit))
    if limit < 1:
        return sweep.rate_per_s is None
    if limit >= 1000:
        return (sweep.rate_per_s, sweep.failed_per_s) == (1000.0, None)
    return sweep.rate_per_s is not None and sweep.rate_per_s <= limit < 1.01 * sweep.rate_per_s + 1e-9


@given(LIMITS, st.sampled_from([1, 3, 5]))
def test_a_limit_is_found_within_the_tolerance(limit: float, best_of: int) -> None:
    """Wherever it lies, and never above it."""
    assert finds(
        lambda meets: highest_rate(meets, low=1.0, high=1000.0, tolerance=0.01, best_of=best_of), limit
    )


def test_the_search_for_a_limit_catches_planted_errors() -> None:
    """Doubling alone, the rate that failed instead of the one that passed, and a range that is left."""

    def doubling(meets: Callable[[float], bool]) -> Sweep:
        return highest_rate(meets, low=1.0, high=1000.0, tolerance=1.0)

    def failing(meets: Callable[[float], bool]) -> Sweep:
        sweep = highest_rate(meets, low=1.0, high=1000.0, tolerance=0.01)
        return Sweep(rate_per_s=sweep.failed_per_s, failed_per_s=sweep.rate_per_s, tried=sweep.tried)

    def beyond(meets: Callable[[float], bool]) -> Sweep:
        return highest_rate(meets, low=1.0, high=1024.0, tolerance=0.01)

    assert not finds(doubling, 12.5)
    assert not finds(failing, 12.5)
    assert not finds(beyond, 1500.0)


def voted(sweep: Sweep, rate: float) -> bool:
    """Return what most of the measurements at a rate said."""
    votes = [each.met for each in sweep.tried if each.rate_per_s == rate]
    return sum(votes) * 2 > len(votes)


@given(st.lists(st.booleans(), min_size=400, max_size=400), st.sampled_from([1, 3, 5]))
def test_whatever_an_engine_does_the_rate_passed_and_the_next_failed(
    answers: list[bool], best_of: int
) -> None:
    """Coins instead of an engine: the votes are at hand, at most `best_of` of them, and the gap is narrow."""
    thrown = iter(answers)
    sweep = highest_rate(lambda rate: next(thrown), low=1.0, high=1000.0, tolerance=0.05, best_of=best_of)
    found, failed = sweep.rate_per_s, sweep.failed_per_s
    assert found is None or voted(sweep, found)
    assert failed is None or not voted(sweep, failed)
    if found is not None and failed is not None:
        assert 0 < failed - found <= 0.05 * found
    rates = [each.rate_per_s for each in sweep.tried]
    assert all(best_of // 2 < rates.count(rate) <= best_of for rate in set(rates))


def test_one_bad_measurement_does_not_decide() -> None:
    """A hiccup at a rate that holds costs one more measurement; with single votes it halves the rate."""

    def once_bad() -> Callable[[float], bool]:
        hiccups = [8.0]

        def meets(rate: float) -> bool:
            if rate in hiccups:
                hiccups.remove(rate)
                return False
            return rate <= 16.0

        return meets

    assert highest_rate(once_bad(), low=1.0, high=100.0, tolerance=0.1).rate_per_s == 16.0
    misled = highest_rate(once_bad(), low=1.0, high=100.0, tolerance=0.1, best_of=1)
    assert misled.rate_per_s is not None
    assert misled.rate_per_s < 8.0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"low": 0.0}, "a sweep from 0 to 8 per s; give 0 < low <= high"),
        ({"low": 9.0}, "a sweep from 9 to 8 per s; give 0 < low <= high"),
        ({"high": float("inf")}, "a sweep from 1 to inf per s; give 0 < low <= high"),
        ({"low": float("nan")}, "a sweep from nan to 8 per s; give 0 < low <= high"),
        ({"tolerance": 0.0}, "a sweep with tolerance 0; give at least 0.001"),
        ({"tolerance": float("nan")}, "a sweep with tolerance nan; give at least 0.001"),
        ({"best_of": 2}, "a sweep with the best of 2; give an odd number of at least 1"),
        ({"best_of": 0}, "a sweep with the best of 0; give an odd number of at least 1"),
    ],
)
def test_a_search_that_could_not_end_is_refused(changes: dict[str, float], problem: str) -> None:
    """Before anything is measured."""
    asked: dict[str, float] = {"low": 1.0, "high": 8.0, "tolerance": 0.1, "best_of": 3}
    with pytest.raises(UsageError) as caught:
        highest_rate(up_to(1.0), **(asked | changes))  # type: ignore[arg-type]
    assert str(caught.value) == problem
