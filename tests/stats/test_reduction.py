"""The repeats of a case become one score: by published vectors, by counting subsets, and by its checks."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.records import Check, Failure, Outcome, Reduction, Score
from gemma_eval.stats.reduction import (
    Repeat,
    case_score,
    check_value,
    pass_at_k,
    pass_hat_k,
    reduced,
    reduction_name,
    scorer_values,
)
from tests.examples import a_case, an_outcome

SOME = settings(max_examples=30, deadline=None)
OfK = Callable[[int, int, int], float | None]


def repeats(values: Sequence[float], *, least: float = 1.0, answers: Sequence[str] = ()) -> list[Repeat]:
    """Return answers of those values, of which those from `least` on succeed."""
    said = answers or [""] * len(values)
    return [
        Repeat(value=value, succeeds=value >= least, answer=answer)
        for value, answer in zip(values, said, strict=True)
    ]


# --- published vectors -------------------------------------------------------------------------------

INSPECT: tuple[tuple[Reduction, int | None, float, float], ...] = (
    ("mean", None, 1.0, 3.0),
    ("median", None, 1.0, 2.0),
    ("mode", None, 1.0, 0.0),
    ("max", None, 1.0, 8.0),
    ("pass_at_k", 2, 1.0, 0.8),
    ("pass_at_k", 3, 2.0, 0.95),
    ("pass_hat_k", 2, 1.0, 0.2),
    ("pass_hat_k", 3, 2.0, 0.05),
)
"""Source: UKGovernmentBEIS/inspect_ai:tests/scorer/test_reducers.py (MIT), of the values 6, 0, 0, 0, 8, 4."""


@pytest.mark.parametrize(("by", "k", "least", "expected"), INSPECT)
def test_inspects_reducers_give_the_same(by: Reduction, k: int | None, least: float, expected: float) -> None:
    """Six answers, of which three succeed."""
    found = reduced(repeats([6, 0, 0, 0, 8, 4], least=least), by=by, k=k)
    assert found == pytest.approx(expected, abs=1e-12)


# --- pass@k and pass^k -------------------------------------------------------------------------------


def by_products(n: int, c: int, k: int) -> float | None:
    """Return pass@k as the paper's own program does, by a product that cannot overflow."""
    if n < k:
        return None
    return 1.0 if n - c < k else float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def by_subsets(succeed: Sequence[bool], k: int, of: Callable[[Sequence[bool]], bool]) -> float | None:
    """Return the share of all choices of k answers of which something holds."""
    chosen = [of(each) for each in combinations(succeed, k)]
    return statistics.fmean(chosen) if chosen else None


def misses(at_k: OfK, hat_k: OfK) -> list[tuple[int, int, int]]:
    """Return where two estimators differ from what counting all subsets gives."""
    found = []
    for n, k in product(range(1, 8), range(1, 8)):
        for c in range(n + 1):
            succeed = [True] * c + [False] * (n - c)
            expected = by_subsets(succeed, k, any), by_subsets(succeed, k, all)
            if any(not same(got(n, c, k), want) for got, want in zip((at_k, hat_k), expected, strict=True)):
                found.append((n, c, k))
    return found


def same(got: float | None, want: float | None) -> bool:
    """Return whether both are nothing, or one number."""
    return got == want if got is None or want is None else got == pytest.approx(want, abs=1e-12)


def test_both_estimators_are_shares_of_all_subsets() -> None:
    """Every n, c and k up to seven; with fewer answers than k there is none."""
    assert misses(pass_at_k, pass_hat_k) == []


def test_the_check_sees_the_estimators_that_are_biased() -> None:
    """Planted: powers of the share that succeeds, as if answers were drawn again and again."""
    assert misses(lambda n, c, k: 1 - (1 - c / n) ** k if n >= k else None, pass_hat_k)
    assert misses(pass_at_k, lambda n, c, k: (c / n) ** k if n >= k else None)
    assert misses(lambda n, c, k: pass_at_k(n, c, min(n, k)), pass_hat_k)


@SOME
@given(st.integers(1, 300), st.data())
def test_pass_at_k_is_the_papers_estimator(n: int, data: st.DataObject) -> None:
    """Chen et al. 2021, figure 3, by NumPy."""
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    assert pass_at_k(n, c, k) == pytest.approx(by_products(n, c, k), abs=1e-9)


def test_the_papers_estimator_differs_from_a_planted_one() -> None:
    """One success too many would be seen."""
    assert by_products(10, 3, 2) != pytest.approx(pass_at_k(10, 4, 2), abs=1e-9)


def test_many_repeats_do_not_overflow() -> None:
    """The binomials of a thousand are far beyond floats; their ratio is none."""
    assert pass_at_k(2000, 1, 1000) == pytest.approx(0.5)
    assert pass_hat_k(2000, 1999, 1000) == pytest.approx(0.5)


# --- mode, majority and all --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 1], 1.0),
        ([0, 1], 0.5),
        ([0, 0, 0.5, 0.5, 1], 0.25),
        ([0.1 + 0.2, 0.3, 1.0], 0.3),
        ([0.4], 0.4),
    ],
)
def test_of_several_modes_the_score_is_their_mean(values: Sequence[float], expected: float) -> None:
    """And what differs by rounding alone is one value."""
    assert reduced(repeats(values), by="mode") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answers", "values", "expected"),
    [
        ("aab", [1, 1, 0], 1.0),
        ("abb", [1, 0, 0], 0.0),
        ("ab", [1, 0], 0.5),
        ("abc", [1, 0, 0], 1 / 3),
        ("aabbc", [1, 1, 0, 0, 1], 0.5),
        ("aab", [1, 0.5, 0], 0.75),
    ],
)
def test_the_majority_is_the_answer_that_most_give(
    answers: str, values: Sequence[float], expected: float
) -> None:
    """In a tie it is what a draw among the groups gives in the mean, whichever came first."""
    for order in (1, -1):
        given_ = repeats(values[::order], answers=list(answers[::order]))
        assert reduced(given_, by="majority") == pytest.approx(expected)


def test_all_is_one_only_when_every_answer_succeeds() -> None:
    """A single miss is enough."""
    assert reduced(repeats([1, 1, 1]), by="all") == 1.0
    assert reduced(repeats([1, 0.99, 1]), by="all") == 0.0


ALL: tuple[Reduction, ...] = (
    *("mean", "median", "mode", "max", "majority", "all", "pass_at_k", "pass_hat_k"),
)


@pytest.mark.parametrize("by", ALL)
@SOME
@given(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=6), st.randoms())
def test_a_reduction_lies_within_the_values_and_knows_no_order(
    by: Reduction, values: list[float], random: object
) -> None:
    """Equal for every order of the repeats, and between the least and the most of 0 and 1."""
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = reduced(repeats(values), by=by)
    assert found is not None
    assert 0 <= found <= 1
    assert reduced(repeats(shuffled), by=by) == pytest.approx(found)


@pytest.mark.parametrize("by", ALL)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_one_answer_is_its_own_score(by: Reduction, value: float) -> None:
    """All reductions of a single right or wrong answer agree."""
    assert reduced(repeats([value]), by=by) == value


@pytest.mark.parametrize("by", ALL)
def test_of_nothing_there_is_no_score(by: Reduction) -> None:
    """No repeat, no datum."""
    assert reduced([], by=by) is None


# --- what succeeds -----------------------------------------------------------------------------------


def answered(*scores: Score, reduce: Reduction = "all", k: int | None = None) -> Outcome:
    """Return an outcome with those scores, of a case that reduces so."""
    outcome = an_outcome()
    case = a_case(reduce=reduce, k=k, repeats=3)
    cell = replace(outcome.trial.cell, case=case)
    return replace(outcome, trial=replace(outcome.trial, cell=cell), scores=scores)


def a_score(value: float | None, **more: object) -> Score:
    """Return the score of one check."""
    return Score(**({"scorer": "contains", "value": value, "passed": None} | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([a_score(1.0)], 1.0),
        ([a_score(0.9)], 0.0),
        ([a_score(0.9, passed=True)], 1.0),
        ([a_score(1.0), a_score(0.5, weight=0.0)], 1.0),
        ([a_score(1.0), a_score(0.5, weight=0.0, passed=False)], 0.0),
        ([a_score(1.0), a_score(None, weight=0.0)], 1.0),
        ([a_score(1.0), a_score(None)], None),
        ([a_score(1.0), a_score(None, weight=0.0, passed=False)], None),
        ([a_score(0.0), a_score(None, weight=0.0, passed=False)], 0.0),
    ],
)
def test_an_answer_succeeds_by_its_demands_and_by_full_marks_elsewhere(
    scores: Sequence[Score], expected: float | None
) -> None:
    """What counts nothing and demands nothing decides nothing; what could not be judged is not a miss."""
    assert case_score([answered(*scores)]) == expected


def test_a_demand_that_counts_nothing_and_was_not_judged_leaves_the_mean_alone() -> None:
    """Only reductions that count successes ask for it."""
    scores = a_score(0.5), a_score(None, weight=0.0, passed=False)
    assert case_score([answered(*scores, reduce="mean")]) == 0.5


@pytest.mark.parametrize("by", ALL)
def test_a_repeat_that_failed_or_was_not_scored_leaves_the_case_without_a_score(by: Reduction) -> None:
    """It is missing, not 0, whatever the others are."""
    right = answered(a_score(1.0), reduce=by)
    failed = replace(right, generation=None, scores=(), failure=Failure(kind="backend", message="died"))
    unscored = answered(a_score(None, unscored="no grade"), reduce=by)
    assert case_score([right, right]) == 1.0
    assert case_score([right, failed]) is None
    assert case_score([right, unscored]) is None
    assert case_score([]) is None


def test_fewer_repeats_than_k_have_no_score() -> None:
    """As after an interrupt: what k answers would do is not known."""
    one = answered(a_score(1.0), reduce="pass_at_k", k=2)
    assert case_score([one]) is None
    assert case_score([one, one]) == 1.0


def test_a_check_is_reduced_by_its_own_values_and_demand() -> None:
    """Of two checks each by itself, where the case has no score of both."""
    first = answered(a_score(1.0), a_score(0.6, passed=True), reduce="pass_at_k", k=1)
    second = answered(a_score(0.0), a_score(0.7, passed=True), reduce="pass_at_k", k=1)
    assert case_score([first, second]) == 0.5
    assert check_value([first, second], 0) == 0.5
    assert check_value([first, second], 1) == 1.0
    assert check_value([first, second], 2) is None


@pytest.mark.parametrize("by", ["pass_at_k", "pass_hat_k", "all", "max", "majority", "median"])
def test_a_check_over_all_repeats_keeps_its_value(by: Reduction) -> None:
    """It is of all answers already: pass@k of a determinism of 0.4 would be 0."""
    together = Check(scorer="determinism", over_repeats=True)
    answers = [answered(a_score(1.0), a_score(0.4, scorer="determinism"), reduce=by, k=2)] * 3
    cell = answers[0].trial.cell
    case = replace(cell.case, checks=(*cell.case.checks, together))
    outcomes = [
        replace(each, trial=replace(each.trial, cell=replace(cell, case=case), repeat=repeat))
        for repeat, each in enumerate(answers)
    ]
    assert check_value(outcomes, 0) == 1.0
    assert check_value(outcomes, 1) == pytest.approx(0.4, abs=1e-12)
    assert scorer_values(outcomes)["determinism"] == pytest.approx(0.4, abs=1e-12)


def test_a_case_without_an_answer_names_its_negated_check_as_others_do() -> None:
    """Else a table would have a row for a scorer that judged nothing."""
    outcome = answered(a_score(1.0, scorer="not contains"))
    cell = outcome.trial.cell
    case = replace(cell.case, checks=(Check(scorer="contains", negated=True),))
    failed = replace(
        outcome,
        trial=replace(outcome.trial, cell=replace(cell, case=case)),
        scores=(),
        failure=Failure(kind="backend", message="died"),
    )
    assert scorer_values([failed]) == {"not contains": None}


def test_several_checks_of_one_scorer_have_one_value() -> None:
    """The mean of what each is reduced to by itself; nothing where one was not judged."""
    rows = ((1.0, 0.0, 0.5), (0.0, 0.0, 0.5))
    outcomes = [
        answered(*(a_score(value, scorer=name) for name, value in zip("aab", row, strict=True)), reduce="max")
        for row in rows
    ]
    assert scorer_values(outcomes) == {"a": 0.5, "b": 0.5}
    unscored = answered(a_score(1.0, scorer="a"), a_score(None, scorer="a"), a_score(1.0, scorer="b"))
    assert scorer_values([unscored]) == {"a": None, "b": 1.0}
    failed = replace(unscored, scores=(), failure=Failure(kind="backend", message="died"))
    assert scorer_values([failed]) == {"contains": None}


def test_the_majority_goes_by_the_answer_of_the_first_check() -> None:
    """Values of another check are averaged over the answers that most gave."""
    rows = (("4", 1.0, 0.2), ("4", 1.0, 0.4), ("5", 0.0, 1.0))
    outcomes = [
        answered(a_score(first, answer=said), a_score(second), reduce="majority")
        for said, first, second in rows
    ]
    assert check_value(outcomes, 0) == 1.0
    assert check_value(outcomes, 1) == pytest.approx(0.3)
    assert case_score(outcomes) == pytest.approx((0.6 + 0.7) / 2)


@pytest.mark.parametrize(
    ("reduce", "k", "name"),
    [
        ("mean", None, "mean"),
        ("median", None, "median"),
        ("pass_at_k", 5, "pass@5"),
        ("pass_hat_k", 3, "pass^3"),
    ],
)
def test_a_reduction_is_named_as_papers_name_it(reduce: Reduction, k: int | None, name: str) -> None:
    """What reports write beside a score."""
    assert reduction_name(a_case(reduce=reduce, k=k)) == name
