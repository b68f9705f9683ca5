"""Pass over what is too much like better passages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gemma_eval.memory.bm25 import words
from gemma_eval.memory.fuse import min_max
from gemma_eval.memory.rank import Candidate
from gemma_eval.records import Retrieval

if TYPE_CHECKING:
    from gemma_eval.protocols.scorers import Embeddings

    Likeness = NDArray[np.float64]
    """How much each passage is like each other one, [N, N], 1 where they are the same."""


def diversify(
    candidates: Sequence[Candidate], *, vectors: Embeddings | None, retrieval: Retrieval
) -> tuple[Candidate, ...]:
    """Return candidates, best first, without those that are too much like a better one.

    `vectors` are theirs, [N, D]; without them the share of common words says how like two are. What is more
    like a better one than `near_duplicate` is left out, and with a `diversity` the `top_k` are chosen of the
    rest by `mmr`, whose values are their scores.
    """
    like = _by_words(candidates) if vectors is None else _by_vectors(vectors)
    kept = list(range(len(candidates)))
    if retrieval.near_duplicate is not None:
        kept = unlike(like, most=retrieval.near_duplicate)
    chosen = tuple(candidates[at] for at in kept)
    if retrieval.diversity is None:
        return chosen
    relevance = min_max([candidate.score for candidate in chosen])
    picked = mmr(relevance, like[np.ix_(kept, kept)], weight=retrieval.diversity, k=retrieval.top_k)
    return tuple(Candidate(piece=chosen[at].piece, score=value) for at, value in picked)


def unlike(like: Likeness, *, most: float) -> list[int]:
    """Return the indices of those that are at most so much like each earlier one that is returned."""
    kept: list[int] = []
    for at in range(len(like)):
        if not kept or like[at, kept].max() <= most:
            kept.append(at)
    return kept


def mmr(relevance: Sequence[float], like: Likeness, *, weight: float, k: int) -> list[tuple[int, float]]:
    """Return `k` indices and values by maximal marginal relevance, each the best after those before it.

    value(d) = λ · relevance(d) - (1 - λ) · max over the chosen s of like(d, s), λ being `weight`; of equals
    the earlier one. Values never rise from one to the next.
    Source: Carbonell and Goldstein 1998, SIGIR.
    """
    scaled = weight * np.asarray(relevance, np.float64)
    nearest = np.zeros(len(scaled))
    chosen: list[tuple[int, float]] = []
    for _ in range(min(k, len(scaled))):
        values = scaled - (1 - weight) * nearest
        values[[at for at, _ in chosen]] = -np.inf
        best = int(values.argmax())
        chosen.append((best, float(values[best])))
        nearest = np.maximum(nearest, like[best])
    return chosen


def _by_vectors(vectors: Embeddings) -> Likeness:
    """Return cosines; what points away from another is not like it at all."""
    rows = vectors.astype(np.float64)
    likeness: Likeness = np.einsum("id,jd->ij", rows, rows).clip(0.0, 1.0)
    return likeness


def _by_words(candidates: Sequence[Candidate]) -> Likeness:
    """Return the share of the words of two passages that both have; two without words are the same."""
    known = [set(words(candidate.piece.text)) for candidate in candidates]
    places = {word: at for at, word in enumerate(set().union(*known))}
    has = np.zeros((len(known), len(places)), np.float32)
    for at, mine in enumerate(known):
        has[at, [places[word] for word in mine]] = 1.0
    both = (has @ has.T).astype(np.float64)
    sizes = has.sum(axis=1, dtype=np.float64)
    either = sizes[:, np.newaxis] + sizes - both
    return np.where(either > 0, both / np.maximum(either, 1.0), 1.0)
