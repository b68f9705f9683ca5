"""What several answers to one prompt remember: the prompt once, and each answer what it wrote itself."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gemma_eval.gemma.architecture import Architecture, LayerKind
from gemma_eval.gemma.attention import attend_each
from gemma_eval.gemma.kv_cache import KVCache
from gemma_eval.gemma.rope import Rotation, rotation
from gemma_eval.gemma.tensors import Array


class Tails:
    """The tails of B answers in all layers; the answers go on in step, so all are at one position."""

    def __init__(self, architecture: Architecture, cache: KVCache, *, answers: int) -> None:
        """Let `answers` go on from what `cache` holds, up to its capacity."""
        a = architecture
        self._cache = cache
        self._rotations: Mapping[LayerKind, Rotation] = {
            kind: rotation(rope, head_dim=a.head_dim, tokens=cache.capacity) for kind, rope in a.rope.items()
        }
        self.layers = tuple(
            Tail(
                *layer.seen_after(cache.length),
                window=cache.capacity if kind == "global" else a.window,
                room=cache.capacity - cache.length,
                answers=answers,
                softcap=a.attention_softcap,
            )
            for kind, layer in zip(a.layers, cache.layers, strict=True)
        )

    def advance(self) -> Mapping[LayerKind, Rotation]:
        """Go on to the next position; return how each kind of layer turns there. Raises ContextOverflow."""
        position = self._cache.claim(1)
        return {kind: turn[position : position + 1] for kind, turn in self._rotations.items()}

    def drop(self, row: int) -> None:
        """Forget the answer in `row`; the last one takes its place."""
        for tail in self.layers:
            tail.drop(row)


class Tail:
    """One layer's: the keys and values [K, P, H] of the prompt, and of each answer in a ring [B, K, S, H]."""

    def __init__(
        self,
        prompt_keys: Array,
        prompt_values: Array,
        *,
        window: int,
        room: int,
        answers: int,
        softcap: float | None = None,
    ) -> None:
        """A position sees `window` tokens, itself included; an answer can have `room` of them."""
        self._prompt = prompt_keys, prompt_values
        self._window = window
        self._slots = min(window, room)
        self._softcap = softcap
        self._answers = answers
        self._length = 0
        kv_heads, _, head_dim = prompt_keys.shape
        self._keys = np.empty((answers, kv_heads, self._slots, head_dim), np.float32)
        self._values = np.empty_like(self._keys)

    def mix(self, queries: Array, keys: Array, values: Array) -> Array:
        """Add a key and a value [B, K, H] to each answer; return what the queries [B, N, H] see [B, N·H]."""
        slot = self._length % self._slots
        own_keys, own_values = self._keys[: self._answers], self._values[: self._answers]
        own_keys[:, :, slot] = keys
        own_values[:, :, slot] = values
        self._length += 1
        held = min(self._length, self._slots)
        prompt_keys, prompt_values = self._prompt
        gone = max(0, prompt_keys.shape[1] - max(0, self._window - self._length))
        return attend_each(
            queries,
            (prompt_keys[:, gone:], prompt_values[:, gone:]),
            (own_keys[:, :, :held], own_values[:, :, :held]),
            softcap=self._softcap,
        )

    def drop(self, row: int) -> None:
        """Forget the answer in `row`; the last one takes its place."""
        self._answers -= 1
        held = min(self._length, self._slots)
        for kept in (self._keys, self._values):
            kept[row, :, :held] = kept[self._answers, :, :held]
