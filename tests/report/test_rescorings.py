"""What became of scores is told check by check and group by group, with an interval paired by case."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

import pytest
from scipy import stats

from gemma_eval.records import Check, Outcome, Score, Scoring
from gemma_eval.report.rescorings import changed, check_changes, group_changes, lines, told
from tests.examples import a_run, an_outcome

Scored = dict[str, float | None]
"""What each check gave, by its scorer, in the order of the checks."""


def an_answer(number: int, *, repeat: int = 0, profile: str = "greedy", **given: float | None) -> Outcome:
    """Return an answer to a case with those scores."""
    outcome = an_outcome(f"case-{number}", repeat=repeat, profile=profile)
    cell = outcome.trial.cell
    case = replace(cell.case, checks=tuple(Check(scorer=name.rstrip("_")) for name in given), repeats=2)
    scores = tuple(
        Score(scorer=name.rstrip("_"), value=value, passed=None, unscored=None if value is not None else "no")
        for name, value in given.items()
    )
    return replace(outcome, trial=replace(outcome.trial, cell=replace(cell, case=case)), scores=scores)


def keyed(outcomes: Sequence[Outcome]) -> dict[str, Outcome]:
    """Return outcomes by keys, which are the same before and after."""
    return {str(number): outcome for number, outcome in enumerate(outcomes)}


BEFORE = keyed([an_answer(1, contains=1.0), an_answer(1, repeat=1, contains=0.0), an_answer(2, contains=0.0)])
NOW = keyed(
    [
        an_answer(1, contains=1.0, equals=1.0),
        an_answer(1, repeat=1, contains=1.0, equals=0.0),
        an_answer(2, contains=None, equals=0.0),
    ]
)


def test_each_check_has_the_mean_over_its_cases_and_the_answers_it_changed_for() -> None:
    """A case counts once however often it is repeated; a new check has no mean of before."""
    found = {each.check: each for each in check_changes(BEFORE, NOW)}
    assert (found["contains"].before, found["contains"].now) == (0.25, 1.0)
    assert (found["contains"].cases, found["contains"].changed) == (2, 2)
    assert (found["equals"].before, found["equals"].now, found["equals"].changed) == (None, 0.25, None)


def test_several_checks_of_one_scorer_are_told_apart() -> None:
    """By their order in the case."""
    before = keyed([an_answer(1, contains=1.0, contains_=0.0)])
    now = keyed([an_answer(1, contains=1.0)])
    found = [(each.check, each.before, each.now, each.changed) for each in check_changes(before, now)]
    assert found == [("contains", 1.0, 1.0, 0), ("contains 2", 0.0, None, None)]


def test_a_check_that_is_negated_now_is_another_one() -> None:
    """Its value says the opposite, so the two have no row in common."""
    before = keyed([an_answer(1, contains=1.0)])
    outcome = an_answer(1, contains=0.0)
    cell = outcome.trial.cell
    case = replace(cell.case, checks=(Check(scorer="contains", negated=True),))
    now = keyed([replace(outcome, trial=replace(outcome.trial, cell=replace(cell, case=case)))])
    found = [(each.check, each.before, each.now) for each in check_changes(before, now)]
    assert found == [("contains", 1.0, None), ("not contains", None, 0.0)]


def test_answers_with_another_score_are_counted() -> None:
    """One that has none any more is one."""
    assert changed(BEFORE, NOW) == 2
    assert changed(BEFORE, BEFORE) == 0


def spread(n: int) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    """Return the answers to n cases, whose scores all change by other amounts."""
    values = [(0.3 + 0.01 * (i % 7), 0.5 + 0.03 * (i % 11)) for i in range(n)]
    before = keyed([an_answer(i, contains=value) for i, (value, _) in enumerate(values)])
    return before, keyed([an_answer(i, contains=value) for i, (_, value) in enumerate(values)])


def test_the_interval_is_that_of_a_paired_t_test() -> None:
    """By SciPy, from the differences of the same cases."""
    before, now = spread(60)
    (found,) = group_changes(before, now)
    after = [each.score or 0.0 for each in now.values()]
    expected = stats.ttest_rel(after, [each.score or 0.0 for each in before.values()]).confidence_interval(
        0.95
    )
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.now is not None
    assert found.now == pytest.approx(statistics.fmean(after))


def test_the_check_sees_an_interval_that_is_not_paired() -> None:
    """Planted: as if other cases had been asked before."""
    before, now = spread(60)
    (found,) = group_changes(before, now)
    sides = [[each.score or 0.0 for each in side.values()] for side in (now, before)]
    apart = stats.ttest_ind(*sides).confidence_interval(0.95)
    assert found.low is not None
    assert not math.isclose(found.low, apart.low, abs_tol=1e-4)


def test_cases_that_gain_or_lose_a_score_are_counted_and_not_compared() -> None:
    """The change is over the others."""
    (found,) = group_changes(BEFORE, NOW)
    assert (found.n, found.gained, found.lost) == (1, 0, 1)
    assert (found.before, found.now) == (0.5, 0.75)
    assert "0 cases have a score only now, 1 have none any more" in list(lines(BEFORE, NOW))[-1]


def test_groups_and_checks_are_written_as_tables() -> None:
    """Checks that were asked again, and the scores of the whole run."""
    other = an_answer(1, profile="warm", contains=1.0)
    written = list(lines({**BEFORE, "warm": other}, NOW))
    assert [line.split()[0] for line in written if line] == [
        *("check", "contains", "equals"),
        *("score", "scripted", "scripted", "scripted"),
    ]
    assert "greedy" in written[5]
    assert "+0.250" in written[5]
    assert "warm" in written[6]


def test_a_run_says_when_it_was_scored_again_and_where_the_other_scores_are() -> None:
    """The newest time counts; one that never was says nothing."""
    suites = {"b": "", "a": ""}
    scorings = tuple(
        Scoring(number=n, at_utc=f"2026-01-0{n}T10:20:30+00:00", suites=suites, answers=9, changed=n)
        for n in (1, 2)
    )
    assert list(told(a_run())) == []
    (said,) = told(replace(a_run(), scorings=scorings))
    assert said.startswith("on 2026-01-02 10:20 UTC, by the checks of suite a and b as they were then; ")
    assert "2 of 9 answers have another score. The original scores are kept: " in said
    assert said.endswith("gemma-eval report 20260101-000000-abcd --scoring 0")
