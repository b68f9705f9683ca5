"""Who waits for the machine is told for whom, and the line of progress goes on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from tests.plugin.project import head, write_project

HOLDER = """\
import sys, time
from pathlib import Path
from gemma_eval.executors.device import hold
with hold("benchmark", folder=Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@contextmanager
def held(folder: Path, *, seconds: float = 6) -> Iterator[int]:
    """Have another process hold the device of `folder` for a while; the result is its id."""
    given = [sys.executable, "-c", HOLDER, str(folder / f"gemma_eval-{os.getuid()}"), str(seconds)]
    with Popen(given, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.pid


def saying(pid: int) -> str:
    """Return what is said; only Linux tells who has a lock."""
    whom = f"process {pid}" if sys.platform == "linux" else "another process"
    return f"gemma_eval: waits for {whom} to end what it measures; a benchmark is alone on its machine"


@pytest.mark.parametrize(
    ("more", "line"), [((), "cities.gemma.toml ...*"), (("-v",), "*::home[[]echo/greedy/plain[]] PASSED*")]
)
def test_it_is_said_for_whom_is_waited(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], line: str
) -> None:
    """Once, on a line of its own, though pytest captures what is written meanwhile."""
    write_project(pytester.path)
    monkeypatch.setenv("TMPDIR", str(pytester.path))
    with held(pytester.path) as pid:
        result = pytester.runpytest_subprocess("--gemma-suite", "cities.gemma.toml", *more)
    result.assert_outcomes(passed=3)
    said = saying(pid)
    result.stdout.fnmatch_lines([said, line])
    assert result.outlines.count(said) == 1


def test_a_worker_says_it_too(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the process that shows what the workers do writes its errors."""
    write_project(pytester.path)
    monkeypatch.setenv("TMPDIR", str(pytester.path))
    with held(pytester.path, seconds=12) as pid:  # workers take longer to begin
        result = pytester.runpytest_subprocess(*WORKERS, "--gemma-suite", "cities.gemma.toml")
    result.assert_outcomes(passed=3)
    assert result.errlines.count(saying(pid)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a lock")
def test_that_a_worker_waits_for_another_of_its_run_is_not_said(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a model, and the benchmarks take longer than is waited in silence."""
    case = '[[case]]\nid = "story"\nkind = "benchmark"\nprompt = "?"\nrepeats = 2\n'
    write_project(pytester.path, head(models=("slow", "slower")) + case)
    models = pytester.path / "models.toml"
    slow = models.read_text().replace("pause_ms = 40", "pause_ms = 1500")
    slower = '[model.slower]\nbackend = "scripted"\nlocation = "-"\noptions = { pause_ms = 1500 }\n'
    models.write_text(slow + slower)
    monkeypatch.setenv("TMPDIR", str(pytester.path))
    result = pytester.runpytest_subprocess(*WORKERS, "--gemma-suite", "cities.gemma.toml")
    result.assert_outcomes(passed=2)
    assert not any("waits for" in line for line in (*result.outlines, *result.errlines))


WORKERS = ("-n", "2", "-p", "no:benchmark", "-p", "no:cacheprovider")
