"""What engines that compute in this process share: prompts as ids, answers drawn from logits, texts read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from gemma_eval.backends.vocabulary import TokenizerVocabulary
from gemma_eval.backends.writing import Writing
from gemma_eval.errors import BackendError, ContextOverflow, NonFiniteLogits
from gemma_eval.gemma.tokenizer import Tokenizer
from gemma_eval.protocols import Clock, TransformFactory
from gemma_eval.records import Delta, Generation, Prompt, SamplingProfile
from gemma_eval.sampling.chain import Sampler
from gemma_eval.sampling.effective import effective

LogProbabilities = Callable[[Sequence[int], int], tuple[float, ...]]
"""Returns, of ids, the log-probability of each from a place on, given all before it."""


@dataclass(kw_only=True, eq=False)
class Local:
    """The tokens of one model, and what is done with them; `where` names the model in messages.

    `context_tokens` is `None` for a model whose context has no end.
    """

    where: Path
    tokenizer: Tokenizer
    vocab_size: int
    context_tokens: int | None
    transforms: Mapping[str, TransformFactory]
    clock: Clock

    def prompt_ids(self, prompt: Prompt) -> tuple[int, ...]:
        """Return the ids of a prompt as it stands. Raises BackendError."""
        if prompt.text is None:
            raise BackendError(
                "the prompt has no text; its messages need a chat_template to be rendered with"
            )
        return self.ids(prompt.text, "the prompt")

    def ids(self, text: str, what: str) -> tuple[int, ...]:
        """Return the ids of `text`, of which there must be one at least and an embedding for each."""
        ids = self.tokenizer.encode(text)
        if not ids:
            raise BackendError(f"{what} is empty; at least one token is needed")
        if max(ids) >= self.vocab_size:
            raise BackendError(f"{what} has a token that {self.where} has no embedding for: id {max(ids)}")
        return ids

    def demand_room(self, needed: int) -> None:
        """Raise ContextOverflow when the context does not hold so many tokens."""
        if self.context_tokens is not None and needed > self.context_tokens:
            raise ContextOverflow(needed_tokens=needed, limit_tokens=self.context_tokens)

    def writing(self, profile: SamplingProfile, *, seed: int, prompt_ids: Sequence[int]) -> Writing:
        """Return an answer to be drawn from logits."""
        sampler = Sampler(
            profile,
            transforms=self.transforms,
            vocabulary=self._vocabulary,
            seed=seed,
            prompt_ids=prompt_ids,
        )
        words = self.tokenizer
        return Writing(
            profile, sampler=sampler, stream=words.stream(), stop_ids=words.stop_ids, clock=self.clock
        )

    def written(
        self,
        writing: Writing,
        profile: SamplingProfile,
        *,
        prompt_tokens: int,
        requested_ns: int,
        read_ns: int,
    ) -> Generation:
        """Return an answer that was drawn to its end; its prompt had been read at `read_ns`."""
        return Generation(
            text=writing.answer.text,
            deltas=writing.answer.deltas,
            prompt_tokens=prompt_tokens,
            cached_tokens=0,
            output_tokens=writing.answer.n_tokens,
            count_source="engine",
            finish_reason=writing.finish_reason,
            requested_ns=requested_ns,
            ended_ns=writing.ended_ns,
            effective=effective(profile),
            engine_timings={
                "prompt_ms": (read_ns - requested_ns) / 1e6,
                "decode_ms": (writing.ended_ns - read_ns) / 1e6,
            },
        )

    def read(self, prompt: Prompt, *, continuation: str, log_probabilities: LogProbabilities) -> Generation:
        """Read `continuation` after `prompt.text` and say how probable each of its tokens is.

        It is tokenised by itself, as an answer is: its tokens follow those of the prompt, and no token spans
        both. Raises BackendError, ContextOverflow, NonFiniteLogits.
        """
        requested_ns = self.clock()
        before, ids = self.prompt_ids(prompt), self.ids(continuation, "the continuation")
        self.demand_room(len(before) + len(ids))
        known = log_probabilities(before + ids, len(before))
        if not np.isfinite(known).all():
            raise NonFiniteLogits(
                "a logit of the continuation is not finite (weights or arithmetic are broken)"
            )
        ended_ns = self.clock()
        return Generation(
            text=continuation,
            deltas=(Delta(text=continuation, n_tokens=len(known), at_ns=ended_ns),),
            prompt_tokens=len(before),
            cached_tokens=0,
            output_tokens=len(known),
            count_source="engine",
            finish_reason="stop",
            requested_ns=requested_ns,
            ended_ns=ended_ns,
            engine_timings={"prompt_ms": (ended_ns - requested_ns) / 1e6},
            log_probabilities=known,
        )

    @cached_property
    def _vocabulary(self) -> TokenizerVocabulary:
        return TokenizerVocabulary(self.vocab_size, self.tokenizer)
