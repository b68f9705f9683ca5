"""What a backend keeps whose answers can be followed: `StreamingContract` beside `BackendContract`."""

from __future__ import annotations

import pytest

from gemma_eval.protocols import Backend, StreamingBackend
from gemma_eval.records import Prompt, SamplingProfile

PROFILE = SamplingProfile(name="followed", temperature=0, max_tokens=8)


class StreamingContract:
    """The tests; they use the fixtures of `BackendContract`."""

    @pytest.fixture
    def streaming_backend(self, backend: Backend) -> StreamingBackend:
        """Return the backend, which says by its methods that it can be followed."""
        assert isinstance(backend, StreamingBackend)
        return backend

    def test_what_is_told_is_the_answer(self, streaming_backend: StreamingBackend, prompt: Prompt) -> None:
        """Piece by piece, and the answer is the one that nobody follows."""
        told: list[str] = []
        made = streaming_backend.generate_streaming(prompt, profile=PROFILE, seed=1, tell=told.append)
        assert "".join(told) == made.text == "".join(delta.text for delta in made.deltas)
        assert made.text == streaming_backend.generate(prompt, profile=PROFILE, seed=1).text
