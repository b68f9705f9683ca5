"""What llama.cpp and the NumPy Gemma say of the next token, in the same terms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gemma_eval.gemma.tensors import Array
from tests.llama_cpp import LlamaCpp


def after(engine: LlamaCpp, ids: Sequence[int]) -> Array:
    """Return llama.cpp's log-probabilities [V] of what follows `ids`.

    It lists none for a token that is no whole character, so one is made sure to be drawn that is.
    """
    (letter,) = engine.tokenize("x")
    return engine.drawn(ids, n_predict=1, logit_bias=[[letter, 1000.0]])[0].values


def log_probabilities(logits: Array) -> Array:
    """Return ln softmax over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result
