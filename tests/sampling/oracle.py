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


def top_n_sigma(logits: Mapping[int, float], n: float) -> Decision:
    """Keep the logits of at least the highest less n population standard deviations."""
    mean = math.fsum(logits.values()) / len(logits)
    sigma = math.sqrt(math.fsum((logit - mean) ** 2 for logit in logits.values()) / len(logits))
    return _above(logits, max(logits.values()) - n * sigma)


def epsilon_cutoff(probabilities: Probabilities, epsilon: float) -> Decision:
    """Keep what has at least the probability epsilon, or as much as the best."""
    return _above(probabilities, min(epsilon, max(probabilities.values())))


def eta_cutoff(probabilities: Probabilities, epsilon: float) -> Decision:
    """Keep what has at least min(epsilon, sqrt(epsilon)·e^-H), or as much as the best."""
    return epsilon_cutoff(probabilities, min(epsilon, math.sqrt(epsilon) * math.exp(-entropy(probabilities))))


def xtc(probabilities: Probabilities, threshold: float) -> Decision:
    """Keep what is below the threshold, and of the others the least probable; of equal ones the last."""
    _, margin = _above(probabilities, threshold)
    choices = sorted(
        (token for token, p in probabilities.items() if p >= threshold),
        key=lambda token: (-probabilities[token], token),
    )
    return set(probabilities) - set(choices[:-1]), margin


def dry(
    logits: Mapping[int, float], seen: Sequence[int], rule: tuple[float, float, int], breakers: Sequence[str]
) -> dict[int, float]:
    """Return logits less multiplier·base^(length - allowed), by trying every repeat; tokens are letters."""
    multiplier, base, allowed = rule
    text = "".join(chr(ord("a") + token) for token in seen)
    limit = len(text) - max((text.rfind(mark) + len(mark) for mark in breakers if mark in text), default=0)
    lowered = dict(logits)
    for token in logits:
        letter = chr(ord("a") + token)
        ends = [place for place in range(1, len(text)) if text[place] == letter]
        longest = max((min(limit, _common_end(text[:end], text)) for end in ends), default=-1)
        if longest >= allowed and len(text) > allowed and letter not in breakers:
            lowered[token] -= multiplier * base ** (longest - allowed)
    return lowered


def entropy_temperature(probabilities: Probabilities, base: float, theta: float, factor: float) -> float:
    """Return base·factor^(theta / H)."""
    unsureness = entropy(probabilities)
    return base * factor ** (theta / unsureness) if unsureness > 0 else 0.0


def threshold_temperature(probabilities: Probabilities, base: float, threshold: float) -> float:
    """Return base, or below the threshold as much of it as the entropy is of the threshold."""
    unsureness = entropy(probabilities)
    return base if unsureness >= threshold else base * unsureness / threshold


def mirostat_one(probabilities: Sequence[float], mu: float, vocabulary: int) -> float:
    """Return the k of mirostat v1, not yet whole, from probabilities best first. Source: arXiv 2007.14966."""
    falls, steps = 0.0, 0.0
    for rank, (likelier, less) in enumerate(pairwise(probabilities[:100]), start=1):
        step = math.log((rank + 1) / rank)
        falls += step * math.log(likelier / less)
        steps += step * step
    exponent = falls / steps
    excess = exponent - 1
    return math.pow(excess * math.pow(2, mu) / (1 - math.pow(vocabulary, -excess)), 1 / exponent)


def adaptive(
    probabilities: Sequence[float], rule: tuple[float, float], numbers: Sequence[float]
) -> list[int]:
    """Return the ids that adaptive-p draws one after the other with these numbers in [0, 1)."""
    target, decay = rule
    history = [(target, 1 / (1 - decay))]
    drawn = []
    for number in numbers:
        weights = [decay ** (len(history) - 1 - place) * weight for place, (_, weight) in enumerate(history)]
        mean = math.fsum(p * w for (p, _), w in zip(history, weights, strict=True)) / math.fsum(weights)
        aim = min(1.0, max(0.0, 2 * target - mean))
        off = [abs(p - aim) / 0.3 for p in probabilities]
        favoured = softmax({token: 5 - 10 * d * d / (1 + d) for token, d in enumerate(off)})
        token = next(t for t in favoured if math.fsum(favoured[u] for u in range(t + 1)) >= number)
        drawn.append(token)
        history.append((probabilities[token], 1.0))
    return drawn


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


def _above(values: Mapping[int, float], cut: float) -> Decision:
    """Keep the values of at least `cut`."""
    return {token for token, value in values.items() if value >= cut}, min(
        abs(value - cut) for value in values.values()
    )


def _common_end(one: str, other: str) -> int:
    """Return how many letters at their ends are the same."""
    length = 0
    while length < len(one) and one[-1 - length] == other[-1 - length]:
        length += 1
    return length


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
