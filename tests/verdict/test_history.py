"""What earlier runs say of noise: blocks of the same two groups, or runs of the same one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from scipy import stats

from gemma_eval.records import Outcome
from gemma_eval.stats.paired import Prior
from gemma_eval.verdict.history import Earlier, prior_of
from gemma_eval.verdict.sides import Pair
from tests.examples import a_run
from tests.verdict import blocks
from tests.verdict.blocks import in_blocks
from tests.verdict.two_sides import named

PAIR = Pair(shared="", base=(blocks.answer(0.1),), candidate=(blocks.answer(0.11),))


def runs(*sides: Sequence[Outcome]) -> tuple[Earlier, ...]:
    """Return earlier runs by themselves, given oldest first."""
    return tuple(Earlier(run=a_run(str(at)), outcomes=tuple(side)) for at, side in enumerate(sides))[::-1]


def session(differences: Sequence[float]) -> Earlier:
    """Return an earlier run in turn with its base."""
    pair = blocks.in_turn(differences)
    return Earlier(run=a_run(), outcomes=pair.candidate, base=pair.base)


def expected(variance: float, df: float) -> Prior:
    """Return the upper 75 % bound of a variance, by SciPy's chi-squared distribution."""
    return Prior(variance=variance * df / stats.chi2.ppf(0.25, df), df=min(12.0, df))


def same(found: Prior | None, other: Prior) -> None:
    """Hold two priors against each other."""
    assert found is not None
    assert found.variance == pytest.approx(other.variance)
    assert found.df == pytest.approx(other.df)


def test_sessions_in_turn_tell_how_much_their_blocks_differ() -> None:
    """Around the mean of each: what a session found to differ is its own."""
    one, other = [0.02, -0.01, 0.03, 0.0], [0.52, 0.49, 0.5]
    found = prior_of((session(one), session(other)), PAIR, "ttft_s", together=True)
    within = sum(stats.tvar(each) * (len(each) - 1) for each in (one, other))
    same(found, expected(within / 5, 5))


def test_a_session_of_one_block_or_of_no_base_tells_nothing() -> None:
    """Nor do sessions of other groups."""
    noise = [0.02, -0.01, 0.03, 0.0, 0.01]
    alone = replace(session(noise), base=())
    other = replace(
        session(noise), outcomes=tuple(named(each, model="other") for each in session(noise).outcomes)
    )
    assert prior_of((session([0.02]), alone, other), PAIR, "ttft_s", together=True) is None


def test_runs_by_themselves_tell_how_much_two_neighbours_differ() -> None:
    """In the order in which they were made: by hand from von Neumann's formula."""
    times = [0.1, 0.104, 0.099, 0.103, 0.098, 0.101, 0.105]
    found = prior_of(runs(*((blocks.answer(time),) for time in times)), PAIR, "ttft_s", together=False)
    logs = [math.log(time) for time in times]
    variance = sum((after - before) ** 2 for before, after in pairwise(logs)) / 6
    same(found, expected(variance, 2 * 36 / 17))


def test_too_few_runs_are_no_history() -> None:
    """Six are the fewest."""
    times = [0.1, 0.104, 0.099, 0.103, 0.098, 0.101]
    sides = [(blocks.answer(time),) for time in times]
    assert prior_of(runs(*sides), PAIR, "ttft_s", together=False) is not None
    assert prior_of(runs(*sides[1:]), PAIR, "ttft_s", together=False) is None


def test_a_run_that_lacks_a_case_or_the_group_is_not_of_the_history() -> None:
    """It would be of another cost."""
    times = [0.1, 0.104, 0.099, 0.103, 0.098, 0.101]

    def side(time: float) -> tuple[Outcome, ...]:
        return (blocks.answer(time), blocks.answer(2 * time, case="b"))

    pair = Pair(shared="", base=side(0.1), candidate=side(0.11))
    whole = runs(*map(side, times))
    part = runs((blocks.answer(9.0),), tuple(named(each, template="other") for each in side(7.0)))
    more = runs((*side(0.1), blocks.answer(5.0, case="c")))
    found = prior_of(whole, pair, "ttft_s", together=False)
    assert found is not None
    assert prior_of((*part, *whole), pair, "ttft_s", together=False) == found
    assert prior_of((*more, *whole), pair, "ttft_s", together=False) == prior_of(
        (*runs(side(0.1)), *whole), pair, "ttft_s", together=False
    )


def with_cases(differences: Sequence[Sequence[float]], **changes: int) -> Earlier:
    """Return an earlier run in turn of several cases, each with the log-ratios of its blocks."""
    base = [in_blocks([1.0] * len(each), case=f"case-{at}") for at, each in enumerate(differences)]
    candidate = [
        in_blocks([math.exp(by) for by in each], case=f"case-{at}") for at, each in enumerate(differences)
    ]
    sides = [
        tuple(asking(outcome, **changes) for outcomes in side for outcome in outcomes)
        for side in (base, candidate)
    ]
    return Earlier(run=a_run(), outcomes=sides[1], base=sides[0])


def asking(outcome: Outcome, **changes: int) -> Outcome:
    """Return the outcome of a case with another number of tokens."""
    cell = outcome.trial.cell
    case = replace(cell.case, **changes)  # type: ignore[arg-type]
    return replace(outcome, trial=replace(outcome.trial, cell=replace(cell, case=case)))


NOISY = ((0.08, -0.09, 0.07, -0.05), (-0.08, 0.09, -0.07, 0.05))
"""Two cases whose noise cancels in their mean."""


def of(earlier: Earlier, cases: Sequence[int] = (0, 1)) -> Pair:
    """Return a pair of now of some cases of an earlier one."""
    names = [f"case-{at}" for at in cases]
    base, candidate = (
        tuple(each for each in side if each.trial.cell.case.id in names)
        for side in (earlier.base, earlier.outcomes)
    )
    return Pair(shared="", base=base, candidate=candidate)


def test_the_noise_of_before_is_that_of_the_cases_of_now() -> None:
    """A gate on one of two cases: their mean differs by less than one of them."""
    earlier = with_cases([*NOISY, [0.0] * 4])
    found = prior_of((earlier,), of(earlier, [0]), "ttft_s", together=True)
    same(found, expected(stats.tvar(NOISY[0]), 3))
    assert prior_of((with_cases(NOISY[:1]),), of(earlier), "ttft_s", together=True) is None


def test_what_asked_otherwise_or_ran_otherwise_tells_nothing_of_the_noise_of_now() -> None:
    """Fewer tokens, another temperature, other options of the model, more threads."""
    earlier = with_cases(NOISY, max_tokens=64)
    pair = of(earlier)
    assert prior_of((earlier,), pair, "ttft_s", together=True) is not None
    assert prior_of((with_cases(NOISY, max_tokens=8),), pair, "ttft_s", together=True) is None

    def otherwise(**changes: object) -> Earlier:
        def changed(outcome: Outcome) -> Outcome:
            cell = replace(outcome.trial.cell, **changes)  # type: ignore[arg-type]
            return replace(outcome, trial=replace(outcome.trial, cell=cell))

        return replace(earlier, outcomes=tuple(map(changed, earlier.outcomes)))

    cell = pair.base[0].trial.cell
    hot = otherwise(profile=replace(cell.profile, temperature=0.7))
    wide = otherwise(model=replace(cell.model, options={"threads": 8}))
    moved = otherwise(model=replace(cell.model, location="elsewhere"))
    assert prior_of((hot,), pair, "ttft_s", together=True) is None
    assert prior_of((wide,), pair, "ttft_s", together=True) is None
    assert prior_of((moved,), pair, "ttft_s", together=True) is not None


def test_engines_of_other_threads_or_size_have_other_noise() -> None:
    """Other weights of the same size have not, and of an engine that is not known nothing is asked."""
    earlier = with_cases(NOISY)
    pair, engines = of(earlier), earlier.run.engines
    (name,) = engines
    for changes, is_alike in (
        ({"threads": 9}, False),
        ({"quantisation": "Q2"}, False),
        ({"parameters": 7}, False),
        ({"model_sha256": "other"}, True),
    ):
        other = {name: replace(engines[name], **changes)}
        of_candidate = prior_of((earlier,), pair, "ttft_s", together=True, engines=(engines, other))
        known = replace(earlier, base_engines=other)
        of_base = prior_of((known,), pair, "ttft_s", together=True, engines=(engines, engines))
        assert (of_candidate is not None, of_base is not None) == (is_alike, is_alike)
