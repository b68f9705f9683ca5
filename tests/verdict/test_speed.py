"""Times of one start on each side are one datum: their ratio is told and proves nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gemma_eval.records import Outcome
from gemma_eval.verdict.sides import Pair
from gemma_eval.verdict.speed import compare_costs
from tests.verdict.two_sides import scored


def timed(*ttft_s: float | None, case: int = 0) -> tuple[Outcome, ...]:
    """Return the answers to one case with these times to first token."""
    outcome = scored([1.0] * (case + 1))[-1]
    assert outcome.measurement is not None
    return tuple(replace(outcome, measurement=replace(outcome.measurement, ttft_s=each)) for each in ttft_s)


def test_the_ratio_is_that_of_medians_case_by_case() -> None:
    """Twice as long in one case and equal in another is √2 times as long, and so say both values."""
    base = (*timed(0.1, 0.1, 9.0), *timed(0.5, case=1), *timed(7.0, case=2))
    candidate = (*timed(0.2, 0.2, 0.2), *timed(0.5, case=1))
    found = compare_costs(Pair(shared="", base=base, candidate=candidate), "ttft_s", tolerance=0.05)
    assert found is not None
    assert found.difference == pytest.approx(math.log(2) / 2)
    assert found.base == pytest.approx(math.sqrt(0.1 * 0.5))
    assert found.candidate == pytest.approx(math.sqrt(0.2 * 0.5))
    assert found.left_out == ("1 case of the base alone",)
    assert found.margin == pytest.approx(math.log(1.05))


def test_a_thousand_answers_of_one_start_prove_nothing() -> None:
    """However much longer they took."""
    pair = Pair(shared="", base=timed(*[0.1] * 1000), candidate=timed(*[0.9] * 1000))
    found = compare_costs(pair, "ttft_s", tolerance=0.05)
    assert found is not None
    assert (found.n, found.unit, found.low, found.high) == (1, "run", None, None)
    assert (found.verdict, found.lean, found.needed) == ("INCONCLUSIVE", "worse", None)


def test_a_case_that_asks_something_else_has_no_ratio() -> None:
    """A longer prompt is not a slower engine."""
    outcome = timed(0.9)[0]
    case = outcome.trial.cell.case
    longer = replace(case, messages=(replace(case.messages[0], content="word " * 500),))
    cell = replace(outcome.trial.cell, case=longer)
    candidate = (replace(outcome, trial=replace(outcome.trial, cell=cell)),)
    assert (
        compare_costs(Pair(shared="", base=timed(0.1), candidate=candidate), "ttft_s", tolerance=0.05) is None
    )


def test_what_was_not_measured_is_not_compared() -> None:
    """No time on one side, no comparison."""
    assert (
        compare_costs(Pair(shared="", base=timed(None), candidate=timed(0.1)), "ttft_s", tolerance=0.05)
        is None
    )
