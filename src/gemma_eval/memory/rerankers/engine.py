"""A language model as a reranker: how much more probable it finds `yes` than `no`, of each passage alone.

Source: Nogueira et al. 2020, arXiv 2003.06713, where the words are `true` and `false`; nothing is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gemma_eval.errors import UsageError
from gemma_eval.protocols import ChoosingBackend, ReadingBackend, RerankerParts
from gemma_eval.records import Message, Prompt

Render = Callable[[Sequence[Message]], str]


@dataclass(frozen=True, kw_only=True, eq=False)
class EngineReranker:
    """Scores passages with an engine that tells how probable a text is; `render` writes its markup."""

    backend: ReadingBackend
    render: Render

    def score(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """Return ln P(yes) - ln P(no) for each text. Raises BackendError, ContextOverflow."""
        return tuple(self._score(query, text) for text in texts)

    def _score(self, query: str, text: str) -> float:
        turns = (Message(role="user", content=_question(query, text)),)
        prompt = Prompt(messages=turns, text=self.render(turns), n_tokens=None)
        if isinstance(self.backend, ChoosingBackend):
            made = self.backend.read_choices(prompt, choices=("yes", "no"), unconditional=False)
            yes, no = (choice.log_probabilities for choice in made.choices)
        else:
            yes, no = (
                self.backend.read(prompt, continuation=word).log_probabilities or () for word in ("yes", "no")
            )
        return math.fsum(yes) - math.fsum(no)


def load(parts: RerankerParts) -> EngineReranker:
    """Rerank with the engine that was loaded. Raises UsageError where it cannot tell of a text how likely."""
    if parts.backend is None:
        raise UsageError(
            "the reranker engine needs an engine: a reranker_model, or a case whose answers are generated"
        )
    if not isinstance(parts.backend, ReadingBackend):
        raise UsageError(
            f"the reranker engine needs an engine that tells how probable a text is; "
            f"{parts.backend.info().engine} does not"
        )
    return EngineReranker(backend=parts.backend, render=parts.render or _plain)


def _question(query: str, text: str) -> str:
    """Return what the model is asked."""
    return (
        f"Passage: {text}\n\nQuestion: {query}\n\n"
        "Does the passage answer the question? Reply with one word, yes or no."
    )


def _plain(turns: Sequence[Message]) -> str:
    """Write a conversation for a model that knows no markup."""
    return "\n\n".join(turn.content for turn in turns) + "\n\nAnswer: "
