"""How far the times that a client measured of streams are off those of the server that sent them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from gemma_eval.measure.events import icl_s
from gemma_eval.measure.latency import measure
from gemma_eval.records import Generation
from gemma_eval.selftest.ledger import Served
from gemma_eval.stats.percentiles import percentile

_S_PER_NS = 1e-9
_MS_PER_S = 1e3


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamError:
    """What is measured of one stream minus what is true, in milliseconds.

    `ttft_ms` holds the way to the server and back. `gaps_ms` has one value for each gap between pieces.
    """

    ttft_ms: float
    gaps_ms: tuple[float, ...]
    tpot_ms: float
    true_tpot_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Errors:
    """The errors of several streams; those that cannot be compared, piece by piece, are `lost`."""

    streams: tuple[StreamError, ...]
    lost: int

    @property
    def ttft_ms(self) -> float:
        """The median error of the time to first token, with its sign.

        It may be negative: a server can have a request before the client's writing of it returns.
        """
        return median(stream.ttft_ms for stream in self.streams)

    @property
    def ttft_p50_ms(self) -> float:
        """The median of the absolute errors of the time to first token."""
        return median(abs(stream.ttft_ms) for stream in self.streams)

    @property
    def ttft_p99_ms(self) -> float | None:
        """The 99th percentile of them, `None` below 100 streams."""
        return percentile([abs(stream.ttft_ms) for stream in self.streams], 99)

    @property
    def itl_ms(self) -> float:
        """The median of the absolute errors of all gaps."""
        return median(abs(gap) for stream in self.streams for gap in stream.gaps_ms)

    @property
    def tpot_ms(self) -> float:
        """The largest absolute error of the time per output token that any stream has."""
        return max(abs(stream.tpot_ms) for stream in self.streams)


def stream_error(generation: Generation, served: Served) -> StreamError | None:
    """Compare what gemma_eval makes of one stream with the truth.

    `None` where there is nothing to compare: a piece was not seen, or a time was not measured.
    """
    measured = measure(generation)
    gaps_s = icl_s(generation)
    if measured.ttft_s is None or measured.tpot_s is None or len(gaps_s) != len(served.sent_ns) - 1:
        return None
    true_gaps_s = [(later - earlier) * _S_PER_NS for earlier, later in pairwise(served.sent_ns)]
    true_ttft_s = (served.sent_ns[0] - served.received_ns) * _S_PER_NS
    true_tpot_s = sum(true_gaps_s) / sum(served.tokens[1:])
    return StreamError(
        ttft_ms=(measured.ttft_s - true_ttft_s) * _MS_PER_S,
        gaps_ms=tuple((s - true) * _MS_PER_S for s, true in zip(gaps_s, true_gaps_s, strict=True)),
        tpot_ms=(measured.tpot_s - true_tpot_s) * _MS_PER_S,
        true_tpot_ms=true_tpot_s * _MS_PER_S,
    )


def errors(asked: Collection[str], *, measured: Mapping[str, Generation], served: Sequence[Served]) -> Errors:
    """Compare streams, each known by the text that was asked; what only one side knows is lost."""
    truth = {reply.request: reply for reply in served}
    both = [text for text in asked if text in measured and text in truth]
    compared = [stream_error(measured[text], truth[text]) for text in both]
    found = tuple(error for error in compared if error is not None)
    return Errors(streams=found, lost=len(truth.keys() | set(asked)) - len(found))
