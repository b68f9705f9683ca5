"""What engines that compute in this process share: prompts as ids, answers drawn from logits, texts read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gemma_eval.backends.beginning import begun
from gemma_eval.backends.reading import ReadBeside, Reader
from gemma_eval.backends.vocabulary import TokenizerVocabulary
from gemma_eval.backends.writing import Writing
from gemma_eval.errors import BackendError, ContextOverflow
from gemma_eval.gemma.tokenizer import Tokenizer
from gemma_eval.protocols import Clock, Tell, TransformFactory
from gemma_eval.records import Generation, Prompt, SamplingProfile
from gemma_eval.sampling.chain import Sampler
from gemma_eval.sampling.effective import effective


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
        """Return the ids of a prompt, begun as its tokenizer begins every text. Raises BackendError."""
        if prompt.text is None:
            raise BackendError(
                "the prompt has no text; its messages need a chat_template to be rendered with"
            )
        ids = begun(self.tokenizer.encode(prompt.text), self.tokenizer.added)
        if not ids:
            raise BackendError("the prompt is empty; at least one token is needed")
        self._demand_embeddings(ids, "the prompt")
        return ids

    def demand_room(self, needed: int) -> None:
        """Raise ContextOverflow when the context does not hold so many tokens."""
        if self.context_tokens is not None and needed > self.context_tokens:
            raise ContextOverflow(needed_tokens=needed, limit_tokens=self.context_tokens)

    def writing(
        self, profile: SamplingProfile, *, seed: int, prompt_ids: Sequence[int], tell: Tell | None = None
    ) -> Writing:
        """Return an answer to be drawn from logits; `tell` is told each delta."""
        sampler = Sampler(
            profile,
            transforms=self.transforms,
            vocabulary=self._vocabulary,
            seed=seed,
            prompt_ids=prompt_ids,
        )
        words = self.tokenizer
        return Writing(
            profile,
            sampler=sampler,
            stream=words.stream(),
            stop_ids=words.stop_ids,
            clock=self.clock,
            tell=tell,
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

    def reader(self, read_beside: ReadBeside) -> Reader:
        """Return what reads texts with an engine."""
        return Reader(
            encode=self.tokenizer.encode,
            beginning=lambda: self.tokenizer.beginning,
            added=lambda: self.tokenizer.added,
            demand=self._demand,
            read_beside=read_beside,
            clock=self.clock,
            most_tokens=self.context_tokens,
        )

    def _demand(self, ids: Sequence[int]) -> None:
        self.demand_room(len(ids))
        self._demand_embeddings(ids, "the text")

    def _demand_embeddings(self, ids: Sequence[int], what: str) -> None:
        if max(ids) >= self.vocab_size:
            raise BackendError(f"{what} has a token that {self.where} has no embedding for: id {max(ids)}")

    @cached_property
    def _vocabulary(self) -> TokenizerVocabulary:
        return TokenizerVocabulary(self.vocab_size, self.tokenizer)
