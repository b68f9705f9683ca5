"""Under which conditions a run was made: noise is said first, and the cost of measuring in one sentence."""

from __future__ import annotations

from dataclasses import replace

from gemma_eval.records import Harness, Noise, Run
from gemma_eval.report.conditions import harness_facts, harness_sentence, noise_facts, noisy
from tests.examples import a_run
from tests.report.timed import HARNESS, NOISE


def with_noise(noise: Noise | None) -> Run:
    """Return a run that was made under that noise."""
    return replace(a_run(), noise=noise)


def test_a_noisy_run_says_why_and_what_follows() -> None:
    """Every reason, in the words of the one who looked."""
    assert noisy(with_noise(NOISE)) == (
        "This run is noisy: some task waited for a processor 34.2 % of the time, and others used 46 % of "
        "the processors. It cannot become a baseline."
    )


def test_a_fair_run_and_one_that_nobody_watched_say_nothing() -> None:
    """A band at the top of every page would be overlooked."""
    assert noisy(with_noise(replace(NOISE, reasons=()))) is None
    assert noisy(with_noise(None)) is None


def test_the_evidence_is_all_that_was_read() -> None:
    """Shares in per cent, a dash where nothing could be read."""
    facts = dict(noise_facts(NOISE))
    assert facts["waited for a processor (PSI)"] == "34.2 %"
    assert facts["waited for memory (PSI)"] == "0 %"
    assert facts["stolen by the hypervisor"] == "8.10 %"
    assert facts["throttled by the cgroup"] == "–"  # noqa: RUF001 - the dash that reports print
    assert facts["processors of others"] == "46.0 %"
    assert facts["load before, per core"] == "1.70"
    assert facts["involuntary switches"] == "210/s"
    assert dict(noise_facts(Noise(temperature_c=71.0)))["temperature"] == "71.0 °C"
    assert dict(noise_facts(Noise()))["verdict"] == "fair"
    assert dict(noise_facts(None)) == {"noise": "– (nobody looked)"}  # noqa: RUF001


def test_no_evidence_is_left_out() -> None:
    """Each field of the record is a fact of its own, so that a new one is not forgotten."""
    assert len(noise_facts(NOISE)) == len(Noise.__dataclass_fields__)
    assert len(harness_facts(HARNESS)) == len(Harness.__dataclass_fields__)


def test_what_measuring_costs_is_one_sentence() -> None:
    """The time to first token with its sign: too late is plus."""
    assert harness_sentence(replace(a_run(), harness=HARNESS)) == (
        "Measuring adds 2.13 µs per token and 0.310 ms per request on this machine; times over HTTP are off "
        "by +0.052 ms (TTFT in the median), 0.00400 ms (ITL in the median), 0.00100 ms (TPOT at most); that "
        "was measured while the machine was busy."
    )
    bare = Harness(us_per_token=2.0, ms_per_request=0.5)
    said = harness_sentence(replace(a_run(), harness=bare))
    assert said is not None
    assert "HTTP" not in said
    assert harness_sentence(a_run()) is None


def test_a_cost_that_is_not_known_says_why() -> None:
    """In the sentence and among the facts; the other cost is told as ever."""
    hidden = replace(HARNESS, us_per_token=None)
    said = harness_sentence(replace(a_run(), harness=hidden))
    assert said is not None
    assert said.startswith(
        "Measuring adds an unknown time (other programs hid it) per token and 0.310 ms per request"
    )
    assert dict(harness_facts(hidden))["per token"] == "– (other programs hid it)"  # noqa: RUF001


def test_what_measuring_costs_is_in_the_provenance() -> None:
    """Each figure by itself; what was not measured says what measures it."""
    facts = dict(harness_facts(HARNESS))
    assert facts["per token"] == "2.13 µs"
    assert facts["HTTP, TTFT in the median, off by"] == "+0.052 ms"
    assert facts["HTTP, CPU per token"] == "41.0 µs"
    bare = dict(harness_facts(Harness(us_per_token=2.0, ms_per_request=0.5, http_itl_error_ms=0.0)))
    assert bare["HTTP, TTFT in the median, off by"] == "–"  # noqa: RUF001 - the dash that reports print
    assert bare["HTTP, ITL in the median, off by"] == "0 ms"
    assert "gemma-eval selftest" in harness_facts(None)[0][1]
