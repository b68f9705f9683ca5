"""What every backend keeps: subclass `BackendContract`, give it a `backend`, and run pytest on it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from gemma_eval.errors import ContextOverflow
from gemma_eval.protocols import Backend
from gemma_eval.records import Generation, Message, Prompt, SamplingProfile

QUESTION = "Where does Finn live?"
MARKUP = f"<bos><start_of_turn>user\n{QUESTION}<end_of_turn>\n<start_of_turn>model\n"


class BackendContract:
    """The tests; a subclass overrides the fixture `backend`, and the others where its engine needs it."""

    @pytest.fixture
    def backend(self) -> Backend:
        """Return a freshly loaded backend."""
        raise NotImplementedError("a subclass of BackendContract gives the backend to be tested")

    @pytest.fixture
    def prompt(self) -> Prompt:
        """Return a prompt that the backend can answer."""
        return Prompt(messages=(Message(role="user", content=QUESTION),), text=MARKUP, n_tokens=None)

    @pytest.fixture
    def profile(self) -> SamplingProfile:
        """Return a profile whose answers depend on the seed, when the engine draws at all."""
        return SamplingProfile(name="contract", temperature=1.5, max_tokens=12)

    @pytest.fixture
    def answer(self, backend: Backend, prompt: Prompt, profile: SamplingProfile) -> Generation:
        """Return one answer."""
        return backend.generate(prompt, profile=profile, seed=1)

    def test_the_text_is_its_deltas_joined(self, answer: Generation) -> None:
        """Nothing is shown that was not streamed."""
        assert answer.text == "".join(delta.text for delta in answer.deltas)

    def test_stamps_never_go_back(self, answer: Generation) -> None:
        """Request, deltas and end are of one monotonic clock, in this order."""
        stamps = [answer.requested_ns, *(delta.at_ns for delta in answer.deltas), answer.ended_ns]
        assert all(earlier <= later for earlier, later in pairwise(stamps))

    def test_the_output_tokens_are_those_of_the_deltas(self, answer: Generation) -> None:
        """Counts that are known agree, and the answer is not longer than was allowed."""
        counts = [delta.n_tokens for delta in answer.deltas]
        known = [count for count in counts if count is not None]
        assert all(delta.n_tokens != 0 for delta in answer.deltas if delta.text)
        if answer.output_tokens is not None:
            assert answer.output_tokens <= 12
            assert len(known) < len(counts) or sum(known) == answer.output_tokens

    def test_the_prompt_is_counted_as_it_was_read(
        self, backend: Backend, prompt: Prompt, answer: Generation
    ) -> None:
        """An engine that counts text and prompts counts them alike: no second `<bos>`."""
        counted = backend.count_tokens(prompt.text or "")
        if counted is not None and answer.prompt_tokens is not None and answer.count_source == "engine":
            assert answer.prompt_tokens == counted

    def test_the_same_seed_gives_the_same_text(
        self, backend: Backend, prompt: Prompt, profile: SamplingProfile
    ) -> None:
        """A trial can be made again, whatever was generated between."""
        first = backend.generate(prompt, profile=profile, seed=7)
        backend.generate(prompt, profile=profile, seed=8)
        assert backend.generate(prompt, profile=profile, seed=7).text == first.text

    def test_one_token_is_one_token(self, backend: Backend, prompt: Prompt, profile: SamplingProfile) -> None:
        """`max_tokens` ends the answer, and the reason says so."""
        answer = backend.generate(prompt, profile=replace(profile, max_tokens=1), seed=1)
        assert (answer.output_tokens or 0) <= 1
        assert answer.finish_reason == ("length" if answer.output_tokens else "stop")

    def test_a_stop_string_ends_the_answer_before_itself(
        self, backend: Backend, prompt: Prompt, profile: SamplingProfile
    ) -> None:
        """The text is cut where the stop string would have begun."""
        whole = backend.generate(prompt, profile=profile, seed=1).text
        if len(whole) < 2:
            pytest.skip("the answer is too short to be cut")
        stop = whole[1:3]
        answer = backend.generate(prompt, profile=replace(profile, stop=(stop,)), seed=1)
        assert answer.text == whole[: whole.index(stop)]
        assert answer.finish_reason == "stop"

    def test_a_prompt_beyond_the_context_is_refused(
        self, backend: Backend, prompt: Prompt, profile: SamplingProfile
    ) -> None:
        """The error says how many tokens are needed and how many there are."""
        limit = backend.info().context_tokens
        if limit is None:
            pytest.skip("the backend does not know its context")
        long = QUESTION + " again" * limit
        prompt = replace(prompt, messages=(Message(role="user", content=long),), text=long)
        with pytest.raises(ContextOverflow) as caught:
            backend.generate(prompt, profile=profile, seed=1)
        assert caught.value.needed_tokens > caught.value.limit_tokens == limit

    def test_the_engine_says_what_it_is(self, backend: Backend) -> None:
        """Engine and version are never empty, and do not change."""
        info = backend.info()
        assert info.engine
        assert info.version
        assert backend.info() == info

    def test_no_text_has_no_tokens(self, backend: Backend) -> None:
        """The count of nothing is 0, unless the engine cannot count."""
        assert backend.count_tokens("") in {0, None}

    def test_closing_twice_is_closing_once(self, backend: Backend) -> None:
        """A pool may close what a test has closed."""
        backend.close()
        backend.close()
