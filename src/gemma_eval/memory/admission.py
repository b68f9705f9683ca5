"""What every store refuses to keep, in the same words: passages and vectors that are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, get_args

import numpy as np

from gemma_eval.errors import StoreError
from gemma_eval.memory.tiers import MOST
from gemma_eval.records import MemoryTier, Piece

if TYPE_CHECKING:
    from gemma_eval.protocols.scorers import Embeddings

LONGEST_ID = 512
LONGEST_TEXT = 1 << 20
"""Characters of one passage; no budget holds a fraction of it."""
_UNIT = 1e-3
"""How far the length of a vector may be from 1, for half precision."""


def refuse_flawed(pieces: Sequence[Piece]) -> None:
    """Raise StoreError for the first passage that cannot be kept, or an id that is given twice."""
    seen: set[str] = set()
    for piece in pieces:
        if flaw := _flaw(piece):
            name = piece.id[:80] if piece.id else piece.text[:40]
            raise StoreError(f"passage {name!r}: {flaw}; nothing was kept")
        if piece.id in seen:
            raise StoreError(
                f"passage {piece.id!r} is given twice; each id names one passage, nothing was kept"
            )
        seen.add(piece.id)


def refuse_unlike(
    ids: Sequence[str], vectors: Embeddings | None, embedder: str | None, *, dim: int | None
) -> None:
    """Raise StoreError where `vectors` [N, D] are not one of length 1 for each id, made by `embedder`.

    `dim` is the D of those that the store has of that embedder, `None` where it has none.
    """
    if vectors is None:
        return
    if not embedder or _is_half(embedder):
        raise StoreError("vectors need the id of the embedder that made them; nothing was kept")
    if vectors.ndim != 2 or len(vectors) != len(ids) or vectors.shape[1] < 1:
        shape = " x ".join(str(size) for size in vectors.shape)
        raise StoreError(f"vectors of {len(ids)} passages are given as {shape} numbers; nothing was kept")
    if dim is not None and vectors.shape[1] != dim:
        raise StoreError(
            f"vectors of {vectors.shape[1]} numbers do not go with those of {dim} that {embedder} has made "
            "before; nothing was kept"
        )
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    wrong = np.flatnonzero(~(np.abs(lengths - 1) <= _UNIT))
    if len(wrong):
        id_, length = ids[int(wrong[0])], lengths[wrong[0]]
        raise StoreError(
            f"the vector of passage {id_!r} has the length {length:.3g}, not 1; nothing was kept"
        )


def other_embedder(asked: str, kept: Sequence[str]) -> StoreError:
    """Return the error of a search by vectors that were made by another embedder than those that are kept."""
    known = ", ".join(sorted(kept))
    return StoreError(
        f"no passage has a vector of {asked}, those here were made by {known}; vectors of two embedders "
        "cannot be compared: choose that one, or have the passages embedded anew"
    )


def _flaw(piece: Piece) -> str | None:
    return next((what for is_flawed, what in _flaws(piece) if is_flawed), None)


def _flaws(piece: Piece) -> Iterator[tuple[bool, str]]:
    """Yield what may be wrong with a passage, and whether it is."""
    times = (piece.at_s, piece.accessed_s, piece.expires_s)
    texts = (piece.id, piece.text, piece.document, *piece.tags)
    tiers = get_args(MemoryTier)
    yield not 1 <= len(piece.id) <= LONGEST_ID, f"an id has 1 to {LONGEST_ID} characters"
    yield not piece.text.strip(), "it has no text"
    yield len(piece.text) > LONGEST_TEXT, f"it is longer than {LONGEST_TEXT:,} characters; split it"
    yield piece.tier not in tiers, f"{piece.tier!r} is no tier; tiers are {', '.join(tiers)}"
    yield not 0 <= piece.importance <= 1, f"importance is a number from 0 to 1, not {piece.importance!r}"
    count: object = piece.accesses  # an archive may say anything
    yield (
        not (isinstance(count, int) and 0 <= count <= MOST),
        f"it cannot have been given {count!r} times",
    )
    yield (
        not all(time is None or abs(time) <= MOST for time in times),
        "a time is no finite number of seconds",
    )
    yield any(_is_half(text) for text in texts), "it holds half of a surrogate pair, which is no character"
    yield any("\0" in text for text in texts), "it holds a NUL character, which no prompt can hold"


def _is_half(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
