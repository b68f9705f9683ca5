"""What measuring costs is measured, and a stage that got dearer is found."""

from __future__ import annotations

import time

import pytest

from gemma_eval import plugins
from gemma_eval.records import Generation, Prompt, SamplingProfile
from gemma_eval.run import run_trial
from gemma_eval.selftest import bars, null_engine
from gemma_eval.selftest.null_engine import NullEngine
from gemma_eval.selftest.overhead import LONG, SHORT, Overhead, of_pairs, overhead, trial
from gemma_eval.stages import stages
from tests.fresh import fresh

GENEROUS = 10
"""How far beyond its bar a figure may be on a machine of which nothing is known."""


def spent_ns(tokens: int) -> int:
    """Return a time made of 2 µs for each token and 0.3 ms for each request."""
    return 300_000 + 2_000 * tokens


def test_two_lengths_give_the_cost_of_a_token_and_of_a_request() -> None:
    """The oracle: times that were made of two known costs."""
    found = of_pairs([(spent_ns(SHORT), spent_ns(LONG))])
    assert found.us_per_token == pytest.approx(2)
    assert found.ms_per_request == pytest.approx(0.3)


def test_a_machine_that_slows_down_for_some_pairs_changes_nothing() -> None:
    """The median short trial and the median long one are of different pairs here, 9 ms apart."""
    short_ns, long_ns, pause_ns = spent_ns(SHORT), spent_ns(LONG), 9_000_000
    calm, late = (short_ns, long_ns), (short_ns + pause_ns, long_ns + pause_ns)
    found = of_pairs([calm, calm, calm, late, late, late, (short_ns + pause_ns, long_ns)])
    assert found.us_per_token == pytest.approx(2)


def test_a_cost_that_noise_hides_is_unknown() -> None:
    """Never negative, and never 0: a long answer that took no longer than a short one tells nothing."""
    for long_ns in (spent_ns(SHORT), spent_ns(SHORT) - 1):
        found = of_pairs([(spent_ns(SHORT), long_ns)])
        assert found.us_per_token is None
        assert found.ms_per_request is not None
    assert of_pairs([(1_000, 1_000_000)]).ms_per_request is None
    hidden = bars.of_overhead(Overhead(us_per_token=None, ms_per_request=None), "quiet")
    assert {bar.kept for bar in hidden} == {None}


def test_the_null_engine_is_measured_like_any_other() -> None:
    """A trial of it has a prompt, times, a score and as many tokens as were asked for."""
    ticks = iter(range(0, 10**9, 1000))
    outcome = run_trial(trial(8), stages(plugins.load(), NullEngine(clock=lambda: next(ticks))))
    assert outcome.failure is None
    assert outcome.prompt is not None
    assert outcome.prompt.text is not None
    assert outcome.measurement is not None
    assert outcome.measurement.output_tokens == 8
    assert outcome.measurement.tpot_s == pytest.approx(1e-6)
    assert outcome.score == 1.0


def test_the_null_engine_loads_as_backends_do() -> None:
    """By the factory's protocol; it can be closed and says what it is."""
    backend = null_engine.load(trial(1).cell.model, clock=time.perf_counter_ns, transforms={})
    assert backend.info().engine == "null"
    assert backend.count_tokens("any text") == 1
    backend.close()


def test_the_overhead_is_within_a_generous_multiple_of_its_bars() -> None:
    """In one of five measurements; tests/benchmarks asserts the bars themselves."""
    for _ in range(5):
        found = fresh(of_the_null_engine)
        kept = (
            0 < (found.us_per_token or 0) < GENEROUS * bars.US_PER_TOKEN
            and 0 < (found.ms_per_request or 0) < GENEROUS * bars.MS_PER_REQUEST
        )
        if kept:
            break
    assert kept, found


def of_the_null_engine() -> Overhead:
    """Return what is measured in this interpreter."""
    return overhead(plugins.load(), clock=time.perf_counter_ns)


class Sluggish(NullEngine):
    """An engine that thinks for 10 ms, and 0.1 ms about each token."""

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Answer late."""
        until = self.clock() + 10_000_000 + 100_000 * profile.max_tokens
        while self.clock() < until:
            pass
        return super().generate(prompt, profile=profile, seed=seed)


def test_a_cost_that_was_put_in_is_found() -> None:
    """The check above can fail: 100 µs for each token and 10 ms for each request are seen as such."""
    clock = time.perf_counter_ns
    found = overhead(plugins.load(), clock=clock, rounds=3, engine=Sluggish(clock=clock))
    assert (found.us_per_token or 0) > 90
    assert (found.ms_per_request or 0) > 9
    assert not any(bar.kept for bar in bars.of_overhead(found, "busy"))
