"""What pytest-benchmark has measured in this session, if it is there and was not switched off."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest

from gemma_eval.records import Microbenchmark


def of_session(config: pytest.Config) -> tuple[Microbenchmark, ...]:
    """Return the micro-benchmarks of a session, none without the plugin, or where it measures nothing.

    It measures nothing with `--benchmark-disable`, `--benchmark-skip` and pytest-xdist. A test that broke
    while it was measured is left out, and so is one of which the clock saw nothing; of a test that was run
    again the last time counts.
    """
    session = getattr(config, "_benchmarksession", None)
    found = (_read(each) for each in _measured(getattr(session, "benchmarks", ())))
    return tuple({each.name: each for each in found if each is not None}.values())


def _measured(benchmarks: object) -> Iterable[object]:
    return benchmarks if isinstance(benchmarks, list | tuple) else ()


def _read(benchmark: object) -> Microbenchmark | None:
    """Return what was measured of one test; what another version of the plugin tells otherwise is none."""
    try:
        if benchmark.has_error or not benchmark:  # type: ignore[attr-defined]
            return None
        stats = benchmark.stats  # type: ignore[attr-defined]
        read = Microbenchmark(
            name=str(benchmark.fullname),  # type: ignore[attr-defined]
            median_s=float(stats.median),
            mean_s=float(stats.mean),
            sd_s=float(stats.stddev),
            rounds=int(stats.rounds),
        )
    except (AttributeError, TypeError, ValueError, ArithmeticError):
        return None
    is_sound = all(math.isfinite(each) for each in (read.median_s, read.mean_s, read.sd_s))
    return read if is_sound and read.median_s > 0 else None
