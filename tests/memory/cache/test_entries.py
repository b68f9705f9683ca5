"""Entries are kept, found by their vectors, and go when their time or turn has come: here and in Redis."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gemma_eval.errors import StoreError, UsageError
from gemma_eval.memory.cache.answers import open_entries
from gemma_eval.memory.cache.entry import SKEW_S, Entries, pack, unpack
from gemma_eval.memory.cache.local import MOST_VERDICTS, LocalEntries
from gemma_eval.memory.cache.redis import RedisEntries
from gemma_eval.records import Caching, Delta
from tests.examples import a_generation
from tests.memory.cache.made import an_entry
from tests.redis_server import RedisServer, running

Make = Callable[[int], Entries]
NAMES = count()


def axis(place: int) -> NDArray[np.float32]:
    """Return a vector of length 1."""
    vector = np.zeros(4, np.float32)
    vector[place] = 1.0
    return vector


def in_redis(server: RedisServer, namespace: str, most: int, *, clock: Callable[[], float]) -> RedisEntries:
    """Return the entries of a namespace."""
    return RedisEntries(server.url(namespace), max_entries=most, environment=os.environ, clock=clock)


@pytest.fixture(params=["local", "redis"])
def make(request: pytest.FixtureRequest) -> Make:
    """Return what makes empty entries of at most so many."""
    if request.param == "local":
        return lambda most: LocalEntries(max_entries=most)
    server: RedisServer = request.getfixturevalue("redis_server")
    ticks = count()
    return lambda most: in_redis(server, f"cache-{next(NAMES)}", most, clock=lambda: 10.0 * next(ticks))


def test_an_entry_is_found_by_its_id_and_by_its_vector(make: Make) -> None:
    """With the cosine of its question; entries of another partition are never looked at."""
    entries = make(10)
    one, other = an_entry("a", vector=axis(0)), an_entry("b", vector=axis(1))
    foreign = an_entry("a", partition="q", vector=axis(0))
    for entry in (one, other, foreign):
        entries.put(entry, now_s=0.0)
    near = np.array([0.8, 0.6, 0, 0], np.float32)
    found = entries.nearest("p", near, k=5)
    assert [entry.query for entry, _ in found] == ["a", "b"]
    assert [cosine for _, cosine in found] == pytest.approx([0.8, 0.6])
    assert entries.nearest("nowhere", near, k=5) == ()
    assert entries.get(one.id) == one
    assert entries.get("unknown") is None
    assert len(entries.each()) == 3
    entries.close()


def test_what_was_used_longest_ago_goes_first(make: Make) -> None:
    """A hit is a use; what goes is found neither by its id nor by its vector."""
    entries = make(2)
    one, two, three = (an_entry(name, vector=axis(place)) for place, name in enumerate("abc"))
    entries.put(one, now_s=1.0)
    entries.put(two, now_s=2.0)
    entries.touch(one.id, now_s=3.0)
    entries.put(three, now_s=4.0)
    assert {entry.query for entry in entries.each()} == {"a", "c"}
    assert entries.get(two.id) is None
    assert "b" not in {entry.query for entry, _ in entries.nearest("p", axis(1), k=5)}
    entries.close()


def test_what_is_past_its_time_goes_before_what_is_not(make: Make) -> None:
    """However lately it was used."""
    entries = make(2)
    lasting = an_entry("lasting", expires_s=1e6)
    brief = an_entry("brief", expires_s=5.0)
    entries.put(lasting, now_s=1.0)
    entries.put(brief, now_s=2.0)
    entries.put(an_entry("new", expires_s=1e6), now_s=10.0)
    assert {entry.query for entry in entries.each()} == {"lasting", "new"}
    entries.close()


def test_an_entry_that_is_put_again_is_there_once(make: Make) -> None:
    """The later one counts."""
    entries = make(2)
    entry = an_entry("a", vector=axis(0))
    entries.put(entry, now_s=0.0)
    entries.put(replace(entry, created_s=7.0), now_s=7.0)
    assert [each.created_s for each in entries.each()] == [7.0]
    assert len(entries.nearest("p", axis(0), k=5)) == 1
    entries.close()


def test_removing_says_how_many_were_there(make: Make) -> None:
    """A second time there is none."""
    entries = make(5)
    entry = an_entry("a", vector=axis(0))
    entries.put(entry, now_s=0.0)
    assert entries.remove([entry.id, "unknown"]) == 1
    assert entries.remove([entry.id]) == 0
    assert entries.nearest("p", axis(0), k=1) == ()
    entries.close()


def test_a_verdict_is_kept(make: Make) -> None:
    """A yes, a no, and none."""
    entries = make(5)
    entries.keep_verdict("k", is_same=True, ttl_s=60.0)
    entries.keep_verdict("l", is_same=False, ttl_s=60.0)
    assert [entries.verdict(name) for name in "klm"] == [True, False, None]
    entries.close()


def test_verdicts_take_no_more_room_than_was_set_aside() -> None:
    """The oldest go."""
    entries = LocalEntries(max_entries=1)
    for number in range(MOST_VERDICTS + 1):
        entries.keep_verdict(str(number), is_same=True, ttl_s=1.0)
    assert entries.verdict("0") is None
    assert entries.verdict("1") is True


@pytest.mark.parametrize(
    ("now_s", "is_alive"),
    [(100.0, True), (149.9, True), (150.0, False), (95.0, True), (94.9, False), (1e9, False)],
)
def test_an_entry_lives_as_long_as_the_shorter_of_both_says(now_s: float, *, is_alive: bool) -> None:
    """And not at all where the clock went back, for then it might live for ever."""
    entry = an_entry("a", created_s=100.0, expires_s=200.0)
    assert SKEW_S == 5.0
    assert entry.is_alive(now_s, ttl_s=50.0) == is_alive


def test_an_answer_comes_back_whole_and_without_its_times() -> None:
    """Text, tokens and settings are those that were; the stamps are of the lookup."""
    made = replace(
        a_generation("Oslo, I think"),
        reasoning="hm",
        deltas=(Delta(text="hm", n_tokens=1, at_ns=5, channel="reasoning"), *a_generation().deltas),
        log_probabilities=(-0.5, -0.25),
        cached_tokens=3,
    )
    again = unpack(pack(made), began_ns=70, ended_ns=90)
    for name in ("text", "reasoning", "prompt_tokens", "output_tokens", "finish_reason", "log_probabilities"):
        assert getattr(again, name) == getattr(made, name), name
    assert again.effective == made.effective
    assert (again.requested_ns, again.ended_ns, again.streamed) == (70, 90, False)
    assert (again.engine_timings, again.attempts, again.cached_tokens) == ({}, (), None)
    assert "".join(delta.text for delta in again.deltas if delta.channel == "output") == made.text
    assert {delta.at_ns for delta in again.deltas} == {90}


@pytest.mark.parametrize("packed", [b"", b"x", zlib.compress(b"{}"), zlib.compress(b"\xff")])
def test_a_damaged_answer_is_no_answer(packed: bytes) -> None:
    """It is said, and not given."""
    with pytest.raises(StoreError):
        unpack(packed, began_ns=0, ended_ns=0)


@given(
    st.lists(st.tuples(st.sampled_from(["put", "touch", "remove"]), st.sampled_from("abcde")), max_size=20)
)
def test_what_is_left_is_what_a_list_would_hold(done: list[tuple[str, str]]) -> None:
    """The rule of what goes, written a second way: a list in the order of use, cut at its front."""
    entries, kept = LocalEntries(max_entries=3), list[str]()
    for what, name in done:
        entry = an_entry(name, vector=axis(0))
        used = what == "put" or (what == "touch" and name in kept)
        if what != "touch" or used:
            kept = [each for each in kept if each != name]
        kept = [*kept, name][-3:] if used else kept
        if what == "put":
            entries.put(entry, now_s=0.0)
        elif what == "touch":
            entries.touch(entry.id, now_s=0.0)
        else:
            entries.remove([entry.id])
    assert [entry.query for entry in entries.each()] == kept
    assert {entry.query for entry, _ in entries.nearest("p", axis(0), k=9)} == set(kept)


# in Redis alone


def test_processes_share_entries(redis_server: RedisServer) -> None:
    """An exact one at once; one for its vector within a second, when the log is read again."""
    now = [0.0]
    mine, theirs = (in_redis(redis_server, "shared", 10, clock=lambda: now[0]) for _ in range(2))
    assert theirs.nearest("p", axis(0), k=1) == ()
    entry = an_entry("a", vector=axis(0))
    mine.put(entry, now_s=0.0)
    assert theirs.nearest("p", axis(0), k=1) == ()
    assert theirs.get(entry.id) == entry
    now[0] = 1.5
    assert [found.query for found, _ in theirs.nearest("p", axis(0), k=1)] == ["a"]
    mine.remove([entry.id])
    now[0] = 3.0
    assert theirs.nearest("p", axis(0), k=1) == ()
    mine.close()
    theirs.close()


def test_a_copy_that_missed_changes_is_made_anew(redis_server: RedisServer) -> None:
    """Where the log was cut, and where the server has lost its data."""
    now = [0.0]
    mine, theirs = (in_redis(redis_server, "cut", 100, clock=lambda: now[0]) for _ in range(2))
    mine.put(an_entry("a", vector=axis(0)), now_s=0.0)
    assert theirs.nearest("p", axis(0), k=1)
    for name in "bcd":
        mine.put(an_entry(name, vector=axis(1)), now_s=0.0)
    client = redis_server.client()
    client.xtrim("ge:{cut}:cache:1:log", maxlen=1, approximate=False)
    now[0] = 2.0
    assert len(theirs.nearest("p", axis(1), k=9)) == 4
    for name in client.scan_iter("ge:{cut}:*"):
        client.delete(name)
    now[0] = 4.0
    assert theirs.nearest("p", axis(0), k=1) == ()
    mine.put(an_entry("e", vector=axis(2)), now_s=0.0)
    now[0] = 6.0
    assert [found.query for found, _ in theirs.nearest("p", axis(2), k=1)] == ["e"]
    client.close()


def test_a_value_is_compressed_json_and_expires_by_itself(redis_server: RedisServer) -> None:
    """No pickle, so that whoever writes to the server runs nothing here."""
    entries = in_redis(redis_server, "json", 10, clock=lambda: 0.0)
    entry = an_entry("a", vector=axis(0))
    entries.put(entry, now_s=40.0)
    with redis_server.client() as client:
        key = f"ge:{{json}}:cache:1:e:{entry.id}"
        assert json.loads(zlib.decompress(client.get(key)))["query"] == "a"
        assert 50_000 < client.pttl(key) <= 60_000


@pytest.mark.parametrize("body", [b"", b"rubbish", zlib.compress(b'{"schema": 99}'), zlib.compress(b"[1]")])
def test_what_is_no_entry_is_a_miss(redis_server: RedisServer, body: bytes) -> None:
    """As what a later version has written."""
    entries = in_redis(redis_server, f"rubbish-{next(NAMES)}", 10, clock=lambda: 0.0)
    with redis_server.client() as client:
        client.set(entries._of("e:x"), body)
    assert entries.get("x") is None


def test_a_full_server_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    """What it has is still read."""
    with running(tmp_path, maxmemory="3mb", maxmemory_policy="noeviction") as server:
        entries = in_redis(server, "full", 10_000, clock=lambda: 0.0)
        first = an_entry("first")
        entries.put(first, now_s=0.0)

        def fill() -> None:
            for number in range(40):
                entries.put(an_entry(str(number), answer=os.urandom(100_000)), now_s=0.0)

        with pytest.raises(StoreError, match="is full"):
            fill()
        again = in_redis(server, "full", 10_000, clock=lambda: 0.0)
        assert again.get(first.id) == first


def test_a_password_is_shown_to_nobody() -> None:
    """Neither in the location nor in an error."""
    entries = RedisEntries("redis://:hush@127.0.0.1:1/0", max_entries=1, environment={})
    assert "hush" not in entries.location
    with pytest.raises(StoreError) as raised:
        entries.get("x")
    assert "hush" not in str(raised.value)


def test_an_outage_is_an_error_that_costs_one_timeout() -> None:
    """Whoever uses the entries makes a miss of it."""
    entries = RedisEntries("redis://127.0.0.1:1/0", max_entries=1, environment={})
    for _ in range(3):
        with pytest.raises(StoreError, match=r"127\.0\.0\.1:1"):
            entries.get("x")


def test_a_location_that_is_none_is_refused() -> None:
    """With what would be right; none is in this process."""
    with pytest.raises(UsageError, match='"postgres://x" is no address of a server'):
        open_entries(Caching(mode="exact", location="postgres://x"), environment={})
    assert isinstance(open_entries(Caching(mode="exact"), environment={}), LocalEntries)
