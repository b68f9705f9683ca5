"""What llama-server streamed, read once it has ended: deltas with their tokens, why it ended, timings."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gemma_eval.errors import BackendError
from gemma_eval.records import Delta, FinishReason

Json = Any  # a chunk of the stream; each function narrows what it reads


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An answer as the engine told it.

    `timings` are its own numbers, `settings` what it says that it drew with. `error` is what it said when it
    broke off; then there are neither.
    """

    deltas: tuple[Delta, ...]
    finish_reason: FinishReason
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    timings: Mapping[str, float]
    settings: Mapping[str, object]
    error: str | None = None


def read(
    pieces: Sequence[tuple[int, bytes]], *, text_of: Callable[[Sequence[int]], str], silent: Collection[int]
) -> Reply:
    """Read the pieces of a stream, each with its stamp. Raises BackendError when they are no such stream.

    `text_of` joins the texts of tokens, `silent` are the control tokens, which have none.

    A delta is a text with all tokens since the one before, as in `backends.answer`: the end-of-turn token
    counts for none, nor do tokens that only spell a stop string. llama-server drops the text that it still
    holds back at a limit of tokens; what may have become a stop string is made again from its tokens, and
    bytes that are no whole character become one replacement character.
    """
    chunks = [(at_ns, _parsed(piece)) for at_ns, piece in pieces]
    try:
        return _read(chunks, lambda ids: text_of([token for token in ids if token not in silent]))
    except (AttributeError, LookupError, TypeError) as error:
        raise BackendError(f"llama.cpp streamed an answer of an unknown form: {error!r}") from error


def _read(chunks: Sequence[tuple[int, Json]], text_of: Callable[[Sequence[int]], str]) -> Reply:
    errors = [chunk["error"] for _, chunk in chunks if "error" in chunk]
    told = [(at_ns, chunk["__verbose"]) for at_ns, chunk in chunks if "__verbose" in chunk]
    parts = [(at_ns, part) for at_ns, part in told if not part["stop"]]
    ends = [(at_ns, part) for at_ns, part in told if part["stop"]]
    if errors or not ends:
        return _broken(parts, errors)
    at_ns, end = ends[-1]
    why = end["stop_type"]
    writing = _Writing(end["tokens_predicted"] - (why == "eos"))
    for part_ns, part in parts:
        writing.take(part, at_ns=part_ns)
    if why != "word":
        writing.finish(text_of, at_ns=at_ns)
    return Reply(
        deltas=tuple(writing.deltas),
        finish_reason="length" if why == "limit" else "stop",
        prompt_tokens=end["tokens_evaluated"],
        cached_tokens=end["timings"]["cache_n"],
        timings=_timings(end["timings"]),
        settings=end["generation_settings"],
    )


def heard(piece: bytes) -> str:
    """Return the text that a piece adds to an answer as it comes; "" where it adds none, or is none."""
    try:
        part = json.loads(piece)["__verbose"]
        return "" if part["stop"] else str(part["content"])
    except (ValueError, LookupError, TypeError):
        return ""  # what is wrong with it is said when the whole stream is read


class _Writing:
    """The deltas so far, and the tokens that have come since the last."""

    def __init__(self, tokens: int) -> None:
        """The answer has so many tokens; what the engine counts beyond them ended it."""
        self.deltas: list[Delta] = []
        self._tokens = tokens
        self._counted = 0
        self._waiting = 0
        self._untold: list[int] = []

    def take(self, part: Json, *, at_ns: int) -> None:
        """Take one part; it has no text while its tokens are held back."""
        counted = min(part["tokens_predicted"], self._tokens)
        if counted > self._counted:
            self._untold.extend(part["tokens"])
        self._waiting += counted - self._counted
        self._counted = counted
        if part["content"]:
            self._emit(part["content"], at_ns)

    def finish(self, text_of: Callable[[Sequence[int]], str], *, at_ns: int) -> None:
        """Add what no part told: the tokens that were held back when the answer ended."""
        self._waiting += self._tokens - self._counted
        if self._waiting:
            incomplete = self._waiting > len(self._untold)
            self._emit(text_of(self._untold) + (_REPLACEMENT if incomplete else ""), at_ns)

    def _emit(self, text: str, at_ns: int) -> None:
        self.deltas.append(Delta(text=text, n_tokens=self._waiting, at_ns=at_ns))
        self._waiting = 0
        self._untold = []


_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def _parsed(piece: bytes) -> Json:
    try:
        chunk = json.loads(piece)
    except ValueError as error:
        raise BackendError(f"llama.cpp streamed what is no JSON: {piece[:200]!r}") from error
    if not isinstance(chunk, dict) or not ({"error", "__verbose"} & set(chunk)):
        raise BackendError(
            f"llama.cpp streamed a piece without an account of its tokens: {piece[:200]!r}; "
            "xllamacpp 2026.10 or later is needed"
        )
    return chunk


def _broken(parts: Sequence[tuple[int, Json]], errors: Sequence[Json]) -> Reply:
    """Return what had come when the stream ended in an error, or in nothing."""
    writing = _Writing(parts[-1][1]["tokens_predicted"] if parts else 0)
    for at_ns, part in parts:
        writing.take(part, at_ns=at_ns)
    said = errors[0].get("message", errors[0]) if errors else "the stream ended before the answer did"
    return Reply(
        deltas=tuple(writing.deltas), finish_reason="error", timings={}, settings={}, error=str(said)
    )


def _timings(told: Mapping[str, float]) -> Mapping[str, float]:
    """Return the engine's numbers, `predicted_ms` also as `decode_ms` and its rate under our name.

    It counts the steps between tokens: one token alone has no rate.
    """
    rate = told.get("predicted_per_second", 0.0)
    ours = {"decode_ms": told["predicted_ms"], **({"output_tokens_per_s": rate} if rate > 0 else {})}
    return {**told, **ours}
