"""How sequence breakers stand in tokens, and that long texts and great penalties stay tame."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass

import numpy as np
import pytest

from gemma_eval.backends.model_files import locate
from gemma_eval.backends.vocabulary import TokenizerVocabulary
from gemma_eval.gemma.tokenizer import load
from gemma_eval.records import SamplingProfile
from gemma_eval.sampling.candidates import Candidates, Indices
from gemma_eval.sampling.dry import Dry, _z_values, breakers, repeated
from gemma_eval.sampling.dry import dry as dry_step
from tests.sampling.vectors import left


@dataclass(frozen=True)
class Pieces:
    """A vocabulary of given pieces; a text is cut greedily from its start."""

    texts: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many pieces there are."""
        return len(self.texts)

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids of the longest pieces that fit, one after the other."""
        if not text:
            return ()
        longest = max((piece for piece in self.texts if text.startswith(piece)), key=len)
        return (self.texts.index(longest), *self.encode(text[len(longest) :]))

    def piece(self, token: int) -> str:
        """Return the piece."""
        return self.texts[token]


def dry(*, base: float = 1.5, allowed: int = 2, vocabulary: Pieces | None = None, marks: str = "") -> Dry:
    """Return a DRY of multiplier 1 over all tokens, with one breaker or none."""
    known = breakers(vocabulary, (marks,)) if vocabulary else {}
    return Dry(multiplier=1.0, base=base, allowed_length=allowed, last_n=-1, breakers=known)


def penalties(rule: Dry, seen: tuple[int, ...], size: int) -> list[float]:
    """Return by how much each token is lowered."""
    flat = Candidates.of(np.zeros(size, dtype=np.float32))
    return [-float(logit) for logit in rule.apply(flat, seen).logits]


def test_a_breaker_stands_within_a_token_or_begins_at_its_end() -> None:
    """Every way to write it in tokens is known, with the tokens that must follow the first."""
    vocabulary = Pieces(("a", "b", "ab", "xaby", "xa", "ba", "bab", "c"))
    assert breakers(vocabulary, ("ab",)) == {
        0: ((1,),),  # a, then b
        2: ((),),
        3: ((),),
        4: ((1,),),  # xa, then b
        5: ((1,),),  # ba, then b
        6: ((),),
    }


def test_a_breaker_that_may_begin_at_two_places_of_a_token_is_known_in_both() -> None:
    """Of "aaba" the token "xaa" can hold the first letter or the first two."""
    vocabulary = Pieces(("a", "b", "xaa"))
    assert breakers(vocabulary, ("aaba",))[2] == ((0, 1, 0), (1, 0))


def test_of_two_breakers_at_one_place_the_longer_counts() -> None:
    """Of "a" and "ab" in "bcab" only the longer one leaves nothing to repeat: "b" is part of it."""
    vocabulary = Pieces(("a", "b", "c"))
    for marks, lowered in ((("a",), True), (("a", "ab"), False), (("ab", "a"), False)):
        rule = Dry(
            multiplier=1.0, base=1.5, allowed_length=1, last_n=-1, breakers=breakers(vocabulary, marks)
        )
        assert (penalties(rule, vocabulary.encode("bcab"), 3)[2] > 0) == lowered


def test_a_repeat_reaches_back_to_the_last_breaker_of_several_tokens() -> None:
    """The breaker "ab" is two tokens here: the repeat "ccab cc" counts only what follows it."""
    vocabulary = Pieces(("a", "b", "c", "d"))
    seen = vocabulary.encode("ccabccd" + "ccabcc")
    free = penalties(dry(), seen, 4)
    assert free[3] == pytest.approx(1.5**4)  # ccabcc, six tokens, was followed by d
    assert penalties(dry(vocabulary=vocabulary, marks="ab"), seen, 4)[3] == pytest.approx(1.0)
    assert penalties(dry(vocabulary=vocabulary, marks="ba"), seen, 4) == free


def test_a_token_that_holds_a_breaker_is_never_lowered() -> None:
    """It ends a sequence, so it cannot go on with one."""
    vocabulary = Pieces(("a", "b", "c.", "."))
    seen = vocabulary.encode("abc.ab")
    assert penalties(dry(), seen, 4)[2] == pytest.approx(1.0)
    assert penalties(dry(vocabulary=vocabulary, marks="."), seen, 4) == [0.0] * 4
    assert penalties(dry(vocabulary=vocabulary, marks="c.a"), seen, 4) == [0.0] * 4


def test_the_longest_of_several_repeats_counts() -> None:
    """`abc` was once followed by d and `bc` twice: d is lowered by the longer one."""
    vocabulary = Pieces(("a", "b", "c", "d", "e"))
    seen = vocabulary.encode("abcd" + "ebcd" + "ebce" + "abc")
    found = penalties(dry(), seen, 5)
    assert found[3] == pytest.approx(1.5)
    assert found[4] == pytest.approx(1.0)


@pytest.mark.parametrize("letters", [1, 2, 3])
def test_repeats_are_counted_alike_step_by_step_and_in_one_walk(letters: int) -> None:
    """Few letters make long repeats; both agree with a comparison of every place."""
    rng = np.random.default_rng(letters)
    for size in (2, 3, 60, 1500):
        window = np.tile(rng.integers(0, letters, size), 2 if size > 3 else 1)
        plain = (
            [_common_end(window[: end + 1], window) for end in range(len(window) - 1)] if size < 100 else None
        )
        for limit in (1, 3, len(window)):
            stepwise = np.minimum(repeated(window, limit), limit).tolist()
            walked = np.minimum(_z_values(window[::-1].tolist())[:0:-1], limit).tolist()
            assert stepwise == walked
            if plain is not None:
                assert stepwise == np.minimum(plain, limit).tolist()


def _common_end(one: Indices, other: Indices) -> int:
    length = 0
    while length < len(one) and one[-1 - length] == other[-1 - length]:
        length += 1
    return length


def test_one_token_over_and_over_is_lowered_without_bound_and_without_overflow() -> None:
    """32,000 times the same: the power of the base stops at the largest float32, as in llama.cpp."""
    for base in (1.0, 1.01, 1.75, 1e6):
        found = penalties(dry(base=base), (1,) * 32_000, 3)
        assert np.isfinite(found).all()
        assert found[1] > (1e35 if base > 1 else 0.99)
    assert np.isfinite(
        left(np.zeros(3, dtype=np.float32), {"dry_multiplier": 1e38}, seen=(1,) * 90).logits
    ).all()


def test_the_breakers_of_the_shipped_model_are_the_tokens_with_their_texts() -> None:
    """Resolved through its own tokenizer; each default breaker is one character, so nothing need follow."""
    tokenizer = load(locate("@pocket"))
    vocabulary = TokenizerVocabulary(tokenizer.largest_id + 9, tokenizer)
    marks = SamplingProfile(name="default").dry_sequence_breakers
    found = breakers(vocabulary, marks)
    pieces = [vocabulary.piece(token) for token in range(vocabulary.size)]
    assert set(found) == {token for token, piece in enumerate(pieces) if any(mark in piece for mark in marks)}
    assert set(found.values()) == {((),)}
    assert found
    ids = tokenizer.encode("Finn lives in Oslo: a town.")
    assert "".join(pieces[token] for token in ids) == "Finn lives in Oslo: a town."
    assert pieces[-8:] == [""] * 8


class Counted:
    """A vocabulary of three letters that counts how often it is asked for a piece."""

    size = 3

    def __init__(self) -> None:
        self.asked = 0

    def encode(self, text: str) -> tuple[int, ...]:
        """Return an id per letter."""
        return tuple(map("abc".index, text))

    def piece(self, token: int) -> str:
        """Return the letter."""
        self.asked += 1
        return "abc"[token]


def test_a_vocabulary_is_read_once_and_let_go_of_with_its_model() -> None:
    """A whole vocabulary of a large model takes a second to read, and its tokenizer much memory."""
    vocabulary = Counted()
    settings = SamplingProfile(name="dry", dry_multiplier=1.0, dry_sequence_breakers=("b",))
    for _ in range(3):
        dry_step(settings, vocabulary=vocabulary, seed=1)
    assert vocabulary.asked == 3
    seen = weakref.ref(vocabulary)
    del vocabulary
    gc.collect()
    assert seen() is None
