"""Scores of passages from a server's `/v1/rerank`: llama-server with --reranking, and its like.

The model of the reranker is one of models.toml whose location is the URL:

    [model.bge-reranker]
    backend = "openai_http"
    location = "http://127.0.0.1:8081/v1"
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gemma_eval.backends.openai_http.asking import Asking, Json, connect, placed, sendable
from gemma_eval.backends.openai_http.events import MOST
from gemma_eval.errors import ServerError, UsageError
from gemma_eval.files.rows import show
from gemma_eval.protocols import RerankerParts

PATH = "/rerank"


@dataclass(frozen=True, kw_only=True)
class Load:
    """Connects to a server. `environment` holds the keys, `sleep` waits before another attempt."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, parts: RerankerParts) -> ServedReranker:
        """Ask the server of the model what it is. Raises UsageError without a model, BackendError."""
        if parts.model is None:
            raise UsageError(
                "the reranker llama_cpp needs a reranker_model: one of models.toml with the URL of the server"
            )
        return ServedReranker(asking=connect(parts.model, environment=self.environment, sleep=self.sleep))


load = Load()


@dataclass(frozen=True, kw_only=True, eq=False)
class ServedReranker:
    """Has a server score passages."""

    asking: Asking

    def score(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """Return how much each text bears on `query`, in the range of the server's model.

        Raises BackendError, also for scores that are none or are told of other texts.
        """
        if not texts:
            return ()
        (asked,) = sendable([query])
        documents = sendable(texts)
        told = self.asking.post(PATH, {"query": asked, "documents": documents, "top_n": len(documents)})
        where = f"{self.asking.where}{PATH}"
        return tuple(_score(row, where) for row in placed(told.get("results"), len(texts), where=where))


def _score(row: Json, where: str) -> float:
    value = row.get("relevance_score", row.get("score"))
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= MOST:
        raise ServerError(f"{where}: the score {show(value)} is no number")
    return float(value)
