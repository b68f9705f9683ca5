"""Several texts that go on from one and are read beside each other: what each of their tokens may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gemma_eval.gemma.architecture import Architecture, LayerKind
from gemma_eval.gemma.attention import attend
from gemma_eval.gemma.kv_cache import KVCache, LayerCache
from gemma_eval.gemma.rope import Places, Rotation, rotation
from gemma_eval.gemma.tensors import Array


class Branches:
    """R tokens of texts that go on from what a cache holds; no text sees another, and the cache stays."""

    def __init__(self, architecture: Architecture, cache: KVCache, *, lengths: Sequence[int]) -> None:
        """There is a text for each of the `lengths`; all begin at the position after the cache's last."""
        a = architecture
        start = cache.length
        positions = np.concatenate([np.arange(start, start + length) for length in lengths])
        owners = np.repeat(np.arange(len(lengths)), lengths)
        self.turns: Mapping[LayerKind, Rotation] = {
            kind: rotation(rope, head_dim=a.head_dim, tokens=cache.capacity)[positions]
            for kind, rope in a.rope.items()
        }
        masks = {
            "global": branched(positions, owners, shared=start, window=None),
            "local": branched(positions, owners, shared=min(start, a.window - 1), window=a.window),
        }
        self.layers = tuple(
            Branched(cache=layer, length=start, mask=masks[kind], softcap=a.attention_softcap)
            for kind, layer in zip(a.layers, cache.layers, strict=True)
        )


def branched(positions: Places, owners: Places, *, shared: int, window: int | None) -> Array:
    """Return what is added to the scores [R, S + R] of R tokens over S shared keys and their own: 0 or -inf.

    The shared keys are of the S positions before the first token. A token sees those and the tokens of its
    own text, none that comes later and with a `window` W only the last W positions, its own included.
    """
    first = int(positions.min())
    keys = np.concatenate([np.arange(first - shared, first), positions])
    distance = positions[:, None] - keys
    seen = (distance >= 0) & (window is None or distance < window)
    seen[:, shared:] &= owners[:, None] == owners
    return np.where(seen, np.float32(0), np.float32(-np.inf))


@dataclass(frozen=True, kw_only=True, slots=True)
class Branched:
    """Attention of one layer: to what its cache holds of the first `length` tokens, and to the branches."""

    cache: LayerCache
    length: int
    mask: Array
    softcap: float | None

    def mix(self, queries: Array, keys: Array, values: Array) -> Array:
        """Attend to all that may be seen; nothing is remembered."""
        shared_keys, shared_values = self.cache.seen_after(self.length)
        seen_keys = np.concatenate([shared_keys, keys.transpose(1, 0, 2)], axis=1)
        seen_values = np.concatenate([shared_values, values.transpose(1, 0, 2)], axis=1)
        return attend(queries, seen_keys, seen_values, mask=self.mask, softcap=self.softcap)
