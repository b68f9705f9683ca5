"""An answer that is kept: as bytes that nobody can change, with its question and its time."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from gemma_eval.errors import StoreError
from gemma_eval.records import Channel, Delta, Generation
from gemma_eval.wire import dump, load

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]


SKEW_S = 5.0
"""How far apart clocks of machines may be; what is from further ahead was made before a clock went back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A question and the answer to it; `answer` is packed by `pack`, `vector` that of the question.

    `template` and `corpus` are what it can be taken back by. Times are seconds since 1970.
    """

    id: str
    partition: str
    query: str
    answer: bytes
    created_s: float
    expires_s: float
    template: str = ""
    corpus: str = ""
    vector: Vector | None = field(default=None, compare=False)

    def is_alive(self, now_s: float, *, ttl_s: float) -> bool:
        """Whether it may be given: it is no older than `ttl_s`, nor from a time that has not come yet."""
        return self.created_s - SKEW_S <= now_s < min(self.expires_s, self.created_s + ttl_s)


class Entries(Protocol):
    """Where entries are kept; any thread may call. One that is shared raises StoreError in an outage."""

    def get(self, id_: str) -> Entry | None:
        """Return an entry, `None` when there is none."""

    def nearest(self, partition: str, vector: Vector, *, k: int) -> tuple[tuple[Entry, float], ...]:
        """Return at most `k` entries of a partition and the cosines of their questions, best first."""

    def put(self, entry: Entry, *, now_s: float) -> None:
        """Keep an entry; what was used longest ago has to go where there are too many."""

    def touch(self, id_: str, *, now_s: float) -> None:
        """Note that an entry was given."""

    def remove(self, ids: Sequence[str]) -> int:
        """Remove entries, and return how many were there."""

    def each(self) -> tuple[Entry, ...]:
        """Return all entries, the one that was used longest ago first."""

    def verdict(self, key: str) -> bool | None:
        """Return what the engine said of two questions, `None` when it was not asked."""

    def keep_verdict(self, key: str, *, is_same: bool, ttl_s: float) -> None:
        """Keep what the engine said."""

    def close(self) -> None:
        """Let go of what is held; a second call does nothing."""


def pack(generation: Generation) -> bytes:
    """Return an answer as compressed JSON, without anything that tells when and how fast it was made."""
    bare = replace(
        generation,
        deltas=(),
        scheduled_ns=None,
        dequeued_ns=None,
        connected_ns=None,
        requested_ns=0,
        headers_ns=None,
        usage_ns=None,
        ended_ns=0,
        streamed=False,
        attempts=(),
        engine_timings={},
        cached_tokens=None,
        batch_size=1,
    )
    return zlib.compress(json.dumps(dump(bare)).encode())


def unpack(packed: bytes, *, began_ns: int, ended_ns: int) -> Generation:
    """Rebuild an answer that came whole between two stamps. Raises StoreError on what `pack` did not make."""
    try:
        bare = load(Generation, json.loads(zlib.decompress(packed)))
    except (ValueError, zlib.error) as error:
        raise StoreError("an entry of the cache is damaged") from error
    texts: tuple[tuple[Channel, str], ...] = (
        ("reasoning", bare.reasoning),
        ("tool_call", bare.tool_calls),
        ("output", bare.text),
    )
    deltas = tuple(
        Delta(text=text, n_tokens=None, at_ns=ended_ns, channel=channel) for channel, text in texts if text
    )
    return replace(bare, deltas=deltas, requested_ns=began_ns, ended_ns=ended_ns)
