"""Who waits for the machine is told for whom, and the line of progress goes on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from tests.plugin.project import write_project

HOLDER = """\
import sys, time
from pathlib import Path
from gemma_eval.executors.device import hold
with hold("benchmark", folder=Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(6)
"""


@contextmanager
def held(folder: Path) -> Iterator[int]:
    """Have another process hold the device of `folder` for a while; the result is its id."""
    given = [sys.executable, "-c", HOLDER, str(folder / f"gemma_eval-{os.getuid()}")]
    with Popen(given, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.pid


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
    said = f"gemma_eval: waits for process {pid} to end what it measures; a benchmark is alone on its machine"
    result.stdout.fnmatch_lines([said, line])
    assert result.outlines.count(said) == 1
