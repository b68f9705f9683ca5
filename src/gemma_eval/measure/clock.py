"""The clock that stamps events, and how far its readings can be trusted."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from itertools import pairwise

from gemma_eval.protocols import Clock

clock: Clock = time.perf_counter_ns
"""The monotonic clock of every stamp, in nanoseconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What a clock costs and resolves: the price of one reading and the smallest step that it showed."""

    ns_per_reading: float
    resolution_ns: int | None


def calibrate(clock: Clock, *, readings: int = 1001) -> Calibration:
    """Measure `clock` by reading it in a row; `resolution_ns` is `None` for a clock that stood still.

    The price is the median over ten stretches, so that an interruption does not raise it.
    """
    stamps = [clock() for _ in range(readings)]
    length = max(1, (readings - 1) // 10)
    stretches = [
        (stamps[start + length] - stamps[start]) / length for start in range(0, readings - length, length)
    ]
    steps = [later - earlier for earlier, later in pairwise(stamps) if later > earlier]
    return Calibration(ns_per_reading=statistics.median(stretches), resolution_ns=min(steps, default=None))
