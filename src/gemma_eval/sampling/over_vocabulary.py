"""A plugin's transform, which sees logits [V], among those that see what is left of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gemma_eval.errors import PluginError
from gemma_eval.protocols import Transform
from gemma_eval.sampling.candidates import Candidates, CandidateTransform


def on_candidates(name: str, transform: Transform) -> CandidateTransform:
    """Return a transform of candidates that does what `transform` does; `name` is used in messages."""
    return transform if isinstance(transform, CandidateTransform) else _OverVocabulary(name, transform)


class _OverVocabulary(CandidateTransform):
    """Shows a transform the whole vocabulary, and takes from its answer only what was a candidate."""

    def __init__(self, name: str, transform: Transform) -> None:
        self._name = name
        self._transform = transform

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return the candidates that the plugin left, in the order they had. Raises PluginError."""
        logits = candidates.over_vocabulary()
        result = np.asarray(self._transform(logits, seen), dtype=np.float32)
        if result.shape != logits.shape:
            raise PluginError(
                f'transform "{self._name}" returned logits of shape {result.shape}, not {logits.shape}'
            )
        return self._left(candidates, result[candidates.ids])

    def _left(self, candidates: Candidates, logits: NDArray[np.float32]) -> Candidates:
        if np.isnan(logits).any() or not np.isfinite(logits.max()):
            raise PluginError(
                f'transform "{self._name}" returned NaN or +inf, or removed every token; '
                "it must leave at least one finite logit"
            )
        return candidates.with_logits(logits).take(logits > -np.inf)
