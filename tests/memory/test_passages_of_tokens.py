"""Passages that have at most so many tokens, as a model counts them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.errors import UsageError
from gemma_eval.memory.passages import Splitting, parts, split
from gemma_eval.records import Document


def count(text: str) -> int:
    """Count a token for each three letters or part of them, and one for each space."""
    return sum((len(word) + 2) // 3 + 1 for word in text.split(" ")) - 1


def texts(text: str, *, most: int, overlap: int = 0) -> list[str]:
    """Return the texts of the passages of a document."""
    splitting = Splitting(count_tokens=count, max_tokens=most, overlap_sentences=overlap)
    return [piece.text for piece in split(Document(name="d", text=text), splitting)]


def test_sentences_stay_whole_where_they_fit() -> None:
    """As many of them in a passage as have no more tokens; another bullet is another passage."""
    assert texts("One two. Three. Four five.\n- Six.", most=9) == ["One two. Three.", "Four five.", "Six."]


def test_a_sentence_that_is_too_long_is_cut_between_words_and_a_word_between_letters() -> None:
    """Nothing of it is lost."""
    assert texts("aaa bbb ccc ddd", most=3) == ["aaa bbb", "ccc ddd"]
    assert texts("abcdefghi jk", most=2) == ["abcdef", "ghi", "jk"]


def test_passages_of_one_paragraph_overlap_by_whole_sentences() -> None:
    """Where they fit beside what is new; another paragraph begins afresh."""
    assert texts("Aa. Bb. Cc. Dd.\n\nEe.", most=5, overlap=1) == ["Aa. Bb. Cc.", "Cc. Dd.", "Ee."]
    assert texts("Aa. Bb. Cc. Dd.", most=5, overlap=2) == ["Aa. Bb. Cc.", "Bb. Cc. Dd."]
    assert texts("Aaaaaa. Bb. Cccccc.", most=4, overlap=1) == ["Aaaaaa.", "Bb.", "Cccccc."]


@pytest.mark.parametrize("text", ["word " * 20_000, "x" * 40_000])
def test_a_text_without_an_end_is_cut_in_one_pass(text: str) -> None:
    """What is counted grows with the text and not with its square."""
    counted = 0

    def counting(part: str) -> int:
        nonlocal counted
        counted += len(part)
        return count(part)

    splitting = Splitting(count_tokens=counting, max_tokens=32)
    assert sum(len(piece) for piece in parts(text.strip(), splitting)) > 30_000
    assert counted < 40 * len(text)


@settings(max_examples=60)
@given(st.text(alphabet="ab. \n-é", max_size=120), st.integers(1, 9))
def test_no_passage_has_more_tokens_and_no_letter_is_lost(text: str, most: int) -> None:
    """Whatever the text, when nothing is repeated."""
    found = texts(text, most=most)
    assert all(count(each) <= most for each in found)
    whole = [piece.text for piece in split(Document(name="d", text=text))]
    kept = {letter for each in whole for letter in each if letter != " "}
    assert {letter for each in found for letter in each if letter != " "} == kept
    if len(whole) == 1 and len(set(found)) == len(found) and len("".join(found)) > len(whole[0]) // 2:
        assert "".join(whole[0].split()).startswith("".join(found[0].split()))


def test_a_count_that_is_too_small_is_noticed() -> None:
    """The law above depends on the count: by another one the passages are too long."""
    loose = Splitting(count_tokens=lambda text: count(text) // 2, max_tokens=3)
    pieces = split(Document(name="d", text="aaa bbb ccc ddd"), loose)
    assert any(count(piece.text) > 3 for piece in pieces)


@pytest.mark.parametrize(
    "wrong", [{"max_tokens": 5}, {"max_tokens": 0, "count_tokens": count}, {"overlap_sentences": -1}]
)
def test_a_length_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    """With what would be right."""
    with pytest.raises(UsageError):
        Splitting(**wrong)  # type: ignore[arg-type]
