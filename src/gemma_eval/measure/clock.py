"""The clock that stamps events."""

from __future__ import annotations

import time

from gemma_eval.protocols import Clock

clock: Clock = time.perf_counter_ns
"""The monotonic clock of every stamp, in nanoseconds."""
