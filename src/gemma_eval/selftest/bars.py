"""What the errors and costs of measuring may be at most, on a quiet machine and on a busy one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gemma_eval.selftest.arm import Arm
from gemma_eval.selftest.compare import Errors, StreamError
from gemma_eval.selftest.overhead import Overhead


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A figure with the most that it may be, and the least for what must be exact.

    A figure of `None` is not known, and a `most` of `None` asks nothing.
    """

    what: str
    measured: float | None
    most: float | None
    least: float | None = None
    unit: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether the figure is within its bar, `None` where nothing is asked or known."""
        if self.most is None or self.measured is None:
            return None
        return (self.least is None or self.least <= self.measured) and self.measured <= self.most


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The most that streams may be off, in ms; `tpot_share` is of each stream's true time per token."""

    itl_ms: float
    tpot_ms: float
    tpot_share: float = 0.0
    ttft_p50_ms: float
    ttft_p99_ms: float | None = None

    def tpot_limit_ms(self, stream: StreamError) -> float:
        """Return the most that the time per output token of this stream may be off."""
        return max(self.tpot_ms, self.tpot_share * stream.true_tpot_ms)


LIMITS: Mapping[tuple[int, Arm], Limits] = MappingProxyType(
    {
        (1, "quiet"): Limits(itl_ms=0.1, tpot_ms=0.05, tpot_share=0.002, ttft_p50_ms=1, ttft_p99_ms=5),
        (16, "quiet"): Limits(itl_ms=0.25, tpot_ms=0.3, ttft_p50_ms=3),
        (64, "quiet"): Limits(itl_ms=0.5, tpot_ms=0.5, ttft_p50_ms=5),
        (1, "busy"): Limits(itl_ms=0.5, tpot_ms=1, ttft_p50_ms=10),
        (16, "busy"): Limits(itl_ms=1.25, tpot_ms=6, ttft_p50_ms=30),
        (64, "busy"): Limits(itl_ms=2.5, tpot_ms=10, ttft_p50_ms=50),
    }
)
"""The limits by streams in flight; several are allowed the more on a busy machine by which one is.

The tails of a busy machine are its scheduler's: nothing is asked of them.
"""

US_PER_TOKEN, MS_PER_REQUEST, HTTP_CPU_US_PER_TOKEN = 5.0, 0.5, 100.0
"""The most that measuring may cost: in this process, and in processor time of an HTTP client."""

DEARER: Mapping[Arm, float] = MappingProxyType({"quiet": 1, "busy": 10})
"""How many times longer it may take where others take the processors away."""

MORE_WORK: Mapping[Arm, float] = MappingProxyType({"quiet": 1, "busy": 2})
"""How many times more work it may be where others empty the caches."""


def of_overhead(overhead: Overhead, arm: Arm) -> tuple[Bar, ...]:
    """Return the bars of an engine in this process."""
    token, request = US_PER_TOKEN * DEARER[arm], MS_PER_REQUEST * DEARER[arm]
    return (
        Bar(what="for each token", measured=overhead.us_per_token, most=token, unit="µs"),
        Bar(what="for each request", measured=overhead.ms_per_request, most=request, unit="ms"),
    )


def of_gaps(errors: Errors, limits: Limits) -> tuple[Bar, ...]:
    """Return the bars of the times between tokens; of the stream whose TPOT is nearest to its limit."""
    if not errors.streams:
        return ()
    worst = max(errors.streams, key=lambda stream: abs(stream.tpot_ms) / limits.tpot_limit_ms(stream))
    tpot_ms, limit_ms = abs(worst.tpot_ms), limits.tpot_limit_ms(worst)
    return (
        Bar(what="time between tokens: median error", measured=errors.itl_ms, most=limits.itl_ms, unit="ms"),
        Bar(what="TPOT: largest error of a stream", measured=tpot_ms, most=limit_ms, unit="ms"),
    )


def of_ttft(errors: Errors, limits: Limits) -> tuple[Bar, ...]:
    """Return the bars of the time to first token; the tail where there are streams enough to know it."""
    if not errors.streams:
        return ()
    p50, p99 = errors.ttft_p50_ms, errors.ttft_p99_ms
    bars = [Bar(what="TTFT: median error", measured=p50, most=limits.ttft_p50_ms, unit="ms")]
    if p99 is not None:
        bars.append(Bar(what="TTFT: p99 error", measured=p99, most=limits.ttft_p99_ms, unit="ms"))
    return tuple(bars)


def of_work(cpu_us_per_token: float, arm: Arm) -> Bar:
    """Return the bar of a client's processor time, the making of its requests included."""
    most = HTTP_CPU_US_PER_TOKEN * MORE_WORK[arm]
    return Bar(what="processor time for each token", measured=cpu_us_per_token, most=most, unit="µs")


def exactly(what: str, measured: int, wanted: int) -> Bar:
    """Return the bar of a count that must be `wanted`, no more and no less."""
    return Bar(what=what, measured=measured, most=wanted, least=wanted)
