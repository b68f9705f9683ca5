"""What a passage and a vector are in the server: JSON and numbers, which run nothing when they are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gemma_eval.errors import StoreError
from gemma_eval.records import Piece

if TYPE_CHECKING:
    from gemma_eval.protocols.scorers import Embeddings

_NUMBER = np.dtype("<f4")
"""As exact as embedders give them, so that a vector is the same in every store."""


def to_body(piece: Piece) -> str:
    """Return what of a passage only its source changes; how it was used is kept beside it."""
    body = {
        "text": piece.text,
        "document": piece.document,
        "tier": piece.tier,
        "at_s": piece.at_s,
        "expires_s": piece.expires_s,
        "importance": piece.importance,
        "tags": piece.tags,
    }
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def to_piece(id_: str, body: bytes, used: bytes | None) -> Piece:
    """Return the passage of a body and of `used`, its accesses and the last one's time. Raises StoreError."""
    try:
        table = json.loads(body)
        accesses, _, accessed = ((used or b"0").decode()).partition(" ")
        return Piece(
            id=id_,
            text=table["text"],
            document=table["document"],
            tier=table["tier"],
            at_s=table["at_s"],
            expires_s=table["expires_s"],
            importance=table["importance"],
            tags=tuple(table["tags"]),
            accesses=int(accesses),
            accessed_s=float(accessed) if accessed else None,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"what Redis holds as passage {id_!r} is none: something else wrote it") from error


def to_used(piece: Piece) -> str:
    """Return how a passage was used: `accesses` and, where there is one, `accessed_s`."""
    return f"{piece.accesses} {'' if piece.accessed_s is None else repr(piece.accessed_s)}".rstrip()


def to_rows(vectors: Embeddings) -> list[bytes]:
    """Return each of the vectors [N, D] as D little-endian floats of 4 bytes."""
    return [row.tobytes() for row in np.ascontiguousarray(vectors, _NUMBER)]


def to_vectors(rows: Sequence[bytes]) -> Embeddings:
    """Return vectors [N, D]. Raises StoreError where they are not all of one length."""
    if len({len(row) for row in rows}) > 1 or any(len(row) % _NUMBER.itemsize for row in rows):
        raise StoreError("vectors of one embedder have several lengths in Redis: something else wrote them")
    flat = np.frombuffer(b"".join(rows), _NUMBER).astype(np.float32)
    return flat.reshape(len(rows), -1) if rows else flat.reshape(0, 0)
