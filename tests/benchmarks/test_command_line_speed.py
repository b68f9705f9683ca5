"""How long a person waits for `gemma-eval --help` and for a completion, and what the panel of progress takes.

pytest tests/benchmarks/test_command_line_speed.py -m slow -s
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from time import perf_counter

import pytest

from gemma_eval.pytest_plugin.panel import EVERY_S
from tests.plugin.test_plugin_panel import Watched, cells

pytestmark = pytest.mark.slow

TIMES = 15
PROFILES = [f"profile-{number}" for number in range(9)]


def took_s(*words: str, environment: Mapping[str, str] | None = None) -> float:
    """Return the median of the seconds that a program of Python takes, from its start to its end."""
    taken = []
    for _ in range(TIMES):
        begun_s = perf_counter()
        subprocess.run(
            [sys.executable, *words],
            env={**os.environ, **(environment or {})},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        taken.append(perf_counter() - begun_s)
    return statistics.median(taken)


def test_help_and_completion_are_there_at_once() -> None:
    """Beside an interpreter that only imports what draws them; no command is loaded for either."""
    click_s = took_s("-c", "import click, pluggy")
    help_s = took_s("-m", "gemma_eval", "--help")
    asked = {"COMP_WORDS": "gemma-eval be", "COMP_CWORD": "1", "_GEMMA_EVAL_COMPLETE": "bash_complete"}
    command_s = took_s("-m", "gemma_eval", environment=asked)
    sys.stdout.write(
        f"\n--help {help_s * 1e3:.0f} ms, a command completed {command_s * 1e3:.0f} ms;"
        f" click and pluggy alone {click_s * 1e3:.0f} ms; medians of {TIMES}\n"
    )
    assert help_s < 5 * click_s
    assert command_s < 5 * click_s


def test_the_panel_takes_a_small_part_of_the_time_between_items() -> None:
    """Nine groups; a draw takes so long, and there are no more than a few in a second."""
    watched = Watched(cells(*["quality"] * 4, profiles=PROFILES))
    taken = []
    for nodeid in watched.cells:
        begun_s = perf_counter()
        drawn = watched.start(nodeid)
        if drawn:
            taken.append(perf_counter() - begun_s)
        watched.report(nodeid)
        watched.finish(nodeid)
    watched.panel.end()
    draw_s = statistics.median(taken)
    sys.stdout.write(f"\na draw {draw_s * 1e3:.1f} ms, at most {100 * draw_s / EVERY_S:.1f} % of the time\n")
    assert len(taken) == len(watched.cells)
    assert draw_s < EVERY_S / 4
