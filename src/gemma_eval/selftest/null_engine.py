"""An engine that takes no time: what a run with it costs is what measuring costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gemma_eval import __version__
from gemma_eval.backends.answer import Answer
from gemma_eval.protocols import Clock, TransformFactory
from gemma_eval.records import EngineInfo, Generation, ModelSpec, Prompt, SamplingProfile

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ message['role'] }}\n"
    "{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}<start_of_turn>model\n"
)
"""A chat template as Gemma's, without its rules."""


def load(spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]) -> NullEngine:
    """Return the engine: a factory as of any backend."""
    del spec, transforms
    return NullEngine(clock=clock)


@dataclass(frozen=True, kw_only=True)
class NullEngine:
    """Answers with as many words as the profile has `max_tokens`, each stamped when it is there."""

    clock: Clock

    @property
    def chat_template(self) -> str:
        """A template, so that prompts are built as for a model."""
        return CHAT_TEMPLATE

    def info(self) -> EngineInfo:
        """Say that no model is driven."""
        return EngineInfo(
            engine="null",
            version=__version__,
            model_sha256=None,
            parameters=None,
            context_tokens=None,
            threads=None,
        )

    def count_tokens(self, text: str) -> int:
        """Count nothing: whatever a real tokenizer takes is the engine's."""
        del text
        return 1

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Return the words."""
        del seed
        clock = self.clock
        requested_ns = clock()
        answer = Answer(profile.stop)
        for _ in range(profile.max_tokens):
            answer.add(" word", at_ns=clock())
        answer.finish()
        return Generation(
            text=answer.text,
            deltas=answer.deltas,
            prompt_tokens=prompt.n_tokens,
            cached_tokens=0,
            output_tokens=answer.n_tokens,
            count_source="engine",
            finish_reason="length",
            requested_ns=requested_ns,
            ended_ns=clock(),
            effective={"max_tokens": profile.max_tokens},
        )

    def close(self) -> None:
        """Do nothing: there is nothing to free."""
