"""A project that has gemma_eval installed and no suite in it pays nothing for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"numpy", "scipy", "pandas", "jinja2", "redis", "pydantic", "tokenizers", "sqlite3", "gemma_eval"}
CONFTEST = """\
import json, pathlib, sys

def pytest_sessionfinish():
    pathlib.Path("modules.json").write_text(json.dumps(sorted(sys.modules)))
"""


def modules_of(folder: Path, *arguments: str) -> set[str]:
    """Run pytest in `folder` with no other plugin, and return the modules it had loaded at its end."""
    folder.mkdir(exist_ok=True)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_plain.py").write_text("def test_plain(): pass\n")
    (folder / "pyproject.toml").write_text("[tool.other]\nkey = 1\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("COVERAGE_PROCESS_START", None)
    environment.pop("COVERAGE_PROCESS_CONFIG", None)
    subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, timeout=120)
    return set(json.loads((folder / "modules.json").read_text()))


def test_a_plain_run_imports_the_entry_module_and_nothing_else(tmp_path: Path) -> None:
    """The plugin adds one module to a run without a suite; nothing heavy, and nothing of gemma_eval."""
    bare = modules_of(tmp_path / "bare")
    with_plugin = modules_of(tmp_path / "with", "-p", "_gemma_eval_pytest")
    assert with_plugin - bare == {"_gemma_eval_pytest"}
    assert not HEAVY & with_plugin


def test_a_plain_run_writes_nothing(tmp_path: Path) -> None:
    """No folder is made and no file written before a suite is run."""
    modules_of(tmp_path / "with", "-p", "_gemma_eval_pytest")
    ours = {path.name for path in (tmp_path / "with").iterdir()} - {"__pycache__"}
    assert ours == {"conftest.py", "modules.json", "pyproject.toml", "test_plain.py"}


def test_a_suite_imports_what_a_plain_run_does_not(tmp_path: Path) -> None:
    """The measurement above can fail: with a suite the heavy modules are there."""
    arguments = ("-p", "_gemma_eval_pytest", "--gemma-suite", "smoke", "--gemma-plan")
    assert {"gemma_eval", "pydantic"} <= modules_of(tmp_path / "with", *arguments)


RECORDING = {"gemma_eval.pytest_plugin.recording", "gemma_eval.measure.noise", "gemma_eval.store.write"}
CLOSING = {"gemma_eval.pytest_plugin.terminal", "gemma_eval.report.benchmarks", "gemma_eval.stats.serving"}


def test_a_plan_does_not_import_what_records_and_closes_a_run(tmp_path: Path) -> None:
    """A worker of pytest-xdist does not either; it is the controller that records."""
    plan = modules_of(tmp_path, "-p", "_gemma_eval_pytest", "--gemma-suite", "smoke", "--gemma-plan")
    assert not (RECORDING | CLOSING) & plan


def test_what_only_the_end_of_a_run_needs_is_imported_there() -> None:
    """Whoever records a run begins without it; it does exist, or nothing would be shown here."""
    begins = ("gemma_eval.pytest_plugin.activation", "gemma_eval.pytest_plugin.recording")
    assert modules_after(*begins) >= RECORDING
    assert not CLOSING & modules_after(*begins)
    assert modules_after("gemma_eval.pytest_plugin.terminal") >= CLOSING


def modules_after(*imported: str) -> set[str]:
    """Return the modules that an interpreter has after importing some."""
    program = f"import sys, {', '.join(imported)}; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return set(done.stdout.split())


def test_importing_the_entry_module_is_a_small_part_of_importing_pytest() -> None:
    """Within one process, so that the machine does not matter: at most a tenth, in the best of three."""
    assert min(share_of_import() for _ in range(3)) < 1 / 10


def share_of_import() -> float:
    """Return how long the entry module took to import, as a share of pytest's time."""
    command = [sys.executable, "-X", "importtime", "-c", "import pytest, _gemma_eval_pytest"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stderr
    rows = [line.removeprefix("import time:").split("|") for line in shown.splitlines()[1:]]
    total_us = {name.strip(): int(cumulative) for _, cumulative, name in rows}
    return total_us["_gemma_eval_pytest"] / total_us["pytest"]


@pytest.mark.parametrize("option", ["--help", "--markers"])
def test_asking_for_help_imports_nothing_heavy(tmp_path: Path, option: str) -> None:
    """The options and markers are described without importing what they configure."""
    (tmp_path / "conftest.py").write_text(CONFTEST.replace("sessionfinish", "unconfigure"))
    command = [sys.executable, "-m", "pytest", option, "-p", "_gemma_eval_pytest"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    shown = subprocess.run(
        command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True, timeout=120
    )
    assert "gemma" in shown.stdout
    assert not HEAVY - {"sqlite3"} & set(json.loads((tmp_path / "modules.json").read_text()))
