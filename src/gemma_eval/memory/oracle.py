"""The passages that a case says are relevant, as if they had been found: what retrieval can give at best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Protocol, runtime_checkable

from gemma_eval.errors import UsageError
from gemma_eval.memory.among import is_among
from gemma_eval.memory.rank import Candidate
from gemma_eval.protocols import PassageSource
from gemma_eval.records import Among, Judgement, Piece, Retrieval
from gemma_eval.stats.judgements import fits

_LOOKED_AT = 50
"""How many passages are looked at for a text before all are."""


@runtime_checkable
class ListedSource(PassageSource, Protocol):
    """A source that can be read through."""

    def each(self, among: Among) -> Iterator[Piece]:
        """Yield all passages among these."""


def oracle(
    query: str,
    *,
    source: PassageSource,
    retrieval: Retrieval,
    relevant: Sequence[Judgement],
    among: Among,
) -> tuple[Candidate, ...]:
    """Return the relevant passages, the highest grades first, amid `distractors` that are not.

    Each judgement is served once before any is served twice, by what its document or its text is in. The
    distractors are the best others by BM25, and `gold_at` places the relevant ones among them. At most
    `top_k` are returned, distractors where there is room for them; scores are 1 / rank. Raises StoreError,
    and UsageError where a source has to be read through that cannot be.
    """
    judged = sorted((each for each in relevant if each.grade > 0), key=lambda each: -each.grade)
    served = [_served(judgement, query, source=source, among=among) for judgement in judged]
    gold = list({piece.id: piece for turn in zip_longest(*served) for piece in turn if piece}.values())
    room = max(0, min(retrieval.distractors, retrieval.top_k - len(gold)))
    others: list[Piece] = []
    if room:
        hits = source.lexical(query, k=room + max(len(gold), _LOOKED_AT), among=among)
        found = source.pieces([hit.id for hit in hits])
        others = [piece for piece in found if not _is_relevant(piece, judged)][:room]
    before = round((retrieval.gold_at or 0.0) * len(others))
    pieces = [*others[:before], *gold[: retrieval.top_k], *others[before:]]
    return tuple(Candidate(piece=piece, score=1 / rank) for rank, piece in enumerate(pieces, start=1))


def _served(judgement: Judgement, query: str, *, source: PassageSource, among: Among) -> Sequence[Piece]:
    """Return the passages that fit a judgement, first those that also fit the query."""
    if judgement.passage is not None:
        known = [piece for piece in source.pieces((judgement.passage,)) if is_among(piece, among)]
        return known or _of_document(judgement.passage, query, source=source, among=among)
    hits = source.lexical(judgement.text or "", k=_LOOKED_AT, among=among)
    found = [piece for piece in source.pieces([hit.id for hit in hits]) if _is_relevant(piece, [judgement])]
    return found or [piece for piece in _each(source, among) if _is_relevant(piece, [judgement])]


def _of_document(name: str, query: str, *, source: PassageSource, among: Among) -> Sequence[Piece]:
    inside = replace(among, documents=(name,))
    pieces = {piece.id: piece for piece in _each(source, inside)}
    hits = source.lexical(query, k=len(pieces), among=inside) if pieces else ()
    order = dict.fromkeys((*(hit.id for hit in hits), *pieces))
    return [pieces[id_] for id_ in order if id_ in pieces]


def _each(source: PassageSource, among: Among) -> Iterator[Piece]:
    if not isinstance(source, ListedSource):
        raise UsageError(
            'the retriever "oracle" looks for a document or a text in a source that cannot be read through; '
            "name the relevant passages by their ids"
        )
    return source.each(among)


def _is_relevant(piece: Piece, judged: Sequence[Judgement]) -> bool:
    return any(fits(each, id=piece.id, document=piece.document, text=piece.text) for each in judged)
