"""The event row of one generation: its stamps in nanoseconds, the pieces with tokens, and why there are none.

A *token-bearing* delta carries at least one token; where its count is unknown, one with text. It may be of
any channel. The engine's count of tokens is authoritative; some engines count the token that ends a turn as
well, which never comes as a delta and so takes no part in the time per token.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

from gemma_eval.records import Cached, Case, Delta, Generation, Phase

Value = float | str
"""A number, or the reason code why there is none."""

Making = Literal["written", "read", "cached"]
"""How the text of a generation came about: written by the model, given and read by it, or written before."""


def made_how(case: Case, cached: Cached | None) -> Making:
    """Return how the answer to a case came about."""
    if cached is not None and cached.is_hit:
        return "cached"
    return "read" if case.is_read else "written"


@dataclass(frozen=True)
class Events:
    """The stamps that formulas are made of; a stamp that is not known is its reason code."""

    generation: Generation

    @cached_property
    def bearing(self) -> tuple[Delta, ...]:
        """The token-bearing deltas; none where the answer did not come in pieces."""
        deltas = self.generation.deltas if self.generation.streamed else ()
        return tuple(delta for delta in deltas if _bears_tokens(delta))

    @property
    def gap(self) -> str:
        """The reason why there is no token-bearing delta."""
        g = self.generation
        came_whole = not g.streamed or (bool(g.text) and not g.deltas)
        answered = g.output_tokens or g.text or g.reasoning or g.tool_calls
        return "not_streamed" if came_whole and answered else "no_tokens"

    @property
    def t_first_chunk(self) -> int | str:
        """When the first piece of any kind came."""
        deltas = self.generation.deltas
        return deltas[0].at_ns if deltas and self.generation.streamed else self.gap

    @property
    def t_first_token(self) -> int | str:
        """When the first token of any channel came."""
        return self.bearing[0].at_ns if self.bearing else self.gap

    @property
    def t_first_output_token(self) -> int | str:
        """When the first token came that is for the user."""
        stamps = (delta.at_ns for delta in self.bearing if delta.channel == "output")
        return next(stamps, "no_output" if self.bearing else self.gap)

    @property
    def t_last_token(self) -> int | str:
        """When the last token came; the end, where all came whole."""
        if self.bearing:
            return self.bearing[-1].at_ns
        return self.generation.ended_ns if self.gap == "not_streamed" else self.gap

    @cached_property
    def n_seen(self) -> int | str:
        """The tokens that had come by `t_last_token`: what the deltas tell, or else the engine's count.

        An engine may count tokens that have no delta: the one that ends a turn, those of a stop text. Where
        some deltas do not tell their counts, one token more than there can be deltas for ended the turn,
        unless a delta without text may have carried it, as one with the first half of a character does.
        """
        n_out = self.generation.output_tokens
        if n_out is None:
            return "no_usage"
        if not self.bearing:
            return n_out
        told = [delta.n_tokens for delta in self.bearing]
        if n_out < max(1, sum(count or 0 for count in told)):
            return "count_mismatch"
        least = sum(1 if count is None else count for count in told)
        may_be_unseen = any(delta.n_tokens is None and not delta.text for delta in self.generation.deltas)
        by_the_model = self.generation.finish_reason in _BY_THE_MODEL and not may_be_unseen
        ended_the_turn = n_out == least + 1 and by_the_model
        return least if None not in told or ended_the_turn else n_out

    @cached_property
    def counts(self) -> tuple[int, ...] | str:
        """The tokens of each token-bearing delta; those that do not tell have one each, if that adds up."""
        if isinstance(self.n_seen, str):
            return self.n_seen
        counts = tuple(1 if delta.n_tokens is None else delta.n_tokens for delta in self.bearing)
        return counts if sum(counts) == self.n_seen else "no_delta_tokens"

    @property
    def n_after_first(self) -> int | str:
        """The tokens that came after the first token-bearing delta."""
        if len(self.bearing) < 2:
            return "single_delta" if self.bearing else self.gap
        if isinstance(self.n_seen, str):
            return self.n_seen
        first = self.bearing[0].n_tokens if isinstance(self.counts, str) else self.counts[0]
        if first is None:
            return "no_delta_tokens"
        return self.n_seen - first if self.n_seen > first else "count_mismatch"

    @property
    def gaps_ns(self) -> tuple[int, ...]:
        """The times between token-bearing deltas."""
        return tuple(later.at_ns - earlier.at_ns for earlier, later in pairwise(self.bearing))


def fault(generation: Generation, *, made: Making, phase: Phase) -> str | None:
    """Return the first reason why times of this generation do not count, `None` when all do.

    After *timeout*, the last of them, what had come before the limit counts all the same.
    """
    reasons = {
        "failed": generation.finish_reason == "error",
        "cached": made == "cached",
        "retried": bool(generation.attempts),
        phase: phase != "measured",
        "not_generated": made == "read",
        "batched": generation.batch_size > 1,
        "clock_went_back": not _in_order(generation),
        "timeout": generation.finish_reason == "timeout",
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def icl_s(generation: Generation) -> tuple[float, ...]:
    """Return the gaps between token-bearing deltas in seconds: what can be seen of any stream."""
    return tuple(gap / NS for gap in Events(generation).gaps_ns)


def itl_s(generation: Generation) -> tuple[float, ...] | None:
    """Return the time of each token after the first delta, in seconds; `None` where counts are unknown.

    The k tokens of a delta take a k-th of its gap each, so that the mean is the time per output token.
    """
    events = Events(generation)
    if isinstance(events.counts, str):
        return None
    after = zip(events.gaps_ns, events.counts[1:], strict=True) if events.gaps_ns else ()
    return tuple(gap / (count * NS) for gap, count in after for _ in range(count))


NS = 1_000_000_000
"""Nanoseconds of a second."""

_BY_THE_MODEL = ("stop", "tool_calls")
"""How an answer ends that ends with a token of its own, which is no text."""


def _bears_tokens(delta: Delta) -> bool:
    return bool(delta.text) if delta.n_tokens is None else delta.n_tokens > 0


def _in_order(generation: Generation) -> bool:
    """Whether every stamp lies where the order of events has it; those that are not known are left out."""
    g = generation
    before = (g.scheduled_ns, g.dequeued_ns, g.connected_ns, g.requested_ns, g.headers_ns)
    stamps = [stamp for stamp in before if stamp is not None]
    stamps += [delta.at_ns for delta in g.deltas]
    usage = () if g.usage_ns is None else (g.requested_ns, g.usage_ns, g.ended_ns)
    return all(earlier <= later for earlier, later in (*pairwise([*stamps, g.ended_ns]), *pairwise(usage)))
