"""Order passages by how relevant, how recent and how important they are, and by a reranker."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gemma_eval.memory.fuse import min_max
from gemma_eval.records import Piece, Retrieval


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A passage on its way through the pipeline; higher `score` is better."""

    piece: Piece
    score: float


def rank(candidates: Sequence[Candidate], *, retrieval: Retrieval, now_s: float) -> tuple[Candidate, ...]:
    """Return the candidates, whose scores are their relevance, by the sum of their weighted factors.

    score = w_relevance · relevance + w_recency · recency + w_importance · importance, each scaled by
    `min_max` over the candidates; equals keep their order. Where relevance alone counts nothing changes.
    Source: Park et al. 2023, "Generative Agents", section 4.1.
    """
    if not (retrieval.recency_weight or retrieval.importance_weight):
        return tuple(candidates)
    pieces = [candidate.piece for candidate in candidates]
    relevance = min_max([candidate.score for candidate in candidates])
    times = min_max([recency(piece, now_s=now_s, half_life_h=retrieval.half_life_h) for piece in pieces])
    importance = min_max([piece.importance for piece in pieces])
    return best_first(
        [
            Candidate(
                piece=piece,
                score=retrieval.relevance_weight * of_relevance
                + retrieval.recency_weight * of_recency
                + retrieval.importance_weight * of_importance,
            )
            for piece, of_relevance, of_recency, of_importance in zip(
                pieces, relevance, times, importance, strict=True
            )
        ]
    )


def recency(piece: Piece, *, now_s: float, half_life_h: float) -> float:
    """Return 0.5 ** (age / half-life), the age since a passage was said or last given, whichever was later.

    A time to come is now, and without a finite time a passage is older than any.
    Source: Park et al. 2023: 0.995 per hour, a half-life of 138.3 h.
    """
    known = [time for time in (piece.at_s, piece.accessed_s) if time is not None and math.isfinite(time)]
    if not known:
        return 0.0
    age_h = max(0.0, now_s - max(known)) / 3600
    return float(0.5 ** (age_h / half_life_h))


def rerank(
    candidates: Sequence[Candidate], scores: Sequence[float], *, weight: float
) -> tuple[Candidate, ...]:
    """Return the candidates in a new order: the first ones, which have `scores`, before the others.

    score = weight · new + (1 - weight) · old, both scaled by `min_max` over those that have new ones; equals
    keep their order. The others keep theirs, with scores from -1 to 0.
    """
    first, others = candidates[: len(scores)], candidates[len(scores) :]
    old = min_max([candidate.score for candidate in first])
    blended = [
        Candidate(piece=candidate.piece, score=weight * new + (1 - weight) * before)
        for candidate, new, before in zip(first, min_max(scores), old, strict=True)
    ]
    below = [
        Candidate(piece=candidate.piece, score=score - 1)
        for candidate, score in zip(others, min_max([each.score for each in others]), strict=True)
    ]
    return best_first(blended) + tuple(below)


def best_first(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return the candidates by their scores, equals in the order in which they are given."""
    return tuple(sorted(candidates, key=lambda candidate: -candidate.score))
