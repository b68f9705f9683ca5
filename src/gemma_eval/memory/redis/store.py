"""A store of passages in a Redis server: changes happen there as a whole, searches in this process."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from gemma_eval.errors import StoreError, UsageError
from gemma_eval.memory import tiers
from gemma_eval.memory.admission import refuse_flawed, refuse_unlike
from gemma_eval.memory.among import is_among
from gemma_eval.memory.redis import scripts
from gemma_eval.memory.redis.breaker import Breaker, breaker_of
from gemma_eval.memory.redis.keys import Keys
from gemma_eval.memory.redis.location import Location, parse
from gemma_eval.memory.redis.mirror import Mirror
from gemma_eval.memory.redis.payload import to_body, to_piece, to_rows, to_used, to_vectors
from gemma_eval.memory.redis.server import PAGE, Command, Server, pages
from gemma_eval.records import Among, Hit, MemoryStats, MemoryTier, Piece

if TYPE_CHECKING:
    from gemma_eval.protocols.memory import Vector
    from gemma_eval.protocols.scorers import Embeddings

MOST_AT_ONCE = 100_000
"""Passages that one call may add: the server does nothing else while it takes them in."""


def open_store(
    location: str, *, environment: Mapping[str, str] | None = None, breaker: Breaker | None = None
) -> RedisStore:
    """Open the store at `redis://…` or `rediss://…`, see docs/memory_redis.md; make it where there is none.

    Raises StoreError: a location that is none, a server that does not answer or refuses the password, one
    that throws away passages when it is full, a store of a newer version; MissingDependency.
    """
    at = parse(location, os.environ if environment is None else environment)
    _refuse_missing(at)
    server = Server(at, breaker=breaker_of(at.address) if breaker is None else breaker)
    try:
        _refuse_evicting(server)
        store = RedisStore(server, at)
        store.begin()
    except BaseException:
        server.close()
        raise
    return store


class RedisStore:
    """The store at one location. Any thread may use it."""

    def __init__(self, server: Server, at: Location) -> None:
        """Ask nothing yet."""
        self._server = server
        self._keys = Keys(at.namespace)
        self._mirror = Mirror(server, self._keys)
        self._at = at

    @property
    def location(self) -> str:
        """Where it is, without a password."""
        return str(self._at)

    def begin(self) -> None:
        """Make the store where there is none. Raises StoreError where it is of another version."""
        version = self._server.ask("HGET", self._keys.about, "version")
        if version is None:
            self._run(scripts.BEGIN)
        elif version != str(scripts.VERSION).encode():
            raise StoreError(
                f"{self.location}: the store has version {version.decode(errors='replace')}, this gemma_eval "
                f"reads version {scripts.VERSION}; update gemma_eval, or choose another namespace"
            )

    # what is kept

    def add(
        self,
        pieces: Sequence[Piece],
        *,
        now_s: float,
        vectors: Embeddings | None = None,
        embedder: str | None = None,
    ) -> int:
        """Keep passages, all or none, and return how many were new; one known by its id is replaced."""
        refuse_flawed(pieces)
        ids = [piece.id for piece in pieces]
        rules, dim = self._rules_and_dim(embedder or "")
        refuse_unlike(ids, vectors, embedder, dim=dim)
        if len(pieces) > MOST_AT_ONCE:
            raise StoreError(f"at most {MOST_AT_ONCE:,} passages are kept in one call, not {len(pieces):,}")
        if not pieces:
            return 0
        rows = None if vectors is None else to_rows(vectors)
        whose = (embedder or "", str(vectors.shape[1])) if vectors is not None else ("", "")
        arguments: list[str | bytes] = [repr(float(now_s)), *whose]
        for number, piece in enumerate(pieces):
            arguments += _told(tiers.admitted(piece, now_s=now_s, rules=rules))
            arguments += [] if rows is None else [rows[number]]
        return self._run(scripts.ADD, *arguments)

    def add_vectors(self, ids: Sequence[str], vectors: Embeddings, *, embedder: str) -> None:
        """Keep the vectors [N, D] of passages that are there; an id that is not is passed over."""
        _, dim = self._rules_and_dim(embedder)
        refuse_unlike(ids, vectors, embedder, dim=dim)
        pairs = list(zip(ids, to_rows(vectors), strict=True))
        for page in pages(pairs):
            self._run(
                scripts.ADD_VECTORS, embedder, str(vectors.shape[1]), *(x for pair in page for x in pair)
            )

    def forget(self, ids: Sequence[str]) -> int:
        """Remove passages, and return how many were there; a full server can do this too."""
        return sum(self._run(scripts.FORGET, *page) for page in pages(list(dict.fromkeys(ids))))

    def touch(self, ids: Sequence[str], *, now_s: float) -> None:
        """Note that passages were given to a model."""
        for page in pages(ids):
            self._run(scripts.TOUCH, repr(float(now_s)), *page)

    def expire(self, *, now_s: float) -> int:
        """Remove what is past its time, and return how many those were."""
        gone = 0
        while n := self._run(scripts.EXPIRE, repr(float(now_s)), str(PAGE)):
            gone += n
        return gone

    def rules(self) -> tiers.Rules:
        """Return the rule of every tier."""
        return self._rules_and_dim("")[0]

    def set_rules(self, rules: tiers.Rules) -> None:
        """Keep other rules; they hold for all who open the store."""
        self._run(scripts.SET_RULES, json.dumps(tiers.to_table(rules)))

    # what is found

    def lexical(self, query: str, *, k: int, among: Among) -> tuple[Hit, ...]:
        """Return at most `k` passages by BM25, best first, each with a word of `query`."""
        return self._mirror.lexical(query, k=k, among=among)

    def nearest(self, vector: Vector, *, k: int, embedder: str, among: Among) -> tuple[Hit, ...]:
        """Return at most `k` passages by the cosine of their vectors, best first."""
        return self._mirror.nearest(vector, k=k, embedder=embedder, among=among)

    def pieces(self, ids: Sequence[str]) -> tuple[Piece, ...]:
        """Return the passages of these ids in that order; one that is not there any more is left out."""
        return tuple(piece for page in pages(ids) for piece in self._read(page))

    def vectors(self, ids: Sequence[str], *, embedder: str) -> Embeddings | None:
        """Return the vectors of these passages, [N, D], `None` where one of them has none."""
        key = self._keys.vectors(embedder)
        rows = [row for page in pages(ids) for row in self._server.ask("HMGET", key, *page)]
        return None if not rows or None in rows else to_vectors(rows)

    def without_vectors(self, *, embedder: str, k: int) -> tuple[Piece, ...]:
        """Return at most `k` passages that have no vector of that embedder."""
        return self.pieces(self._mirror.lacking(embedder, k))

    def each(self, among: Among = Among()) -> Iterator[Piece]:  # noqa: B008 - frozen
        """Yield all passages, oldest first, as they are when their page is read."""
        ids = self._server.ask("ZRANGE", self._keys.of("order"), 0, -1)
        for page in pages([id_.decode() for id_ in ids]):
            yield from (piece for piece in self._read(page) if is_among(piece, among))

    def stats(self, *, now_s: float) -> MemoryStats:
        """Count what is kept; the size is the server's estimate."""
        names = get_args(MemoryTier)
        about, past, *counts = self._server.ask_all(
            [
                ("HKEYS", self._keys.about),
                ("ZRANGEBYSCORE", self._keys.of("expiry"), "-inf", f"({float(now_s)!r}"),
                *(("ZCARD", self._keys.tier(name)) for name in names),
            ]
        )
        gone = [self._n_of(name, past) for name in names]
        embedders = sorted(name.decode()[len("dim:") :] for name in about if name.startswith(b"dim:"))
        vectors = self._server.ask_all([("HLEN", self._keys.vectors(name)) for name in embedders])
        return MemoryStats(
            passages={name: n - out for name, n, out in zip(names, counts, gone, strict=True)},
            expired=len(past),
            vectors={name: n for name, n in zip(embedders, vectors, strict=True) if n},
            size_bytes=self._size_bytes(embedders),
        )

    def close(self) -> None:
        """Let go of the store; a second call does nothing."""
        self._server.close()

    def _run(self, script: str, *arguments: str | bytes) -> int:
        """Run a script with what all of them are given."""
        nonce = str(secrets.randbits(62))
        return int(self._server.run(script, self._keys.about, [nonce, _RULES, *arguments]))

    def _rules_and_dim(self, embedder: str) -> tuple[tiers.Rules, int | None]:
        """Return the rules, and the length of the vectors that are kept of an embedder."""
        (rules, dim), n = self._server.ask_all(
            [
                ("HMGET", self._keys.about, "rules", f"dim:{embedder}"),
                ("HLEN", self._keys.vectors(embedder)),
            ]
        )
        try:
            table = json.loads(_RULES if rules is None else rules)
            return tiers.from_table(table), int(dim) if dim is not None and n else None
        except (ValueError, TypeError, UsageError) as error:
            raise StoreError(f"{self.location}: the rules of its tiers cannot be read: {error}") from error

    def _read(self, ids: Sequence[str]) -> Iterator[Piece]:
        bodies, used = self._server.ask_all(
            [("HMGET", self._keys.of(name), *ids) for name in ("pieces", "used")]
        )
        for id_, body, use in zip(ids, bodies, used, strict=True):
            if body is not None:
                yield to_piece(id_, body, use)

    def _n_of(self, tier: MemoryTier, ids: Sequence[bytes]) -> int:
        """Return how many of these passages are of a tier."""
        commands: list[Command] = [("ZMSCORE", self._keys.tier(tier), *page) for page in pages(ids)]
        return sum(worth is not None for scores in self._server.ask_all(commands) for worth in scores)

    def _size_bytes(self, embedders: Sequence[str]) -> int:
        names = ("about", "log", "pieces", "used", "order", "expiry")
        keys = [self._keys.of(name) for name in names]
        keys += [self._keys.tier(name) for name in get_args(MemoryTier)]
        keys += [self._keys.vectors(embedder) for embedder in embedders]
        sizes = self._server.ask_all([("MEMORY", "USAGE", key, "SAMPLES", 100) for key in keys])
        return sum(size or 0 for size in sizes)


_RULES = json.dumps(tiers.to_table(tiers.DEFAULTS))
"""What the tiers of a new store go by."""


def _refuse_missing(at: Location) -> None:
    """Raise StoreError for a file of TLS that is not there, which the library would take for an outage."""
    for name, path in (("cacert", at.cacert), ("cert", at.cert), ("key", at.key)):
        if path is not None and not Path(path).is_file():
            raise StoreError(f"{at}: {name}: there is no file {path}")


def _refuse_evicting(server: Server) -> None:
    """Raise StoreError where a full server would throw away passages; none of their keys ever expires."""
    policy = server.policy()
    if policy is not None and policy.startswith("allkeys-"):
        raise StoreError(
            f"Redis at {server.location.address} throws away what it holds when it is full (maxmemory-policy "
            f"{policy}), passages too; set maxmemory-policy noeviction, or use another server"
        )


def _told(piece: Piece) -> list[str | bytes]:
    """Return what a script is told of a passage that a store has admitted."""
    at_s = piece.at_s or 0.0
    return [
        piece.id,
        piece.tier,
        to_body(piece),
        to_used(piece),
        repr(at_s),
        "" if piece.expires_s is None else repr(piece.expires_s),
        repr(piece.importance),
        str(piece.accesses),
        repr(max(at_s, piece.accessed_s or 0.0)),
    ]
