"""The pocket model's tokenizer: one token per word, twins, ids like Gemma's, nothing lost."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

import tokenizer as bpe
import words
import world

POCKET = Path(__file__).parents[2] / "src" / "gemma_eval" / "pocket"
BUILT = bpe.build(words.world_words())


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """Encode without adding anything."""
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("lead", ["", " "])
def test_every_word_of_the_world_is_one_token(lead: str) -> None:
    """With and without a leading space."""
    assert [word for word in words.world_words() if word != "'s" and len(ids(BUILT, lead + word)) != 1] == []


def test_a_name_is_the_same_token_wherever_it_stands() -> None:
    """In a bullet, a question and a list; the twin without a space only where none stands before it."""
    (spaced,) = ids(BUILT, " Finn")
    for text in ("- Finn lives in Oslo.", "Where does Finn live?", "Mia, Finn, Zoe", "[2] Finn likes plums."):
        assert spaced in ids(BUILT, text)


def test_twins_point_from_the_spaced_word_to_the_bare_one() -> None:
    """And the bare word points to itself."""
    roots, spaced = bpe.twins(BUILT)
    for name in world.NAMES:
        (bare,), (lead,) = ids(BUILT, name), ids(BUILT, f" {name}")
        assert (roots[lead], spaced[lead]) == (bare, True)
        assert (roots[bare], spaced[bare]) == (bare, False)


def test_special_ids_are_gemmas() -> None:
    """Padding 0, end 1, beginning 2, unknown 3; the turn markers are single tokens."""
    assert ids(BUILT, "<pad><eos><bos><unk><start_of_turn><end_of_turn>") == [0, 1, 2, 3, 4, 5]


def test_digits_stand_alone() -> None:
    """So that a number is read digit by digit."""
    assert [BUILT.decode([i]) for i in ids(BUILT, "3407")] == ["3", "4", "0", "7"]


@given(st.text())
def test_decoding_gives_back_any_text(text: str) -> None:
    """Byte-level: no text is unknown (special tokens' own names aside)."""
    if not any(special in text for special in bpe.SPECIALS):
        assert BUILT.decode(ids(BUILT, text), skip_special_tokens=False) == text


def test_a_vocabulary_that_is_too_large_is_refused() -> None:
    """The table is most of a small model."""
    with pytest.raises(ValueError, match="drop words"):
        bpe.build(f"{a}{b}{c}" for a in "abcdefghij" for b in "klmnopqrst" for c in "uvwxyzABCD")


@given(st.text(max_size=80))
def test_the_shipped_tokenizer_is_the_one_that_is_built(text: str) -> None:
    """`tokenizer.json` is reproduced by the scripts."""
    assert ids(SHIPPED, text) == ids(BUILT, text)


SHIPPED = bpe.load(POCKET / "tokenizer.json")
