"""How many words and tokens an answer has and how long it took, against limits."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from gemma_eval.errors import UsageError
from gemma_eval.measure.latency import measure
from gemma_eval.protocols import Scorer
from gemma_eval.records import Attempt, Case, Generation, Options, Score
from gemma_eval.scoring.limits import latency, token_count, word_count
from tests.examples import a_case, a_generation
from tests.scoring.answers import right, score


def judged(scorer: object, generation: Generation, case: Case | None = None) -> Score:
    """Return the score of a generation."""
    return cast(Scorer, scorer)(case or a_case(), generation)


@pytest.mark.parametrize(
    ("answer", "options", "expected"),
    [
        ("one two three", {"least": 3}, True),
        ("one two three", {"most": 2}, False),
        (" one\n two\tthree ", {"least": 3, "most": 3}, True),
        ("", {"most": 0}, True),
        ("", {"least": 1}, False),
    ],
)
def test_words_are_what_space_separates(answer: str, options: dict[str, object], expected: bool) -> None:
    """At least, at most, or both."""
    assert right("word_count", answer, **options) is expected


def test_what_was_counted_is_told() -> None:
    """With the limit that it breaks."""
    found = score("word_count", "one", least=2)
    assert (found.explanation, found.figures) == ("1 word, at least 2 wanted", {"n_words": 1})
    assert score("token_count", "Oslo", most=1).explanation == "2 tokens, at most 1 wanted"


def test_tokens_are_those_that_the_engine_counted() -> None:
    """Where it did not, nothing is known."""
    assert judged(token_count({"most": 2}), a_generation()).value == 1.0
    found = judged(token_count({"most": 2}), replace(a_generation(), output_tokens=None))
    assert (found.value, found.unscored) == (None, "the engine gave no count of output tokens")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"max_s": 0.030}, 1.0),
        ({"max_s": 0.029}, 0.0),
        ({"max_ttft_s": 0.010}, 1.0),
        ({"max_ttft_s": 0.009}, 0.0),
        ({"max_s": 1, "max_ttft_s": 0.009}, 0.0),
    ],
)
def test_an_answer_is_in_time_or_late(options: Options, expected: float) -> None:
    """The deltas of the example came 10 and 30 ms after the request."""
    assert judged(latency(options), a_generation()).value == expected


def test_the_times_are_those_that_are_measured() -> None:
    """By the formulas of the measurements; the end of the stream is the planted error."""
    generation = replace(a_generation("Oslo!"), requested_ns=4_000_000)
    found, known = judged(latency({"max_s": 1}), generation).figures, measure(generation)
    assert found == {"e2e_s": known.e2e_s, "ttft_s": known.ttft_s}
    assert found["e2e_s"] != generation.ended_ns / 1e9


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"batch_size": 4}, "4 answers were decoded together"),
        (
            {"attempts": (Attempt(kind="x", message="", requested_ns=0, ended_ns=1),)},
            "the first request failed",
        ),
        ({"finish_reason": "timeout"}, "the answer broke off"),
        ({"deltas": (), "text": ""}, "no token came"),
        ({"streamed": False}, "the answer came in one piece"),
    ],
)
def test_a_time_that_is_not_known_is_no_score(change: dict[str, object], reason: str) -> None:
    """With the reason."""
    generation = replace(a_generation(), **change)  # type: ignore[arg-type]
    found = judged(latency({"max_ttft_s": 1}), generation)
    assert found.value is None
    assert str(found.unscored).startswith(reason)


def test_a_text_that_was_read_took_no_time_to_write() -> None:
    """And an answer that came whole has a time, but no first token."""
    read = judged(latency({"max_s": 1}), a_generation(), a_case(continuation="Oslo"))
    assert read.unscored == "the text was read, not written"
    whole = replace(a_generation(), streamed=False)
    assert judged(latency({"max_s": 0.031}), whole).value == 1.0


@pytest.mark.parametrize(
    ("factory", "options", "message"),
    [
        (word_count, {}, 'word_count: give "least", "most" or both'),
        (word_count, {"least": 3, "most": 2}, 'word_count: "most" must be at least "least", 3, not 2'),
        (token_count, {"most": 1.5}, 'token_count: "most" must be a whole number of at least 0, not 1.5'),
        (latency, {}, 'latency: give "max_s", "max_ttft_s" or both'),
        (latency, {"max_s": -1}, 'latency: "max_s" must be a finite number of at least 0, not -1'),
    ],
)
def test_limits_that_cannot_be_are_refused(factory: object, options: Options, message: str) -> None:
    """When the check is built."""
    with pytest.raises(UsageError) as raised:
        factory(options)  # type: ignore[operator]
    assert str(raised.value) == message
