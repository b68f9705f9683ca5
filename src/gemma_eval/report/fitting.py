"""Lists that are kept below a size: whole items are left out from the end, and counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Part(Generic[T]):
    """The first of some items, as many as fit, and how many are left out."""

    kept: tuple[T, ...]
    left_out: int


def fitting(items: Sequence[T], size: Callable[[T], int], most_bytes: int) -> Part[T]:
    """Keep items from the first on while they fit into `most_bytes`."""
    total = 0
    for kept, item in enumerate(items):
        total += size(item)
        if total > most_bytes:
            return Part(kept=tuple(items[:kept]), left_out=len(items) - kept)
    return Part(kept=tuple(items), left_out=0)
