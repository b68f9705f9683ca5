"""Bars are those of the table, and a figure beyond one is a miss."""

from __future__ import annotations

import pytest

from gemma_eval.selftest import bars
from gemma_eval.selftest.bars import LIMITS, Bar, Limits
from gemma_eval.selftest.compare import Errors, StreamError
from gemma_eval.selftest.overhead import Overhead


def an_error(
    *, ttft_ms: float = 0, gap_ms: float = 0, tpot_ms: float = 0, true_tpot_ms: float = 5
) -> StreamError:
    """Return the error of a stream of three pieces."""
    return StreamError(ttft_ms=ttft_ms, gaps_ms=(gap_ms, -gap_ms), tpot_ms=tpot_ms, true_tpot_ms=true_tpot_ms)


def missed(*found: Bar) -> list[str]:
    """Return what is not within its bar."""
    return [bar.what for bar in found if bar.kept is False]


def test_the_limits_are_those_of_the_table() -> None:
    """Written again as the research has them: in flight, arm, ITL, TPOT, its share, TTFT p50 and p99."""
    table = {
        (1, "quiet"): (0.1, 0.05, 0.002, 1, 5),
        (16, "quiet"): (0.25, 0.3, 0, 3, None),
        (64, "quiet"): (0.5, 0.5, 0, 5, None),
        (1, "busy"): (0.5, 1, 0, 10, None),
    }
    for key, numbers in table.items():
        limits = LIMITS[key]  # type: ignore[index]
        assert numbers == (
            limits.itl_ms, limits.tpot_ms, limits.tpot_share, limits.ttft_p50_ms, limits.ttft_p99_ms
        )  # fmt: skip


def test_a_busy_machine_is_never_asked_more_than_a_quiet_one() -> None:
    """Each limit is at least as wide."""
    for in_flight in (1, 16, 64):
        quiet, busy = LIMITS[in_flight, "quiet"], LIMITS[in_flight, "busy"]
        assert busy.itl_ms >= quiet.itl_ms
        assert busy.ttft_p50_ms >= quiet.ttft_p50_ms
        slow = an_error(true_tpot_ms=100)
        assert busy.tpot_limit_ms(slow) >= quiet.tpot_limit_ms(slow)


def test_a_slow_stream_may_be_off_by_a_share_of_its_time_per_token() -> None:
    """0.05 ms, or 0.2 % where that is more."""
    limits = LIMITS[1, "quiet"]
    assert limits.tpot_limit_ms(an_error(true_tpot_ms=5)) == 0.05
    assert limits.tpot_limit_ms(an_error(true_tpot_ms=100)) == pytest.approx(0.2)


def test_the_stream_nearest_to_its_limit_is_shown() -> None:
    """0.1 ms of 100 ms per token is less than 0.06 ms of 5 ms."""
    errors = Errors(streams=(an_error(tpot_ms=-0.06), an_error(tpot_ms=0.1, true_tpot_ms=100)), lost=0)
    found = bars.of_gaps(errors, LIMITS[1, "quiet"])
    assert found[1].measured == 0.06
    assert missed(*found) == ["TPOT: largest error of a stream"]


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (an_error(gap_ms=0.11), "time between tokens: median error"),
        (an_error(tpot_ms=0.051), "TPOT: largest error of a stream"),
        (an_error(ttft_ms=1.1), "TTFT: median error"),
        (an_error(ttft_ms=-1.1), "TTFT: median error"),
    ],
)
def test_a_figure_beyond_its_bar_is_missed(error: StreamError, what: str) -> None:
    """Each by itself, in either direction."""
    limits = LIMITS[1, "quiet"]
    errors = Errors(streams=(error,), lost=0)
    assert missed(*bars.of_gaps(errors, limits), *bars.of_ttft(errors, limits)) == [what]


def test_figures_within_their_bars_are_kept() -> None:
    """The check above does not find fault with everything."""
    errors = Errors(streams=(an_error(ttft_ms=0.9, gap_ms=0.09, tpot_ms=0.04),), lost=0)
    limits = LIMITS[1, "quiet"]
    assert missed(*bars.of_gaps(errors, limits), *bars.of_ttft(errors, limits)) == []


def test_a_tail_is_asked_of_a_quiet_machine_with_streams_enough() -> None:
    """Two late streams of a hundred are its 99th percentile."""
    streams = (*[an_error()] * 98, *[an_error(ttft_ms=6)] * 2)
    tail = "TTFT: p99 error"
    assert missed(*bars.of_ttft(Errors(streams=streams, lost=0), LIMITS[1, "quiet"])) == [tail]
    busy = bars.of_ttft(Errors(streams=streams, lost=0), LIMITS[1, "busy"])
    assert {bar.what: bar.kept for bar in busy}[tail] is None
    assert len(bars.of_ttft(Errors(streams=streams[1:], lost=0), LIMITS[1, "quiet"])) == 1


def test_no_stream_has_no_figures() -> None:
    """What was lost is counted elsewhere."""
    nothing, limits = Errors(streams=(), lost=3), Limits(itl_ms=1, tpot_ms=1, ttft_p50_ms=1)
    assert bars.of_gaps(nothing, limits) == bars.of_ttft(nothing, limits) == ()


@pytest.mark.parametrize(("measured", "kept"), [(15, False), (16, True), (17, False)])
def test_a_count_is_exact(measured: int, kept: bool) -> None:
    """One request too few is a miss, and so is one too many."""
    assert bars.exactly("requests in flight", measured, 16).kept is kept


def test_overhead_and_work_have_bars() -> None:
    """5 µs for each token, 0.5 ms for each request, 100 µs of processor time over HTTP."""
    kept = bars.of_overhead(Overhead(us_per_token=5, ms_per_request=0.5), "quiet")
    assert missed(*kept, bars.of_work(100, "quiet")) == []
    over = Overhead(us_per_token=5.1, ms_per_request=0.51)
    assert len(missed(*bars.of_overhead(over, "quiet"), bars.of_work(101, "quiet"))) == 3
    assert missed(*bars.of_overhead(over, "busy"), bars.of_work(101, "busy")) == []
