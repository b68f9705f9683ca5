"""The corpus is deterministic, says only true things, and never contains a held-out item."""

# ruff: noqa: S311 - a seeded stream of pseudo-random draws is the point

from itertools import islice
from random import Random

import pytest

import corpus
import facts
import items
import tasks
import world
from documents import Document


def text_of(document: Document) -> str:
    """Join a document's spans."""
    return "".join(span.text for span in document)


def drawn(stage: str, *, seed: int, count: int) -> list[str]:
    """Draw documents of one stage as text."""
    return [text_of(document) for document in islice(corpus.documents(Random(seed), stage), count)]


@pytest.mark.parametrize("stage", corpus.STAGES)
def test_the_same_seed_gives_the_same_documents(stage: str) -> None:
    """And another seed gives others."""
    assert drawn(stage, seed=7, count=50) == drawn(stage, seed=7, count=50)
    assert drawn(stage, seed=7, count=50) != drawn(stage, seed=8, count=50)


@pytest.mark.parametrize("stage", corpus.STAGES)
def test_no_training_document_contains_a_held_out_item(stage: str) -> None:
    """Items are read back from the text, independently of how the generator drew them."""
    found = {item for text in drawn(stage, seed=1, count=600) for item in items.training_items(text)}
    assert stage == "recall" or len(found) > 500
    assert not {item for item in found if item.held_out}


def test_a_planted_held_out_fact_is_found_in_a_training_document() -> None:
    """The check above can fail."""
    fact = next(f for city in world.CITIES if (f := facts.Fact("lives", "Ada", city)).split == "held_out")
    planted = drawn("chat", seed=1, count=1)[0] + facts.say(fact)
    assert any(item.held_out for item in items.training_items(planted))


def test_every_context_answer_follows_from_the_context() -> None:
    """The answer's fact is stated in the passages, and `I do not know.` only where none is."""
    checked = 0
    for text in drawn("absent", seed=3, count=300):
        told = {item.parts[:2]: item.parts[2] for item in items.fact_items(text)}
        for user, answer in items.TURN.findall(text):
            match = items.QUERY.search(user)
            if match and (wanted := items.personal(match["query"])):
                assert answer == told.get(wanted, world.UNKNOWN_ANSWER)
                checked += 1
    assert checked > 500


def test_every_sum_is_right() -> None:
    """Parsed back from the question and computed again."""
    for seed in range(300):
        turn = tasks.arithmetic(Random(seed))
        item = items.asked_item(turn.user)
        assert item is not None
        first, operator, second = item.parts
        result = int(first) + int(second) if operator == "+" else int(first) - int(second)
        assert turn.answer in (str(result), facts.json_answer(str(result)))


def test_the_judge_sees_as_many_right_as_wrong_answers() -> None:
    """And a verdict of correct means that the reference stands in the answer."""
    turns = [tasks.judge(Random(seed)) for seed in range(600)]
    for turn in turns:
        match = items.JUDGE.fullmatch(turn.user)
        assert match is not None
        if turn.answer == "correct":
            assert match[2] in match[3]
    assert 0.42 < sum(turn.answer == "correct" for turn in turns) / len(turns) < 0.58


def test_choice_probabilities_sum_to_one() -> None:
    """They are distributions."""
    tables = (*world.CHOICES.values(), *world.STORY_SLOTS.values(), world.STORY_FRIENDS)
    for options in tables:
        assert sum(p for _, p in options) == pytest.approx(1)
