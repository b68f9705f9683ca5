"""Put a memory in order: what is past its time goes, what is there twice is merged, what was used moves on.

Two passages are one where their words are the same in the same order; case, space, and what ends or quotes a
word make no other. A sign within or before a word does: C++ is not C#, nor -5 the same as 5. A cosine is not
asked: "from Paris to London" and "from London to Paris" have one of 0.998.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from gemma_eval.memory.tiers import DEFAULTS, KeepsRules, Rules, is_past, promoted
from gemma_eval.protocols import MemoryStore
from gemma_eval.records import MemoryTier, Piece

T = TypeVar("T")

_AT_ONCE = 1_000
_UNSAID = float("inf")
_QUOTES = "\"'“”«»„\u2018\u2019"
_BEFORE, _AFTER = f"{_QUOTES}([", f"{_QUOTES})].,;:!…。"
"""What may stand around a word and changes nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """Passages that say the same: the one that stays, as it will be, and the ids of the others."""

    kept: Piece
    gone: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """A passage as it will be in the tier that it has earned, and the tier it was in."""

    piece: Piece
    from_tier: MemoryTier


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What puts a memory in order."""

    expired: tuple[str, ...]
    merged: tuple[Merged, ...]
    moved: tuple[Moved, ...]


def order(pieces: Iterable[Piece], *, now_s: float, rules: Rules = DEFAULTS) -> Order:
    """Return what is to be done with the passages of a memory at a time."""
    expired: list[str] = []
    living: list[Piece] = []
    for piece in pieces:
        if is_past(piece, now_s=now_s):
            expired.append(piece.id)
        else:
            living.append(piece)
    merged = tuple(_merged(living, rules=rules))
    gone = {id_ for each in merged for id_ in each.gone}
    stays = {each.kept.id: each.kept for each in merged}
    left = (stays.get(piece.id, piece) for piece in living if piece.id not in gone)
    moved = tuple(_moved(left, now_s=now_s, rules=rules))
    return Order(expired=tuple(expired), merged=merged, moved=moved)


def consolidate(store: MemoryStore, *, now_s: float) -> Order:
    """Put a memory in order, and return what was done. Raises StoreError.

    What takes another's place is written before that goes: whoever breaks it off finds a passage twice
    rather than not at all.
    """
    rules = rules_of(store)
    found = order(store.each(), now_s=now_s, rules=rules)
    store.expire(now_s=now_s)
    written = {each.kept.id: each.kept for each in found.merged}
    written |= {each.piece.id: each.piece for each in found.moved}
    for some in _groups(tuple(written.values())):
        store.add(some, now_s=now_s)
    for ids in _groups(tuple(id_ for each in found.merged for id_ in each.gone)):
        store.forget(ids)
    return found


def rules_of(store: MemoryStore) -> Rules:
    """Return the rules that a store goes by."""
    return store.rules() if isinstance(store, KeepsRules) else DEFAULTS


def _merged(pieces: Sequence[Piece], *, rules: Rules) -> Iterator[Merged]:
    """Yield the passages whose words are the same.

    Those of the tier *semantic* are documents: what two of them say stays with each.
    """
    alike: dict[tuple[str, ...], list[Piece]] = {}
    for piece in pieces:
        if said := _said(piece.text):
            alike.setdefault(said, []).append(piece)
    for group in alike.values():
        if len(group) < 2:
            continue
        by_document: dict[str | None, list[Piece]] = {}
        for piece in group:
            by_document.setdefault(piece.document if piece.tier == "semantic" else None, []).append(piece)
        yield from (_one(same, rules=rules) for same in by_document.values() if len(same) > 1)


def _said(text: str) -> tuple[str, ...]:
    bare = (word.lstrip(_BEFORE).rstrip(_AFTER) for word in text.casefold().split())
    return tuple(filter(None, bare))


def _one(same: Sequence[Piece], *, rules: Rules) -> Merged:
    """Merge passages into the one that lives longest, of equals the newest; what is known of any is kept."""
    ranked = sorted(same, key=lambda each: (_ttl_s(each, rules), each.at_s or 0.0, each.id), reverse=True)
    ends = [each.expires_s for each in same]
    used = [each.accessed_s for each in same if each.accessed_s is not None]
    kept = replace(
        ranked[0],
        at_s=max(each.at_s or 0.0 for each in same),
        accessed_s=max(used, default=None),
        expires_s=None if None in ends else max(end for end in ends if end is not None),
        importance=max(each.importance for each in same),
        accesses=sum(each.accesses for each in same),
        tags=tuple(dict.fromkeys(tag for each in ranked for tag in each.tags)),
    )
    return Merged(kept=kept, gone=tuple(each.id for each in ranked[1:]))


def _ttl_s(piece: Piece, rules: Rules) -> float:
    ttl_s = rules[piece.tier].ttl_s
    return _UNSAID if ttl_s is None else ttl_s


def _moved(pieces: Iterable[Piece], *, now_s: float, rules: Rules) -> Iterator[Moved]:
    for piece in pieces:
        moved = promoted(piece, now_s=now_s, rules=rules)
        if moved is not None:
            yield Moved(piece=moved, from_tier=piece.tier)


def _groups(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for begin in range(0, len(items), _AT_ONCE):
        yield items[begin : begin + _AT_ONCE]
