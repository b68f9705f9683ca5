"""What is said of judges is counted from their votes, case by case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemma_eval.records import Failure, Outcome, Score, Summary, Vote
from gemma_eval.stats.judged import alpha, flip_shares, has_judges, juror_values, unscored_shares
from gemma_eval.stats.summary import summarise
from tests.examples import an_outcome


def votes(*values: float | None) -> tuple[Vote, ...]:
    """Return the votes of as many judges."""
    return tuple(Vote(judge=f"j{n}", value=value) for n, value in enumerate(values))


def both_orders(first: float | None, second: float | None, judge: str = "j") -> tuple[Vote, ...]:
    """Return the votes of a judge on a pair."""
    return Vote(judge=judge, value=first), Vote(judge=judge, value=second, swapped=True)


def judged(case: str, given: tuple[Vote, ...], *, value: float | None = 1.0, repeat: int = 0) -> Outcome:
    """Return an outcome with a score of these votes."""
    score = Score(scorer="judge", value=value, passed=None, votes=given, unscored=None if value else "silent")
    return replace(an_outcome(case, repeat=repeat), scores=(score,))


def summary(outcomes: list[Outcome], metric: str) -> Summary | None:
    """Return the summary of a metric, `None` when there is none."""
    return next((each for each in summarise(outcomes) if each.metric == metric), None)


def test_groups_without_judges_have_no_metrics_of_judges() -> None:
    """So their reports stay as they were."""
    assert not has_judges([an_outcome()])
    assert summary([an_outcome()], "unscored") is None


def test_the_unscored_share_is_a_mean_over_cases() -> None:
    """Of two cases one has half of its answers unscored; an answer that failed is none."""
    failed = replace(judged("c", votes(1)), scores=(), failure=Failure(kind="backend", message="gone"))
    outcomes = [
        judged("a", votes(1)),
        judged("a", votes(None), value=None, repeat=1),
        judged("b", votes(0), value=0.5),
        failed,
    ]
    assert sorted(unscored_shares(outcomes).values()) == [0, 0.5]
    found = summary(outcomes, "unscored")
    assert found is not None
    assert (found.n, found.mean) == (2, 0.25)
    assert found.interval == "t"


def test_the_flip_rate_counts_pairs_that_were_decided_in_both_orders() -> None:
    """A tie of one judge, none of another, and one that said nothing in one order."""
    pair = (*both_orders(1, 0, "a"), *both_orders(1, 1, "b"), *both_orders(1, None, "c"))
    outcomes = [judged("a", pair), judged("b", both_orders(0, 1)), judged("c", votes(1, 0))]
    assert flip_shares(outcomes) == (0.5, 1.0)
    found = summary(outcomes, "flip_rate")
    assert found is not None
    assert (found.n, found.mean) == (2, 0.75)


def test_alpha_of_a_jury_is_krippendorffs() -> None:
    """The first outside vector of test_agreement.py, vote by vote; but for its last row it is 1."""
    rows = ((1, 1, 1), (0, 0, 0), (1, 1, 1), (0, 0, 1))
    outcomes = [judged(f"case-{n}", votes(*row)) for n, row in enumerate(rows)]
    value, n = alpha(outcomes)
    assert value == pytest.approx(0.685714, abs=1e-6)
    assert n == 4
    found = summary(outcomes, "alpha")
    assert found is not None
    assert found.mean == value
    assert (found.n, found.ci_low) == (4, None)
    assert alpha(outcomes[:3])[0] == 1


def test_one_judge_is_no_jury() -> None:
    """And neither are several of which one alone spoke."""
    assert alpha([judged("a", votes(1)), judged("b", votes(0, None))]) == (None, 0)


def test_a_juror_counts_with_the_mean_of_both_orders_or_not_at_all() -> None:
    """In the order of the judges."""
    assert juror_values((*both_orders(1, 0, "a"), *both_orders(None, 0, "b"), *both_orders(1, 1, "c"))) == [
        0.5,
        1,
    ]
