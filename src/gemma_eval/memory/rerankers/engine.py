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

Render = Callable[[str, Sequence[Message]], str]


@dataclass(frozen=True, kw_only=True, eq=False)
class EngineReranker:
    """Scores passages with an engine that tells how probable a text is; `render` writes in its template."""

    backend: ReadingBackend
    render: Render | None

    def score(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """Return ln P(yes) - ln P(no) for each text. Raises BackendError, ContextOverflow."""
        return tuple(self._score(query, text) for text in texts)

    def _score(self, query: str, text: str) -> float:
        turns = (Message(role="user", content=_question(query, text)),)
        prompt = Prompt(messages=turns, text=self._text(turns), n_tokens=None)
        if isinstance(self.backend, ChoosingBackend):
            made = self.backend.read_choices(prompt, choices=("yes", "no"), unconditional=False)
            yes, no = (choice.log_probabilities for choice in made.choices)
        else:
            yes, no = (
                self.backend.read(prompt, continuation=word).log_probabilities or () for word in ("yes", "no")
            )
        return math.fsum(yes) - math.fsum(no)

    def _text(self, turns: Sequence[Message]) -> str:
        """Write a conversation as the model was trained to read it, or plainly where no template is known."""
        if self.render is not None and self.backend.chat_template is not None:
            return self.render(self.backend.chat_template, turns)
        return "\n\n".join(turn.content for turn in turns) + "\n\nAnswer: "


def load(parts: RerankerParts) -> EngineReranker:
    """Rerank with the engine of the reranker's model, or with the one under test where it has none.

    Raises UsageError where there is none or it cannot tell how probable a text is, BackendError.
    """
    backend = parts.backend
    if parts.model is not None and parts.load is not None:
        backend = parts.load(parts.model)
    if backend is None:
        raise UsageError(
            "the reranker engine needs an engine: a reranker_model, or a case whose answers are generated"
        )
    if not isinstance(backend, ReadingBackend):
        raise UsageError(
            f"the reranker engine needs an engine that tells how probable a text is; {backend.info().engine} "
            "does not"
        )
    return EngineReranker(backend=backend, render=parts.render)


def _question(query: str, text: str) -> str:
    """Return what the model is asked, with half a surrogate pair replaced: no tokenizer takes that."""
    asked = (
        f"Passage: {text}\n\nQuestion: {query}\n\n"
        "Does the passage answer the question? Reply with one word, yes or no."
    )
    return asked.encode(errors="replace").decode()
