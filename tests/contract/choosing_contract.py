"""What a backend keeps that reads several choices after one prompt: `ChoosingContract` beside the others."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gemma_eval.errors import BackendError, ContextOverflow
from gemma_eval.protocols import Backend, ChoosingBackend
from gemma_eval.records import ChoiceReading, Generation, Prompt, SamplingProfile


class ChoosingContract:
    """The tests; they use the fixtures of `BackendContract`."""

    same = 2e-5
    """How far the log-probability of a token may lie from the one it has when its text is read alone."""

    @pytest.fixture
    def choosing_backend(self, backend: Backend) -> ChoosingBackend:
        """Return the backend, which says by its methods that it reads choices."""
        assert isinstance(backend, ChoosingBackend)
        return backend

    @pytest.fixture
    def choices(self) -> tuple[str, ...]:
        """Return texts of one token and of many, one of them twice, with a part of another."""
        return ("Oslo", "Rome", "lives in Oslo.", "Oslo", "é漢", "lives in Rome, I say")

    @pytest.fixture
    def read(self, choosing_backend: ChoosingBackend, prompt: Prompt, choices: tuple[str, ...]) -> Generation:
        """Return what the backend makes of the choices."""
        return choosing_backend.read_choices(prompt, choices=choices, unconditional=True)

    def test_choices_come_in_their_order(self, read: Generation, choices: tuple[str, ...]) -> None:
        """Each with finite log-probabilities of at most 0, and a sum after an empty prompt."""
        assert tuple(choice.text for choice in read.choices) == choices
        for choice in read.choices:
            assert choice.log_probabilities
            assert all(math.isfinite(value) and value <= 0 for value in choice.log_probabilities)
            assert choice.unconditional is not None
            assert math.isfinite(choice.unconditional)

    def test_a_choice_is_read_as_if_it_were_alone(
        self, choosing_backend: ChoosingBackend, prompt: Prompt, read: Generation
    ) -> None:
        """Whichever stand beside it, and whatever a rounding in another order makes of a last digit."""
        for choice in read.choices:
            alone = choosing_backend.read(prompt, continuation=choice.text).log_probabilities
            assert choice.log_probabilities == pytest.approx(alone, abs=self.same)

    def test_a_text_is_read_from_its_beginning_after_an_empty_prompt(
        self, choosing_backend: ChoosingBackend, read: Generation
    ) -> None:
        """As a choice is for its unconditional probability."""
        empty = Prompt(messages=(), text="", n_tokens=0)
        for choice in read.choices[1:3]:
            alone = choosing_backend.read(empty, continuation=choice.text).log_probabilities or ()
            assert math.fsum(alone) == pytest.approx(choice.unconditional, abs=self.same * len(alone))

    def test_another_order_changes_nothing(
        self, choosing_backend: ChoosingBackend, prompt: Prompt, read: Generation
    ) -> None:
        """No choice sees the one before it."""
        turned = tuple(choice.text for choice in reversed(read.choices))
        again = choosing_backend.read_choices(prompt, choices=turned, unconditional=False)
        for choice, other in zip(read.choices, reversed(again.choices), strict=True):
            assert other.log_probabilities == pytest.approx(choice.log_probabilities, abs=self.same)
            assert other.unconditional is None

    def test_equal_choices_are_equally_probable(self, read: Generation, choices: tuple[str, ...]) -> None:
        """To the last bit, so that a tie is a tie."""
        twice: list[ChoiceReading] = [choice for choice in read.choices if choice.text == choices[0]]
        assert len(twice) == 2
        assert twice[0] == twice[1]

    def test_the_text_is_the_most_probable_choice(self, read: Generation) -> None:
        """It stands where an answer would, with its tokens."""
        best = max(read.choices, key=lambda choice: math.fsum(choice.log_probabilities))
        assert read.text == "".join(delta.text for delta in read.deltas) == best.text
        assert read.log_probabilities == best.log_probabilities
        assert read.output_tokens == len(best.log_probabilities)
        assert read.requested_ns <= read.ended_ns

    def test_greedy_sampling_writes_the_greedy_choice(
        self, choosing_backend: ChoosingBackend, prompt: Prompt, profile: SamplingProfile
    ) -> None:
        """And no other text of the same beginning is said to be greedy."""
        greedy = replace(profile, temperature=0.0, max_tokens=3)
        answer = choosing_backend.generate(prompt, profile=greedy, seed=1).text
        if not answer or "\N{REPLACEMENT CHARACTER}" in answer:
            pytest.skip("the greedy answer is no text")
        texts = (answer, f"{answer} Rome Rome")
        read = choosing_backend.read_choices(prompt, choices=texts, unconditional=False)
        assert [choice.is_greedy for choice in read.choices] in ([True, False], [None, None])

    def test_an_empty_choice_is_refused(self, choosing_backend: ChoosingBackend, prompt: Prompt) -> None:
        """And so is a question without choices."""
        with pytest.raises(BackendError, match="empty"):
            choosing_backend.read_choices(prompt, choices=("Oslo", ""), unconditional=False)
        with pytest.raises(BackendError, match="no choices"):
            choosing_backend.read_choices(prompt, choices=(), unconditional=False)

    def test_a_choice_beyond_the_context_is_refused(
        self, choosing_backend: ChoosingBackend, prompt: Prompt
    ) -> None:
        """Whichever of them it is."""
        limit = choosing_backend.info().context_tokens
        if limit is None:
            pytest.skip("the backend does not know its context")
        with pytest.raises(ContextOverflow):
            choosing_backend.read_choices(prompt, choices=("Oslo", " again" * limit), unconditional=False)
