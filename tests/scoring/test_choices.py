"""Multiple choice by log-likelihood: lm-evaluation-harness's formulas, its vector, and planted errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gemma_eval.errors import UsageError
from gemma_eval.protocols import ScorerFactory, needs_unconditional, subject_of
from gemma_eval.records import ChoiceReading, Score
from gemma_eval.scoring import choices as scorers
from gemma_eval.scoring.choices import acc, acc_bytes, acc_mutual_info, acc_norm, choice_exact_match
from tests.examples import a_case, a_generation

FACTORIES: Mapping[str, ScorerFactory] = {
    name: getattr(scorers, name)
    for name in (
        *("acc", "acc_norm", "acc_bytes", "acc_mutual_info"),
        *("choice_probability", "brier", "choice_exact_match"),
    )
}
QUESTIONS = st.lists(
    st.tuples(
        st.text(st.sampled_from("abé漢😀 "), min_size=1, max_size=9),
        st.lists(st.floats(-30, 0), min_size=1, max_size=4),
        st.floats(-60, 0),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


def score(
    factory: ScorerFactory,
    texts: Sequence[str],
    known: Sequence[Sequence[float]],
    *,
    target: int | None = 0,
    alone: Sequence[float | None] | None = None,
    greedy: Sequence[bool | None] | None = None,
    delimiter: str = "",
) -> Score:
    """Score choices with these texts, log-probabilities of tokens and, where given, what else was read."""
    read = tuple(
        ChoiceReading(
            text=delimiter + text,
            log_probabilities=tuple(values),
            unconditional=None if alone is None else alone[index],
            is_greedy=None if greedy is None else greedy[index],
        )
        for index, (text, values) in enumerate(zip(texts, known, strict=True))
    )
    case = a_case(choices=tuple(texts), target=target, delimiter=delimiter)
    scorer = factory({})
    assert callable(scorer)
    found = scorer(case, replace(a_generation(), choices=read))  # type: ignore[arg-type]
    assert isinstance(found, Score)
    return found


def theirs(
    texts: Sequence[str],
    sums: NDArray[np.float64],
    *,
    alone: NDArray[np.float64],
    greedy: Sequence[bool],
    target: int,
) -> Mapping[str, float]:
    """Return what lm-evaluation-harness computes, written from its formulas with NumPy."""
    characters = np.array([float(len(text)) for text in texts])
    octets = np.array([float(len(text.encode("utf-8"))) for text in texts])
    shifted = np.exp(sums - sums.max())
    shares = shifted / shifted.sum()
    return {
        "acc": float(np.argmax(sums) == target),
        "acc_norm": float(np.argmax(sums / characters) == target),
        "acc_bytes": float(np.argmax(sums / octets) == target),
        "acc_mutual_info": float(np.argmax(sums - alone) == target),
        "choice_probability": float(shares[target]),
        "brier": 1 - float(((shares - np.eye(len(texts))[target]) ** 2).sum()) / 2,
        "choice_exact_match": float(greedy[target]),
    }


def ours_and_theirs(
    questions: Sequence[tuple[str, list[float], float, bool]],
    *,
    target: int,
    factories: Mapping[str, ScorerFactory] = FACTORIES,
) -> list[tuple[float, float]]:
    """Return the value of each scorer and what the formulas give."""
    texts, known, alone, greedy = (tuple(column) for column in zip(*questions, strict=True))
    sums = np.array([math.fsum(values) for values in known])
    expected = theirs(texts, sums, alone=np.array(alone), greedy=greedy, target=target)
    return [
        (
            score(factory, texts, known, target=target, alone=alone, greedy=greedy).value or 0.0,
            expected[name],
        )
        for name, factory in factories.items()
    ]


@given(QUESTIONS, st.data())
@settings(max_examples=60)
def test_values_are_those_of_lm_evaluation_harness(
    questions: list[tuple[str, list[float], float, bool]], data: st.DataObject
) -> None:
    """All seven, on random questions of random texts: ties, one choice, characters of several bytes."""
    target = data.draw(st.integers(0, len(questions) - 1))
    for ours, expected in ours_and_theirs(questions, target=target):
        assert ours == pytest.approx(expected, abs=1e-12)


PLANTED: Mapping[str, ScorerFactory] = {
    "acc": acc_norm,
    "acc_norm": acc_bytes,
    "acc_bytes": acc,
    "acc_mutual_info": acc,
    "choice_probability": scorers.brier,
    "brier": scorers.choice_probability,
    "choice_exact_match": acc_bytes,
}
TELLING = [
    ("漢漢", [-2.5], -1.0, False),
    ("ab", [-2.0], -0.5, True),
    ("abababab", [-3.0, -1.0], -6.0, False),
]
"""By sums the second is the best, by characters the third, by bytes the first, by information the third."""


def test_the_comparison_catches_planted_errors() -> None:
    """Each scorer in the place of another one is found out by one question and its three targets."""
    for name, wrong in PLANTED.items():
        pairs = [ours_and_theirs(TELLING, target=target, factories={name: wrong})[0] for target in range(3)]
        assert any(abs(ours - expected) > 0.1 for ours, expected in pairs), name


def test_the_vector_of_lm_evaluation_harness() -> None:
    """Its test of mutual information: A by likelihood, B by what the question adds."""
    given_, alone = [[-1.0], [-2.0], [-3.0]], [-0.5, -2.0, -3.0]
    assert score(acc, "ABC", given_, target=1, alone=alone).value == 0
    assert score(acc_mutual_info, "ABC", given_, target=1, alone=alone).value == 1


def test_brier_of_a_fair_coin() -> None:
    """Two choices at one half each are 0.5 away from the truth, of 2 at most."""
    found = score(scorers.brier, ["heads", "tails"], [[-3.0], [-1.0, -2.0]], target=1)
    assert found.value == pytest.approx(0.75)
    assert found.figures["brier"] == pytest.approx(0.5)


def test_the_delimiter_is_read_and_not_counted() -> None:
    """Lengths are of the choice alone: with its space "ab" would rank before "abcd"."""
    known = [[-2.0], [-3.9]]
    assert score(acc_norm, ["ab", "abcd"], known, target=1, delimiter=" ").value == 1
    assert score(acc_norm, [" ab", " abcd"], [[-2.0], [-3.5]], target=0).value == 1


def test_of_equals_the_first_is_taken_and_said_to_be() -> None:
    """As numpy.argmax does."""
    found = score(acc, ["Oslo", "Rome", "Bern"], [[-2.0], [-1.0], [-1.0]], target=2)
    assert (found.value, found.answer) == (0, "Rome")
    assert found.explanation == '"Rome", "Bern" rank equally at -1; the first is taken'


def test_a_score_says_what_was_chosen_and_why() -> None:
    """The figures hold each choice's log-likelihood, so that a report can show them."""
    found = score(acc, ["Oslo", "Rome"], [[-8.0, -0.5], [-1.25]], alone=[-9.0, -2.0])
    assert (found.value, found.answer) == (0, "Rome")
    assert found.explanation == '"Oslo" ranks at -8.5, the chosen one at -1.25'
    assert dict(found.figures) == {
        "chosen": 1,
        "target": 0,
        "log_likelihood_0": -8.5,
        "log_likelihood_1": -1.25,
        "unconditional_0": -9.0,
        "unconditional_1": -2.0,
    }
    assert score(acc, ["Oslo", "Rome"], [[-1.0], [-8.0]]).explanation == ""


@pytest.mark.parametrize(
    ("why", "unjudged"),
    [
        ("which choice is right", lambda: score(acc, ["a", "b"], [[-1.0], [-2.0]], target=None)),
        ("no finite", lambda: score(acc, ["a", "b"], [[-1.0], []])),
        ("no finite", lambda: score(acc, ["a", "b"], [[-1.0], [math.nan]])),
        ("an empty prompt", lambda: score(acc_mutual_info, ["a", "b"], [[-1.0], [-2.0]])),
        (
            "an empty prompt",
            lambda: score(acc_mutual_info, ["a", "b"], [[-1.0], [-2.0]], alone=[-1.0, None]),
        ),
        ("most probable one", lambda: score(choice_exact_match, ["a", "b"], [[-1.0], [-2.0]])),
        (
            "most probable one",
            lambda: score(choice_exact_match, ["a", "b"], [[-1.0], [-2.0]], greedy=[True, None]),
        ),
        ("no length", lambda: score(acc_norm, ["a", ""], [[-1.0], [-2.0]], delimiter=" ")),
    ],
)
def test_what_cannot_be_judged_is_unscored(why: str, unjudged: Callable[[], Score]) -> None:
    """With the reason, and never as wrong."""
    found = unjudged()
    assert found.value is None
    assert found.unscored is not None
    assert why in found.unscored


def test_a_question_of_which_not_all_was_read_is_unscored() -> None:
    """An engine that lost a choice has not answered."""
    case = a_case(choices=("a", "b"), target=0)
    found = acc({})(case, a_generation())
    assert found.unscored == "0 of the 2 choices were read"


@pytest.mark.parametrize("name", FACTORIES)
def test_scorers_say_what_they_judge_and_take_no_options(name: str) -> None:
    """Only mutual information asks for the choices after an empty prompt."""
    scorer = FACTORIES[name]({})
    assert subject_of(scorer) == "choices"
    assert needs_unconditional(scorer) == (name == "acc_mutual_info")
    with pytest.raises(UsageError, match=f'{name}: unknown option "text"'):
        FACTORIES[name]({"text": "x"})
