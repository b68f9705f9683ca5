"""The ledger says what a score's error is made of, foretells other designs, and says which to buy."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
from scipy import stats

from gemma_eval.report.grid import Grid, grids
from gemma_eval.report.ledger import Account, accounts, advice
from tests.report.crossed import Array, Crossed, crossed

ONE = Crossed(templates=("plain",))


def scores_of(seed: int, *, cases: float, repeats: float, shape: tuple[int, int] = (40, 4)) -> Array:
    """Return scores of two profiles of which cases and repeats have these standard deviations."""
    random = np.random.default_rng(seed)
    drawn = random.normal(0.5, cases, (shape[0], 1, 1, 1)) + random.normal(
        0.0, repeats, (shape[0], 2, 1, shape[1])
    )
    return np.clip(drawn, 0, 1)


def accounts_of(scores: Array, of: Crossed = ONE) -> tuple[Grid, tuple[Account, ...]]:
    """Return the only grid of scores and its accounts."""
    (grid,) = grids(crossed(scores, of))
    return grid, accounts(grid)


def test_an_account_is_an_analysis_of_variance() -> None:
    """By hand: mean squares between and within, and the t interval and power of the case means."""
    scores = scores_of(1, cases=0.1, repeats=0.2)
    _, (account, _) = accounts_of(scores)
    own = scores[:, 0, 0]
    between_ms, within_ms = 4 * own.mean(axis=1).var(ddof=1), own.var(axis=1, ddof=1).mean()
    between = (between_ms - within_ms) / 4
    error = math.sqrt(between_ms / 4 / 40)
    assert account.now == pytest.approx(error)
    assert account.of_cases == pytest.approx(between / (between + within_ms / 4))
    assert account.twice_cases == pytest.approx(error / math.sqrt(2))
    assert account.twice_repeats == pytest.approx(math.sqrt((between + within_ms / 8) / 40))
    assert account.repeats == 4
    low, high = stats.t.interval(0.95, 39, loc=own.mean(), scale=error)
    assert [account.interval.low, account.interval.high] == pytest.approx([low, high])
    assert account.detectable == pytest.approx((stats.t.isf(0.025, 39) + stats.t.isf(0.2, 39)) * error)


def test_taking_repeats_for_cases_would_be_another_error() -> None:
    """The planted error: 160 answers are not 160 questions."""
    scores = scores_of(2, cases=0.15, repeats=0.1)
    _, (account, _) = accounts_of(scores)
    assert account.now > 1.5 * scores[:, 0, 0].std(ddof=1) / math.sqrt(160)


def test_the_ledger_of_clusters_has_the_error_of_clusters() -> None:
    """Cases of one go together: their error is that of the clusters' means."""
    random = np.random.default_rng(3)
    clusters = np.repeat(random.normal(0.5, 0.15, 10), 4)[:, None, None, None]
    scores = np.clip(clusters + random.normal(0.0, 0.05, (40, 2, 1, 2)), 0, 1)
    of = Crossed(templates=("plain",), cluster=lambda number: f"c{number // 4}")
    _, (account, _) = accounts_of(scores, of)
    expected = scores[:, 0, 0].reshape(10, 8).mean(axis=1).std(ddof=1) / math.sqrt(10)
    assert account.now == pytest.approx(expected)
    assert account.twice_cases == pytest.approx(expected / math.sqrt(2))
    _, (alone, _) = accounts_of(scores)
    assert alone.now < 0.6 * account.now


def test_cases_are_bought_where_they_differ() -> None:
    """Repeats of the same questions would not tell of others."""
    _, found = accounts_of(scores_of(4, cases=0.2, repeats=0.02))
    text = advice(found, clustered=False)
    assert text.startswith("buy cases: twice as many would take")
    now, twice, repeats = (
        math.sqrt(sum(cast(float, getattr(each, name)) ** 2 for each in found) / len(found))
        for name in ("now", "twice_cases", "twice_repeats")
    )
    assert (
        f"from {now:.3f} to {twice:.3f}, twice the repeats, which cost as many answers, to {repeats:.3f}"
        in text
    )


def test_repeats_do_where_answers_differ_and_cases_do_not() -> None:
    """They need no new questions."""
    text = advice(accounts_of(scores_of(5, cases=0.0, repeats=0.2))[1], clustered=False)
    assert text.startswith("buy repeats or cases: ")


def test_without_repeats_nobody_knows_what_they_would_do() -> None:
    """Cases are known, and in clusters they are bought as clusters."""
    _, found = accounts_of(scores_of(6, cases=0.1, repeats=0.1, shape=(40, 1)))
    assert [(each.of_cases, each.twice_repeats) for each in found] == [(None, None)] * 2
    assert "nobody knows what repeats would change" in advice(found, clustered=False)
    assert "twice as many in clusters of their own" in advice(found, clustered=True)


def test_scores_without_spread_have_no_account() -> None:
    """That all were right says nothing of the error of a mean."""
    scores = scores_of(7, cases=0.1, repeats=0.1)
    scores[:, 0] = 1.0
    grid, found = accounts_of(scores)
    assert [grid.label(each.pair) for each in found] == ["hot"]
    assert "nothing tells" in advice(accounts_of(np.ones((10, 2, 1, 2)))[1], clustered=False)
