"""How probable a model finds a whole corpus, and how its choices agree with the right ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence


def perplexity(log_likelihoods: Sequence[float]) -> float | None:
    """Return exp of minus the mean of natural log-likelihoods, one per text; `None` for none at all.

    Source: EleutherAI/lm-evaluation-harness:lm_eval/api/metrics.py, `perplexity`.
    """
    return weighted_perplexity(log_likelihoods, [1] * len(log_likelihoods))


def weighted_perplexity(log_likelihoods: Sequence[float], sizes: Sequence[float]) -> float | None:
    """Return exp of minus the sum of log-likelihoods over that of sizes; infinite beyond a float.

    With words as sizes it is the perplexity of a word, with bytes that of a byte, and long texts weigh more.
    Source: the same, `weighted_perplexity`.
    """
    mean = _per_size(log_likelihoods, sizes)
    if mean is None:
        return None
    try:
        return math.exp(-mean)
    except OverflowError:
        return math.inf


def bits_per_byte(log_likelihoods: Sequence[float], sizes_bytes: Sequence[float]) -> float | None:
    """Return the bits that the model needs for a byte of all texts together. Source: the same."""
    mean = _per_size(log_likelihoods, sizes_bytes)
    return None if mean is None else -mean / math.log(2)


def mcc(right: Sequence[int], chosen: Sequence[int]) -> float | None:
    """Return Matthews' correlation of chosen and right choices, -1..1; 0 where either is always the same.

    With more than two choices it is that of Gorodkin 2004, "Comparing two K-category assignments by a
    K-category correlation coefficient". `None` for no question at all.
    """
    pairs = Counter(zip(right, chosen, strict=True))
    total = len(right)
    if not total:
        return None
    rights, chosens = Counter(right), Counter(chosen)
    hits = sum(count for (truth, choice), count in pairs.items() if truth == choice)
    covariance = hits * total - sum(rights[each] * chosens[each] for each in rights)
    spread_right = total**2 - sum(count**2 for count in rights.values())
    spread_chosen = total**2 - sum(count**2 for count in chosens.values())
    spread = math.sqrt(spread_right * spread_chosen)
    return covariance / spread if spread else 0.0


def f1(right: Sequence[int], chosen: Sequence[int], *, positive: int = 1) -> float | None:
    """Return the harmonic mean of precision and recall of the choice `positive`, 0 where it never comes up.

    `None` for no question at all.
    """
    pairs = list(zip(right, chosen, strict=True))
    if not pairs:
        return None
    hits = pairs.count((positive, positive))
    named = right.count(positive) + chosen.count(positive)
    return 2 * hits / named if named else 0.0


def macro_f1(right: Sequence[int], chosen: Sequence[int]) -> float | None:
    """Return the mean of `f1` over all choices that are right or chosen once at least."""
    known = {*right, *chosen}
    values = [f1(right, chosen, positive=each) or 0.0 for each in known]
    return math.fsum(values) / len(values) if values else None


def _per_size(log_likelihoods: Sequence[float], sizes: Sequence[float]) -> float | None:
    pairs = list(zip(log_likelihoods, sizes, strict=True))
    size = math.fsum(size for _, size in pairs)
    return math.fsum(value for value, _ in pairs) / size if size else None
