"""`gemma-eval selftest`, as a person would use it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import click
from click.testing import CliRunner

from gemma_eval import plugins
from gemma_eval.cli.selftest import screen, selftest
from gemma_eval.records import Harness, Noise
from gemma_eval.selftest.arm import Busyness
from gemma_eval.selftest.bars import Bar, exactly
from gemma_eval.selftest.check import Section, Selftest

QUIET = Busyness(pressure=0.012, noise=Noise(others_cpu=0.0))


def a_result(*bars: Bar, busyness: Busyness = QUIET, failure: str | None = None) -> Selftest:
    """Return a result of one section."""
    section = Section(title="one stream over HTTP", busyness=busyness, bars=bars, failure=failure)
    return Selftest(sections=(section,), harness=Harness(us_per_token=2.0, ms_per_request=0.3))


KEPT = Bar(what="TTFT: median error", measured=0.0642, most=1, unit="ms")
MISSED = Bar(what="TPOT: largest error of a stream", measured=0.0789, most=0.05, unit="ms")
UNASKED = Bar(what="TTFT: p99 error", measured=12.5, most=None, unit="ms")
HIDDEN = Bar(what="for each token", measured=None, most=5, unit="µs")


def shown(result: Selftest) -> list[str]:
    """Return the screen without its colours."""
    return [click.unstyle(line) for line in screen(result)]


def test_the_screen_says_what_was_measured_the_bar_and_how_it_went() -> None:
    """In words, so that it can be read without colours."""
    assert shown(a_result(KEPT, exactly("requests in flight at once", 16, 16), UNASKED)) == [
        "one stream over HTTP",
        "  quiet machine",
        "  TTFT: median error                      0.0642 ms  <= 1.00 ms    pass",
        "  requests in flight at once                     16  = 16          pass",
        "  TTFT: p99 error                           12.5 ms                not asked",
        "",
        "all 2 bars are kept",
    ]


def test_a_missed_bar_is_said_in_its_line_and_at_the_end() -> None:
    """One bar is, two bars are."""
    lines = shown(a_result(KEPT, MISSED))
    assert lines[3].endswith("<= 0.0500 ms  FAIL")
    assert lines[-1] == "1 of 2 bars is missed"
    assert shown(a_result(MISSED, MISSED))[-1] == "2 of 2 bars are missed"


def test_a_figure_that_is_not_known_is_neither_kept_nor_missed() -> None:
    """It is a dash."""
    lines = shown(a_result(KEPT, HIDDEN, KEPT))
    assert lines[3] == "  for each token                                  –  <= 5.00 µs    not known"  # noqa: RUF001
    assert lines[-1] == "all 2 bars are kept"


def test_a_busy_machine_and_a_failure_are_named() -> None:
    """With what is known of them."""
    noise = Noise(others_cpu=0.5, reasons=("other processes took half of it",))
    lines = shown(a_result(KEPT, busyness=Busyness(pressure=0.01, noise=noise), failure="no answer"))
    assert lines[1] == "  busy machine: other processes took half of it"
    assert lines[3] == "  a stream failed: no answer"


def test_the_screen_fits_eighty_columns() -> None:
    """Whatever the figures."""
    result = a_result(replace(MISSED, measured=1234567.0, what="processor time for each token of a stream"))
    assert max(map(len, shown(result))) <= 80


def invoke(*arguments: str) -> tuple[int, str, str]:
    """Run the command and return its exit code, what it printed and what it said meanwhile."""
    done = CliRunner().invoke(selftest, arguments, obj=plugins.load(), catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


def test_the_command_prints_figures_and_says_what_it_does() -> None:
    """Colours are for terminals; the exit code is 1 exactly if a bar is missed."""
    code, printed, said = invoke("--no-http")
    assert re.search(r"for each token +(–|\d[\d.]* µs)  <= [\d.]+ µs", printed)  # noqa: RUF001
    assert re.search(r"for each request +\d[\d.]* ms  <= [\d.]+ ms", printed)
    assert "\x1b" not in printed
    assert said == "measuring: an engine in this process\n"
    assert code == ("missed" in printed)


def test_the_figures_can_be_had_as_json() -> None:
    """With nothing else on standard output, and each bar with whether it is kept."""
    code, printed, _ = invoke("--no-http", "--json")
    found = json.loads(printed)
    [section] = found["sections"]
    assert section["arm"] in ("quiet", "busy")
    assert found["harness"]["us_per_token"] == section["bars"][0]["measured"]
    assert code == any(bar["kept"] is False for bar in section["bars"])


def test_the_help_says_what_the_exit_code_means() -> None:
    """And what is measured."""
    code, printed, _ = invoke("--help")
    assert code == 0
    assert "makes the exit code 1" in " ".join(printed.split())
