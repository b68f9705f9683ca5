"""TER is what sacrebleu has published, and an edit distance of words where nothing moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.errors import UsageError
from gemma_eval.records import Check, Option, Score
from gemma_eval.scoring.check import score as score_of
from gemma_eval.scoring.edit_rate import ter
from tests import required
from tests.examples import a_case, a_generation

PUBLISHED = (
    ("aaaa bbbb cccc dddd", "aaaa bbbb cccc dddd", 0.0),
    ("dddd eeee ffff", "aaaa bbbb cccc", 1.0),
    ("", "a", 1.0),
    ("d e f g h a b c", "a b c d e f g h", 1 / 8),
)
"""Answer, reference and TER. Source: mjpost/sacrebleu:test/test_ter.py at 27bec34, Apache-2.0."""


@pytest.fixture(autouse=True)
def package() -> None:
    """It is computed by sacrebleu."""
    required.module("sacrebleu", extra="text-metrics")


def score(answer: str, reference: Option, **options: Option) -> Score:
    """Score an answer."""
    check = Check(scorer="ter", options={"reference": reference, **options})
    return score_of(check, a_case(), a_generation(answer), build=lambda each: ter(each.options))


def agrees(rows: Sequence[tuple[str, str, float]]) -> bool:
    """Whether each answer has 1 - TER."""
    return all(score(answer, wanted).value == pytest.approx(1 - rate) for answer, wanted, rate in rows)


def test_published_values_hold() -> None:
    """A match, no overlap, an empty answer, and a run of words that is moved by one edit."""
    assert agrees(PUBLISHED)


def test_the_published_values_catch_a_planted_error() -> None:
    """Each of them."""
    for place, (answer, wanted, rate) in enumerate(PUBLISHED):
        assert not agrees([*PUBLISHED[:place], (answer, wanted, rate + 0.01)])


def distance(left: Sequence[str], right: Sequence[str]) -> int:
    """Return the edits between two sequences, by the textbook's table."""
    row = list(range(len(right) + 1))
    for number, word in enumerate(left, start=1):
        row, above = [number], row
        for place, other in enumerate(right):
            row.append(min(above[place] + (word != other), above[place + 1] + 1, row[-1] + 1))
    return row[-1]


WORDS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=7)


@given(WORDS, WORDS)
@settings(max_examples=40)
def test_moving_words_never_costs_more_than_changing_them(left: list[str], right: list[str]) -> None:
    """The edit distance of words is the upper end, the words that are missing the lower one."""
    found = score(" ".join(left), " ".join(right))
    missing = sum((Counter(right) - Counter(left)).values())
    assert missing <= found.figures["edits"] <= distance(left, right)
    assert found.figures["reference_length"] == len(right)
    assert found.value == pytest.approx(max(0.0, 1 - found.figures["edits"] / len(right)))


@given(st.lists(st.booleans(), min_size=1, max_size=8))
@settings(max_examples=40)
def test_where_no_move_can_help_it_is_the_edit_distance_of_words(is_kept: list[bool]) -> None:
    """Words that are in their places, and others in place of the rest."""
    right = [f"w{n}" for n in range(len(is_kept))]
    left = [word if kept else f"x{word}" for word, kept in zip(right, is_kept, strict=True)]
    edits = score(" ".join(left), " ".join(right)).figures["edits"]
    assert edits == distance(left, right) == is_kept.count(False)


def test_more_edits_than_words_are_worth_nothing() -> None:
    """TER has no upper end, and a value has; the figures keep what is lost."""
    found = score("a b c d e f", "x")
    assert (found.value, found.figures["edits"]) == (0.0, 6)


def test_an_answer_that_goes_on_and_on_is_worth_nothing_at_once() -> None:
    """To look for moves in it would take minutes; its length alone is enough edits."""
    found = score("so it is " * 2_000, ("so it was", "it was so then"))
    assert (found.value, dict(found.figures)) == (0.0, {})
    assert "6000 words" in found.explanation
    words = [f"w{number}" for number in range(60)]
    beyond, within = " ".join([*words, *["x"] * 60]), " ".join([*words, *["x"] * 59])
    assert score(beyond, " ".join(words)).value == 0
    assert score(within, " ".join(words)).figures["edits"] >= 59  # one fewer, and it is looked at


def test_a_pair_of_long_texts_is_not_scored() -> None:
    """It says why, and does not take minutes to."""
    words = [f"w{number}" for number in range(400)]
    found = score(" ".join(words), " ".join(reversed(words)))
    assert found.value is None
    assert found.unscored == "400 words against 400 are too many to look for moves"


def test_case_matters_when_told_to() -> None:
    """Not by default, as in sacrebleu."""
    assert score("Oslo", "oslo").value == 1.0
    assert score("Oslo", "oslo", match_case=True).value == 0.0


def test_of_several_references_the_nearest_counts() -> None:
    """Divided by their mean length."""
    found = score("a b", ("a b", "a b c d"))
    assert (found.value, found.figures["reference_length"]) == (1.0, 3.0)
    with pytest.raises(UsageError, match='the option "reference" is missing'):
        ter({})
