"""Rates and concurrency of the requests of a load, over the time in which they were in flight.

The *whole* window goes from the first byte sent to the last answer ended of the measured requests. The
*steady* window begins with it and ends when the last request of all was sent, after which the load runs dry;
so with as many warm-up requests as there are in flight the engine is under full load in all of it. An event
at its beginning is outside of it and one at its end inside, since what ends when a request is sent was before
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from gemma_eval.records import Generation, Outcome
from gemma_eval.stats.requests import answers, sent


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """What was done per second of `duration_s`; tokens are `None` where an engine did not count them all.

    Those of the input are read, those of the output written, and the total is both.
    """

    duration_s: float
    requests_per_s: float
    output_tokens_per_s: float | None
    input_tokens_per_s: float | None
    total_tokens_per_s: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """What went through an engine: the measured requests in the whole window, and all in the steady one.

    `steady` is `None` where the last request was sent no later than the first. Concurrency is that of the
    whole window, with requests of warm-up and cool-down that reach into it.
    """

    whole: Rates
    steady: Rates | None
    concurrency_mean: float
    concurrency_max: int


def traffic(outcomes: Sequence[Outcome]) -> Traffic | None:
    """Return the traffic of all requests of a cell, `None` where none was sent or no time went by."""
    measured = [outcome for outcome in outcomes if outcome.phase == "measured"]
    begin_ns = min((made.requested_ns for made in sent(measured)), default=0)
    end_ns = max((made.ended_ns for made in sent(measured)), default=0)
    if end_ns <= begin_ns:
        return None
    whole = _Window(begin_ns=begin_ns, end_ns=end_ns)
    last_ns = min(max(made.requested_ns for made in sent(outcomes)), end_ns)
    steady = _Window(begin_ns=begin_ns, end_ns=last_ns) if last_ns > begin_ns else None
    mean, most = _concurrency(outcomes, whole)
    return Traffic(
        whole=_rates([_Part(made) for made in answers(measured)], whole),
        steady=_rates([_part(made, steady) for made in answers(outcomes)], steady) if steady else None,
        concurrency_mean=mean,
        concurrency_max=most,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Window:
    """A time between two stamps, the second later than the first."""

    begin_ns: int
    end_ns: int

    def share(self, weights: Sequence[tuple[int, int]]) -> float:
        """Return which share of the weights, each at a stamp, falls into the window."""
        within = sum(weight for at_ns, weight in weights if self.begin_ns < at_ns <= self.end_ns)
        return within / sum(weight for _, weight in weights)


@dataclass(frozen=True, slots=True)
class _Part:
    """The shares of a request, of the reading of its prompt and of its answer that count."""

    made: Generation
    ended: float = 1.0
    read: float = 1.0
    written: float = 1.0


def _part(made: Generation, window: _Window) -> _Part:
    """Return what of a request was within a window.

    It is done when it ends, its prompt is read when the first token comes, and its tokens are written when
    their deltas come: by their counts where the engine says them, else in equal parts.
    """
    counts = [(delta.at_ns, delta.n_tokens) for delta in made.deltas]
    if any(count is None for _, count in counts):
        counts = [(delta.at_ns, 1) for delta in made.deltas if delta.text]
    stamps = [(at_ns, count) for at_ns, count in counts if count] or [(made.ended_ns, 1)]
    ended = window.share([(made.ended_ns, 1)])
    return _Part(made, ended, window.share(stamps[:1]), window.share(stamps))


def _rates(parts: Sequence[_Part], window: _Window) -> Rates:
    duration_s = (window.end_ns - window.begin_ns) / 1e9
    written = [(part.made.output_tokens, part.written) for part in parts]
    read = [(part.made.prompt_tokens, part.read) for part in parts]
    return Rates(
        duration_s=duration_s,
        requests_per_s=sum(part.ended for part in parts) / duration_s,
        output_tokens_per_s=_rate(written, duration_s),
        input_tokens_per_s=_rate(read, duration_s),
        total_tokens_per_s=_rate([*read, *written], duration_s),
    )


def _rate(shares: Sequence[tuple[int | None, float]], duration_s: float) -> float | None:
    """Return the sum of shares of counts per second, `None` when a count is unknown."""
    known = [count * share for count, share in shares if count is not None]
    return sum(known) / duration_s if len(known) == len(shares) else None


def _concurrency(outcomes: Sequence[Outcome], window: _Window) -> tuple[float, int]:
    """Return how many requests were in flight within a window, in the mean over its time and at most.

    A request is in flight from when it is sent until just before it has ended. Where none reaches over the
    window the mean is the sum of their durations by that of the window (Little's law).
    """
    spans = [
        (max(one.requested_ns, window.begin_ns), min(one.ended_ns, window.end_ns)) for one in sent(outcomes)
    ]
    inside = [(begin_ns, end_ns) for begin_ns, end_ns in spans if end_ns > begin_ns]
    together_ns = sum(end_ns - begin_ns for begin_ns, end_ns in inside)
    # At one stamp an end (-1) comes before a beginning (+1).
    steps = sorted(step for begin_ns, end_ns in inside for step in ((begin_ns, 1), (end_ns, -1)))
    most = max(accumulate(by for _, by in steps), default=0)
    return together_ns / (window.end_ns - window.begin_ns), most
