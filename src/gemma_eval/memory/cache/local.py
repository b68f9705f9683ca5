"""Entries in the memory of this process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import RLock
from typing import TYPE_CHECKING

from gemma_eval.memory.cache.entry import Entry
from gemma_eval.memory.vectors import VectorMatrix

if TYPE_CHECKING:
    from gemma_eval.memory.cache.entry import Vector

MOST_VERDICTS = 10_000


class LocalEntries:
    """Entries by their ids, in the order of their last use, and the vectors of each partition in a matrix."""

    def __init__(self, *, max_entries: int | None) -> None:
        """Hold at most `max_entries`; with `None` somebody else says which of them go."""
        self._max = max_entries
        self._lock = RLock()
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._matrices: dict[str, VectorMatrix] = {}
        self._verdicts: OrderedDict[str, bool] = OrderedDict()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._entries)

    def get(self, id_: str) -> Entry | None:
        """Return an entry, `None` when there is none."""
        with self._lock:
            return self._entries.get(id_)

    def nearest(self, partition: str, vector: Vector, *, k: int) -> tuple[tuple[Entry, float], ...]:
        """Return at most `k` entries of a partition and the cosines of their questions, best first."""
        with self._lock:
            matrix = self._matrices.get(partition)
        # The search itself holds up nobody: its rows are never written twice.
        hits = () if matrix is None else matrix.nearest(vector, k=k)
        with self._lock:
            found = [(self._entries.get(hit.id), hit.score) for hit in hits]
        return tuple((entry, score) for entry, score in found if entry is not None)

    def put(self, entry: Entry, *, now_s: float) -> None:
        """Keep an entry; those that are past their time go first, then what was used longest ago."""
        with self._lock:
            self._drop(entry.id)
            self._entries[entry.id] = entry
            if entry.vector is not None:
                matrix = self._matrices.setdefault(entry.partition, VectorMatrix(len(entry.vector)))
                matrix.put([entry.id], entry.vector[None])
            if self._max is not None and len(self._entries) > self._max:
                self._make_room(self._max, now_s=now_s)

    def touch(self, id_: str, *, now_s: float) -> None:
        """Note that an entry was given."""
        with self._lock:
            if id_ in self._entries:
                self._entries.move_to_end(id_)

    def remove(self, ids: Sequence[str]) -> int:
        """Remove entries, and return how many were there."""
        with self._lock:
            return sum(self._drop(id_) for id_ in ids)

    def each(self) -> tuple[Entry, ...]:
        """Return all entries, the one that was used longest ago first."""
        with self._lock:
            return tuple(self._entries.values())

    def verdict(self, key: str) -> bool | None:
        """Return what the engine said of two questions, `None` when it was not asked."""
        with self._lock:
            return self._verdicts.get(key)

    def keep_verdict(self, key: str, *, is_same: bool, ttl_s: float) -> None:
        """Keep what the engine said, for as long as there is room; of one engine it does not age."""
        with self._lock:
            self._verdicts[key] = is_same
            while len(self._verdicts) > MOST_VERDICTS:
                self._verdicts.popitem(last=False)

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._matrices.clear()
            self._verdicts.clear()

    def _make_room(self, most: int, *, now_s: float) -> None:
        for id_ in [each.id for each in self._entries.values() if each.expires_s <= now_s]:
            self._drop(id_)
        while len(self._entries) > most:
            self._drop(next(iter(self._entries)))

    def _drop(self, id_: str) -> bool:
        entry = self._entries.pop(id_, None)
        if entry is None:
            return False
        matrix = self._matrices.get(entry.partition)
        if matrix is not None:
            matrix.remove([id_])
            if not len(matrix):
                del self._matrices[entry.partition]
        return True
