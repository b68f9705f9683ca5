"""How different the answers to one case are, against independent counts and planted errors."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU

from gemma_eval.protocols import subject_of
from tests.scoring.answers import SCORERS, score_all

_TEXT = st.lists(st.sampled_from(("a", "b", "c")), max_size=6).map(" ".join)
_ANSWERS = st.lists(_TEXT, min_size=2, max_size=4)


def test_they_judge_all_repeats_together() -> None:
    """Which is how they are called."""
    for name in ("distinct_n", "self_bleu", "determinism"):
        assert subject_of(SCORERS.find(name)({})) == "repeats"


@pytest.mark.parametrize(
    ("answers", "n", "expected"),
    [
        (["a b c"], 1, 1.0),
        (["a a a a"], 1, 1 / 4),
        (["a b a b", "a b"], 2, 2 / 4),
        (["a b", "a b"], 1, 2 / 4),
        (["a b c", "d"], 3, 1.0),
    ],
)
def test_distinct_n_is_counted_over_all_answers(answers: Sequence[str], n: int, expected: float) -> None:
    """Not within each of them, which would be 1 for the fourth."""
    assert score_all("distinct_n", answers, n=n).value == pytest.approx(expected)


@given(_ANSWERS, st.integers(1, 3))
def test_distinct_n_is_that_of_joined_runs(answers: list[str], n: int) -> None:
    """Of the texts of runs instead of their words."""
    runs = [
        " ".join(answer.split()[i : i + n]) for answer in answers for i in range(len(answer.split()) - n + 1)
    ]
    found = score_all("distinct_n", answers, n=n)
    if not runs:
        assert found.unscored == f"no answer has {n} words"
        return
    assert found.value == len(set(runs)) / len(runs)
    assert found.figures == {"n_runs": len(runs), "n_distinct": len(set(runs))}


@given(_ANSWERS)
@settings(max_examples=30)
def test_self_bleu_is_the_mean_of_each_with_the_others(answers: list[str]) -> None:
    """By sacrebleu; an answer that another one equals has 1, as its BLEU would be if it had a word."""
    metric = BLEU(effective_order=True)
    values = []
    for index, answer in enumerate(answers):
        others = answers[:index] + answers[index + 1 :]
        values.append(100 if answer in others else metric.sentence_score(answer, others).score)
    assert score_all("self_bleu", answers).value == pytest.approx(sum(values) / len(values) / 100)


def test_answers_that_are_the_same_have_self_bleu_1() -> None:
    """And those that share no word 0; the planted error is a diversity, which runs the other way."""
    assert score_all("self_bleu", ["a b c"] * 3).value == 1.0
    assert score_all("self_bleu", ["", ""]).value == 1.0
    assert score_all("self_bleu", ["a b c", "d e f"]).value == 0.0


@pytest.mark.parametrize(
    ("answers", "expected", "parted"),
    [
        (["abc", "abc"], 1.0, None),
        (["abc", "abd", "abc"], 2 / 3, 2),
        (["abc", "abcd"], 1 / 2, 3),
        (["a", "b", "c", "d"], 1 / 4, 0),
        (["", "a"], 1 / 2, 0),
        (["a", "a "], 1 / 2, 1),
    ],
)
def test_determinism_is_the_share_of_the_most_frequent_answer(
    answers: Sequence[str], expected: float, parted: int | None
) -> None:
    """To the character; and where the first two part is told."""
    found = score_all("determinism", answers)
    assert found.value == pytest.approx(expected)
    assert found.figures.get("first_difference") == parted
    assert (found.explanation == "") is (parted is None)


@given(st.lists(st.text(alphabet="ab", max_size=4), min_size=2, max_size=5))
def test_the_first_difference_is_that_of_all_pairs(answers: list[str]) -> None:
    """The nearest one to the beginning."""
    places = [
        next((i for i in range(len(left)) if right[i : i + 1] != left[i]), len(left))
        for left in answers
        for right in answers
        if left != right
    ]
    assert score_all("determinism", answers).figures.get("first_difference") == min(places, default=None)


@pytest.mark.parametrize("name", ["self_bleu", "determinism"])
def test_one_answer_cannot_be_compared(name: str) -> None:
    """It is unscored, not the same as itself."""
    assert score_all(name, ["abc"]).unscored == "needs 2 repeats of the case, has 1"


def test_so_many_long_answers_that_it_would_take_minutes_are_not_scored_by_self_bleu() -> None:
    """Each is held against all others: twice the answers take four times as long."""
    found = score_all("self_bleu", ["a b c d " * 100] * 100)
    assert found.unscored == "100 answers of 40000 words are too many to hold each against all others"
