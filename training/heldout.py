"""The rule that keeps one item in eight out of training: a pure function of the item's text."""

import hashlib
from functools import cache
from typing import Literal

ItemKind = Literal["fact", "question", "sum", "judge"]

BUCKETS = 8


@cache
def is_held_out(kind: ItemKind, *parts: str) -> bool:
    """Say whether an item must never be trained on; `parts` identify it to the letter (see WORLD.md)."""
    if not parts:
        raise ValueError(f"an item of kind {kind!r} has no parts: give at least one text that identifies it")
    digest = hashlib.sha256("\x1f".join((kind, *parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS == 0
