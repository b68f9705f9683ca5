"""The keys and values of a text read so far, in memory that is allocated once per generation."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from gemma_eval.errors import ContextOverflow
from gemma_eval.gemma.architecture import Architecture
from gemma_eval.gemma.tensors import Array


class LayerCache(Protocol):
    """What one layer remembers."""

    def extend(self, keys: Array, values: Array, *, start: int) -> tuple[Array, Array]:
        """Add `keys` and `values` [K, L, H] of the positions from `start`; return all they may see [K, T, H].

        The last L of the T are the new ones, in order, and before them stand the positions before them. When
        L = 1 the order is free: attention is a sum, and keys carry their position in their rotation.
        """

    def seen_after(self, length: int) -> tuple[Array, Array]:
        """Return the keys and values [K, P, H], in order, that the position after the first `length` sees."""


class KVCache:
    """The caches of all layers, and how many tokens they hold."""

    def __init__(self, architecture: Architecture, *, capacity: int) -> None:
        """Make room for `capacity` tokens; local layers keep no more than their window."""
        self.capacity = capacity
        self.length = 0
        shape = (architecture.kv_heads, architecture.head_dim)
        self.layers: tuple[LayerCache, ...] = tuple(
            WholeCache(*shape, capacity=capacity)
            if kind == "global"
            else RingCache(*shape, window=min(architecture.window, capacity))
            for kind in architecture.layers
        )

    def claim(self, length: int) -> int:
        """Count `length` more tokens; return the position of the first. Raises ContextOverflow."""
        start, end = self.length, self.length + length
        if end > self.capacity:
            raise ContextOverflow(needed_tokens=end, limit_tokens=self.capacity)
        self.length = end
        return start


class WholeCache:
    """Every token of the context, for a global layer: [K, capacity, H]."""

    def __init__(self, kv_heads: int, head_dim: int, *, capacity: int) -> None:
        self._keys = np.empty((kv_heads, capacity, head_dim), np.float32)
        self._values = np.empty_like(self._keys)

    def extend(self, keys: Array, values: Array, *, start: int) -> tuple[Array, Array]:
        """Append; return all tokens so far."""
        end = start + keys.shape[1]
        self._keys[:, start:end] = keys
        self._values[:, start:end] = values
        return self._keys[:, :end], self._values[:, :end]

    def seen_after(self, length: int) -> tuple[Array, Array]:
        """Return all of them, not copied."""
        return self._keys[:, :length], self._values[:, :length]


class RingCache:
    """The last W tokens, for a local layer: position p lies in slot p mod W of [K, W, H]."""

    def __init__(self, kv_heads: int, head_dim: int, *, window: int) -> None:
        self._window = window
        self._keys = np.empty((kv_heads, window, head_dim), np.float32)
        self._values = np.empty_like(self._keys)

    def extend(self, keys: Array, values: Array, *, start: int) -> tuple[Array, Array]:
        """Overwrite the oldest; return the new tokens and the W - 1 before the first of them."""
        length = keys.shape[1]
        if length == 1:
            self._write(keys, values, start)
            held = min(start + 1, self._window)
            return self._keys[:, :held], self._values[:, :held]
        past_keys, past_values = self.seen_after(start)
        seen = np.concatenate([past_keys, keys], axis=1), np.concatenate([past_values, values], axis=1)
        self._write(keys, values, start)
        return seen

    def seen_after(self, length: int) -> tuple[Array, Array]:
        """Return the last W - 1, for the window counts the position that looks."""
        slots = np.arange(max(0, length - self._window + 1), length) % self._window
        return self._keys[:, slots], self._values[:, slots]

    def _write(self, keys: Array, values: Array, start: int) -> None:
        """Store the last W of the new tokens."""
        length = keys.shape[1]
        kept = min(length, self._window)
        slots = np.arange(start + length - kept, start + length) % self._window
        self._keys[:, slots] = keys[:, length - kept :]
        self._values[:, slots] = values[:, length - kept :]
