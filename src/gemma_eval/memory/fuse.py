"""Make one order of what the search by words and the search by vectors have found."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from gemma_eval.records import Hit, Retrieval

MIDDLE = 0.5
"""What each value is worth where all are equal."""


def fuse(lexical: Sequence[Hit], vector: Sequence[Hit], *, retrieval: Retrieval) -> tuple[Hit, ...]:
    """Return what either leg found, best first, equals by id."""
    if retrieval.fusion == "rrf":
        return rrf([lexical, vector], k=retrieval.rrf_k)
    return convex(lexical, vector, alpha=retrieval.alpha)


def rrf(legs: Sequence[Sequence[Hit]], *, k: int) -> tuple[Hit, ...]:
    """Return reciprocal rank fusion: score(d) = Σ over the legs that found d of 1 / (k + rank).

    Ranks count from 1. Source: Cormack, Clarke and Büttcher 2009, SIGIR, with k = 60.
    """
    shares: dict[str, list[float]] = defaultdict(list)
    for leg in legs:
        for rank, id_ in enumerate(dict.fromkeys(hit.id for hit in leg), start=1):
            shares[id_].append(1 / (k + rank))
    scores = {id_: math.fsum(of_legs) for id_, of_legs in shares.items()}
    return _best_first(scores)


def convex(lexical: Sequence[Hit], vector: Sequence[Hit], *, alpha: float) -> tuple[Hit, ...]:
    """Return the convex combination alpha · vector + (1 - alpha) · lexical of scores scaled by leg.

    Each leg is scaled by its smallest and its greatest score; what a leg did not find has 0 there.
    Source: Bruch, Gai and Ingber 2023, ACM Transactions on Information Systems 42(1):20, of min-max scores.
    """
    by_words, by_vectors = _scaled(lexical), _scaled(vector)
    ids = by_words.keys() | by_vectors.keys()
    return _best_first(
        {id_: alpha * by_vectors.get(id_, 0.0) + (1 - alpha) * by_words.get(id_, 0.0) for id_ in ids}
    )


def min_max(values: Sequence[float]) -> tuple[float, ...]:
    """Return values scaled to 0..1 by the least and the greatest, one half where those are equal.

    A value that is not finite is worth 0.
    """
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    width = high - low

    def scaled(value: float) -> float:
        if not math.isfinite(value):
            return 0.0
        return (value - low) / width if width > 0 else MIDDLE

    return tuple(scaled(value) for value in values)


def _scaled(leg: Sequence[Hit]) -> Mapping[str, float]:
    return dict(zip((hit.id for hit in leg), min_max([hit.score for hit in leg]), strict=True))


def _best_first(scores: Mapping[str, float]) -> tuple[Hit, ...]:
    order = sorted(scores, key=lambda id_: (-scores[id_], id_))
    return tuple(Hit(id=id_, score=scores[id_]) for id_ in order)
