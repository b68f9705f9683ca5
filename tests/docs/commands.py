"""How a command line of the pages is checked: run if that is quick, else held against what it names."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

from tests.plugin.gating import Session, program, session

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 180
RUNS_NOTHING = ("--gemma-plan", "--co", "--collect-only", "--help", "-h")
QUICK_SUITES = ("smoke",)
SET_UP = ("git clone", "cd gemma_eval", "python3 -m venv .venv", ". .venv/bin/activate")


def run_command(command: str, *, folder: Path, exit_code: int = 0) -> str:
    """Check one command and return what it printed. Raises AssertionError when the page is wrong.

    `pytest` and `gemma-eval` are run in `folder`, without a start-up for each; a shipped suite that takes
    longer than seconds is planned instead of run. What `>` sends to a file is written there, and what `<`
    names is read, and `NAME=value` before a command is in its environment. `make` and `pip` lines are held
    against the Makefile and the extras of the project.
    """
    words = shlex.split(command)
    if words[0] == "make":
        return _check_make(words[1:])
    if "pip" in words[:3] and "install" in words:
        return _check_pip(words[words.index("install") + 1 :])
    if command.startswith(SET_UP):
        return ""
    if words[-1] == "&":
        return _begin(_argv(words[:-1]), folder=folder)
    if words[-2:-1] == [">"]:
        printed = run_command(shlex.join(words[:-2]), folder=folder, exit_code=exit_code)
        (folder / words[-1]).write_text(printed, encoding="utf-8")
        return ""
    if _set_before(words)[1][0] in ("pytest", "gemma-eval") or words[:2] == ["python", "-m"]:
        return _execute(words, folder=folder, exit_code=exit_code)
    raise AssertionError(f"no way to check the command {command!r}")


def end_background() -> None:
    """End the servers that a page has begun with `&`."""
    while _BACKGROUND:
        with _BACKGROUND.pop() as process:
            process.terminate()
    fcntl.flock(_PORT, fcntl.LOCK_UN)


def _begin(argv: list[str], *, folder: Path) -> str:
    """Begin a server and return the line by which it says that it serves. Raises AssertionError.

    Pages have their servers at one port, so one that is checked beside this one is waited for.
    """
    if not _BACKGROUND:
        fcntl.flock(_PORT, fcntl.LOCK_EX)
    process = subprocess.Popen(
        argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
    )
    _BACKGROUND.append(process)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "is served at" in line, line
    return line


_BACKGROUND: list[subprocess.Popen[str]] = []
_PORT = os.open(ROOT / "Makefile", os.O_RDONLY)
"""Locked while a page serves."""


def _argv(words: list[str]) -> list[str]:
    if words[0] == "pytest":
        return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words[1:], *_plan_if_slow(words)]
    if words[0] == "gemma-eval":
        # What the self-test finds is of the machine and of the moment; tests/selftest run it.
        more = ("--help",) if words[1:] == ["selftest"] else ()
        return [sys.executable, "-m", "gemma_eval", *words[1:], *more]
    return [sys.executable, *words[1:]]


def _plan_if_slow(words: list[str]) -> tuple[str, ...]:
    """Return the option that keeps a long shipped suite from running; suites of the page itself are short."""
    suites = [after for word, after in pairwise(words) if word == "--gemma-suite"]
    shipped = [name for name in suites if "." not in name and "/" not in name]
    slow = any(name not in QUICK_SUITES for name in shipped)
    return ("--gemma-plan",) if slow and not any(word in RUNS_NOTHING for word in words) else ()


def _fed(words: list[str], path: Path) -> str:
    """Run a command that is given a file to read, and return what it answers."""
    with path.open(encoding="utf-8") as file:
        done = subprocess.run(
            _argv(words),
            cwd=path.parent,
            stdin=file,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        )
    return done.stdout


def _execute(words: list[str], *, folder: Path, exit_code: int) -> str:
    if words[-2:-1] == ["<"]:
        return _fed(words[:-2], folder / words[-1])
    variables, words = _set_before(words)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= variables
    environment |= {"COLUMNS": "80", "NO_COLOR": "1"}
    done = _run(_argv(words), folder=folder, environment=environment)
    shown = f"{shlex.join(words)}\n{done.text}"
    assert done.code == exit_code, f"exit code {done.code}, not {exit_code}: {shown}"
    return done.text


def _set_before(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the variables that stand before a command, and the words of that."""
    n = next((n for n, word in enumerate(words) if not re.match(r"[A-Z_]+=", word)), 0)
    return {name: value for name, _, value in (word.partition("=") for word in words[:n])}, words[n:]


def _run(argv: list[str], *, folder: Path, environment: dict[str, str]) -> Session:
    """Run it; what only starts the project is forked from a process that has imported the project."""
    if argv[1:3] == ["-m", "pytest"]:
        return session(folder, *argv[3:], environment=environment)
    if argv[1:3] == ["-m", "gemma_eval"]:
        return program(folder, *argv[3:], environment=environment)
    done = subprocess.run(
        argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    return Session(done.returncode, tuple((done.stdout + done.stderr).splitlines()))


def _check_make(targets: list[str]) -> str:
    known = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(targets) <= set(known), f"make has no target {sorted(set(targets) - set(known))}"
    return ""


def _check_pip(requirements: list[str]) -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in requirements:
        if requirement in ("-e", "--editable"):
            continue
        name, _, extras = requirement.removesuffix("]").partition("[")
        assert name in (project["name"], "."), f"pip installs {name!r}, the project is {project['name']!r}"
        unknown = {extra for extra in extras.split(",") if extra} - set(project["optional-dependencies"])
        assert not unknown, f"no extra {sorted(unknown)}"
    return ""
