"""Late interaction: each token of the query looks for the token of a passage that is nearest to it.

Source: Khattab & Zaharia 2020, arXiv 2004.12832 (ColBERT); here over the vectors that the embedder of the
retrieval has anyway, so that no other weights are needed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from gemma_eval.errors import UsageError
from gemma_eval.protocols import RerankerParts, TokenEmbedder

if TYPE_CHECKING:
    from gemma_eval.protocols.scorers import Embeddings

KEPT_BYTES = 256 << 20
"""How much room the vectors of passages may take that are kept for the next query."""
_LOWEST = -1.0


@dataclass(kw_only=True, eq=False)
class MaxSim:
    """Scores passages with an embedder's vectors of tokens, and keeps those of the passages that came last.

    Any number of threads may ask at once.
    """

    embedder: TokenEmbedder
    kept_bytes: int = KEPT_BYTES
    _known: OrderedDict[str, Embeddings] = field(default_factory=OrderedDict, init=False)
    _bytes: int = field(default=0, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def score(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """Return the mean over the query's tokens of the cosine of the nearest token of each text, in -1..1.

        A text without tokens has -1, and so has any for a query without tokens. Raises BackendError.
        """
        (asked,) = self.embedder.embed_tokens([query])
        return tuple(_maxsim(asked, vectors) for vectors in self._vectors(texts))

    def _vectors(self, texts: Sequence[str]) -> list[Embeddings]:
        """Return the vectors of each text; only what is not known is embedded, and together."""
        with self._lock:
            known = {text: self._known[text] for text in texts if text in self._known}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known |= zip(new, self.embedder.embed_tokens(new) if new else (), strict=True)
        with self._lock:
            for text, vectors in known.items():
                self._keep(text, vectors)
        return [known[text] for text in texts]

    def _keep(self, text: str, vectors: Embeddings) -> None:
        if text not in self._known:
            self._bytes += vectors.nbytes
        self._known[text] = vectors
        self._known.move_to_end(text)
        while self._bytes > self.kept_bytes and self._known:
            self._bytes -= self._known.popitem(last=False)[1].nbytes


def load(parts: RerankerParts) -> MaxSim:
    """Rerank with the embedder of the retrieval. Raises UsageError where it has none that knows tokens."""
    if parts.embedder is None:
        raise UsageError('the reranker maxsim needs an embedder: embedder = "minilm" in the retrieval')
    if not isinstance(parts.embedder, TokenEmbedder):
        raise UsageError(
            f"the reranker maxsim needs vectors of tokens, and the embedder {parts.embedder.id} has none; "
            "those of the backends sentence_bert and onnx_bert have some"
        )
    return MaxSim(embedder=parts.embedder)


def _maxsim(query: Embeddings, text: Embeddings) -> float:
    if not len(query) or not len(text):
        return _LOWEST
    # without BLAS, whose threads belong to the engine
    return float(np.einsum("qd,td->qt", query, text).max(axis=1).mean())
