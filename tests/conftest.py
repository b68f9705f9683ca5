"""What all tests share: Hypothesis without a deadline (a machine may be busy), the same everywhere.

A run of a suite loads this file as well, and whoever only measures has installed no Hypothesis.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import gettempdir

import pytest

if find_spec("hypothesis") is not None:
    from hypothesis import settings

    settings.register_profile("project", deadline=None, derandomize=True, max_examples=50)
    settings.load_profile("project")

# No test reads what whoever runs it has chosen for himself; processes that tests start inherit this.
os.environ["GEMMA_EVAL_CONFIG"] = os.path.join(gettempdir(), "gemma_eval-tests-no-such-folder")  # noqa: PTH118

ALONE = (
    *("benchmarks", "faults", "measure", "selftest", "backends/openai_http/test_http_transport.py"),
    *("cli/test_sweep.py", "executors/test_device.py", "plugin/test_plugin_waiting.py"),
    *("plugin/test_plugin_microbenchmarks.py", "report/gates/test_trackers.py"),
    *("prompts/test_sandbox.py", "statistics/test_real_gate.py", "suites/test_performance_served.py"),
)
"""What measures time, memory or how busy the machine is, or waits for a moment: others would disturb it. And
what runs pytest-benchmark, which does nothing in a worker of pytest-xdist."""


LONG = ("packaging", "plugin", "statistics", "suites", "training", "oracle")
"""Where tests take long, as the pages of docs/ do: begun last, one of them would be waited for."""


_write_covered: list[Callable[[], None]] = []
if "COVERED" in os.environ:
    from tests.covered import begin

    _write_covered.append(begin(Path(os.environ["COVERED"])))


def pytest_sessionfinish() -> None:
    """Write which lines were reached, where that is measured."""
    for write in _write_covered:
        write()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first, and mark what wants the machine for itself, before `-m` chooses.

    From here on no process that a test starts is measured. The workers of pytest-xdist have been started by
    then.
    """
    os.environ.pop("COVERED", None)
    here = Path(__file__).parent
    long = tuple(here / place for place in LONG)
    items.sort(
        key=lambda item: item.path.is_relative_to(here) and not any(map(item.path.is_relative_to, long))
    )
    alone = tuple(here / place for place in ALONE)
    for item in items:
        if any(item.path.is_relative_to(place) for place in alone):
            item.add_marker("alone")
