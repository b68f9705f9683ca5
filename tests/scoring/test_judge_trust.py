"""What a judge said of labelled answers becomes kappa, alpha, flips and a verdict on the judge."""

from __future__ import annotations

import pytest

from gemma_eval.scoring.judge_items import Item
from gemma_eval.scoring.judge_trust import (
    ENOUGH,
    Calibration,
    Orders,
    Said,
    calibration,
    orders_of_pairs,
    pairs_of,
)
from gemma_eval.stats.intervals import of_scores, wilson

LABELS = ("correct", "incorrect")
NO_PAIRS = Orders(n=0, flips=0, first=0)


def an_item(label: str | None, *people: str, prompt: str = "Where?") -> Item:
    """Return an item of which only the labels matter."""
    return Item(prompt=prompt, answer=f"an answer that is {label}", label=label, people=people)


def found(*pairs: tuple[str | None, str], times: int = 1) -> Calibration:
    """Return what is known of a judge from right labels and those that it gave."""
    items = [an_item(right) for right, _ in pairs for _ in range(times)]
    said = [Said(labels=(given,), reversed_label=given) for _, given in pairs for _ in range(times)]
    return calibration("j", items, said, labels=LABELS, pairs=NO_PAIRS)


def test_a_judge_that_agrees_with_many_labels_is_trusted_and_with_few_not_yet() -> None:
    """Four right verdicts prove nothing; thirty of each do."""
    few = found(("correct", "correct"), ("incorrect", "incorrect"), times=2)
    many = found(("correct", "correct"), ("incorrect", "incorrect"), times=30)
    assert (few.trust, many.trust) == ("open", "trusted")
    assert few.kappa is not None
    assert few.kappa.low is not None
    assert few.kappa.low < ENOUGH


def test_a_judge_that_always_says_the_same_is_not_trusted() -> None:
    """Though it is right of half."""
    always = found(("correct", "correct"), ("incorrect", "correct"), times=30)
    assert always.kappa is not None
    assert (always.kappa.agreement, always.kappa.value) == (0.5, 0.0)
    assert always.trust == "not_trusted"


def test_no_verdict_counts_as_a_wrong_one() -> None:
    """A judge that speaks only where it is sure would else look better than it is."""
    shy = found(("correct", "correct"), ("incorrect", "incorrect"), ("correct", ""), times=10)
    assert shy.unscored == 10
    assert shy.kappa is not None
    assert shy.kappa.agreement == pytest.approx(2 / 3)
    assert shy.confusion == {
        "correct": {"": 10, "correct": 10, "incorrect": 0},
        "incorrect": {"": 0, "correct": 0, "incorrect": 10},
    }


def test_labels_of_one_kind_tell_nothing() -> None:
    """Of a judge that always agrees with them."""
    assert found(("correct", "correct"), times=50).trust == "open"


def test_alpha_is_that_of_the_judge_and_all_people() -> None:
    """Krippendorff's alpha of the first vector of four units and three observers, by name."""
    items = [
        an_item("correct", "correct", "correct"),
        an_item("incorrect", "incorrect", "incorrect"),
        an_item("correct", "correct", "correct"),
        an_item("incorrect", "incorrect", "incorrect"),
    ]
    said = [Said(labels=(given,)) for given in ("correct", "incorrect", "correct", "correct")]
    known = calibration("j", items, said, labels=LABELS, pairs=NO_PAIRS)
    assert known.alpha == pytest.approx(0.685714, abs=1e-6)
    assert known.people == 1


def test_test_and_retest_are_compared_label_by_label() -> None:
    """Each later verdict with the first."""
    said = [Said(labels=("correct", "correct", "incorrect"))]
    known = calibration("j", [an_item("correct")], said, labels=LABELS, pairs=NO_PAIRS)
    assert (known.same_again, known.asked_again) == (1, 2)


def test_the_order_of_labels_is_told_apart_from_what_they_say() -> None:
    """A judge that takes the label that is listed first flips always, and is biased as far as can be."""
    items = [an_item("correct")] * 4
    said = [Said(labels=("correct",), reversed_label="incorrect")] * 4
    biased = calibration("j", items, said, labels=LABELS, pairs=NO_PAIRS).labels
    assert (biased.flip_rate, biased.position_bias) == (1, 0.5)
    fair = [Said(labels=("correct",), reversed_label="correct")] * 4
    known = calibration("j", items, fair, labels=LABELS, pairs=NO_PAIRS).labels
    assert (known.flip_rate, known.position_bias) == (0, 0)
    assert calibration("j", items, fair, labels=("a", "b", "c"), pairs=NO_PAIRS).labels.position_bias is None


def test_pairs_are_those_of_one_question() -> None:
    """Each with a right and a wrong answer."""
    items = [an_item("correct"), an_item("incorrect"), an_item("correct", prompt="When?")]
    assert pairs_of(items, best="correct", worst="incorrect") == ((items[0], items[1]),)


def test_votes_on_pairs_tell_flips_and_the_favoured_place() -> None:
    """1 means that the better answer won, first in first place and then in second."""
    known = orders_of_pairs([(1, 1), (1, 0), (1, 0), (0, 0), (None, 1)])
    assert (known.n, known.flips, known.right, known.first) == (4, 2, 1, 6)
    assert known.position_bias == 0.25
    interval = known.bias_interval
    assert interval is not None
    assert interval[0] < 0.25 < interval[1]
    assert Orders(n=0, flips=0, first=0).position_bias is None


def test_the_two_orders_of_a_pair_are_one_datum() -> None:
    """Of ten pairs that all go to the first place, ten are known and not twenty."""
    ten = wilson(10, 10)
    assert ten.low is not None
    assert ten.high is not None
    interval = Orders(n=10, flips=10, first=20).bias_interval
    assert interval == pytest.approx((ten.low - 0.5, ten.high - 0.5))
    mixed = Orders(n=40, flips=12, first=28 + 2 * 9).bias_interval
    known = of_scores([1.0] * 9 + [0.5] * 28 + [0.0] * 3)
    assert known.low is not None
    assert mixed is not None
    assert mixed[0] == known.low - 0.5
