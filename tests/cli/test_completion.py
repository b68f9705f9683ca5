"""A shell completes commands, options and names: asked as click's scripts ask, and in a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.store.write import open_store
from tests.examples import a_run
from tests.plugin.project import write_project

BIN = Path(sys.executable).parent


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which the command is on the PATH."""
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **more}


def completed(folder: Path, line: str) -> set[str]:
    """Return what is offered at the end of a line, asked as the script of bash does it."""
    words = line.split(" ")
    asked = subprocess.run(
        [sys.executable, "-m", "gemma_eval"],
        env=environment(
            COMP_WORDS=line, COMP_CWORD=str(len(words) - 1), _GEMMA_EVAL_COMPLETE="bash_complete"
        ),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert asked.stderr == ""
    return {offered.partition(",")[2] for offered in asked.stdout.splitlines() if offered}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a suite, models and a run."""
    write_project(tmp_path)
    (tmp_path / "reports").mkdir()
    with closing(open_store(tmp_path / "reports" / "gemma_eval.db")) as store:
        store.begin(replace(a_run(), planned=0), ())
    return tmp_path


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("gemma-eval bench", {"benchmark"}),
        ("gemma-eval suite ", {"new", "check", "list", "show"}),
        ("gemma-eval benchmark cit", {"cities", "citations"}),
        ("gemma-eval benchmark smoke --profile gree", {"greedy"}),
        ("gemma-eval benchmark smoke --model ec", {"echo"}),
        ("gemma-eval benchmark --template pl", {"plain"}),
        ("gemma-eval benchmark --rep", {"--repeats", "--report"}),
        ("gemma-eval suite check smo", {"smoke"}),
        ("gemma-eval completion z", {"zsh"}),
        ("gemma-eval report lat", {"latest"}),
        ("gemma-eval nonsense ", set()),
    ],
)
def test_names_are_offered_where_they_are_wanted(project: Path, line: str, offered: set[str]) -> None:
    """Commands, options, suites, models, profiles, templates and runs."""
    assert completed(project, line) == offered


def test_what_cannot_be_read_offers_nothing_and_says_nothing(project: Path) -> None:
    """A shell that completes shows no errors."""
    (project / "models.toml").write_text("version = [")
    (project / "reports" / "gemma_eval.db").write_bytes(b"no database")
    assert completed(project, "gemma-eval benchmark --model ec") == set()
    assert completed(project, "gemma-eval report lat") == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed_with_the_line_that_installs_it(shell: str) -> None:
    """It is one that the shell itself finds well-formed, where that shell is."""
    printed = subprocess.run(
        [sys.executable, "-m", "gemma_eval", "completion", shell],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert f"gemma-eval completion {shell}" in printed
    assert "_GEMMA_EVAL_COMPLETE" in printed
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=printed, text=True, check=True, timeout=60)


def test_a_real_bash_completes_after_the_line_that_the_help_gives(project: Path) -> None:
    """The function that is installed fills in what bash would show."""
    script = """
eval "$(gemma-eval completion bash)"
complete -p gemma-eval
COMP_WORDS=(gemma-eval benchmark cit) COMP_CWORD=2
_gemma_eval_completion gemma-eval
printf '<%s>' "${COMPREPLY[@]}"
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=environment(),
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "-F _gemma_eval_completion gemma-eval" in done.stdout
    assert "<cities>" in done.stdout
    assert "<citations>" in done.stdout
