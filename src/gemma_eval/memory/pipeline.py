"""Find passages: search, fuse, rank, rerank, pass over the like, and note what each step took and left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gemma_eval.errors import BackendError, PluginError, StoreError
from gemma_eval.memory.diversity import diversify
from gemma_eval.memory.legs import Embed, Legs
from gemma_eval.memory.oracle import oracle
from gemma_eval.memory.rank import Candidate, rank, rerank
from gemma_eval.memory.steps import Tracing
from gemma_eval.protocols import Clock, PassageSource, Reranker
from gemma_eval.records import (
    Among,
    Hit,
    Judgement,
    Passage,
    Retrieval,
    Retrieved,
    StepName,
    Trace,
)
from gemma_eval.stats.judgements import fitting

if TYPE_CHECKING:
    from gemma_eval.protocols.scorers import Embeddings

_Candidates = tuple[Candidate, ...]


def retrieve(  # noqa: PLR0913 - what a search needs, each by its name
    query: str,
    *,
    source: PassageSource,
    retrieval: Retrieval,
    embed: Embed | None = None,
    embedder_id: str | None = None,
    reranker: Reranker | None = None,
    relevant: Sequence[Judgement] = (),
    clock: Clock,
    now_s: float,
) -> Retrieved:
    """Return the passages of `source` that bear on `query`, best first, and how they were found.

    `embed` and its `embedder_id` serve the search by vectors, `relevant` the retriever *oracle*; `now_s` is
    the time in seconds since 1970. A blank query finds nothing. Scores never rise from one passage to the
    next. Raises StoreError and BackendError where no search succeeds, UsageError where something is needed
    that is not given, PluginError of a reranker; a later step that fails is left out, and the trace says why.
    """
    if retrieval.retriever == "none" or not query.strip():
        return Retrieved(trace=Trace())
    tracing = Tracing(clock=clock)
    among = _among(retrieval, now_s=now_s)
    if retrieval.retriever == "oracle":
        with tracing.step("retrieve"):
            given = oracle(query, source=source, retrieval=retrieval, relevant=relevant, among=among)
        tracing.found("retrieve", _ids(given))
        return _retrieved(given, tracing)
    legs = Legs(
        source=source,
        retrieval=retrieval,
        among=among,
        tracing=tracing,
        embed=embed,
        embedder_id=embedder_id,
    )
    hits, searched = legs.search(query)
    with tracing.step("rank", after=searched):
        every = bool(relevant) or reranker is not None or _reorders(retrieval)
        unranked = _candidates(hits, source, most=None if every else retrieval.top_k)
        candidates = rank(unranked, retrieval=retrieval, now_s=now_s)
    tracing.relevant = fitting([each.piece for each in unranked], relevant)
    tracing.found("rank", _ids(candidates))
    after: tuple[StepName, ...] = ("rank",)
    if reranker is not None and candidates:
        candidates = _reranked(query, candidates, reranker, retrieval=retrieval, tracing=tracing)
        after = ("rerank",)
    if retrieval.diversity is not None or retrieval.near_duplicate is not None:
        with tracing.step("diversify", after=after):
            vectors = _vectors(candidates, source, embedder_id, tracing)
            candidates = diversify(candidates, vectors=vectors, retrieval=retrieval)
        tracing.found("diversify", _ids(candidates))
    return _retrieved(candidates[: retrieval.top_k], tracing)


def _among(retrieval: Retrieval, *, now_s: float) -> Among:
    age_h = retrieval.max_age_h
    return Among(
        tiers=retrieval.tiers,
        tags=retrieval.tags,
        since_s=None if age_h is None else now_s - age_h * 3600,
        now_s=now_s,
    )


def _reorders(retrieval: Retrieval) -> bool:
    """Return whether a passage that is not among the first `top_k` hits can come among them."""
    weighs = retrieval.recency_weight > 0 or retrieval.importance_weight > 0
    return weighs or retrieval.diversity is not None or retrieval.near_duplicate is not None


def _candidates(hits: Sequence[Hit], source: PassageSource, *, most: int | None) -> _Candidates:
    scores = {hit.id: hit.score for hit in hits}
    ids = list(scores)
    pieces = source.pieces(ids[:most])
    if len(pieces) < len(ids[:most]):  # some are gone since they were found
        pieces = source.pieces(ids)
    return tuple(Candidate(piece=piece, score=scores[piece.id]) for piece in pieces)


def _reranked(
    query: str, candidates: _Candidates, reranker: Reranker, *, retrieval: Retrieval, tracing: Tracing
) -> _Candidates:
    """Return the candidates as a reranker orders them, or as they are where it fails."""
    texts = [candidate.piece.text for candidate in candidates[: retrieval.rerank_candidates]]
    try:
        with tracing.step("rerank", after=("rank",)):
            scores = reranker.score(query, texts)
    except BackendError as error:
        tracing.degraded.append(f"rerank: {error}")
        return candidates
    if len(scores) != len(texts):
        raise PluginError(f"a reranker gave {len(scores)} scores for {len(texts)} passages; each has one")
    if not all(math.isfinite(score) for score in scores):
        tracing.degraded.append("rerank: a score is not finite, so that the order is as it was before")
        return candidates
    ordered = rerank(candidates, scores, weight=retrieval.rerank_weight)
    tracing.found("rerank", _ids(ordered))
    return ordered


def _vectors(
    candidates: _Candidates, source: PassageSource, embedder_id: str | None, tracing: Tracing
) -> Embeddings | None:
    """Return the vectors that tell which passages are alike, `None` where their words have to."""
    if embedder_id is None:
        return None
    try:
        return source.vectors(_ids(candidates), embedder=embedder_id)
    except StoreError as error:
        tracing.degraded.append(f"diversify: {error}")
        return None


def _ids(candidates: _Candidates) -> list[str]:
    return [candidate.piece.id for candidate in candidates]


def _retrieved(candidates: _Candidates, tracing: Tracing) -> Retrieved:
    passages = tuple(
        Passage(
            id=each.piece.id,
            text=each.piece.text,
            document=each.piece.document,
            score=each.score,
            rank=place,
            at_s=each.piece.at_s,
        )
        for place, each in enumerate(candidates, start=1)
    )
    return Retrieved(passages=passages, trace=tracing.trace())
