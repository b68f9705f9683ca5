"""What a plain pytest run pays for the plugin, in paired runs; a figure for docs/performance.md.

pytest tests/benchmarks/test_start_up.py -m slow -s
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pytest

pytestmark = pytest.mark.slow

PAIRS = 40


def run_s(folder: Path, *arguments: str) -> float:
    """Return the seconds of one pytest run in `folder` with the plugins that are named, and no other."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    started = perf_counter()
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    return perf_counter() - started


def test_a_plain_run_is_hardly_longer_with_the_plugin(tmp_path: Path) -> None:
    """The median of the paired differences is a few per cent of a run; their order alternates.

    Beside it stands an empty plugin: to find one by name pytest looks through all that is installed, which is
    no cost of ours.
    """
    (tmp_path / "test_plain.py").write_text("def test_plain(): pass\n")
    (tmp_path / "empty_plugin.py").write_text("")
    plugin, empty = ("-p", "_gemma_eval_pytest"), ("-p", "empty_plugin")
    run_s(tmp_path, *empty), run_s(tmp_path, *plugin)
    pairs = []
    for number in range(PAIRS):
        if number % 2:
            with_s, without_s = run_s(tmp_path, *plugin), run_s(tmp_path, *empty)
        else:
            without_s, with_s = run_s(tmp_path, *empty), run_s(tmp_path, *plugin)
        pairs.append((with_s, without_s))
    extra_s = statistics.median(with_s - without_s for with_s, without_s in pairs)
    plain_s = statistics.median(without_s for _, without_s in pairs)
    sys.stdout.write(
        f"\nplugin: {extra_s * 1e3:+.1f} ms on {plain_s * 1e3:.0f} ms, median of {PAIRS} pairs\n"
    )
    assert extra_s < 0.1 * plain_s
