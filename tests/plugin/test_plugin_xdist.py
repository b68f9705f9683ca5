"""With pytest-xdist the cells are spread, and everything else is as without."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.plugin.project import CITIES, a_case, head, latest, results, write_project

CRASHING = """
import os
import gemma_eval
from gemma_eval.backends import scripted

class Crashing(scripted.Scripted):
    def generate(self, prompt, *, profile, seed):
        if "crash" in prompt.messages[-1].content:
            os._exit(77)
        return super().generate(prompt, profile=profile, seed=seed)

def load(spec, *, clock, transforms):
    loaded = scripted.load(spec, clock=clock, transforms=transforms)
    return Crashing(**{name: getattr(loaded, name) for name in loaded.__dataclass_fields__})

@gemma_eval.hookimpl
def register_backends(register):
    register("crashing", load)
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run with two workers."""
    return pytester.runpytest_subprocess(
        "-n", "2", "-p", "no:benchmark", "-p", "no:cacheprovider", *arguments
    )


@pytest.mark.parametrize("arguments", [(), ("cities.gemma.toml",), ("--gemma-suite", "cities.gemma.toml")])
def test_the_outcomes_of_workers_are_recorded(pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    """Found, given or asked for: one process records what the workers measured, in planned order."""
    write_project(pytester.path, head(models=("echo", "other")) + CITIES)
    run(pytester, *arguments).assert_outcomes(passed=6)
    keys = [outcome.trial.cell.model.name for outcome in latest(pytester.path)]
    assert keys == ["echo"] * 4 + ["other"] * 4
    with results(pytester.path) as reader:
        assert reader.run("latest").state == "done"
        assert set(reader.run("latest").engines) == {"echo", "other"}


@pytest.mark.parametrize("arguments", [(), ("--gemma-plan",)])
def test_nothing_needs_xdist(pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    """Where pytest-xdist is absent the hooks meant for it are never called."""
    write_project(pytester.path)
    result = pytester.runpytest_inprocess("-p", "no:xdist", "-W", "error", "cities.gemma.toml", *arguments)
    assert result.ret == 0


def test_a_model_stays_on_one_worker(pytester: pytest.Pytester) -> None:
    """Two models, two workers: each engine is loaded once."""
    write_project(pytester.path, head(models=("echo", "other"), profiles=("greedy", "hot")) + CITIES)
    lines = run(pytester, "-v", "--gemma-suite", "cities.gemma.toml").outlines
    found = [re.search(r"\[(gw\d)\].*PASSED.*\[(\w+)/", line) for line in lines]
    pairs = {(match[1], match[2]) for match in found if match}
    assert sorted(model for _, model in pairs) == ["echo", "other"]


def test_other_tests_are_spread_beside_the_cells(pytester: pytest.Pytester) -> None:
    """Suites and tests of the same run do not get in each other's way."""
    write_project(pytester.path)
    pytester.makepyfile("import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_plain(n): pass")
    run(pytester, "cities.gemma.toml", "test_other_tests_are_spread_beside_the_cells.py").assert_outcomes(
        passed=9
    )


def test_a_worker_that_dies_loses_only_its_cell(pytester: pytest.Pytester) -> None:
    """The cell that was running fails and is missing; all others are recorded, the run is not *done*."""
    pytester.makeconftest(CRASHING)
    prompts = ["?", "?", "crash", "?", "?"]
    cases = "".join(a_case(f"case-{n}", prompt=prompt) for n, prompt in enumerate(prompts))
    write_project(pytester.path, head() + cases)
    models = pytester.path / "models.toml"
    models.write_text(models.read_text().replace('backend = "scripted"', 'backend = "crashing"'))
    result = run(pytester, "--gemma-suite", "cities.gemma.toml")
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["*crashed while running*case-2*", "4 of 5 trials recorded"])
    assert result.ret == 1
    with results(pytester.path) as reader:
        assert reader.run("latest").state == "interrupted"


def test_workers_end_with_the_run_that_was_killed(tmp_path: Path) -> None:
    """`kill -9` of the process that records leaves no worker behind to disturb the next run."""
    write_project(tmp_path, head(models=("slow",)) + a_case("long", keys="repeats = 1000"))
    command = [sys.executable, "-m", "pytest", "-n", "1", "-p", "no:cacheprovider", "cities.gemma.toml"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        database = tmp_path / "reports" / "gemma_eval.db"
        while not database.exists() and process.poll() is None:
            time.sleep(0.05)
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    gone, alive = psutil.wait_procs(workers, timeout=2)
    assert gone
    assert not alive


def test_a_bad_suite_is_refused_before_workers_start(pytester: pytest.Pytester) -> None:
    """The usage error is that of a run without workers."""
    write_project(pytester.path, "[suite")
    result = run(pytester, "--gemma-suite", "cities.gemma.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not (pytester.path / "reports").exists()


def test_a_database_that_cannot_be_used_stops_the_workers(pytester: pytest.Pytester) -> None:
    """The database is opened when the plan is known, before any cell runs."""
    write_project(pytester.path)
    (pytester.path / "taken.db").write_text("somebody's notes\n" * 100)
    result = run(pytester, "--gemma-suite", "cities.gemma.toml", "--gemma-db", "taken.db")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "INTERNALERROR" not in str(result.stdout)


def test_a_shipped_suite_is_spread_too(pytester: pytest.Pytester) -> None:
    """A suite from elsewhere has no path among the arguments of the workers."""
    result = run(pytester, "--gemma-suite", "smoke", "--gemma-plan")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["suite smoke"])
