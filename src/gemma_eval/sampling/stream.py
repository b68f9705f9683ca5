"""The random numbers of one generation and the draw that spends one of them per token.

The generator and the walk are those of llama.cpp built with libstdc++, so a seed chooses the same tokens.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gemma_eval.sampling.candidates import Candidates
from gemma_eval.sampling.selection import block_sums

Uniform = Callable[[], float]
"""A source of numbers in [0, 1)."""


def uniform_stream(seed: int) -> Uniform:
    """Return a stream of uniform doubles; only the low 32 bits of `seed` count.

    Two 32-bit outputs a, b of mt19937 make (a + b·2^32) / 2^64, kept below 1.
    Source: std::mt19937 and std::generate_canonical<double, 53> of libstdc++.
    """
    generator = np.random.RandomState(seed & 0xFFFFFFFF)
    return lambda: min(int.from_bytes(generator.bytes(8), "little") / 2.0**64, _BELOW_ONE)


def draw(candidates: Candidates, uniform: Uniform) -> int:
    """Return a position in the bag, drawn by probability; a number is spent even on a single candidate.

    Source: ggml-org/llama.cpp:src/llama-sampler.cpp (dist).
    """
    return candidates.walk(candidates.bag.weights, candidates.bag.sums, uniform())


def pick(candidates: Candidates, uniform: Uniform) -> int:
    """Return a position in the bag as std::discrete_distribution does: one candidate spends no number.

    Source: libstdc++, which takes the probabilities in float32 here and divides them by their sum.
    """
    if len(candidates) == 1:
        return 0
    probabilities = candidates.bag.probabilities
    return candidates.walk(probabilities, block_sums(probabilities), uniform())


_BELOW_ONE = float(np.nextafter(1.0, 0.0))
