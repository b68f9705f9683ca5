"""What a backend keeps that tells how probable a text is: `ReadingContract` beside `BackendContract`."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gemma_eval.errors import BackendError, ContextOverflow
from gemma_eval.protocols import Backend, ReadingBackend
from gemma_eval.records import Generation, Prompt, SamplingProfile


class ReadingContract:
    """The tests; they use the fixtures of `BackendContract`."""

    tolerance = 1e-3
    """How far two ways of computing one log-probability may lie apart."""

    @pytest.fixture
    def reading_backend(self, backend: Backend) -> ReadingBackend:
        """Return the backend, which says by its methods that it can read."""
        assert isinstance(backend, ReadingBackend)
        return backend

    @pytest.fixture
    def continuation(self) -> str:
        """Return a text of several tokens that the backend can read; it divides between words."""
        return "Finn lives in Oslo."

    @pytest.fixture
    def reading(self, reading_backend: ReadingBackend, prompt: Prompt, continuation: str) -> Generation:
        """Return what the backend makes of the continuation."""
        return reading_backend.read(prompt, continuation=continuation)

    def test_every_token_has_a_log_probability(self, reading: Generation) -> None:
        """One for each, finite and not above 0."""
        known = reading.log_probabilities or ()
        assert len(known) == reading.output_tokens
        assert len(known) > 1
        assert all(math.isfinite(value) and value <= 0 for value in known)

    def test_what_was_read_is_the_text(self, reading: Generation, continuation: str) -> None:
        """The continuation stands where an answer would."""
        assert reading.text == "".join(delta.text for delta in reading.deltas) == continuation
        assert reading.requested_ns <= reading.ended_ns

    def test_no_token_spans_prompt_and_continuation(
        self, reading_backend: ReadingBackend, prompt: Prompt, reading: Generation, continuation: str
    ) -> None:
        """Its tokens are counted as those of any text, and the prompt's are not changed by it."""
        counted = reading_backend.count_tokens(continuation)
        if counted is not None:
            assert reading.output_tokens == counted
        before = reading_backend.count_tokens(prompt.text or "")
        if before is not None and reading.prompt_tokens is not None:
            assert reading.prompt_tokens == before

    def test_reading_twice_is_reading_once(
        self, reading_backend: ReadingBackend, prompt: Prompt, reading: Generation, continuation: str
    ) -> None:
        """Nothing is drawn and nothing is left behind."""
        again = reading_backend.read(prompt, continuation=continuation)
        assert again.log_probabilities == reading.log_probabilities

    def test_what_comes_later_does_not_change_what_came_before(
        self, reading_backend: ReadingBackend, prompt: Prompt, reading: Generation, continuation: str
    ) -> None:
        """Each token is given all before it, and nothing after it."""
        longer = reading_backend.read(prompt, continuation=continuation + " He").log_probabilities or ()
        known = reading.log_probabilities or ()
        assert len(longer) > len(known)
        assert longer[: len(known)] == pytest.approx(known, abs=self.tolerance)

    def test_the_parts_of_a_text_multiply(
        self, reading_backend: ReadingBackend, prompt: Prompt, reading: Generation, continuation: str
    ) -> None:
        """What was read first may as well stand in the prompt, when the tokens are the same."""
        first, rest = continuation[:4], continuation[4:]
        count = reading_backend.count_tokens
        if count(first) is None or (count(first) or 0) + (count(rest) or 0) != reading.output_tokens:
            pytest.skip("the tokens of the parts are not those of the whole")
        if prompt.text is None:
            pytest.skip("the engine applies its own chat markup")
        further = replace(prompt, text=prompt.text + first)
        parts = [
            *(reading_backend.read(prompt, continuation=first).log_probabilities or ()),
            *(reading_backend.read(further, continuation=rest).log_probabilities or ()),
        ]
        assert parts == pytest.approx(reading.log_probabilities, abs=self.tolerance)

    def test_no_other_token_is_more_probable_than_the_greedy_one(
        self, reading_backend: ReadingBackend, prompt: Prompt, profile: SamplingProfile
    ) -> None:
        """The best first token is read at least as probable as the first tokens of other texts."""
        greedy = replace(profile, temperature=0.0, max_tokens=1)
        answer = reading_backend.generate(prompt, profile=greedy, seed=1)
        if not answer.text or reading_backend.count_tokens(answer.text) != 1:
            pytest.skip("the greedy answer is no single token of text")
        best = (reading_backend.read(prompt, continuation=answer.text).log_probabilities or ())[0]
        others = [
            (reading_backend.read(prompt, continuation=text).log_probabilities or ())[0]
            for text in ("Oslo", "!", "12", " the")
        ]
        assert all(other <= best + self.tolerance for other in others)

    def test_an_empty_continuation_is_refused(self, reading_backend: ReadingBackend, prompt: Prompt) -> None:
        """A text of no tokens has no probability to speak of."""
        with pytest.raises(BackendError, match="empty"):
            reading_backend.read(prompt, continuation="")

    def test_a_continuation_beyond_the_context_is_refused(
        self, reading_backend: ReadingBackend, prompt: Prompt
    ) -> None:
        """Prompt and continuation must fit together."""
        limit = reading_backend.info().context_tokens
        if limit is None:
            pytest.skip("the backend does not know its context")
        with pytest.raises(ContextOverflow):
            reading_backend.read(prompt, continuation=" again" * limit)
