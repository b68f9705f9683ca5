"""Logit bias: a number added to the logits of chosen tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gemma_eval.errors import UsageError
from gemma_eval.files.rows import show
from gemma_eval.protocols import Vocabulary
from gemma_eval.records import SamplingProfile
from gemma_eval.sampling.candidates import Candidates, CandidateTransform
from gemma_eval.sampling.positions import lowered


def logit_bias(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    """Add each bias to the token of its key: an id in digits, or the text of one token. Raises UsageError."""
    biases: dict[int, float] = {}
    for key, bias in profile.logit_bias.items():
        try:
            token = token_of(key, vocabulary)
        except UsageError as error:
            raise UsageError(f'profile "{profile.name}": logit_bias: {error}') from error
        if token in biases:
            raise UsageError(f'profile "{profile.name}": logit_bias names the token {token} twice; keep one')
        biases[token] = bias
    return LogitBias(biases) if biases else None


@dataclass(frozen=True, slots=True)
class LogitBias(CandidateTransform):
    """Add to the logit of each token id its bias; a token that is masked stays so.

    Source: ggml-org/llama.cpp:src/llama-sampler.cpp (logit-bias).
    """

    biases: Mapping[int, float]

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return the candidates in their order with moved logits."""
        tokens = np.array(sorted(self.biases), dtype=np.intp)
        moved = np.array([-self.biases[token] for token in tokens.tolist()], dtype=np.float32)
        return lowered(candidates, tokens, moved)


def token_of(key: str, vocabulary: Vocabulary) -> int:
    """Return the id that `key` gives in digits, or that has `key` as its text. Raises UsageError."""
    if key.isascii() and key.isdigit():
        if int(key) >= vocabulary.size:
            raise UsageError(f"there is no token {key}; the ids of this model go up to {vocabulary.size - 1}")
        return int(key)
    ids = vocabulary.encode(key)
    if len(ids) != 1:
        pieces = " | ".join(show(vocabulary.piece(token)) for token in ids)
        raise UsageError(
            f"{show(key)} is {len(ids)} tokens of this model ({pieces}), and a bias is on one; "
            "give the text of one token, or its id in digits"
        )
    return ids[0]
