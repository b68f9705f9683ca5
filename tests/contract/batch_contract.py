"""What a backend keeps that answers one prompt several times: `BatchContract` beside `BackendContract`."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from gemma_eval.errors import ContextOverflow
from gemma_eval.protocols import Backend, BatchBackend
from gemma_eval.records import Generation, Prompt, SamplingProfile

SEEDS = (7, 1, 8, 1, 2**31)


class BatchContract:
    """The tests; they use the fixtures of `BackendContract`."""

    @pytest.fixture
    def batch_backend(self, backend: Backend) -> BatchBackend:
        """Return the backend, which says by its methods that it can answer several times at once."""
        assert isinstance(backend, BatchBackend)
        return backend

    @pytest.fixture
    def batch(
        self, batch_backend: BatchBackend, prompt: Prompt, profile: SamplingProfile
    ) -> tuple[Generation, ...]:
        """Return some answers that were made together, two of them with one seed."""
        return batch_backend.generate_batch(prompt, profile=profile, seeds=SEEDS)

    def test_a_batch_equals_one_by_one(
        self,
        batch_backend: BatchBackend,
        prompt: Prompt,
        profile: SamplingProfile,
        batch: tuple[Generation, ...],
    ) -> None:
        """The answer to a seed does not depend on the others: text, tokens and end."""
        alone = [batch_backend.generate(prompt, profile=profile, seed=seed) for seed in SEEDS]
        assert [as_answered(made) for made in batch] == [as_answered(made) for made in alone]

    def test_the_order_of_the_seeds_is_that_of_the_answers(
        self,
        batch_backend: BatchBackend,
        prompt: Prompt,
        profile: SamplingProfile,
        batch: tuple[Generation, ...],
    ) -> None:
        """Other company and another place in it change nothing."""
        turned = batch_backend.generate_batch(prompt, profile=profile, seeds=SEEDS[::-1])
        assert [as_answered(made) for made in turned] == [as_answered(made) for made in batch[::-1]]

    def test_a_batch_says_how_many_were_made_together(self, batch: tuple[Generation, ...]) -> None:
        """Stamps of answers that share an engine are not those of one that has it to itself."""
        assert len(batch) == len(SEEDS)
        assert all(made.batch_size > 1 for made in batch)

    def test_stamps_of_a_batch_never_go_back(self, batch: tuple[Generation, ...]) -> None:
        """Request, deltas and end of each answer are of one clock, in this order."""
        for made in batch:
            stamps = [made.requested_ns, *(delta.at_ns for delta in made.deltas), made.ended_ns]
            assert all(earlier <= later for earlier, later in pairwise(stamps))

    def test_a_batch_of_one_is_one_answer(
        self, batch_backend: BatchBackend, prompt: Prompt, profile: SamplingProfile
    ) -> None:
        """Its stamps are those of an answer that had the engine to itself."""
        (made,) = batch_backend.generate_batch(prompt, profile=profile, seeds=(7,))
        assert as_answered(made) == as_answered(batch_backend.generate(prompt, profile=profile, seed=7))
        assert made.batch_size == 1

    def test_no_seeds_have_no_answers(
        self, batch_backend: BatchBackend, prompt: Prompt, profile: SamplingProfile
    ) -> None:
        """Nothing asked, nothing made."""
        assert batch_backend.generate_batch(prompt, profile=profile, seeds=()) == ()

    def test_answers_of_a_batch_that_stop_early_leave_the_others_alone(
        self, batch_backend: BatchBackend, prompt: Prompt, profile: SamplingProfile
    ) -> None:
        """A stop string that ends some answers does not change the rest."""
        seeds = tuple(range(6))
        whole = batch_backend.generate_batch(prompt, profile=profile, seeds=seeds)
        letters = {letter for made in whole for letter in made.text}
        stops = sorted(letter for letter in letters if any(letter not in made.text for made in whole))
        if not stops:
            pytest.skip("the answers are too much alike for a letter to stop only some")
        stopping = replace(profile, stop=(stops[0],))
        made = batch_backend.generate_batch(prompt, profile=stopping, seeds=seeds)
        assert [answer.text for answer in made] == [answer.text.split(stops[0])[0] for answer in whole]

    def test_a_batch_beyond_the_context_is_refused(
        self, batch_backend: BatchBackend, prompt: Prompt, profile: SamplingProfile
    ) -> None:
        """As one answer is."""
        limit = batch_backend.info().context_tokens
        if limit is None:
            pytest.skip("the backend does not know its context")
        longest = replace(profile, max_tokens=limit)
        with pytest.raises(ContextOverflow):
            batch_backend.generate_batch(prompt, profile=longest, seeds=SEEDS)


def as_answered(made: Generation) -> tuple[object, ...]:
    """Return what does not depend on the clock."""
    pieces = tuple((delta.text, delta.n_tokens) for delta in made.deltas)
    return made.text, pieces, made.output_tokens, made.prompt_tokens, made.finish_reason, dict(made.effective)
