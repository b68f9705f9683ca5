"""Projects that are gated: scripted models of exact times, and blocks without a start-up for each."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from gemma_eval import plugins
from gemma_eval.__main__ import main
from gemma_eval.cli import command
from gemma_eval.errors import GemmaEvalError
from gemma_eval.executors import arm
from gemma_eval.executors.arm import INSIDE
from gemma_eval.executors.worker import end_with_parent
from gemma_eval.pytest_plugin import recording
from gemma_eval.records import Gating, Noise, Outcome, Run
from gemma_eval.report import html, markdown
from gemma_eval.selftest import check
from gemma_eval.store.read import open_reader
from tests import forked
from tests.plugin.project import head

for _name in ("gatekeeper", "gate_hooks", "plan", "recording", "terminal"):
    import_module(f"gemma_eval.pytest_plugin.{_name}")
for _environment, _ending in ((html._environment(), ".html.j2"), (markdown._environment(), ".md.j2")):
    for _template in _environment.list_templates():
        if _template.endswith(_ending):
            _environment.get_template(_template)

SUITE = ("--gemma-suite", "towns.gemma.toml")

REPLIES = {
    "quick": "ttft_ms = 40, tpot_ms = 5",
    "twin": "ttft_ms = 40, tpot_ms = 5",
    "late": "ttft_ms = 50, tpot_ms = 5",
    "bern": "ttft_ms = 40, tpot_ms = 5",
}
"""What the models answer with: `late` begins a quarter later than `quick`, and `bern` is wrong."""

TWO_CASES = """
[[case]]
id = "home"
prompt = "Where does Finn live?"
checks = [{ scorer = "contains", text = "Oslo" }]
[[case]]
id = "fast"
kind = "benchmark"
prompt = "Say something."
repeats = 1
warmup = 0
"""


def write_gated(folder: Path, *, cases: str = TWO_CASES, model: str = "late", more: str = "") -> Path:
    """Write a suite of one model, the models beside it and `more` of them; return the suite's path."""
    folder.mkdir(exist_ok=True)
    models = [
        f'[model.{name}]\nbackend = "scripted"\nlocation = "-"\n'
        f'options = {{ reply = "{"Bern" if name == "bern" else "He lives in Oslo"}", {times} }}\n'
        for name, times in REPLIES.items()
    ]
    (folder / "models.toml").write_text("version = 1\n" + "".join(models) + more)
    path = folder / "towns.gemma.toml"
    path.write_text(head(models=(model,)) + cases)
    return path


@dataclass(frozen=True)
class Session:
    """A run of pytest that has ended: its exit code and what it printed."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All that it printed."""
        return "".join(f"{line}\n" for line in self.lines)

    def has(self, glob: str) -> bool:
        """Whether a line fits."""
        return any(fnmatchcase(line, glob) for line in self.lines)


@contextmanager
def begun(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    quick: bool = True,
    noisy: str = "",
) -> Iterator[tuple[BaseProcess, Path]]:
    """Start pytest in a process of its own, which is killed at the end; yield it and the file it prints to.

    Its blocks are processes, too. They are forked (`quick`) from one that has imported everything, so that
    they need no start-up, or they are started as everybody's are. The machine is as busy as `noisy` says.
    """
    with NamedTemporaryFile(prefix="printed-", suffix=".txt") as printed:
        given = (str(folder), arguments, dict(environment or {}), printed.name, quick, noisy)
        with _begun(_session, *given) as process:
            yield process, Path(printed.name)


@contextmanager
def _begun(what: Callable[..., None], *given: object) -> Iterator[BaseProcess]:
    process = forked.process(what, *given)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        process.close()


def session(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    quick: bool = True,
    noisy: str = "",
) -> Session:
    """Run pytest to its end in such a process."""
    started = begun(folder, *arguments, environment=environment, quick=quick, noisy=noisy)
    with started as (process, printed):
        return _ended(process, printed)


def program(folder: Path, *arguments: str, environment: Mapping[str, str]) -> Session:
    """Run `gemma-eval` to its end in such a process."""
    with (
        NamedTemporaryFile(prefix="printed-", suffix=".txt") as printed,
        _begun(_program, str(folder), arguments, dict(environment), printed.name) as process,
    ):
        return _ended(process, Path(printed.name))


def _ended(process: BaseProcess, printed: Path) -> Session:
    process.join()
    assert process.exitcode is not None
    said = _WARNED.sub("", printed.read_text(errors="replace"))
    return Session(process.exitcode, tuple(said.splitlines()))


_WARNED = re.compile(r", \d+ warnings?(?= in )")
"""What pytest counts of plugins that this process had imported already, as other tests may have."""


def until(happens: Callable[[], bool], process: BaseProcess) -> None:
    """Wait until something happens while a process goes on."""
    while not happens():
        assert process.is_alive()
        time.sleep(0.02)


class Forking:
    """Forks processes of pytest from one in which pytest has not run yet; it ends with this one."""

    DEVNULL = None

    def __init__(self) -> None:
        self._ours, self._theirs = forked.pipe(both_ways=True)
        if os.fork() == 0:
            end_with_parent()
            _fork_what_is_asked(self._theirs)

    def Popen(  # noqa: N802 - the name that it stands in for
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdout: BinaryIO, **_: object
    ) -> Forked:
        """Start pytest, the program of `command`, with its output in that file."""
        self._ours.send((str(cwd), command[3:], dict(env), stdout.name))
        return Forked(self._ours.recv(), self._ours)


@dataclass(frozen=True)
class Forked:
    """Stands in for the process of a block."""

    pid: int
    asked: Connection

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return its exit code."""
        assert self.asked.poll(timeout)
        return int(self.asked.recv())

    def terminate(self) -> None:
        """Ask it to end."""
        os.kill(self.pid, signal.SIGTERM)


def _fork_what_is_asked(asked: Connection) -> None:
    while True:
        folder, arguments, environment, printed = asked.recv()
        pid = os.fork()
        if pid == 0:
            os.environ.clear()
            _pytest(folder, arguments, {**environment, INSIDE: str(os.getppid())}, printed)
        asked.send(pid)
        asked.send(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


@dataclass(frozen=True)
class Watch:
    """Stands in for who watches how busy the machine is."""

    noisy: str

    def look(self) -> None:
        """See nothing."""

    def end(self) -> Noise:
        """Return what was given."""
        return Noise(reasons=(self.noisy,) if self.noisy else ())


def _session(
    folder: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    printed: str,
    quick: bool,
    noisy: str,
) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background ignores
    for name in list(os.environ):
        if name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY") or name.startswith("PYTEST_"):
            del os.environ[name]  # among them what pytest-xdist tells a worker that this is not
    patch = pytest.MonkeyPatch()
    patch.setattr(recording, "begin_noise", lambda **_: Watch(noisy))
    patch.setattr(check, "calibrate", lambda *_, **__: None)
    gc.freeze()  # so that nobody looks at what all share
    if quick:
        patch.setattr(arm, "subprocess", Forking())
    _pytest(folder, ("-p", "no:benchmark", *_WITHOUT, *arguments), environment, printed)


def _program(folder: str, arguments: Sequence[str], environment: Mapping[str, str], printed: str) -> None:
    _go(folder, environment, printed)
    main(arguments)


def _pytest(folder: str, arguments: Sequence[str], environment: Mapping[str, str], printed: str) -> None:
    _go(folder, environment, printed)
    os._exit(pytest.main(list(arguments)))


def _go(folder: str, environment: Mapping[str, str], printed: str) -> None:
    said = os.open(printed, os.O_WRONLY)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:0] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]


_WITHOUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio")


def runs_of(folder: Path) -> dict[str, Run]:
    """Return the runs of a project by their ids, the newest first."""
    with closing(open_reader(folder / "reports" / "gemma_eval.db")) as reader:
        return {run.id: run for run in reader.runs()}


def outcomes_of(folder: Path, run: str) -> tuple[Outcome, ...]:
    """Return the outcomes of a run."""
    with closing(open_reader(folder / "reports" / "gemma_eval.db")) as reader:
        return reader.outcomes(run)


def gating_of(folder: Path, run: str = "latest") -> Gating:
    """Return what became of the gates of a run, as it is recorded."""
    with closing(open_reader(folder / "reports" / "gemma_eval.db")) as reader:
        found = reader.gating(reader.run(run).id)
    assert found is not None
    return found


def verdicts_of(folder: Path, run: str = "latest") -> dict[str, str]:
    """Return the verdict of each gate of a run by the id of the gate."""
    return {each.gate.id: each.comparison.verdict for each in gating_of(folder, run).gated}


def told(folder: Path, *arguments: str) -> tuple[int, str]:
    """Return the exit code and the output of `gemma-eval` in a project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = CliRunner().invoke(command(plugins.load()), arguments)
    if isinstance(result.exception, GemmaEvalError):
        return 2, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def junit_cases(path: Path) -> dict[str, ElementTree.Element]:
    """Return the tests of a JUnit file by their names."""
    root = ElementTree.parse(path).getroot()  # noqa: S314 - written by this very test
    return {case.attrib["name"]: case for case in root.iter("testcase")}
