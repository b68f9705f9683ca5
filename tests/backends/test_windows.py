"""Texts longer than the context are read in the windows of lm-evaluation-harness, each token once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.backends.windows import windows

Windows = list[tuple[tuple[int, ...], tuple[int, ...]]]
BOS = -1


def theirs(tokens: Sequence[int], *, most: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Yield what is read by its two steps, windows that overlap by all but what is new, then cut apart.

    Source: EleutherAI/lm-evaluation-harness:lm_eval/utils.py, version 0.4.13, from the description of
    `get_rolling_token_windows` with `context_len` 1, and of `make_disjoint_window`.
    """
    whole = [BOS, *tokens]
    predicted = 0
    while predicted < len(tokens):
        new = min(most, len(tokens) - predicted)
        end = predicted + new  # of the tokens that are predicted; in `whole` it is the last one's place
        given_, scored = whole[max(0, end - most) : end], list(tokens[predicted:end])
        yield tuple(given_[: len(given_) - (len(scored) - 1)]), tuple(scored)
        predicted = end


def ours(tokens: Sequence[int], *, most: int) -> Windows:
    """Return what is read here by an engine that reads so many at once, the one before them among them."""
    return list(windows(tuple(tokens), beginning=BOS, most_tokens=most + 1))


@given(st.integers(1, 40), st.integers(1, 12))
@settings(max_examples=200)
def test_windows_are_those_of_lm_evaluation_harness(n: int, most: int) -> None:
    """Whatever the length is a multiple of; together they are the text, and each fits."""
    tokens = tuple(range(n))
    made = ours(tokens, most=most)
    assert made == list(theirs(tokens, most=most))
    assert sum((scored for _, scored in made), ()) == tokens
    assert max(len(before) + len(scored) for before, scored in made) <= most + 1


def test_each_follows_one_token_and_the_last_as_many_as_there_is_room_for() -> None:
    """Written out: seven tokens, of which three are read at once beside the one before them."""
    assert ours(range(7), most=3) == [((BOS,), (0, 1, 2)), ((2,), (3, 4, 5)), ((3, 4, 5), (6,))]
    assert list(windows((4, 5), beginning=BOS, most_tokens=None)) == [((BOS,), (4, 5))]


def test_planted_errors_are_seen() -> None:
    """A last window without what is before it, and one that has too much of it."""
    tokens = tuple(range(7))
    *firsts, (before, scored) = ours(tokens, most=3)
    right = list(theirs(tokens, most=3))
    assert [*firsts, (before, scored)] == right
    assert [*firsts, (before[-1:], scored)] != right
    assert [*firsts, (tokens[:6], scored)] != right
    assert ours(tokens, most=4) != right
