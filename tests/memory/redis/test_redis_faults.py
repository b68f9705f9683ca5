"""A server that is down, hangs, is full, lost its data or refuses: a clear error each, and nothing lost."""

from __future__ import annotations

import itertools
import random
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gemma_eval.errors import StoreError
from gemma_eval.memory import tiers
from gemma_eval.memory.redis.breaker import Breaker, breaker_of
from gemma_eval.memory.redis.keys import Keys
from gemma_eval.memory.redis.store import RedisStore, open_store
from gemma_eval.records import Among, Piece
from tests.redis_server import PASSWORD, RedisServer, make_certificates, running

pytestmark = pytest.mark.alone

NOW_S = 1_700_000_000.0
ALL = Among()
KEYS = Keys("test")
HANGS_S = "0.2"
"""A timeout that a busy machine keeps and a test can wait for."""
SAVED = {"appendonly": "yes", "appendfsync": "no"}
"""Every change is written before it is answered: a killed process loses nothing, a machine might."""


class Clock:
    """A clock that a test moves."""

    now_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands."""
    return Clock()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that a test may end, which saves every change."""
    with running(tmp_path, **SAVED) as started:
        yield started


def pieces(numbers: range) -> list[Piece]:
    """Return passages of these numbers."""
    return [Piece(id=str(number), text=f"bee {number}", document="d") for number in numbers]


def opened(server: RedisServer, clock: Clock | None = None, **settings: str) -> RedisStore:
    """Open a store whose breaker no other test has tripped."""
    breaker = Breaker(clock=Clock() if clock is None else clock)
    return open_store(server.url(**settings), breaker=breaker)


def found(store: RedisStore, query: str = "bee") -> set[str]:
    """Return the ids of all passages with a word of a query."""
    return {hit.id for hit in store.lexical(query, k=10_000, among=ALL)}


def shown(error: BaseException) -> str:
    """Return all that a person could see of an error."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.__context__)


# down, and there again


def test_a_server_that_is_down_is_named(tmp_path: Path) -> None:
    """With where it should be."""
    with running(tmp_path) as server:
        server.kill()
        with pytest.raises(StoreError, match=rf"localhost:{server.port} cannot be reached.*refused"):
            opened(server)


def test_an_outage_costs_one_attempt_until_the_pause_is_over(server: RedisServer, clock: Clock) -> None:
    """However often it is asked, and by stores that are opened anew too."""
    breaker = Breaker(clock=clock)
    store = open_store(server.url(), breaker=breaker)
    server.kill()
    with pytest.raises(StoreError, match=r"cannot be reached|closed"):
        store.pieces(["0"])
    server.start_again()
    before = connections(server)
    for _ in range(50):
        with pytest.raises(StoreError, match="asked again in 15 s"):
            store.pieces(["0"])
        with pytest.raises(StoreError, match="asked again in 15 s"):
            open_store(server.url(), breaker=breaker)
    assert connections(server) == before + 1  # that of whoever counts
    clock.now_s += breaker.pause_s
    assert store.pieces(["0"]) == ()
    store.close()


def test_stores_of_one_server_share_its_breaker() -> None:
    """A run that opens a store for each case waits once."""
    assert breaker_of("localhost:1") is breaker_of("localhost:1")
    assert breaker_of("localhost:1") is not breaker_of("localhost:2")


def test_a_killed_server_has_all_that_was_acknowledged(server: RedisServer, clock: Clock) -> None:
    """The same store goes on with it where the server saves every change."""
    store = opened(server, clock)
    vectors = np.eye(4, dtype=np.float32)
    store.add(pieces(range(4)), now_s=NOW_S, vectors=vectors, embedder="e")
    assert found(store) == {"0", "1", "2", "3"}
    server.kill()
    with pytest.raises(StoreError):
        store.lexical("bee", k=1, among=ALL)
    server.start_again()
    clock.now_s += 60
    assert found(store) == {"0", "1", "2", "3"}
    assert store.nearest(vectors[2], k=1, embedder="e", among=ALL)[0].id == "2"
    assert store.add(pieces(range(4, 6)), now_s=NOW_S) == 2
    assert found(store) == {"0", "1", "2", "3", "4", "5"}
    store.close()


def test_what_is_added_when_the_server_dies_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """Killed at a random moment, three times: all that was acknowledged, and no part of a call."""
    seed = random.SystemRandom().randrange(1 << 32)
    draw = random.Random(seed)  # noqa: S311 - a test's
    size, acknowledged = 7, set[int]()
    with running(tmp_path, **SAVED) as server:
        for round_ in range(3):
            store = opened(server)
            threading.Timer(draw.uniform(0.0, 0.1), server.process.kill).start()
            try:
                for call in range(round_ * 1_000, round_ * 1_000 + 1_000):
                    store.add(pieces(range(call * size, (call + 1) * size)), now_s=NOW_S)
                    acknowledged.add(call)
            except StoreError:
                pass
            store.close()
            server.process.wait()
            server.start_again()
        with closing(opened(server)) as store:
            kept = [int(piece.id) // size for piece in store.each()]
    assert {kept.count(call) for call in set(kept)} <= {size}, f"seed {seed}"
    assert acknowledged <= set(kept), f"seed {seed}"
    assert len(set(kept) - acknowledged) <= 3, f"seed {seed}: at most the call that was cut off, each time"


def test_a_server_that_saved_nothing_is_an_empty_store_that_can_be_filled(tmp_path: Path) -> None:
    """What is gone is found no more; docs/memory_redis.md says what to set."""
    clock = Clock()
    with running(tmp_path) as server:
        store = opened(server, clock)
        store.add(pieces(range(3)), now_s=NOW_S)
        assert len(found(store)) == 3
        server.kill()
        with pytest.raises(StoreError):
            store.pieces(["0"])
        server.start_again()
        clock.now_s += 60
        assert found(store) == set()
        assert store.add(pieces(range(7, 9)), now_s=NOW_S) == 2
        assert found(store) == {"7", "8"}
        store.close()


def test_a_server_that_went_back_to_an_older_state_is_read_anew(tmp_path: Path) -> None:
    """Even when as many changes have come since as were lost."""
    clock = Clock()
    with running(tmp_path) as server:
        store = opened(server, clock)
        store.add(pieces(range(2)), now_s=NOW_S)
        with server.client() as client:
            client.save()
        store.add(pieces(range(10, 12)), now_s=NOW_S)
        store.add(pieces(range(20, 22)), now_s=NOW_S)
        assert len(found(store)) == 6
        server.kill()
        server.start_again()
        with closing(opened(server)) as other:
            other.add(pieces(range(30, 32)), now_s=NOW_S)
            other.add(pieces(range(40, 42)), now_s=NOW_S)
        assert found(store) == {"0", "1", "30", "31", "40", "41"}
        store.close()


def test_a_server_that_loads_its_data_is_asked_again_later(tmp_path: Path) -> None:
    """It is not an empty store, and nothing is added to it."""
    with running(tmp_path) as server:
        store = opened(server)
        store.add(pieces(range(1_000)), now_s=NOW_S)
        with server.client() as client:
            client.save()
        server.kill()
        server.start_again(load_us=300_000)
        with pytest.raises(StoreError, match="still loading its data"):
            store.pieces(["0"])
        server.await_answer()
        assert len(found(store)) == 1_000
        store.close()


# hangs


def test_a_server_that_hangs_is_waited_for_once(server: RedisServer, clock: Clock) -> None:
    """For the timeout; it then answers with nothing that was asked before."""
    store = opened(server, clock, timeout=HANGS_S)
    store.add(pieces(range(3)), now_s=NOW_S)
    server.stop()
    try:
        with pytest.raises(StoreError, match=r"did not answer within 0\.2 s"):
            store.pieces(["0"])
        with pytest.raises(StoreError, match="asked again in"):
            store.pieces(["1"])
        with pytest.raises(StoreError, match=r"did not answer|asked again"):
            opened(server, timeout=HANGS_S)
    finally:
        server.go_on()
    clock.now_s += 60
    assert [piece.id for piece in store.pieces(["2"])] == ["2"]
    assert found(store) == {"0", "1", "2"}
    store.close()


def test_a_server_that_is_paused_is_one_that_hangs(server: RedisServer, clock: Clock) -> None:
    """`CLIENT PAUSE`, as at a failover: an answer that comes late is never taken for another."""
    store = opened(server, clock, timeout=HANGS_S)
    store.add(pieces(range(3)), now_s=NOW_S)
    with server.client() as client:
        client.client_pause(600)
        for id_ in ("0", "1"):
            with pytest.raises(StoreError, match="did not answer"):
                store.pieces([id_])
            clock.now_s += 60
        client.ping()
    for id_ in ("2", "1", "0"):
        assert [piece.id for piece in store.pieces([id_])] == [id_]
    store.close()


def test_nothing_is_tried_again_behind_the_back_of_who_waits(server: RedisServer) -> None:
    """The library's own retries would make ten timeouts of one."""
    store = opened(server, timeout=HANGS_S)
    before_s = time.monotonic()
    server.stop()
    with pytest.raises(StoreError):
        store.pieces(["0"])
    waited_s = time.monotonic() - before_s
    server.go_on()
    store.close()
    assert waited_s < 10 * float(HANGS_S)


# full


def test_a_full_server_keeps_what_it_has_and_says_so(tmp_path: Path) -> None:
    """All that was acknowledged is there, and room can be made by forgetting."""
    with running(tmp_path, maxmemory="4mb", maxmemory_policy="noeviction") as server:
        store = opened(server)
        kept = set[str]()
        with pytest.raises(StoreError, match="is full, nothing was kept: raise its maxmemory"):
            fill(store, kept)
        assert len(kept) > 10
        assert {piece.id for piece in store.each()} == kept == found(store)
        assert store.forget(sorted(kept)) == len(kept)
        assert store.add(pieces(range(20_000, 20_001)), now_s=NOW_S) == 1
        store.close()


def fill(store: RedisStore, kept: set[str]) -> None:
    """Add passages without end, and note those that were acknowledged."""
    for number in itertools.count():
        store.add([Piece(id=str(number), text="bee " * 2_000, document="d")], now_s=NOW_S)
        kept.add(str(number))


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_a_server_that_would_throw_passages_away_is_refused(tmp_path: Path, policy: str) -> None:
    """Nothing is kept where it may vanish."""
    with (
        running(tmp_path, maxmemory="8mb", maxmemory_policy=policy) as server,
        pytest.raises(StoreError, match=f"{policy}.*set maxmemory-policy noeviction"),
    ):
        opened(server)


@pytest.mark.parametrize(
    "settings",
    [{"maxmemory_policy": "allkeys-lru"}, {"maxmemory": "64mb", "maxmemory_policy": "volatile-lru"}],
)
def test_one_that_never_does_is_not(tmp_path: Path, settings: dict[str, str]) -> None:
    """It has no limit, or only what expires goes, which no key of a store does."""
    with running(tmp_path, **settings) as server, closing(opened(server)) as store:
        store.add(pieces(range(3)), now_s=NOW_S)
        store.add([Piece(id="w", text="w", document="d", tier="working")], now_s=NOW_S)
        with server.client() as client:
            assert {client.ttl(key) for key in client.keys("*")} == {-1}


def test_passages_that_were_thrown_away_are_missed(server: RedisServer) -> None:
    """A key that is gone is never taken for an empty store."""
    store = opened(server)
    store.add(pieces(range(3)), now_s=NOW_S)
    with server.client() as client:
        client.delete(KEYS.of("pieces"))
    with pytest.raises(StoreError, match="holds 0 of 3 passages"):
        store.lexical("bee", k=1, among=ALL)
    store.close()


# who missed entries of the log


def test_who_missed_changes_reads_everything_anew(server: RedisServer) -> None:
    """The log is finite."""
    store, other = opened(server), opened(server)
    store.add(pieces(range(3)), now_s=NOW_S)
    assert found(other) == {"0", "1", "2"}
    store.forget(["0"])
    store.add(pieces(range(5, 6)), now_s=NOW_S)
    with server.client() as client:
        assert client.xlen(KEYS.of("log")) > 1
        client.xtrim(KEYS.of("log"), maxlen=1, approximate=False)
    assert found(other) == {"1", "2", "5"}
    for each in (store, other):
        each.close()


def test_a_database_that_was_emptied_is_an_empty_store(server: RedisServer) -> None:
    """For all who have it open."""
    store = opened(server)
    store.add(pieces(range(3)), now_s=NOW_S)
    assert len(found(store)) == 3
    with server.client() as client:
        client.flushall()
    assert found(store) == set()
    assert store.stats(now_s=NOW_S).passages["semantic"] == 0
    assert store.add(pieces(range(1)), now_s=NOW_S) == 1
    assert found(store) == {"0"}
    store.close()


# who may not


def test_a_wrong_password_is_refused_and_not_shown(tmp_path: Path) -> None:
    """Neither the wrong one nor the right one, by no part of the error."""
    with running(tmp_path, password=PASSWORD) as server:
        with closing(opened(server)) as store:
            assert store.add(pieces(range(1)), now_s=NOW_S) == 1
            assert PASSWORD not in store.location
        for wrong in ("wr0ng-Pa55", None):
            server.password = wrong
            with pytest.raises(StoreError, match="refuses the user or the password") as caught:
                opened(server)
            assert not any(word in shown(caught.value) for word in (PASSWORD, "wr0ng-Pa55"))


def test_a_password_may_come_from_the_environment(tmp_path: Path) -> None:
    """So that no file holds it."""
    with running(tmp_path, password=PASSWORD) as server:
        server.password = None
        url = server.url(password_env="REDIS_PASSWORD")  # noqa: S106 - the name of a variable
        store = open_store(url, environment={"REDIS_PASSWORD": PASSWORD}, breaker=Breaker())
        assert store.add(pieces(range(1)), now_s=NOW_S) == 1
        store.close()


def test_a_user_may_only_use_the_namespace_that_is_his(tmp_path: Path) -> None:
    """With the rights that docs/memory_redis.md gives."""
    rule = f"on >{PASSWORD} {the_rule_of_the_page()}"
    with running(tmp_path, username="evals", password=PASSWORD, user=f"evals {rule}") as server:
        store = opened(server)
        use_everything(store)
        store.close()
        with pytest.raises(StoreError, match="does not permit what a store needs"):
            opened(server, namespace="another")


def test_the_page_gives_no_right_that_is_not_needed(tmp_path: Path) -> None:
    """Without any one of them something fails, but for `info`, without which the policy is not looked at."""
    rule = f"on >{PASSWORD} {the_rule_of_the_page()}"
    spare = set[str]()
    with running(tmp_path, username="evals", password=PASSWORD, user=f"evals {rule}") as server:
        admin = replace(server, username=None, password=None)
        for right in [word for word in rule.split() if word.startswith("+")]:
            with admin.client() as client:
                client.flushall()
                client.script_flush()
                client.execute_command("ACL", "SETUSER", "evals", f"-{right[1:]}")
            said = refused(server)
            if said is None:
                spare.add(right)
            else:
                assert "does not permit what a store needs" in said, right
            with admin.client() as client:
                client.execute_command("ACL", "SETUSER", "evals", right)
    assert spare == {"+info"}


def refused(server: RedisServer) -> str | None:
    """Return what a store says whose server does not permit all that it does."""
    try:
        with closing(opened(server)) as store:
            use_everything(store)
    except StoreError as error:
        return str(error)
    return None


def the_rule_of_the_page() -> str:
    """Return the rights that the page on Redis tells to give a user."""
    page = (Path(__file__).parents[3] / "docs" / "memory_redis.md").read_text(encoding="utf-8")
    (line,) = [line for line in page.splitlines() if line.startswith("ACL SETUSER")]
    return line.partition(">PASSWORD ")[2].replace("{default}", "{test}")


def test_an_encrypted_connection_is_verified(tmp_path: Path) -> None:
    """A certificate that nobody known has signed is refused."""
    make_certificates(tmp_path)
    names = {"tls_cert_file": "server.pem", "tls_key_file": "server.key", "tls_ca_cert_file": "ca.pem"}
    files = {name: str(tmp_path / file) for name, file in names.items()}
    with running(tmp_path, tls_port="on", tls_auth_clients="no", **files) as server:
        with closing(opened(server)) as store:
            assert store.add(pieces(range(1)), now_s=NOW_S) == 1
            assert store.location.startswith("rediss://")
        unknown = f"rediss://localhost:{server.port}"
        with pytest.raises(StoreError, match="certificate verify failed"):
            open_store(unknown, breaker=Breaker())
        with pytest.raises(StoreError, match=r"cacert: there is no file no\.pem"):
            open_store(f"{unknown}?cacert=no.pem", breaker=Breaker())
        with pytest.raises(StoreError, match="cannot be reached"):
            open_store(f"redis://localhost:{server.port}", breaker=Breaker())


def test_a_replica_keeps_nothing_and_says_who_does(tmp_path: Path) -> None:
    """Which the address of the primary mends."""
    with running(tmp_path, replicaof="127.0.0.1 1") as server, pytest.raises(StoreError, match="its primary"):
        opened(server)


# what else may be there


def test_an_id_that_is_no_text_is_one_that_is_not_there(server: RedisServer) -> None:
    """As a command line may have it."""
    with closing(opened(server)) as store:
        store.add(pieces(range(1)), now_s=NOW_S)
        assert store.pieces(["\udcff", "0"])[0].id == "0"
        assert store.forget(["\udcff"]) == 0
        store.touch(["\udcff"], now_s=NOW_S)


def test_a_store_of_a_newer_version_is_refused(server: RedisServer) -> None:
    """And left as it is, also by who had it open before."""
    store = opened(server)
    with server.client() as client:
        client.hset(KEYS.about, "version", "2")
    with pytest.raises(StoreError, match=r"version 2.*update gemma_eval"):
        opened(server)
    with pytest.raises(StoreError, match="version 2"):
        store.add(pieces(range(1)), now_s=NOW_S)
    with server.client() as client:
        assert client.hlen(KEYS.of("pieces")) == 0
    store.close()


def test_what_something_else_wrote_is_no_passage(server: RedisServer) -> None:
    """A clear error, whatever it is."""
    with server.client() as client:
        client.set(KEYS.about, "mine")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        opened(server)
    with server.client() as client:
        client.delete(KEYS.about)
    with closing(opened(server)) as store:
        store.add(pieces(range(1)), now_s=NOW_S)
        with server.client() as client:
            client.hset(KEYS.of("pieces"), "0", b"\x80\x04}q\x00.")  # a pickle
        with pytest.raises(StoreError, match="something else wrote it"):
            store.pieces(["0"])


# what it does to the server


def test_no_command_looks_at_every_key_of_the_server(server: RedisServer) -> None:
    """The server's own count of commands has no SCAN and no KEYS, whatever a store does."""
    with closing(opened(server)) as store:
        use_everything(store)
    used = commands(server)
    assert {"hmget", "evalsha", "xrange"} <= used
    assert not used & SLOW
    with server.client() as client:
        client.keys("*")
    assert commands(server) & SLOW == {"keys"}


SLOW = {"scan", "keys", "hgetall", "hscan", "sscan", "zscan", "flushall", "flushdb", "smembers", "randomkey"}


def use_everything(store: RedisStore) -> None:
    """Call all that a store can do."""
    vectors = np.eye(3, dtype=np.float32)
    store.add(pieces(range(3)), now_s=NOW_S, vectors=vectors, embedder="e")
    store.add([Piece(id="w", text="w", document="d", tier="working")], now_s=NOW_S)
    store.add_vectors(["w"], vectors[:1], embedder="e")
    store.set_rules(tiers.changed(store.rules(), ["working.capacity=1"]))
    store.add([Piece(id="v", text="w", document="d", tier="working")], now_s=NOW_S + 1e6)
    assert store.stats(now_s=NOW_S + 1e9).expired == 1
    store.touch(["0"], now_s=NOW_S)
    assert found(store) == {"0", "1", "2"}
    assert len(store.nearest(vectors[0], k=2, embedder="e", among=ALL)) == 2
    with pytest.raises(StoreError, match="made by e;"):
        store.nearest(vectors[0], k=2, embedder="g", among=ALL)
    assert len(store.without_vectors(embedder="e", k=5)) == 1
    assert store.vectors(["0"], embedder="e") is not None
    assert store.expire(now_s=NOW_S + 1e9) == 1
    assert len(list(store.each())) == 3
    assert store.forget(["0"]) == 1
    assert (store.stats(now_s=NOW_S).size_bytes or 0) > 0


def commands(server: RedisServer) -> set[str]:
    """Return the commands that a server was given since it started."""
    with server.client() as client:
        return {name.removeprefix("cmdstat_").split("|")[0] for name in client.info("commandstats")}


def connections(server: RedisServer) -> int:
    """Return how many connections a server has taken, this one too."""
    with server.client() as client:
        return int(client.info("stats")["total_connections_received"])
