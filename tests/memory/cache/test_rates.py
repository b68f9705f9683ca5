"""On the labelled pairs that ship, mode strict gives no wrong answer; a cosine alone gives hundreds."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import pytest

from gemma_eval.memory.cache import rules
from gemma_eval.memory.cache.pairs import Rate
from gemma_eval.memory.cache.question import Question, read
from tests.memory.cache.recorded import PAIRS, TABLE, cosines, hits, pairs

NEAR_MISSES = [pair for pair in pairs() if pair.label == "different"]
PARAPHRASES = [pair for pair in pairs() if pair.label == "same"]
KINDS = {
    *("numbers", "negation", "entities", "order", "units", "time", "comparatives", "scope", "quantifier"),
    *("elliptic", "question", "modality", "word"),
}


def test_the_file_has_enough_pairs_of_every_kind() -> None:
    """Five hundred near-misses are needed to say that fewer than 0.8 % go wrong."""
    assert len(NEAR_MISSES) >= 500
    assert len(PARAPHRASES) >= 200
    assert {pair.kind for pair in NEAR_MISSES} == KINDS
    assert min(Counter((pair.label, pair.kind) for pair in pairs()).values()) >= 35
    assert len({pair.id for pair in pairs()}) == len(pairs())
    assert len({(pair.first, pair.second) for pair in pairs()}) == len(pairs())


def test_the_recorded_cosines_are_of_the_pairs_that_ship() -> None:
    """Whoever changes a pair records them anew."""
    table = json.loads(TABLE.read_text())
    assert table["sha256"] == hashlib.sha256(PAIRS.read_bytes()).hexdigest()
    assert set(table["cosines"]) == {pair.id for pair in pairs()}


@pytest.mark.parametrize("min_cosine", [-1.0, 0.85, 0.95])
def test_strict_gives_no_wrong_answer(min_cosine: float) -> None:
    """Whatever cosine is asked for: the rules alone keep all near-misses back."""
    assert hits("strict", min_cosine, label="different") == 0
    high = Rate(n=len(NEAR_MISSES), hits=0).interval.high
    assert high is not None
    assert high < 0.008


def test_strict_gives_at_least_two_in_five_right_answers() -> None:
    """At its own floor and at the default of a suite; what is put in other words it leaves to the model."""
    assert hits("strict", 0.85, label="same") / len(PARAPHRASES) >= 0.45
    assert hits("strict", 0.95, label="same") / len(PARAPHRASES) >= 0.40
    assert hits("strict", 0.85, label="same", kind="restructure") == 0


def test_a_cosine_alone_gives_wrong_answers() -> None:
    """At 0.95 to more than a third of the near-misses, and to all that differ in their order."""
    wrong = hits("cosine", 0.95, label="different")
    assert wrong / len(NEAR_MISSES) > 0.3
    assert hits("cosine", 0.95, label="different", kind="order") == 45
    assert wrong == sum(cosines()[pair.id] >= 0.95 for pair in NEAR_MISSES)
    assert hits("cosine", 0.95, label="same") == sum(cosines()[pair.id] >= 0.95 for pair in PARAPHRASES)


def test_exact_knows_none_of_the_pairs() -> None:
    """No two questions of a pair are the same."""
    assert hits("exact", 0.95, label="same") == hits("exact", 0.95, label="different") == 0


def test_letting_further_words_pass_would_give_wrong_answers() -> None:
    """As the rule that one question's words may be a part of the other's: a condition more asks another."""

    def lets_pass(first: str, second: str) -> bool:
        one, other = read(first), read(second)
        for gate, look in rules.GATES.items():
            if gate not in ("words", "order", "articles") and look(one, other) is not None:
                return False
        return _is_part(one, other) or _is_part(other, one)

    def _is_part(one: Question, other: Question) -> bool:
        rest = iter(other.texts)
        return all(word in rest for word in one.texts)

    wrong = [
        pair for pair in NEAR_MISSES if cosines()[pair.id] >= 0.85 and lets_pass(pair.first, pair.second)
    ]
    assert len(wrong) > 20
    assert {pair.kind for pair in wrong} >= {"scope"}


@pytest.mark.parametrize("without", [("order",), ("modality",), ("words", "order")])
def test_a_rule_that_is_missing_is_noticed(
    without: tuple[rules.Gate, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then near-misses pass; the other gates say first what these would say in other words."""
    left = {name: look for name, look in rules.GATES.items() if name not in without}
    monkeypatch.setattr(rules, "GATES", left)
    assert [pair for pair in NEAR_MISSES if rules.refusal(pair.first, pair.second) is None]
