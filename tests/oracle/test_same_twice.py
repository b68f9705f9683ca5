"""K12: the same build measured twice is not said to differ, and one that is 5 % slower mostly is.

The rule is that of reports: two medians differ when their 95 % intervals have no value in common. The spread
of an answer's time is the 2.66 % that CodSpeed measured on shared machines (codspeed.io, "Benchmarks in CI").
It holds within one run: two starts of an engine differ by more, which a comparison of runs has to allow for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from gemma_eval import plugins
from gemma_eval.config import models
from gemma_eval.config.shipped import suites_directory
from gemma_eval.measure.latency import measure
from gemma_eval.records import Message, Prompt, SamplingProfile
from gemma_eval.report.groups import overlap
from gemma_eval.stages import load_backend
from gemma_eval.stats.intervals import of_median

SPREAD = 0.0266
REPEATS = 20
"""Those of the performance suite."""
PAIRS = 2000
MOST_FALSE = 0.05
LEAST_FOUND = 0.90

Rule = Callable[[Sequence[float], Sequence[float]], bool]


def intervals_apart(one: Sequence[float], other: Sequence[float]) -> bool:
    """Say whether a report calls two groups different."""
    first, second = of_median(one), of_median(other)
    assert first.low is not None
    assert first.high is not None
    assert second.low is not None
    assert second.high is not None
    return not overlap((first.low, first.high), (second.low, second.high))


def medians_apart(one: Sequence[float], other: Sequence[float]) -> bool:
    """Compare two numbers by more than 1 %, as tools do that know no interval."""
    return bool(abs(np.median(one) / np.median(other) - 1) > 0.01)


def share_called_different(rule: Rule, *, slower: float, seed: int = 12) -> float:
    """Return in which share of pairs the rule sees a difference, the second of each being `slower`."""
    random = np.random.default_rng(seed)
    times = random.lognormal(0.0, SPREAD, size=(PAIRS, 2, REPEATS))
    times[:, 1] *= 1 + slower
    return sum(rule(one.tolist(), other.tolist()) for one, other in times) / PAIRS


def test_the_same_twice_is_not_called_different() -> None:
    """In at most one of twenty pairs; intervals that must not touch are stricter than that."""
    assert share_called_different(intervals_apart, slower=0.0) <= MOST_FALSE


def test_five_percent_slower_is_found() -> None:
    """In nine of ten pairs, with the repeats that the suite has."""
    assert share_called_different(intervals_apart, slower=0.05) >= LEAST_FOUND


@pytest.mark.parametrize("slower", [0.01, 0.02])
def test_less_is_found_less_often(slower: float) -> None:
    """What so few repeats cannot tell is left open."""
    assert share_called_different(intervals_apart, slower=slower) < LEAST_FOUND


def test_medians_without_intervals_call_the_same_different() -> None:
    """The planted error fails the first test by far."""
    assert share_called_different(medians_apart, slower=0.0) > 2 * MOST_FALSE


# --- a real engine, answering in turns for both sides --------------------------------------------------

REAL_PAIRS = 40
MOST_FALSE_OF_FORTY = 6
"""What 5 % of 40 pairs may come to by chance in 99 of 100 runs of this test."""


def real_times() -> tuple[list[float], list[float]]:
    """Return the times per output token of two sides for which the shipped model answers in turns."""
    spec = models.load(suites_directory() / "models.toml")["pocket"]
    profile = SamplingProfile(name="greedy", temperature=0.0, max_tokens=16, ignore_eos=True)
    question = "Tell a story about a fox."
    prompt = Prompt(text=question, messages=(Message(role="user", content=question),), n_tokens=None)
    backend = load_backend(spec, plugins.load(), clock=time.perf_counter_ns)
    sides: tuple[list[float], list[float]] = ([], [])
    for turn in range(2 * REPEATS * REAL_PAIRS):
        found = measure(backend.generate(prompt, profile=profile, seed=turn)).tpot_s
        assert found is not None
        sides[turn % 2].append(found)
    backend.close()
    return sides


@pytest.mark.slow
def test_a_real_engine_is_not_called_different_from_itself() -> None:
    """On this machine as it is; how often 5 % are found depends on its noise and is printed."""
    one, other = real_times()
    pairs = [slice(start, start + REPEATS) for start in range(0, len(one), REPEATS)]
    false = sum(intervals_apart(one[pair], other[pair]) for pair in pairs)
    found = sum(intervals_apart(one[pair], [1.05 * time_s for time_s in other[pair]]) for pair in pairs)
    spread = float(np.median([np.std(one[pair]) / np.mean(one[pair]) for pair in pairs]))
    print(f"{false} of {len(pairs)} false, {found} of 5 % found; an answer's time spreads by {spread:.1%}")
    assert false <= MOST_FALSE_OF_FORTY
