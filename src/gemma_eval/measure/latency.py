"""The latencies and rates of one generation, computed from its stamps alone.

A *token-bearing* delta carries at least one token; where the count is unknown, one with text. With t_first
and t_last the stamps of the first and the last of them, n_out the engine's count of output tokens and
n_first the tokens of the first:

    ttft = t_first - requested                    tpot = (t_last - t_first) / (n_out - n_first)
    e2e = t_last - requested                      output_tokens_per_s = 1 / tpot
    max_stall = longest gap between two deltas    prompt_tokens_per_s = (prompt - cached) / ttft

What cannot be had is `None`, with a reason code in `missing`:

    not_generated     the text was given and read, not written
    batched           answers were decoded together, so that none has times of its own
    no_tokens         nothing was generated
    not_streamed      the answer came in one piece, without deltas: only e2e is known, up to the end
    single_delta      all tokens came at once, so there is no time between tokens
    no_usage          the engine gave no count of output tokens, or of prompt tokens
    no_delta_tokens   it is unknown how many tokens the first delta carried
    count_mismatch    the engine counts no more tokens than the first delta of several carried
    cache_unknown     the engine did not say how many prompt tokens it had cached
    all_cached        every prompt token was cached, so none was read
    zero_duration     two stamps are equal, so there is no rate
    clock_went_back   a stamp lies before an earlier one
    failed            the generation ended in an error
    no_memory_reading memory was not watched
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

from gemma_eval.records import Delta, Generation, Measurement

Seconds = float | str
"""A value, or the reason code why there is none."""

Making = Literal["written", "read"]
"""How the text of a generation came about: the model wrote it, or it was given and the model read it."""


class MemoryReading(Protocol):
    """The memory that a generation took, in bytes."""

    @property
    def peak_bytes(self) -> int:
        """The highest reading."""

    @property
    def mean_bytes(self) -> int:
        """The mean reading."""


def measure(generation: Generation, *, memory: MemoryReading | None, made: Making = "written") -> Measurement:
    """Return what `generation` cost; each field that is `None` has its reason in `missing`."""
    events = tuple(delta for delta in generation.deltas if _bears_tokens(delta))
    fault = _fault(generation, events, made)
    times = _Times.of_fault(fault, generation) if fault else _Times.of(generation, events)
    found: dict[str, float | str] = {
        "ttft_s": times.ttft_s,
        "tpot_s": times.tpot_s,
        "e2e_s": times.e2e_s,
        "output_tokens_per_s": _inverse(times.tpot_s),
        "prompt_tokens_per_s": _prompt_rate(generation, times.ttft_s),
        "max_stall_s": times.max_stall_s,
    }
    missing = {name: value for name, value in found.items() if isinstance(value, str)}
    values = {name: None if isinstance(value, str) else value for name, value in found.items()}
    if generation.output_tokens is None:
        missing["output_tokens"] = "no_usage"
    if memory is None:
        missing |= dict.fromkeys(("peak_memory_bytes", "mean_memory_bytes"), "no_memory_reading")
    return Measurement(
        **values,
        output_tokens=generation.output_tokens,
        peak_memory_bytes=memory.peak_bytes if memory else None,
        mean_memory_bytes=memory.mean_bytes if memory else None,
        missing=missing,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Times:
    """The times of one generation in seconds, or why there are none."""

    ttft_s: Seconds
    tpot_s: Seconds
    e2e_s: Seconds
    max_stall_s: Seconds

    @classmethod
    def of(cls, generation: Generation, events: tuple[Delta, ...]) -> _Times:
        stamps = [delta.at_ns for delta in events]
        gaps = [later - earlier for earlier, later in pairwise(stamps)]
        return cls(
            ttft_s=(stamps[0] - generation.requested_ns) / _NS,
            tpot_s=_per_token(generation, events),
            e2e_s=(stamps[-1] - generation.requested_ns) / _NS,
            max_stall_s=max(gaps) / _NS if gaps else "single_delta",
        )

    @classmethod
    def of_fault(cls, reason: str, generation: Generation) -> _Times:
        ended: Seconds = reason
        if reason == "not_streamed":
            ended = (generation.ended_ns - generation.requested_ns) / _NS
        return cls(ttft_s=reason, tpot_s=reason, e2e_s=ended, max_stall_s=reason)


_NS = 1_000_000_000


def _bears_tokens(delta: Delta) -> bool:
    return bool(delta.text) if delta.n_tokens is None else delta.n_tokens > 0


def _fault(generation: Generation, events: tuple[Delta, ...], made: Making) -> str | None:
    """Return the reason why no time at all can be had, `None` when times can be had."""
    if generation.finish_reason == "error":
        return "failed"
    if made == "read":
        return "not_generated"
    if generation.batch_size > 1:
        return "batched"
    stamps = [generation.requested_ns, *(delta.at_ns for delta in generation.deltas), generation.ended_ns]
    if stamps != sorted(stamps):
        return "clock_went_back"
    if events:
        return None
    return "not_streamed" if generation.output_tokens or generation.text else "no_tokens"


def _per_token(generation: Generation, events: tuple[Delta, ...]) -> Seconds:
    if len(events) == 1:
        return "single_delta"
    if generation.output_tokens is None:
        return "no_usage"
    first = events[0].n_tokens
    if first is None:
        # As many deltas as tokens: each carried one.
        if len(events) != generation.output_tokens:
            return "no_delta_tokens"
        first = 1
    tokens = generation.output_tokens - first
    if tokens < 1:
        return "count_mismatch"
    return (events[-1].at_ns - events[0].at_ns) / (_NS * tokens)


def _inverse(seconds: Seconds) -> Seconds:
    if isinstance(seconds, str):
        return seconds
    return 1 / seconds if seconds else "zero_duration"


def _prompt_rate(generation: Generation, ttft_s: Seconds) -> Seconds:
    """Return prompt tokens read per second up to the first token, whatever the engine's own timing says."""
    if isinstance(ttft_s, str):
        return ttft_s
    if generation.prompt_tokens is None:
        return "no_usage"
    if generation.cached_tokens is None:
        return "cache_unknown"
    read = generation.prompt_tokens - generation.cached_tokens
    if read < 1:
        return "all_cached"
    return read / ttft_s if ttft_s else "zero_duration"
