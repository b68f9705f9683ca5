"""Stop strings cut where they must, however the text is divided, and tokens are counted once."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.backends.answer import Answer, StopStrings

TEXT = st.text(alphabet="ab\n", max_size=14)
STOPS = st.lists(st.text(alphabet="ab\n", min_size=1, max_size=4), max_size=3)


def read_by_letters(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """Read letter by letter until a stop string is whole; return what is before the longest such."""
    for end in range(1, len(text) + 1):
        whole = [stop for stop in stops if text[:end].endswith(stop)]
        if whole:
            return text[: end - max(map(len, whole))], True
    return text, False


def pushed(pieces: Sequence[str], stops: Sequence[str]) -> tuple[str, bool]:
    """Return what the stop strings let through of some pieces, and whether one was met."""
    cut = StopStrings(stops)
    text = "".join(cut.push(piece) for piece in pieces) + cut.finish()
    return text, cut.met


@given(pieces=st.lists(TEXT, max_size=6), stops=STOPS)
@settings(deadline=None)
def test_the_cut_does_not_depend_on_how_the_text_is_divided(pieces: list[str], stops: list[str]) -> None:
    """Against reading letter by letter, for every division into tokens."""
    assert pushed(pieces, stops) == read_by_letters("".join(pieces), stops)


def first_stop_of_a_piece(pieces: Sequence[str], stops: Sequence[str]) -> tuple[str, bool]:
    """Return what a naive reading gives: each piece looked at alone."""
    text = ""
    for piece in pieces:
        starts = [piece.find(stop) for stop in stops if stop in piece]
        if starts:
            return text + piece[: min(starts)], True
        text += piece
    return text, False


def test_the_law_fails_for_a_naive_reading() -> None:
    """A stop string over two tokens is what the naive reading misses."""
    pieces, stops = ["a", "b", "b"], ["bb"]
    assert pushed(pieces, stops) == read_by_letters("abb", stops) == ("a", True)
    assert first_stop_of_a_piece(pieces, stops) != read_by_letters("abb", stops)


def test_a_possible_beginning_is_held_back_until_it_is_decided() -> None:
    """What may become a stop string is not shown and then taken back."""
    cut = StopStrings(["\nUser:"])
    assert cut.push("Oslo\nUs") == "Oslo"
    assert cut.push("ual") == "\nUsual"
    assert cut.push("\nUser") == ""
    assert cut.finish() == "\nUser"
    assert not cut.met


def test_text_after_a_stop_string_is_gone() -> None:
    """Nothing more is let through, not even at the end."""
    cut = StopStrings(["."])
    assert cut.push("Oslo. And") == "Oslo"
    assert cut.push("more") == ""
    assert cut.finish() == ""


def test_an_empty_stop_string_stops_nothing() -> None:
    """It would be met before the first letter."""
    assert pushed(["Oslo"], [""]) == ("Oslo", False)


def test_tokens_without_text_arrive_with_the_next_delta() -> None:
    """Two tokens that are half a character each make one delta of two tokens, stamped at the second."""
    answer = Answer(())
    for at_ns, text in enumerate(["a", "", "é"]):
        answer.add(text, at_ns=at_ns)
    answer.finish()
    assert [(delta.text, delta.n_tokens, delta.at_ns) for delta in answer.deltas] == [
        ("a", 1, 0),
        ("é", 2, 2),
    ]


def test_tokens_that_only_spell_a_stop_string_are_no_output() -> None:
    """Like the end-of-turn token, they end the answer and are no part of it."""
    answer = Answer(["\n\n"])
    for at_ns, text in enumerate(["Oslo", "\n", "\n"]):
        answer.add(text, at_ns=at_ns)
    answer.finish()
    assert (answer.text, answer.n_tokens, answer.stopped) == ("Oslo", 1, True)


def test_tokens_at_the_end_are_counted_even_without_text() -> None:
    """At the limit every generated token is in a delta, and so are bytes that never became a character."""
    answer = Answer(())
    answer.add("", at_ns=5)
    answer.finish()
    assert [(delta.text, delta.n_tokens, delta.at_ns) for delta in answer.deltas] == [("", 1, 5)]
    answer = Answer(())
    answer.add("", at_ns=5)
    answer.finish("\N{REPLACEMENT CHARACTER}")
    assert (answer.text, answer.n_tokens) == ("\N{REPLACEMENT CHARACTER}", 1)


@given(pieces=st.lists(TEXT, max_size=8), stops=STOPS)
@settings(deadline=None)
def test_deltas_join_to_the_text_and_never_count_a_token_twice(pieces: list[str], stops: list[str]) -> None:
    """Whatever is generated and wherever it stops."""
    answer = Answer(stops)
    for at_ns, piece in enumerate(pieces):
        answer.add(piece, at_ns=at_ns)
        if answer.stopped:
            break
    answer.finish()
    assert answer.text == read_by_letters("".join(pieces), stops)[0]
    assert answer.n_tokens <= len(pieces)
    if not answer.stopped:
        assert answer.n_tokens == len(pieces)
