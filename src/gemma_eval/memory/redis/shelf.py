"""What a search must know of every passage, in memory: its words, and by what it may be chosen."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gemma_eval.memory.redis.words import Words
from gemma_eval.records import Among, Hit, Piece

Mask = NDArray[np.bool_]


class Shelf:
    """Passages by id, each in a row; who replaces one gives it a new row. Not for several threads at once."""

    def __init__(self) -> None:
        """Hold no passage."""
        self._words = Words()
        self._ids: list[str] = []
        self._at: dict[str, int] = {}
        self._live = bytearray()
        self._came_s = array("d")
        self._expires_s = array("d")
        self._having: dict[tuple[str, str], array[int]] = defaultdict(lambda: array("i"))
        """The rows of a tier, a tag or a document: `("tag", "red")`."""

    def __len__(self) -> int:
        """Return how many passages there are."""
        return len(self._at)

    def __iter__(self) -> Iterator[str]:
        """Yield their ids."""
        return iter(self._at)

    def __contains__(self, id_: str) -> bool:
        """Whether a passage is there."""
        return id_ in self._at

    @property
    def is_sparse(self) -> bool:
        """Whether the greater part of the rows is of passages that are gone."""
        return len(self._ids) > 2 * len(self._at) + _FEW

    def put(self, piece: Piece) -> None:
        """Keep a passage in place of the one of that id."""
        self.remove(piece.id)
        row = self._words.append(piece.text)
        self._ids.append(piece.id)
        self._at[piece.id] = row
        self._live.append(1)
        self._came_s.append(np.nan if piece.at_s is None else piece.at_s)
        self._expires_s.append(np.inf if piece.expires_s is None else piece.expires_s)
        kinds = (("tier", piece.tier), ("document", piece.document), *(("tag", tag) for tag in piece.tags))
        for kind in dict.fromkeys(kinds):
            self._having[kind].append(row)

    def remove(self, id_: str) -> None:
        """Forget a passage; one that is not there is passed over."""
        row = self._at.pop(id_, None)
        if row is not None:
            self._live[row] = 0
            self._words.drop(row)

    def lexical(self, query: str, *, k: int, among: Among) -> tuple[Hit, ...]:
        """Return at most `k` passages by BM25, best first, equals by id."""
        scores = self._words.scores(query)
        if not self._at or k < 1:
            return ()
        scores[~self._mask(among)] = 0.0
        rows = np.flatnonzero(scores)
        if len(rows) > k:
            rows = rows[scores[rows] >= np.partition(scores[rows], -k)[-k]]
        best = sorted((-float(scores[row]), self._ids[row]) for row in rows)
        return tuple(Hit(id=id_, score=-score) for score, id_ in best[:k])

    def chosen(self, among: Among) -> tuple[frozenset[str], list[str] | None]:
        """Return the ids of what `among` excludes, where those are few, else those that it allows."""
        if not self._at:
            return frozenset(), None
        mask = self._mask(among)
        excluded = np.flatnonzero(np.frombuffer(self._live, np.bool_) & ~mask)
        if len(excluded) <= _FEW_EXCLUDED:
            return frozenset(self._ids[row] for row in excluded), None
        return frozenset(), [self._ids[row] for row in np.flatnonzero(mask)]

    def _mask(self, among: Among) -> Mask:
        mask = np.frombuffer(self._live, np.bool_).copy()
        for kind, wanted in (("tier", among.tiers), ("tag", among.tags), ("document", among.documents)):
            if wanted:
                mask &= self._any_of(kind, wanted)
        if among.since_s is not None:
            mask &= np.frombuffer(self._came_s) >= among.since_s
        if among.now_s is not None:
            mask &= np.frombuffer(self._expires_s) >= among.now_s
        return mask

    def _any_of(self, kind: str, wanted: tuple[str, ...]) -> Mask:
        mask = np.zeros(len(self._ids), np.bool_)
        for name in wanted:
            if rows := self._having.get((kind, name)):
                mask[np.frombuffer(rows, np.intc)] = True
        return mask


_FEW_EXCLUDED = 100
"""So many are rather passed over among what was found than all others looked for one by one."""
_FEW = 1_000
"""Fewer rows than these are not worth the work of leaving them out."""
