"""A block is run as the session is: with its options and plugins, and with the cells that it is told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from gemma_eval.pytest_plugin.passed_on import passed_on
from tests.plugin.gating import SUITE, gating_of, outcomes_of, runs_of, session, verdicts_of, write_gated

WORD = """
import gemma_eval
from gemma_eval.backends import scripted
from dataclasses import replace

word = []

def pytest_addoption(parser):
    parser.addoption("--word", default="nothing")

def pytest_configure(config):
    word[:] = [config.getoption("--word")]

def load(spec, *, clock, transforms):
    options = {**spec.options, "reply": word[0]}
    return scripted.load(replace(spec, options=options), clock=clock, transforms=transforms)

@gemma_eval.hookimpl
def register_backends(register):
    register("worded", load)
"""
WORDED = """
[model.worded]
backend = "worded"
location = "-"
options = { ttft_ms = 40, tpot_ms = 5 }
"""


def kept(*words: str, files: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return what is passed on of a command line with these files."""
    config = SimpleNamespace(
        option=SimpleNamespace(file_or_dir=list(files)), invocation_params=SimpleNamespace(args=words)
    )
    return passed_on(cast(pytest.Config, config))


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (("--gemma-suite", "smoke", "-v"), ("-v",)),
        (("--gemma-suite=smoke", "--word", "here"), ("--word", "here")),
        (("-k", "a or b", "-m", "slow", "-p", "x"), ("-p", "x")),
        (("--junitxml=a.xml", "--junitxml", "b.xml", "--tb=short"), ("--tb=short",)),
        (("-x", "--pdb", "--co", "--noconftest"), ("--noconftest",)),
        (("--gemma-plan", "-W", "error"), ("-W", "error")),
    ],
)
def test_only_what_a_block_may_have_is_passed_on(given: tuple[str, ...], left: tuple[str, ...]) -> None:
    """What chooses items or writes files is the session's alone."""
    assert kept(*given) == left


def test_a_file_is_no_option() -> None:
    """A block runs the cells that it is told."""
    assert kept("tests", "a.gemma.toml", "--word", "tests.py", files=("tests", "a.gemma.toml")) == (
        "--word",
        "tests.py",
    )


def test_options_of_a_conftest_reach_both_sides(tmp_path: Path) -> None:
    """A model that answers by an option is the same against itself."""
    write_gated(tmp_path, model="worded", more=WORDED)
    (tmp_path / "conftest.py").write_text(WORD)
    words = ("--word", "He lives in Oslo", "--gemma-ab", "worded", "--gemma-blocks", "2")
    ended = session(tmp_path, *SUITE, *words)
    assert verdicts_of(tmp_path)["score"] == "PASS", ended.lines


def test_what_the_environment_chooses_does_not_come_back_in_a_block(tmp_path: Path) -> None:
    """A model named there is not measured beside the one that is asked for."""
    write_gated(tmp_path)
    environment = {"PYTEST_ADDOPTS": "--gemma-model late"}
    session(tmp_path, *SUITE, "--gemma-ab", "bern", "--gemma-blocks", "2", environment=environment)
    assert gating_of(tmp_path).changes == ("model bern → late",)
    base = next(run for run in runs_of(tmp_path) if run.endswith("-base"))
    assert {outcome.trial.cell.model.name for outcome in outcomes_of(tmp_path, base)} == {"bern"}


def test_a_part_of_answers_and_times_has_its_blocks(tmp_path: Path) -> None:
    """A block names only what it times."""
    write_gated(tmp_path)
    expression = ("-k", "home or fast", "--gemma-ab", "quick", "--gemma-blocks", "2")
    ended = session(tmp_path, *SUITE, *expression)
    assert gating_of(tmp_path).blocks == 2, ended.lines


@pytest.mark.parametrize("without", ["terminal", "cacheprovider"])
def test_a_plugin_that_is_off_is_off_in_blocks(tmp_path: Path, without: str) -> None:
    """And none of its options is given."""
    write_gated(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-config\n")
    session(tmp_path, *SUITE, "-p", f"no:{without}", "--gemma-ab", "quick", "--gemma-blocks", "2")
    assert gating_of(tmp_path).blocks == 2
