"""Scorers of what was found give the measures of trec_eval, by ids, documents and texts alike."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.errors import UsageError
from gemma_eval.records import Given, Judgement, Passage, Trace
from tests import required
from tests.examples import a_case
from tests.scoring.found import judge_case, of_found, passages, relevant

ir_measures = required.module("ir_measures", extra="test")

RANKING = ("recall", "precision", "hit_rate", "mrr", "map", "ndcg")


def values(
    found: tuple[Passage, ...], judged: tuple[Judgement, ...], *, k: int
) -> Mapping[str, float | None]:
    """Return the value of each scorer of the first k."""
    return {name: of_found(name, found, judged, k=k).value for name in RANKING}


def theirs(found: tuple[Passage, ...], judged: tuple[Judgement, ...], *, k: int) -> dict[str, float]:
    """Return the same measures of trec_eval, through ir_measures."""
    of = ir_measures
    measures = {
        "recall": of.R @ k,
        "precision": of.P @ k,
        "hit_rate": of.Success @ k,
        "mrr": of.RR @ k,
        "map": of.AP @ k,
        "ndcg": of.nDCG @ k,
    }
    qrels = {"q": {each.passage: each.grade for each in judged}}
    run = {"q": {each.id: -float(each.rank) for each in found}}
    counted = of.calc_aggregate(list(measures.values()), qrels, run)
    return {name: float(counted[measure]) for name, measure in measures.items()}


IDS = st.integers(0, 12).map("d{}".format)
FOUND = st.lists(IDS, unique=True, max_size=8)
JUDGED = st.dictionaries(IDS, st.integers(0, 3), min_size=1, max_size=6).filter(
    lambda of: max(of.values()) > 0
)


@settings(max_examples=30)
@given(FOUND, JUDGED, st.integers(1, 6))
def test_the_value_is_that_of_trec_eval(found: list[str], judged: dict[str, int], k: int) -> None:
    """Of passages that are judged by their ids; to drop the grades, or one place, is caught."""
    of, known = passages(*found), relevant(**judged)
    assert values(of, known, k=k) == pytest.approx(theirs(of, known, k=k), abs=1e-9)


def test_a_planted_error_in_any_of_them_is_caught() -> None:
    """One place more is looked at, one relevant passage less is known, grades are all one."""
    of, known = passages("d0", "d1", "d2", "d3"), relevant(d1=1, d3=3, d9=2)
    right = theirs(of, known, k=3)
    assert values(of, known, k=3) == pytest.approx(right)
    assert values(of, known, k=4) != pytest.approx(right)
    for name in RANKING:
        assert values(of, known, k=4)[name] != pytest.approx(right[name]) or name in ("hit_rate", "mrr")
    assert values(of, known[:2], k=3)["recall"] != pytest.approx(right["recall"])
    assert values(of, known[:2], k=3)["map"] != pytest.approx(right["map"])
    assert values(of, relevant(d1=1, d3=1, d9=1), k=3)["ndcg"] != pytest.approx(right["ndcg"])
    assert values(of[1:], known, k=3)["mrr"] != pytest.approx(right["mrr"])


def test_without_k_all_that_was_found_counts() -> None:
    """Precision then is of those alone."""
    of, known = passages("d0", "d1", "d2"), relevant(d1=1, d9=1)
    assert of_found("precision", of, known).value == 1 / 3
    assert of_found("precision", of, known, k=6).value == 1 / 6
    assert of_found("recall", of, known).value == 1 / 2


def test_a_passage_is_relevant_from_the_level_on() -> None:
    """As with the option -l of trec_eval."""
    of, known = passages("d0", "d1"), relevant(d0=1, d1=2)
    assert of_found("mrr", of, known).value == 1
    assert of_found("mrr", of, known, level=2).value == 1 / 2
    found = of_found("recall", of, known, level=3)
    assert (found.value, found.unscored) == (None, "no passage has a grade of at least 3")


def test_a_document_is_found_once_however_many_of_its_passages_are() -> None:
    """Recall and nDCG stay at most 1; precision looks at each passage by itself."""
    of = tuple(
        Passage(id=f"people#{rank}", text="…", document="people", score=1.0, rank=rank) for rank in (1, 2, 3)
    )
    known = (Judgement(passage="people"),)
    assert values(of, known, k=2) == dict.fromkeys(RANKING, 1.0)


def test_two_facts_in_one_passage_are_found_with_it() -> None:
    """They are one place in the best order too; a fact of another passage is another."""
    of = passages("p1: Finn lives in Oslo. Ada lives in Rome.", "p2: Nothing.")
    both = (Judgement(text="Finn lives in Oslo"), Judgement(text="ada lives  in rome", grade=2))
    assert values(of, both, k=1) == dict.fromkeys(RANKING, 1.0)
    assert of_found("recall", of, (*both, Judgement(text="Bo lives in Bern"))).value == 1 / 2


def test_what_was_missed_is_told() -> None:
    """By the id, or by the text; with the rank of the first relevant passage."""
    of = passages("d0", "d1", "d2")
    found = of_found("recall", of, (*relevant(d2=1, d7=1), Judgement(text="Oslo")), k=2)
    assert found.explanation == 'not among the first 2: "d2", "d7", "Oslo"'
    assert found.figures == {"n_found": 3, "n_relevant": 3, "first_rank": 3}
    many = of_found("recall", of, relevant(**{f"x{n}": 1 for n in range(7)}))
    assert many.explanation == 'not among the passages: "x0", "x1", "x2", "x3", "x4" and 2 more'


def test_what_is_not_1_says_why() -> None:
    """And what is says nothing."""
    of, known = passages("d0", "d1", "d2"), relevant(d1=1, d9=1)
    whys = {name: of_found(name, of, known, k=2).explanation for name in RANKING}
    assert whys == {
        "recall": 'not among the first 2: "d9"',
        "precision": "1 of 2 are not relevant",
        "hit_rate": "",
        "mrr": "the first relevant passage has rank 2",
        "map": 'not among the first 2: "d9"',
        "ndcg": 'not among the first 2: "d9"',
    }
    assert of_found("hit_rate", of, known, k=1).explanation == "the first relevant passage has rank 2"
    assert of_found("mrr", of, relevant(d9=1)).explanation == 'not among the passages: "d9"'
    assert of_found("precision", (), known, k=2).explanation == "nothing was found"
    assert of_found("ndcg", of, relevant(d1=1)).explanation == ""


def test_a_case_without_judgements_is_unscored() -> None:
    """Also one that only says what is not relevant."""
    for judged in ((), relevant(d1=0)):
        found = of_found("recall", passages("d1"), judged)
        assert (found.value, found.unscored) == (None, "the case says of no passage that it is relevant")


def test_nothing_found_is_0_and_a_store_that_was_not_there_is_unscored() -> None:
    """For that says nothing of how passages are found."""
    assert of_found("ndcg", (), relevant(d1=1), k=5).value == 0
    case, down = a_case(relevant=relevant(d1=1)), Trace(degraded="cannot be reached")
    for name in (*RANKING, "context_precision", "context_recall"):
        found = judge_case(name, case, Given(passages=(), trace=down))
        assert (found.value, found.unscored) == (None, "cannot be reached")
    found = judge_case("recall", case, Given(passages=passages("d1"), trace=down))
    assert found.value == 1


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"k": 0}, '"k" must be a whole number of at least 1, not 0'),
        ({"k": "5"}, '"k" must be a whole number'),
        ({"level": 0}, '"level" must be a whole number of at least 1'),
        ({"top": 5}, 'unknown option "top"'),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, object], what: str) -> None:
    """With what would be right."""
    with pytest.raises(UsageError, match=what):
        of_found("recall", (), relevant(d1=1), **options)
