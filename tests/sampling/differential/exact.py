"""An exact sampler for comparisons: float64, no order of candidates, and told where rounding decides.

Each cut names the tokens that it keeps and those that float32 may keep or not: their distance from the
boundary is within `ROUNDING` of a sum of probabilities, or a few float32 roundings of a logit. Written from
the published definitions; it shares no code with the sampler that it judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float64]
Mask = NDArray[np.bool_]
ROUNDING = 1e-5
"""How far a float32 sum of probabilities may lie from the exact one: the margin of every cumulative cut."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """Logits [V] after a step, -inf where a token is gone, and the tokens that rounding may decide on."""

    logits: Logits
    undecided: Mask

    @property
    def kept(self) -> Mask:
        """Which tokens are left."""
        return self.logits > -np.inf

    @property
    def probabilities(self) -> Logits:
        """The softmax [V]."""
        return softmax(self.logits)

    def allows(self, kept: Mask) -> bool:
        """Say whether `kept` is the same set, but for the undecided."""
        return bool(np.array_equal(kept & ~self.undecided, self.kept & ~self.undecided))


def softmax(logits: Logits) -> Logits:
    """Return probabilities [V]."""
    weights = np.exp(logits - logits.max())
    shares: Logits = weights / weights.sum()
    return shares


def log_softmax(logits: Logits) -> Logits:
    """Return natural log-probabilities [V]."""
    top = logits.max()
    shifted: Logits = logits - top - np.log(np.exp(logits - top).sum())
    return shifted


def entropy(logits: Logits) -> float:
    """Return the entropy in nats; a token of probability 0 adds nothing."""
    logs = log_softmax(logits)
    return -float(np.sum(np.exp(logs[logs > -np.inf]) * logs[logs > -np.inf]))


def grain(logits: Logits) -> float:
    """Return how far rounding may move a difference of logits: a few float32 steps of the largest."""
    return 1e-6 + 8 * 2.0**-24 * float(np.abs(logits[logits > -np.inf]).max())


# --- cuts --------------------------------------------------------------------------------------------


def top_k(logits: Logits, k: int) -> Left:
    """Keep the k largest; of near-equal ones at the boundary any may stay."""
    if k >= np.count_nonzero(logits > -np.inf):
        return _all(logits)
    ranked = np.argsort(-logits, kind="stable")
    boundary = logits[ranked[k - 1]]
    undecided = np.abs(logits - boundary) <= grain(logits)
    if np.count_nonzero(logits >= boundary - grain(logits)) <= k:
        undecided[:] = False
    kept = np.zeros(len(logits), dtype=np.bool_)
    kept[ranked[:k]] = True
    return _cut(logits, kept, undecided)


def top_p(logits: Logits, mass: float) -> Left:
    """Keep each token before which, by probability, less than `mass` has gone."""
    return _by_mass(logits, key=-logits, mass=mass, grain=grain(logits))


def typical_p(logits: Logits, mass: float) -> Left:
    """Keep each token before which, by nearness of its surprise to the entropy, at most `mass` has gone."""
    distance = np.abs(-log_softmax(logits) - entropy(logits))
    return _by_mass(logits, key=distance, mass=mass, grain=2 * grain(logits) + 2e-5)


def min_p(logits: Logits, share: float) -> Left:
    """Keep what has at least `share` of the highest probability."""
    return _above(logits, logits.max() + np.log(share))


def top_n_sigma(logits: Logits, n: float) -> Left:
    """Keep what lies within n standard deviations of the highest logit."""
    finite = logits[logits > -np.inf]
    spread = float(finite.std())
    left = _above(logits, float(finite.max()) - n * spread, extra=n * spread * 1e-5)
    return left if len(finite) > 1 else _all(logits)


def epsilon_cutoff(logits: Logits, epsilon: float) -> Left:
    """Keep probabilities of at least `epsilon`, and the highest."""
    return _above(logits, np.log(epsilon) + logits.max() - log_softmax(logits).max(), extra=1e-5)


def eta_cutoff(logits: Logits, epsilon: float) -> Left:
    """Keep probabilities of at least min(epsilon, sqrt(epsilon)·exp(-entropy)), and the highest."""
    return epsilon_cutoff(logits, min(epsilon, float(np.sqrt(epsilon) * np.exp(-entropy(logits)))))


def xtc(logits: Logits, threshold: float) -> Left:
    """Drop all tokens of at least `threshold` but the least probable of them; the coin fell for it."""
    logs = log_softmax(logits)
    if threshold > 0.5 or np.count_nonzero(logits > -np.inf) < 2:
        return _all(logits)
    over = np.flatnonzero(logs >= np.log(threshold))
    near = np.abs(logs - np.log(threshold)) <= grain(logits) + 1e-5
    if near.any():
        return _cut(logits, logits > -np.inf, logits > -np.inf)
    kept = logits > -np.inf
    if len(over) > 1:
        least = logits[over].min()
        kept[over] = False
        kept[over[logits[over] == least][-1]] = True
        tied = np.isclose(logits, least, rtol=0, atol=grain(logits)) & np.isin(np.arange(len(logits)), over)
        return _cut(logits, kept, tied if np.count_nonzero(tied) > 1 else np.zeros_like(tied))
    return _all(logits)


# --- changes -----------------------------------------------------------------------------------------


def temperature(logits: Logits, value: float) -> Left:
    """Divide; the cut to the best one at 0 is the sampler's own affair."""
    return _all(logits / value)


def dynatemp(logits: Logits, base: float, spread: float, exponent: float) -> Left:
    """Divide by the temperature that llama.cpp takes from the entropy of the n candidates."""
    count = np.count_nonzero(logits > -np.inf)
    if count < 2:
        return _all(logits)
    low, high = max(0.0, base - spread), base + spread
    return _all(logits / (low + (high - low) * (entropy(logits) / np.log(count)) ** exponent))


def penalties(
    logits: Logits, seen: Sequence[int], *, repeat: float, frequency: float, presence: float
) -> Left:
    """Lower the logits of the seen tokens."""
    lowered = logits.copy()
    for token, count in Counter(seen).items():
        if 0 <= token < len(logits):
            logit = lowered[token]
            lowered[token] = (logit / repeat if logit > 0 else logit * repeat) - count * frequency - presence
    return _all(lowered)


def dry(
    logits: Logits, seen: Sequence[int], *, multiplier: float, base: float, allowed: int, breakers: set[int]
) -> Left:
    """Lower each token that would repeat what followed an earlier copy of the last tokens.

    A copy may not reach over a breaker, and a breaker is not lowered.
    """
    lowered = logits.copy()
    reach = next((back for back, token in enumerate(reversed(seen)) if token in breakers), len(seen))
    longest: dict[int, int] = {}
    for end in range(1, len(seen)):
        length = 0
        while length < min(end, reach) and seen[end - 1 - length] == seen[-1 - length]:
            length += 1
        longest[seen[end]] = max(length, longest.get(seen[end], 0))
    for token, length in longest.items():
        if length >= allowed and token not in breakers:
            lowered[token] -= multiplier * base ** (length - allowed)
    return _all(lowered)


# --- what draws by itself ----------------------------------------------------------------------------


def mirostat(logits: Logits, mu: float) -> Left:
    """Keep the tokens of at most `mu` bits of surprise, or the best."""
    return _above(logits, logits.max() - log_softmax(logits).max() - mu * np.log(2), extra=1e-5)


def mirostat_one(logits: Logits, mu: float) -> Left:
    """Keep as many tokens as a Zipf law through the 100 best gives a surprise of at most `mu` bits."""
    best = np.sort(logits[logits > -np.inf])[::-1][:100]
    steps, falls = np.diff(np.log(np.arange(1, len(best) + 1))), -np.diff(best)
    exponent = float(steps @ falls / (steps @ steps))
    excess = exponent - 1
    count = (excess * 2**mu / (1 - len(logits) ** -excess)) ** (1 / exponent)
    doubtful = abs(count - round(count)) < 1e-4 * count
    left = top_k(logits, max(1, int(count)))
    return Left(logits=left.logits, undecided=left.undecided | doubtful)


def surprise(left: Left, token: int) -> float:
    """Return the bits of a token in what is left."""
    return float(-log_softmax(left.logits)[token] / np.log(2))


def adaptive(logits: Logits, aim: float) -> Left:
    """Favour the probability `aim`."""
    distance = np.abs(softmax(logits) - aim) / 0.3
    return _all(np.where(logits > -np.inf, 5 - 10 * distance**2 / (1 + distance), -np.inf))


# --- several -----------------------------------------------------------------------------------------

CUTS: Mapping[str, Callable[[Logits, float], Left]] = {
    "top_k": lambda logits, k: top_k(logits, int(k)),
    "top_p": top_p,
    "min_p": min_p,
    "typical_p": typical_p,
    "top_n_sigma": top_n_sigma,
    "epsilon_cutoff": epsilon_cutoff,
    "eta_cutoff": eta_cutoff,
    "temperature": temperature,
}
"""The steps of one parameter, by its name in a profile."""


def chain(logits: Logits, steps: Sequence[Callable[[Logits], Left]]) -> Left:
    """Run steps after each other; what one leaves undecided makes everything after it undecided."""
    doubtful = np.zeros(len(logits), dtype=np.bool_)
    for step in steps:
        left = step(logits)
        doubtful |= np.ones_like(doubtful) if doubtful.any() else left.undecided
        logits = left.logits
    return Left(logits=logits, undecided=doubtful)


def _all(logits: Logits) -> Left:
    return Left(logits=logits, undecided=np.zeros(len(logits), dtype=np.bool_))


def _cut(logits: Logits, kept: Mask, undecided: Mask) -> Left:
    return Left(logits=np.where(kept, logits, -np.inf), undecided=undecided & (logits > -np.inf))


def _above(logits: Logits, cut: float, *, extra: float = 0.0) -> Left:
    """Keep logits of at least `cut`, and the highest."""
    best = logits == logits.max()
    near = np.abs(logits - cut) <= grain(logits) + extra
    return _cut(logits, (logits >= cut) | best, near & (np.count_nonzero(best) > 1 or ~best))


def _by_mass(logits: Logits, *, key: Logits, mass: float, grain: float) -> Left:
    """Keep each token before which, by ascending key, a sum of probabilities below `mass` has gone.

    Tokens whose keys differ by less than `grain` may come in any order.
    """
    probabilities = softmax(logits)
    ranked = np.argsort(key, kind="stable")
    sums = np.concatenate(([0.0], np.cumsum(probabilities[ranked])))
    ascending = key[ranked]
    least = sums[np.searchsorted(ascending, key - grain, side="left")]
    most = sums[np.searchsorted(ascending, key + grain, side="right")] - probabilities
    before = np.empty_like(sums[:-1])
    before[ranked] = sums[:-1]
    undecided = (least < mass + ROUNDING) & (most >= mass - ROUNDING) & (most > 0)
    return _cut(logits, (before < mass) & (probabilities >= 0), undecided)
