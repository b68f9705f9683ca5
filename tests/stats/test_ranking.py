"""The measures of a ranking are trec_eval's: its published values, random runs against it, planted errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.stats import ranking
from tests import required

ir_measures = required.module("ir_measures", extra="test")

Grades = Sequence[int]
Measure = Callable[[Grades, Grades], float]

# usnistgov/trec_eval@2a9e2143, query 302 of its own test: the ranks of what is relevant in results-302.test
# by qrels-302.test, of 77 relevant and 500 found; the values are those of out.test.aq for the query.
RANKS_302 = (
    1, 2, 4, 5, 6, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 24, 27, 28, 30, 31, 34, 36, 37, 39, 42,
    43, 44, 47, 48, 49, 50, 51, 53, 56, 58, 72, 79, 82, 84, 116, 154, 289, 301, 331, 353, 394, 458,
)  # fmt: skip
FOUND_302 = [int(rank in RANKS_302) for rank in range(1, 501)]
JUDGED_302 = [1] * 77
PUBLISHED: tuple[tuple[Measure, float], ...] = (
    (lambda found, judged: ranking.average_precision(found, judged=judged), 0.4175),
    (lambda found, judged: ranking.reciprocal_rank(found), 1.0),
    (lambda found, judged: ranking.precision(found, k=10), 0.7),
    (lambda found, judged: ranking.precision(found, k=1000), 0.05),
    (lambda found, judged: ranking.recall(found, judged=judged, k=10), 0.0909),
    (lambda found, judged: ranking.recall(found, judged=judged, k=100), 0.5455),
    (lambda found, judged: ranking.ndcg(found, judged=judged), 0.6617),
    (lambda found, judged: ranking.ndcg(found, judged=judged, k=10), 0.7530),
)


def published_values_hold(found: Grades, judged: Grades) -> list[bool]:
    """Say of each published value whether it comes out, in the four decimals that were printed."""
    return [measure(found, judged) == pytest.approx(value, abs=5e-5) for measure, value in PUBLISHED]


def test_the_values_that_trec_eval_publishes_hold_and_catch_planted_errors() -> None:
    """A rank that is one off, and judged passages that were forgotten since they were not found."""
    assert all(published_values_hold(FOUND_302, JUDGED_302))
    assert published_values_hold([0, *FOUND_302], JUDGED_302).count(False) >= 4
    assert published_values_hold(FOUND_302, JUDGED_302[:50]).count(False) >= 4


# trec_eval never returns where every grade is negative.
JUDGED = st.dictionaries(st.integers(0, 14), st.integers(-1, 3), min_size=1, max_size=12).filter(
    lambda judged: max(judged.values()) >= 0
)
# Few different scores, so that there are ties; two of them are one as float32.
RUN = st.dictionaries(
    st.integers(0, 19), st.sampled_from((0.25, 0.5, 0.5 + 1e-9, 1.0, -2.0)), min_size=1, max_size=15
)
QUERIES = st.lists(st.tuples(JUDGED, RUN), min_size=1, max_size=4)
Order = Callable[[Mapping[str, float]], Sequence[str]]


def names(numbered: Mapping[int, float]) -> dict[str, float]:
    """Return the values by names of passages, of which the longer ones do not come last."""
    return {f"d{number}": value for number, value in numbered.items()}


def theirs(
    qrels: Mapping[str, Mapping[str, int]], run: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Return what trec_eval says through ir_measures, as the mean over all queries."""
    of = ir_measures
    measures = {
        "P@3": of.P @ 3,
        "P@3 of 2": of.P(rel=2) @ 3,
        "R@3": of.R @ 3,
        "hit@2": of.Success @ 2,
        "RR": of.RR,
        "AP": of.AP,
        "AP@4 of 2": of.AP(rel=2) @ 4,
        "nDCG": of.nDCG,
        "nDCG@3": of.nDCG @ 3,
    }
    found = of.calc_aggregate(list(measures.values()), qrels, run)
    return {name: float(found[measure]) for name, measure in measures.items()}


def ours(
    qrels: Mapping[str, Mapping[str, int]], run: Mapping[str, Mapping[str, float]], order: Order
) -> dict[str, float]:
    """Return the same by our functions."""
    by_query: dict[str, dict[str, float]] = {}
    for query, scores in run.items():
        grades = [qrels[query].get(name, 0) for name in order(scores)]
        judged = list(qrels[query].values())
        by_query[query] = {
            "P@3": ranking.precision(grades, k=3),
            "P@3 of 2": ranking.precision(grades, k=3, level=2),
            "R@3": ranking.recall(grades, judged=judged, k=3),
            "hit@2": ranking.hit_rate(grades, k=2),
            "RR": ranking.reciprocal_rank(grades),
            "AP": ranking.average_precision(grades, judged=judged),
            "AP@4 of 2": ranking.average_precision(grades, judged=judged, k=4, level=2),
            "nDCG": ranking.ndcg(grades, judged=judged),
            "nDCG@3": ranking.ndcg(grades, judged=judged, k=3),
        }
    found = {}
    for name in next(iter(by_query.values())):
        values = {query: each[name] for query, each in by_query.items()}
        found[name] = ranking.mean_of_queries(values, qrels.keys(), missing="zero") or 0.0
    return found


@settings(max_examples=60)
@given(QUERIES)
def test_random_runs_have_the_values_of_trec_eval(
    queries: list[tuple[dict[int, int], dict[int, float]]],
) -> None:
    """To 1e-9, with grades, passages that nobody judged, negative grades, and ties."""
    qrels = {
        f"q{n}": {f"d{name}": grade for name, grade in judged.items()}
        for n, (judged, _) in enumerate(queries)
    }
    run = {f"q{n}": names(scores) for n, (_, scores) in enumerate(queries)}
    assert ours(qrels, run, ranking.in_order) == pytest.approx(theirs(qrels, run), abs=1e-9)


def test_an_order_that_keeps_ties_as_they_come_is_caught() -> None:
    """Which is that of most sorts, and that of the names from first to last."""
    qrels = {"q": {"d1": 1, "d2": 0, "d10": 0}}
    run = {"q": {"d1": 0.5, "d10": 0.5 + 1e-9, "d2": 0.5}}
    assert ours(qrels, run, ranking.in_order) == pytest.approx(theirs(qrels, run), abs=1e-9)
    for wrong in (
        lambda scores: sorted(scores, key=scores.__getitem__, reverse=True),
        lambda scores: sorted(scores, key=lambda name: (-scores[name], name)),
        sorted,
    ):
        assert ours(qrels, run, wrong) != pytest.approx(theirs(qrels, run), abs=1e-9)


def test_a_query_without_an_answer_counts_0_or_nothing() -> None:
    """As trec_eval with and without -c; a query that nobody judged never counts."""
    values = {"a": 1.0, "b": 0.5, "unjudged": 0.0}
    assert ranking.mean_of_queries(values, ("a", "b", "c"), missing="zero") == 0.5
    assert ranking.mean_of_queries(values, ("a", "b", "c"), missing="skip") == 0.75
    assert ranking.mean_of_queries({}, ("c",), missing="skip") is None


@pytest.mark.parametrize("grades", [(), (0,), (-1, 0)])
def test_where_nothing_relevant_is_found_all_are_0(grades: Grades) -> None:
    """And where nothing is relevant at all."""
    for judged in ((), (0,), (1, 2)):
        assert ranking.recall(grades, judged=judged) == 0
        assert ranking.average_precision(grades, judged=judged) == 0
        assert ranking.ndcg(grades, judged=judged) == 0
    assert ranking.precision(grades) == ranking.hit_rate(grades) == ranking.reciprocal_rank(grades) == 0


def test_scores_beyond_float32_are_sorted() -> None:
    """They are infinite there, and tie."""
    assert ranking.in_order({"a": 1e300, "b": math.inf, "c": -1e300}) == ("b", "a", "c")
