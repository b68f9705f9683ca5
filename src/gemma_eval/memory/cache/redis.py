"""Entries in a Redis server that processes share, with a copy of them in each; plain Redis 7 is enough.

    ge:{ns}:cache:1:e:<id>     a string: an entry as compressed JSON, which expires by itself
    ge:{ns}:cache:1:v:<key>    a string: what the engine said of two questions
    ge:{ns}:cache:1:used       a sorted set: ids by their last use
    ge:{ns}:cache:1:until      a sorted set: ids by the end of their time
    ge:{ns}:cache:1:log        a stream: which entry was put or removed, numbered
    ge:{ns}:cache:1:changes    how many there were

A lookup reads the copy. What others changed is read from the log once a second at most; where the log does
not go back far enough, the copy is made anew.
"""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from typing import TYPE_CHECKING

from gemma_eval.memory.cache.entry import Entry
from gemma_eval.memory.cache.key import SCHEMA
from gemma_eval.memory.cache.local import LocalEntries
from gemma_eval.memory.redis.breaker import breaker_of
from gemma_eval.memory.redis.keys import Keys
from gemma_eval.memory.redis.location import parse
from gemma_eval.memory.redis.server import Server, pages

if TYPE_CHECKING:
    from gemma_eval.memory.cache.entry import Vector

Change = tuple[bytes, Mapping[bytes, bytes]]
"""An entry of the log: its number, and the id that it is about."""

STALE_S = 1.0
"""How old the copy may be where another process has put or removed something."""
LOG_ENTRIES = 10_000


class RedisEntries:
    """Entries in a server; a call may raise StoreError, and after an outage does so at once for a while."""

    def __init__(
        self,
        url: str,
        *,
        max_entries: int,
        environment: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect to nothing yet. Raises StoreError on a URL that is none, MissingDependency."""
        where = parse(url, environment)
        self.location = str(where)
        self._server = Server(where, breaker=breaker_of(where.address))
        self._prefix = Keys(where.namespace).of(f"cache:{SCHEMA}:")
        self._max = max_entries
        self._clock = clock
        self._lock = RLock()
        self._copy = LocalEntries(max_entries=None)
        self._seen: int | None = None
        self._synced_s = float("-inf")

    def get(self, id_: str) -> Entry | None:
        """Return an entry, from the server where the copy does not have it."""
        self._catch_up()
        known = self._copy.get(id_)
        if known is not None:
            return known
        body = self._server.ask("GET", self._of(f"e:{id_}"))
        entry = None if body is None else _unpack(id_, body)
        if entry is not None:
            self._copy.put(entry, now_s=entry.created_s)
        return entry

    def nearest(self, partition: str, vector: Vector, *, k: int) -> tuple[tuple[Entry, float], ...]:
        """Return at most `k` entries of a partition and the cosines of their questions, best first."""
        self._catch_up()
        return self._copy.nearest(partition, vector, k=k)

    def put(self, entry: Entry, *, now_s: float) -> None:
        """Keep an entry: those past their time go first, then what was used longest ago by anybody."""
        life_ms = max(1, int(1000 * (entry.expires_s - now_s)))
        arguments = (entry.id, _pack(entry), life_ms, now_s, entry.expires_s, self._max, LOG_ENTRIES)
        self._server.run(_PUT, self._prefix, arguments)
        self._copy.put(entry, now_s=now_s)

    def touch(self, id_: str, *, now_s: float) -> None:
        """Note that an entry was given."""
        self._server.ask("ZADD", self._of("used"), "XX", now_s, id_)

    def remove(self, ids: Sequence[str]) -> int:
        """Remove entries, and return how many were there."""
        gone = 0
        for some in pages(tuple(ids)):
            gone += int(self._server.run(_REMOVE, self._prefix, (LOG_ENTRIES, *some)))
        self._copy.remove(ids)
        return gone

    def each(self) -> tuple[Entry, ...]:
        """Return all entries, the one that was used longest ago first."""
        return tuple(self._all())

    def verdict(self, key: str) -> bool | None:
        """Return what the engine said of two questions, `None` when it was not asked."""
        known = self._copy.verdict(key)
        if known is None:
            said = self._server.ask("GET", self._of(f"v:{key}"))
            known = None if said is None else said == b"1"
        return known

    def keep_verdict(self, key: str, *, is_same: bool, ttl_s: float) -> None:
        """Keep what the engine said as long as an entry."""
        self._copy.keep_verdict(key, is_same=is_same, ttl_s=ttl_s)
        life_ms = max(1, int(1000 * ttl_s))
        self._server.ask("SET", self._of(f"v:{key}"), "1" if is_same else "0", "PX", life_ms)

    def close(self) -> None:
        """Close the connections."""
        self._server.close()
        self._copy.close()

    def _of(self, name: str) -> str:
        return self._prefix + name

    def _catch_up(self) -> None:
        """Bring the copy up to date, unless that was done within the last second."""
        with self._lock:
            now_s = self._clock()
            if now_s - self._synced_s < STALE_S:
                return
            changes, log = self._server.ask_all(
                [("GET", self._of("changes")), ("XRANGE", self._of("log"), f"({self._seen or 0}-0", "+")]
            )
            newest = int(changes or 0)
            if self._seen is None or not self._replay(log, after=self._seen, newest=newest):
                # What is put from here on is read once more from the log, which changes nothing.
                self._copy = LocalEntries(max_entries=None)
                for entry in self._all():
                    self._copy.put(entry, now_s=entry.created_s)
            self._seen = max(newest, _number(log[-1]) if log else 0)
            self._synced_s = now_s

    def _replay(self, log: Sequence[Change], *, after: int, newest: int) -> bool:
        """Apply the changes after number `after`; whether the log had all of them."""
        if newest < after or (newest > after and (not log or _number(log[0]) != after + 1)):
            return False
        ids = list(dict.fromkeys(fields[b"id"].decode() for _, fields in log))
        for id_, entry in zip(ids, self._read(ids), strict=True):
            if entry is None:
                self._copy.remove([id_])
            elif entry != self._copy.get(id_):
                self._copy.put(entry, now_s=entry.created_s)
        return True

    def _all(self) -> list[Entry]:
        ids = [id_.decode() for id_ in self._server.ask("ZRANGE", self._of("used"), 0, -1)]
        return [entry for entry in self._read(ids) if entry is not None]

    def _read(self, ids: Sequence[str]) -> list[Entry | None]:
        found: list[Entry | None] = []
        for some in pages(ids):
            bodies = self._server.ask("MGET", *(self._of(f"e:{id_}") for id_ in some))
            found += [
                None if body is None else _unpack(id_, body) for id_, body in zip(some, bodies, strict=True)
            ]
        return found


def _pack(entry: Entry) -> bytes:
    plain = {
        "schema": SCHEMA,
        "partition": entry.partition,
        "query": entry.query,
        "answer": base64.b64encode(entry.answer).decode(),
        "created_s": entry.created_s,
        "expires_s": entry.expires_s,
        "template": entry.template,
        "corpus": entry.corpus,
        "vector": None if entry.vector is None else base64.b64encode(entry.vector.tobytes()).decode(),
    }
    return zlib.compress(json.dumps(plain).encode())


def _unpack(id_: str, body: bytes) -> Entry | None:
    """Return an entry, `None` where something else is there: that is a miss, and no entry."""
    import numpy as np

    try:
        plain = json.loads(zlib.decompress(body))
        if plain.pop("schema") != SCHEMA:
            return None
        packed = plain.pop("vector")
        vector = None if packed is None else np.frombuffer(base64.b64decode(packed), np.float32)
        return Entry(id=id_, **{**plain, "answer": base64.b64decode(plain["answer"])}, vector=vector)
    except (ValueError, TypeError, KeyError, AttributeError, zlib.error):
        return None


def _number(change: Change) -> int:
    return int(change[0].partition(b"-")[0])


_DROP = """
local function note(id)
  local number = redis.call('INCR', KEYS[1] .. 'changes')
  local log = KEYS[1] .. 'log'
  local noted = redis.pcall('XADD', log, 'MAXLEN', '~', log_entries, number .. '-0', 'id', id)
  if type(noted) == 'table' and noted.err then  -- the count was lost and begins anew
    redis.call('DEL', log)
    redis.call('XADD', log, number .. '-0', 'id', id)
  end
end
local function drop(id)
  redis.call('ZREM', KEYS[1] .. 'used', id)
  redis.call('ZREM', KEYS[1] .. 'until', id)
  note(id)
  return redis.call('DEL', KEYS[1] .. 'e:' .. id)
end
"""
_PUT = (
    "local log_entries = ARGV[7]"
    + _DROP
    + """
redis.call('SET', KEYS[1] .. 'e:' .. ARGV[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[1] .. 'used', ARGV[4], ARGV[1])
redis.call('ZADD', KEYS[1] .. 'until', ARGV[5], ARGV[1])
note(ARGV[1])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1] .. 'until', '-inf', ARGV[4])) do drop(id) end
local over = redis.call('ZCARD', KEYS[1] .. 'used') - tonumber(ARGV[6])
if over > 0 then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1] .. 'used', 0, over - 1)) do drop(id) end
end
return 1
"""
)
_REMOVE = (
    "local log_entries = ARGV[1]"
    + _DROP
    + """
local gone = 0
for i = 2, #ARGV do gone = gone + drop(ARGV[i]) end
return gone
"""
)
