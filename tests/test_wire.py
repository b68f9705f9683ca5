"""Records survive the way through plain values."""

from __future__ import annotations

import json
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.errors import StoreError
from gemma_eval.records import Channel, Delta, Failure, Outcome, SamplingProfile
from gemma_eval.wire import Plain, dump, dump_outcome, load, load_outcome, pack_deltas, unpack_deltas
from tests.examples import an_outcome

deltas = st.lists(
    st.builds(
        Delta,
        text=st.text(max_size=5),
        n_tokens=st.none() | st.integers(0, 9),
        at_ns=st.integers(-(2**63), 2**63 - 1),
        channel=st.sampled_from(("output", "reasoning", "tool_call")),
    ),
    max_size=20,
)


def test_an_outcome_is_the_same_after_it_has_crossed_a_process_boundary() -> None:
    """What a worker sends is what the controller stores."""
    outcome = an_outcome()
    assert load_outcome(dump_outcome(outcome)) == outcome


def test_an_outcome_that_failed_crosses_too() -> None:
    """A failure has no generation to pack."""
    failed = replace(
        an_outcome(), generation=None, measurement=None, failure=Failure(kind="timeout", message="late")
    )
    assert load_outcome(dump_outcome(failed)) == failed


def test_only_builtin_types_cross() -> None:
    """A worker's transport refuses NumPy scalars, so a scorer that returns one is turned into a float."""
    outcome = an_outcome()
    score = replace(outcome.scores[0], value=np.float64(0.5))
    plain = dump_outcome(replace(outcome, scores=(score,)))
    assert types_of(plain) <= {dict, list, str, int, float, bool, bytes, type(None)}
    assert load_outcome(plain).score == 0.5


def types_of(value: object) -> set[type]:
    """Return the types that occur anywhere in a nested value."""
    inner: list[object] = []
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    return {type(value)}.union(*(types_of(item) for item in inner))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), np.float32("nan")])
def test_a_number_that_json_cannot_carry_is_refused(number: float) -> None:
    """NaN would turn into null or 0 on the way."""
    with pytest.raises(StoreError, match="finite"):
        dump(SamplingProfile(name="x", temperature=number))


def test_a_record_survives_json() -> None:
    """Tuples come back as tuples, literals as themselves."""
    profile = SamplingProfile(name="x", stop=("a", "b"), mirostat=2)
    assert load(SamplingProfile, json.loads(json.dumps(dump(profile)))) == profile


def test_what_is_no_such_record_is_refused_with_the_place() -> None:
    """The message names the record and the field."""
    plain: dict[str, Plain] = {**dump(SamplingProfile(name="x")), "top_k": "many"}
    with pytest.raises(StoreError, match=r"SamplingProfile: top_k"):
        load(SamplingProfile, plain)
    with pytest.raises(StoreError, match="Outcome"):
        load(Outcome, {})


@dataclass(frozen=True)
class Odd:
    """A record that holds what no JSON can carry."""

    thing: object


def test_an_object_is_refused() -> None:
    """Only numbers, text and None are values."""
    with pytest.raises(StoreError, match="cannot be stored"):
        dump(Odd(thing=object()))


def texts_of(pieces: Sequence[Delta]) -> dict[Channel, str]:
    """Return the whole text of each channel."""
    channels: tuple[Channel, ...] = ("output", "reasoning", "tool_call")
    return {
        channel: "".join(piece.text for piece in pieces if piece.channel == channel) for channel in channels
    }


@given(pieces=deltas)
def test_deltas_survive_packing(pieces: list[Delta]) -> None:
    """Stamps, counts and the split of the text come back exactly."""
    assert unpack_deltas(pack_deltas(pieces), texts_of(pieces)) == tuple(pieces)


@given(pieces=deltas, extra=st.text(min_size=1, max_size=3))
def test_packed_deltas_of_another_text_are_refused(pieces: list[Delta], extra: str) -> None:
    """Stamps never attach to a text they were not taken from."""
    texts = texts_of(pieces)
    with pytest.raises(StoreError):
        unpack_deltas(pack_deltas(pieces), {**texts, "output": texts["output"] + extra})


@pytest.mark.parametrize("damage", [b"", b"123", bytes(8) + b"1" * 8, (99).to_bytes(8, "little")])
def test_damaged_stamps_are_refused(damage: bytes) -> None:
    """A truncated or overlong blob is an error, not a guess."""
    with pytest.raises(StoreError, match="stamps"):
        unpack_deltas(damage, {"output": "text"})


def test_the_stamps_of_a_long_answer_take_few_bytes() -> None:
    """Some four bytes for each delta of a millisecond, and not thirty-two."""
    chance, at_ns, pieces = random.Random(1), 123_456_789_012_345, []  # noqa: S311 - no secret
    for _ in range(256):
        at_ns += int(chance.gauss(650_000, 40_000))
        pieces.append(Delta(text="ab", n_tokens=1, at_ns=at_ns))
    assert len(pack_deltas(pieces)) < 5 * len(pieces)


def test_stamps_as_the_first_version_wrote_them_are_read() -> None:
    """Three columns of plain integers, and no channels."""
    pieces = (Delta(text="Os", n_tokens=1, at_ns=10**9), Delta(text="lo", n_tokens=None, at_ns=10**9 + 7))
    packed = array("q", [2, 10**9, 10**9 + 7, 1, -1, 2, 2]).tobytes()
    assert unpack_deltas(packed, {"output": "Oslo"}) == pieces
