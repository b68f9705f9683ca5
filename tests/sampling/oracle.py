"""An independent sampler for tests: plain Python over sorted lists, written from the published definitions.

It keeps, per token id, a probability; each rule returns the ids it keeps and how far the nearest decision
was from the boundary, so that a test can leave out what rounding alone decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

Probabilities = Mapping[int, float]
Decision = tuple[set[int], float]


def softmax(logits: Mapping[int, float]) -> dict[int, float]:
    """Return probabilities per id."""
    top = max(logits.values())
    weights = {token: math.exp(logit - top) for token, logit in logits.items()}
    total = math.fsum(weights.values())
    return {token: weight / total for token, weight in weights.items()}


def entropy(probabilities: Probabilities) -> float:
    """Return the entropy in nats."""
    return -math.fsum(p * math.log(p) for p in probabilities.values() if p > 0)


def top_k(probabilities: Probabilities, k: int) -> Decision:
    """Keep the k most probable; of equal ones the lower ids."""
    ranked = sorted(probabilities, key=lambda token: (-probabilities[token], token))
    return set(ranked[:k]), math.inf


def top_p(probabilities: Probabilities, mass: float) -> Decision:
    """Keep the most probable until their sum is at least `mass`."""
    ranked = sorted(probabilities, key=lambda token: (-probabilities[token], token))
    return _until(ranked, probabilities, mass)


def min_p(probabilities: Probabilities, share: float) -> Decision:
    """Keep those of at least `share` times the highest probability."""
    cut = share * max(probabilities.values())
    margin = min(abs(math.log(p / cut)) for p in probabilities.values() if p > 0)
    return {token for token, p in probabilities.items() if p >= cut}, margin


def typical_p(probabilities: Probabilities, mass: float) -> Decision:
    """Keep those whose surprise is nearest to the entropy until their sum is above `mass`."""
    center = entropy(probabilities)
    distance = {token: abs(-math.log(p) - center) for token, p in probabilities.items()}
    ranked = sorted(probabilities, key=lambda token: (distance[token], token))
    kept, margin = _until(ranked, probabilities, mass)
    gaps = [abs(distance[a] - distance[b]) for a, b in pairwise(ranked)]
    return kept, min([margin, *gaps])


def dynamic_temperature(probabilities: Probabilities, base: float, spread: float, exponent: float) -> float:
    """Return the temperature between base - spread (but at least 0) and base + spread."""
    low, high = max(0.0, base - spread), base + spread
    return low + (high - low) * math.pow(entropy(probabilities) / math.log(len(probabilities)), exponent)


def penalised(
    logits: Mapping[int, float], seen: Sequence[int], rates: tuple[float, float, float]
) -> dict[int, float]:
    """Return logits lowered by repeat, frequency and presence penalties."""
    repeat, frequency, presence = rates
    lowered = dict(logits)
    for token in set(seen) & set(logits):
        logit = logits[token]
        scaled = logit / repeat if logit > 0 else logit * repeat
        lowered[token] = scaled - seen.count(token) * frequency - presence
    return lowered


def mt19937(seed: int, how_many: int) -> list[int]:
    """Return the first 32-bit outputs of the Mersenne Twister. Source: Matsumoto and Nishimura 1998."""
    state = [seed & 0xFFFFFFFF]
    for i in range(1, 624):
        state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + i) & 0xFFFFFFFF)
    outputs: list[int] = []
    while len(outputs) < how_many:
        for i in range(624):
            joined = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7FFFFFFF)
            state[i] = state[(i + 397) % 624] ^ (joined >> 1) ^ (0x9908B0DF if joined & 1 else 0)
        outputs.extend(_tempered(word) for word in state)
    return outputs[:how_many]


def _tempered(word: int) -> int:
    word ^= word >> 11
    word ^= (word << 7) & 0x9D2C5680
    word ^= (word << 15) & 0xEFC60000
    return word ^ (word >> 18)


def _until(ranked: Sequence[int], probabilities: Probabilities, mass: float) -> Decision:
    kept: set[int] = set()
    total, margin = 0.0, math.inf
    for token in ranked:
        kept.add(token)
        total += probabilities[token]
        margin = min(margin, abs(total - mass))
        if total >= mass:
            break
    return kept, margin
