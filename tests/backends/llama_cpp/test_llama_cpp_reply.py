"""What llama-server streams, read: which tokens a delta carries, what was held back, what breaks off."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from gemma_eval.backends.llama_cpp.reply import Reply, read
from gemma_eval.errors import BackendError
from gemma_eval.records import Delta

EOG = 5
TEXTS = {10: "I", 11: " do", 12: " not", 13: " know", EOG: "<end_of_turn>"}
TIMINGS = {
    "cache_n": 0,
    "prompt_n": 14,
    "prompt_ms": 2.5,
    "predicted_n": 6,
    "predicted_ms": 1.5,
    "predicted_per_second": 4000.0,
}


def part(text: str, tokens: Sequence[int], counted: int) -> bytes:
    """Return a part as llama-server streams it: a text, its last token, and how many there are so far."""
    account = {"content": text, "tokens": list(tokens), "tokens_predicted": counted, "stop": False}
    return json.dumps({"choices": [{"text": text}], "__verbose": account}).encode()


def end(counted: int, why: str, **timings: float) -> bytes:
    """Return the last part."""
    account: dict[str, Any] = {"content": "", "tokens": [], "tokens_predicted": counted, "stop": True}
    account |= {"stop_type": why, "tokens_evaluated": 14, "generation_settings": {"top_k": 0}}
    return json.dumps({"__verbose": {**account, "timings": {**TIMINGS, **timings}}}).encode()


def reply(*pieces: bytes) -> Reply:
    """Read pieces that came at 100, 200, … ns."""
    stamped = [(100 * number, piece) for number, piece in enumerate(pieces, start=1)]
    return read(stamped, text_of=lambda ids: "".join(TEXTS[token] for token in ids), silent={EOG})


def test_a_delta_has_the_stamp_of_its_part_and_its_one_token() -> None:
    """The usual stream: a part for each token."""
    found = reply(part("I", [10], 1), part(" do", [11], 2), end(2, "limit"))
    assert found.deltas == (
        Delta(text="I", n_tokens=1, at_ns=100),
        Delta(text=" do", n_tokens=1, at_ns=200),
    )
    assert found.finish_reason == "length"


def test_an_end_of_turn_is_no_token_of_the_answer() -> None:
    """llama-server counts it, and streams a part without text for it."""
    found = reply(part("I", [10], 1), part("", [EOG], 2), end(2, "eos"))
    assert found.deltas == (Delta(text="I", n_tokens=1, at_ns=100),)
    assert found.finish_reason == "stop"


def test_an_end_of_turn_at_once_is_an_answer_without_tokens() -> None:
    """Nothing was written."""
    assert reply(part("", [EOG], 1), end(1, "eos")).deltas == ()


def test_tokens_without_text_arrive_with_the_next_text() -> None:
    """Parts of a character have no part of the stream: the next count tells how many there were."""
    found = reply(part("I", [10], 1), part("é", [12], 3), end(3, "limit"))
    assert [(delta.text, delta.n_tokens) for delta in found.deltas] == [("I", 1), ("é", 2)]


def test_what_an_end_of_turn_releases_has_the_tokens_that_waited() -> None:
    """Text that may have become a stop string comes with the part of the end-of-turn token."""
    found = reply(part("I", [10], 1), part("", [11], 2), part(" do", [EOG], 3), end(3, "eos"))
    assert [(delta.text, delta.n_tokens, delta.at_ns) for delta in found.deltas] == [
        ("I", 1, 100),
        (" do", 1, 300),
    ]


def test_a_stop_string_takes_its_tokens_with_it() -> None:
    """Those that only spell it are no output; what stands before it in a token is."""
    found = reply(part("I", [10], 1), part("", [11], 2), part("", [12], 3), end(3, "word"))
    assert found.deltas == (Delta(text="I", n_tokens=1, at_ns=100),)
    assert found.finish_reason == "stop"


def test_text_that_is_held_back_at_the_limit_is_made_from_its_tokens() -> None:
    """It may have become a stop string, and did not; llama-server drops it from a stream."""
    found = reply(part("I", [10], 1), part("", [11], 2), part("", [12], 3), end(3, "limit"))
    assert found.deltas[1:] == (Delta(text=" do not", n_tokens=2, at_ns=400),)


def test_a_character_that_is_incomplete_at_the_end_is_one_replacement_character() -> None:
    """Its tokens have no part of their own, and their bytes are told nowhere."""
    found = reply(part("I", [10], 1), end(3, "limit"))
    assert found.deltas[1:] == (Delta(text="\N{REPLACEMENT CHARACTER}", n_tokens=2, at_ns=200),)


def test_an_incomplete_character_before_the_end_of_turn_is_shown_as_well() -> None:
    """No part tells of the end-of-turn token then; the last count does."""
    found = reply(part("I", [10], 1), end(3, "eos"))
    assert found.deltas[1:] == (Delta(text="\N{REPLACEMENT CHARACTER}", n_tokens=1, at_ns=200),)


def test_a_control_token_has_no_text() -> None:
    """It is counted, as the NumPy Gemma counts it."""
    found = reply(part("I", [10], 1), part("", [EOG], 2), end(2, "limit"))
    assert found.deltas[1:] == (Delta(text="", n_tokens=1, at_ns=300),)


def test_timings_are_the_engines_own_numbers_and_have_our_names_too() -> None:
    """`decode_ms` for its `predicted_ms`, and its rate of output."""
    found = reply(part("I", [10], 1), end(1, "limit"))
    assert found.timings == {**TIMINGS, "decode_ms": 1.5, "output_tokens_per_s": 4000.0}
    assert (found.prompt_tokens, found.cached_tokens) == (14, 0)


def test_a_single_token_has_no_rate() -> None:
    """llama-server says 0 for no step between tokens."""
    found = reply(part("I", [10], 1), end(1, "limit", predicted_per_second=0.0))
    assert "output_tokens_per_s" not in found.timings


def test_what_came_before_an_error_is_kept() -> None:
    """With the stamps of what came."""
    error = json.dumps({"error": {"code": 500, "message": "no memory", "type": "server_error"}}).encode()
    found = reply(part("I", [10], 1), part(" do", [11], 2), error)
    assert found.error == "no memory"
    assert found.finish_reason == "error"
    assert [delta.text for delta in found.deltas] == ["I", " do"]


def test_a_stream_without_an_end_is_an_error() -> None:
    """An answer that stopped is not taken for one that ended."""
    assert reply(part("I", [10], 1)).error == "the stream ended before the answer did"
    assert reply().error == "the stream ended before the answer did"


@pytest.mark.parametrize(
    ("piece", "what"),
    [
        (b"{", "what is no JSON"),
        (b"\xff\xfe", "what is no JSON"),
        (b"[]", "without an account of its tokens"),
        (b'{"choices": [{"text": "I"}]}', "xllamacpp 2026.10 or later is needed"),
        (b'{"__verbose": {"stop": true}}', "of an unknown form"),
        (b'{"__verbose": {"stop": false}}', "of an unknown form"),
        (b'{"__verbose": []}', "of an unknown form"),
    ],
)
def test_what_is_no_such_stream_is_a_backend_error(piece: bytes, what: str) -> None:
    """One sentence that shows it, and no traceback of a parser."""
    with pytest.raises(BackendError, match=what):
        reply(piece)
