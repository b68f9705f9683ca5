"""The backend of a case that asks for passages alone: nobody answers."""

from __future__ import annotations

from gemma_eval.errors import BackendError
from gemma_eval.protocols import Backend
from gemma_eval.records import EngineInfo, Generation, Prompt, SamplingProfile


class Nobody:
    """The backend of a case that asks for passages alone: it has no model."""

    chat_template = None

    def info(self) -> EngineInfo:
        """Say that nothing is driven."""
        return EngineInfo(
            engine="none", version="", model_sha256=None, parameters=None, context_tokens=None, threads=None
        )

    def count_tokens(self, text: str) -> None:
        """Count nothing."""

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Raise BackendError: nobody answers."""
        raise BackendError("a case that asks for passages alone is not answered")

    def close(self) -> None:
        """Free nothing."""


NOBODY: Backend = Nobody()
