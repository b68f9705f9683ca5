"""Our chain on given logits, as arrays over the vocabulary that can be laid beside an engine's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from gemma_eval import plugins
from gemma_eval.protocols import TransformFactory, Vocabulary
from gemma_eval.records import SamplingProfile
from gemma_eval.sampling.candidates import Candidates
from gemma_eval.sampling.chain import Sampler

BUILT_IN: Mapping[str, TransformFactory] = plugins.load().transforms
Parameters = Mapping[str, object]
_PROFILES = TypeAdapter(SamplingProfile)


@dataclass(frozen=True)
class Wordless:
    """A vocabulary of `size` ids without texts, for transforms that ask for none."""

    size: int

    def encode(self, text: str) -> Sequence[int]:
        """Return no ids."""
        return ()

    def piece(self, token: int) -> str:
        """Return no text."""
        return ""


def profile(parameters: Parameters) -> SamplingProfile:
    """Return a profile with everything off but `parameters`."""
    return _PROFILES.validate_python({"name": "test", **parameters})


def sampler(
    parameters: Parameters, *, vocabulary: Vocabulary, seen: Sequence[int] = (), seed: int = 0
) -> Sampler:
    """Return a fresh sampler of the built-in transforms."""
    return Sampler(
        profile(parameters), transforms=BUILT_IN, vocabulary=vocabulary, seed=seed, prompt_ids=seen
    )


def left(
    logits: NDArray[np.floating],
    parameters: Parameters,
    *,
    vocabulary: Vocabulary | None = None,
    seen: Sequence[int] = (),
    seed: int = 0,
) -> Candidates:
    """Return what the chain of a profile leaves of `logits` [V]."""
    used = vocabulary or Wordless(len(logits))
    return sampler(parameters, vocabulary=used, seen=seen, seed=seed).narrow(logits.astype(np.float32))


def kept(candidates: Candidates) -> NDArray[np.bool_]:
    """Return which ids [V] are left."""
    mask = np.zeros(candidates.vocabulary, dtype=np.bool_)
    mask[candidates.ids] = True
    return mask


def probabilities(candidates: Candidates) -> NDArray[np.float64]:
    """Return probabilities [V], 0 for what is gone."""
    spread = np.zeros(candidates.vocabulary)
    spread[candidates.ids] = candidates.probabilities()
    return spread
