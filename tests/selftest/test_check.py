"""The whole self-test: sections with bars, and the line that reports have."""

from __future__ import annotations

import time
from dataclasses import asdict

import pytest

from gemma_eval import plugins
from gemma_eval.errors import BackendError
from gemma_eval.records import Generation, Noise, Prompt, SamplingProfile
from gemma_eval.selftest.arm import Machine
from gemma_eval.selftest.check import Selftest, calibrate, check
from gemma_eval.selftest.groups import FULL, QUICK, Group
from gemma_eval.selftest.live import Client, Plan
from gemma_eval.selftest.script import Script
from tests.selftest import plain_client
from tests.selftest.plain_client import PlainClient

TINY = (
    Group(title="one", plans=(Plan(script=Script(pieces=4), requests=3),), asked=("gaps", "ttft")),
    Group(title="three", plans=(Plan(script=Script(pieces=9), requests=3, in_flight=1),), asked=("work",)),
)
"""Groups as those of the self-test, but short."""


class Silent:
    """A watch of a machine that has nothing else to do."""

    def end(self) -> Noise:
        """Say so."""
        return Noise(others_cpu=0.0)


QUIET = Machine(pressure=lambda: 0.0, watch=Silent, clock=time.perf_counter_ns)
PLAIN = Client(load=plain_client.load, clock=time.perf_counter_ns, cpu_clock=time.process_time_ns)


def bars_of(result: Selftest) -> dict[str, list[str]]:
    """Return what each section has figures of."""
    return {section.title: [bar.what for bar in section.bars] for section in result.sections}


def test_every_section_has_what_it_is_asked_for() -> None:
    """The engine in this process first, then the streams; each is announced before it is measured."""
    said: list[str] = []
    result = check(plugins.load(), machine=QUIET, client=PLAIN, streams=TINY, say=said.append)
    exact = ["requests in flight at once", "streams of which a piece was lost"]
    assert bars_of(result) == {
        "an engine in this process": ["for each token", "for each request"],
        "one": [
            "time between tokens: median error",
            "TPOT: largest error of a stream",
            "TTFT: median error",
            *exact,
        ],
        "three": ["processor time for each token", *exact],
    }
    assert said == list(bars_of(result))


def test_the_figures_of_a_report_are_those_of_the_sections() -> None:
    """Each is found in its section."""
    result = check(plugins.load(), machine=QUIET, client=PLAIN, streams=TINY)
    figures = {bar.what: bar.measured for section in result.sections for bar in section.bars}
    harness = result.harness
    assert harness.us_per_token == figures["for each token"]
    assert harness.ms_per_request == figures["for each request"]
    assert harness.http_cpu_us_per_token == figures["processor time for each token"]
    assert harness.http_itl_error_ms == figures["time between tokens: median error"]
    assert harness.http_tpot_error_ms == figures["TPOT: largest error of a stream"]
    assert abs(harness.http_ttft_error_ms or 0) <= (figures["TTFT: median error"] or 0)
    assert harness.arm == "quiet"


def test_without_a_client_only_this_process_is_measured() -> None:
    """What was not measured is `None`."""
    result = check(plugins.load(), machine=QUIET)
    assert list(bars_of(result)) == ["an engine in this process"]
    assert result.harness.http_ttft_error_ms is None
    assert result.harness.http_cpu_us_per_token is None


def test_one_busy_section_makes_the_figures_those_of_a_busy_machine() -> None:
    """A reader must not take them for better than they are."""
    pressure = iter((0.0, 0.0, 0.3))
    machine = Machine(pressure=lambda: next(pressure), watch=Silent, clock=QUIET.clock)
    result = check(plugins.load(), machine=machine, client=PLAIN, streams=TINY)
    assert [section.busyness.arm for section in result.sections] == ["quiet", "quiet", "busy"]
    assert result.harness.arm == "busy"


class Refusing(PlainClient):
    """A client that gets no answer."""

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Raise BackendError."""
        raise BackendError("no answer")


def test_streams_that_all_fail_are_a_miss_and_no_figure() -> None:
    """The section says what they failed with, and the report has no error that was not measured."""
    refusing = Client(
        load=lambda spec, clock, transforms: Refusing(address="", model=spec.name, clock=clock),
        clock=PLAIN.clock,
        cpu_clock=PLAIN.cpu_clock,
    )
    result = check(plugins.load(), machine=QUIET, client=refusing, streams=TINY[:1])
    assert result.sections[1].failure == "no answer"
    assert {"requests in flight at once", "streams of which a piece was lost"} <= {
        bar.what for bar in result.missed
    }
    assert result.harness.http_ttft_error_ms is None
    assert result.harness.http_itl_error_ms is None


def test_a_run_gets_its_line_in_a_moment() -> None:
    """Without HTTP; nothing is started."""
    harness = calibrate(plugins.load(), clock=time.perf_counter_ns)
    assert harness.ms_per_request is None or harness.ms_per_request > 0
    assert harness.http_cpu_us_per_token is None


def test_a_run_against_a_server_gets_the_figures_of_http_as_well() -> None:
    """Measured with the client that the run uses; none of HTTP is missing."""
    harness = asdict(calibrate(plugins.load(), clock=time.perf_counter_ns, with_http=True))
    assert None not in [figure for name, figure in harness.items() if name.startswith("http_")]


@pytest.mark.parametrize("streams", [FULL, QUICK])
def test_each_figure_of_a_report_is_asked_of_some_group(streams: tuple[Group, ...]) -> None:
    """Of one stream alone the times, of sixteen the work; the short form as well."""
    alone = {asked for group in streams if group.in_flight == 1 for asked in group.asked}
    assert {"gaps", "ttft"} <= alone
    assert any("work" in group.asked for group in streams if group.in_flight == 16)
