"""The wheel alone is enough: suites and model travel in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LARGEST_BYTES = 15_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the tree as it is."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT), where=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel, and nothing of the checkout, in a clean environment; return its `bin`."""
    folder = tmp_path_factory.mktemp("clean")
    call(sys.executable, "-m", "venv", str(folder), where=folder)
    call(str(folder / "bin/python"), "-m", "pip", "install", "--quiet", str(wheel), where=folder)
    return folder / "bin"


def call(*command: str, where: Path) -> str:
    """Run a command outside of the checkout and return what it printed; fail with its words."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COVERAGE"))
    }
    done = subprocess.run(
        command, cwd=where, env=environment, text=True, capture_output=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_is_small_and_whole(wheel: Path) -> None:
    """At most 15 MB, with model, suites, report templates and type information."""
    names = set(zipfile.ZipFile(wheel).namelist())
    assert wheel.stat().st_size <= LARGEST_BYTES
    assert {
        "_gemma_eval_pytest.py",
        "gemma_eval/py.typed",
        "gemma_eval/pocket/model.safetensors",
        "gemma_eval/pocket/tokenizer.json",
        "gemma_eval/suites/standard.toml",
        "gemma_eval/suites/profiles.json",
        "gemma_eval/suites/templates/rag.md",
    } <= names
    assert not [name for name in names if name.startswith(("tests/", "training/", "docs/"))]


def test_the_standard_suite_runs_from_an_empty_folder(program: Path, tmp_path: Path) -> None:
    """`pip install gemma_eval`, an empty folder, one command, and there is a report.

    Its scores differ where they should: greedy is shown to be above hot, and a context above none.
    """
    printed = call(str(program / "pytest"), "--gemma-suite", "standard", where=tmp_path)
    results = json.loads((tmp_path / "reports/latest/results.json").read_text())
    assert "reports/gemma_eval.db" in printed
    assert results["run"]["state"] == "done"
    assert results["run"]["planned"] == len(results["outcomes"]) > 0
    scores = {
        (each["group"]["profile"], each["group"]["template"]): (each["ci_low"], each["ci_high"])
        for each in results["summaries"]
        if each["metric"] == "score"
    }
    assert scores["greedy", "rag"][0] > scores["hot", "rag"][1]
    assert scores["greedy", "rag"][0] > scores["greedy", "plain"][1]
    assert {path.name for path in (tmp_path / "reports/latest/").iterdir()} == {
        "report.html",
        "report.md",
        "results.json",
    }
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == ["reports"]


def test_the_command_line_is_installed(program: Path, tmp_path: Path) -> None:
    """The help says what to type, has a line for each command, and fits a screen."""
    printed = call(str(program / "gemma-eval"), "--help", where=tmp_path)
    assert "pytest --gemma-suite standard" in printed
    lines = printed.splitlines()
    commands = [line[11:].split()[0] for line in lines[lines.index("Commands:") + 1 :]]
    assert {"benchmark", "chat", "config", "doctor", "watch"} <= set(commands)
    assert len(commands) == len(set(commands))
    assert len(lines) <= 46
    assert max(map(len, lines)) <= 80
