"""What engines that compute in this process share: prompts as ids, answers drawn from logits, texts read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    def reading(
        self,
        text: str,
        *,
        n_before: int,
        log_probabilities: tuple[float, ...],
        requested_ns: int,
    ) -> Generation:
        """Return a given text that was read after `n_before` tokens. Raises NonFiniteLogits."""
        if not np.isfinite(log_probabilities).all():
            raise NonFiniteLogits(
                "a logit of the continuation is not finite (weights or arithmetic are broken)"
            )
        ended_ns = self.clock()
        return Generation(
            text=text,
            deltas=(Delta(text=text, n_tokens=len(log_probabilities), at_ns=ended_ns),),
            prompt_tokens=n_before,
            cached_tokens=0,
            output_tokens=len(log_probabilities),
            count_source="engine",
            finish_reason="stop",
            requested_ns=requested_ns,
            ended_ns=ended_ns,
            engine_timings={"prompt_ms": (ended_ns - requested_ns) / 1e6},
            log_probabilities=log_probabilities,
        )

    @cached_property
    def _vocabulary(self) -> TokenizerVocabulary:
        return TokenizerVocabulary(self.vocab_size, self.tokenizer)
