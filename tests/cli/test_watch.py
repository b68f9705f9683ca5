"""`gemma-eval watch` reruns what an edit touches, says what it came to, and leaves the terminal as it was."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE_S = 60.0
"""Far longer than anything here takes, however busy the machine is."""

SUITE = """\
[defaults]
models = ["pocket"]
profiles = ["greedy"]
templates = ["told", "kept"]
"""
CASE = """
[[case]]
id = "{name}"
prompt = "Where does {name} live?"
documents = [{{ name = "people", text = "{name} lives in Oslo. Ada lives in Rome." }}]
checks = [{{ scorer = "contains", text = "Oslo" }}]
"""
SILENT = "{{ query }}"
TELLING = "{{ rag_context }}\n\n{{ query }}"

PEOPLE = ("Finn", "Mia", "Noah")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A suite whose template tells the pocket model nothing, so that it does not know."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "told.jinja").write_text(SILENT)
    (tmp_path / "templates" / "kept.jinja").write_text(TELLING)
    (tmp_path / "towns.gemma.toml").write_text(SUITE + "".join(CASE.format(name=name) for name in PEOPLE))
    return tmp_path


class Watched:
    """A `gemma-eval watch` that runs: what it has printed so far, and a way to say something to it."""

    def __init__(self, process: subprocess.Popen[bytes], reads: int, writes: int) -> None:
        self.process = process
        self.said = self._left = ""
        self._reads, self._writes = reads, writes

    def until(self, text: str) -> str:
        """Read until something is printed; return what was printed up to then since the last time."""
        ends = time.monotonic() + PATIENCE_S
        while text not in self._left:
            assert time.monotonic() < ends, self.said
            assert self.process.poll() is None, self.said
            if select.select([self._reads], [], [], 0.5)[0]:
                read = os.read(self._reads, 4096).decode()
                assert read, self.said
                self._left += read
                self.said += read
        before, text, self._left = self._left.partition(text)
        return before + text

    def rest(self) -> str:
        """Return what it has printed by its end."""
        while select.select([self._reads], [], [], 0.1)[0]:
            self.said += os.read(self._reads, 4096).decode()
        return self.said

    def say(self, text: str) -> None:
        """Press keys, or write lines."""
        os.write(self._writes, text.encode())


COMMAND = (sys.executable, "-m", "gemma_eval", "watch", "towns.gemma.toml")
HEARING = (
    "import signal, sys; from gemma_eval.__main__ import main; "
    "signal.signal(signal.SIGHUP, signal.SIG_DFL); signal.signal(signal.SIGINT, signal.default_int_handler); "
    "main(sys.argv[1:])"
)
"""What a terminal sends is heard, though nohup or a job in the background may have the tests ignore it."""


@contextmanager
def piped(project: Path, *arguments: str) -> Iterator[Watched]:
    """Have it run without a terminal."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Watched(process, process.stdout.fileno(), process.stdin.fileno())
        finally:
            process.kill()


@contextmanager
def at_terminal(project: Path, *arguments: str) -> Iterator[tuple[Watched, int]]:
    """Have it run in a pseudo terminal of 100 columns; yield it and the terminal."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 100))
    with subprocess.Popen(
        [sys.executable, "-c", HEARING, *COMMAND[3:], *arguments],
        cwd=project,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "NO_COLOR": "1", "TERM": "xterm"},
        start_new_session=True,
    ) as process:
        try:
            yield Watched(process, ours, ours), theirs
        finally:
            process.kill()
            process.wait()
            for each in (ours, theirs):
                os.close(each)


def save(path: Path, text: str) -> None:
    """Save as an editor does."""
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


def test_an_edit_is_rerun_and_its_difference_shown(project: Path) -> None:
    """Without a terminal: an edit that helps, one that breaks, one that does nothing, one of the suite."""
    told = project / "templates" / "told.jinja"
    with piped(project) as watched:
        first = watched.until(" kept ")
        watched.until("\n")
        assert re.search(r"pocket\s+greedy\s+told\s+3\s+0\.00 ", first)
        save(told, TELLING)
        said = watched.until("\nscore: ")
        assert 'template "told" changed: 3 of 6 cells to run' in said
        assert said.count("  - I do not know.\n  + Oslo\n") == 3
        assert "Finn[pocket/greedy/told]  0.00 → 1.00" in said
        assert re.search(r"\nscore +0\.00 +1\.00 +\+1\.000", said)
        assert "cannot tell; it leans to better (+1.000 over 3 cases)" in watched.until("\n")
        assert "kept]" not in said
        watched.say("a\n")
        watched.until("from here on\n")
        save(told, "{{ query")
        said = watched.until("stays in use\n")
        assert said.count("\n") == 1
        assert 'template "told": line 1' in said
        save(told, TELLING + "\n")
        said = watched.until("\nscore: ")
        assert said.startswith("the files can be read again\n")
        assert "the same answers" in watched.until("\n")
        save(project / "towns.gemma.toml", SUITE + "".join(CASE.format(name=n) for n in ("Finn", "Tom")))
        said = watched.until("gone, and held against nothing")
        assert "2 of 4 cells to run" in said
        assert "new, and held against nothing: Tom[pocket/greedy/told], Tom[pocket/greedy/kept]" in said
        watched.say("r\n")
        watched.until("all cells run again\n")
        watched.until(": the same answers\n")
        watched.say("x\nq\n")
        watched.until("a accept · r rerun all · q quit")
        assert watched.process.wait(PATIENCE_S) == 0
    assert not (project / "reports").exists()


def test_the_end_of_the_input_is_the_end(project: Path) -> None:
    """After what there is was run and shown; lines that came before it are obeyed in their order."""
    done = subprocess.run(
        [*COMMAND, "--template", "kept", "--case", "Finn"],
        cwd=project,
        input="a",
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0
    assert re.search(r"kept\s+1\s+1\.00", done.stdout)
    assert done.stdout.endswith("accepted: edits are held against this from here on\n")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--template", "kep"), 'no template named "kep"; did you mean "kept"?'),
        (("--kind", "benchmark"), "towns.gemma.toml has no case of the kind benchmark that is asked for"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(project: Path, arguments: tuple[str, ...], said: str) -> None:
    """Before anything is loaded."""
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=project, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 2
    assert done.stderr == f"gemma-eval: {said}\n"


def test_one_key_is_enough_at_a_terminal(project: Path) -> None:
    """Edit, see what changed, accept, edit it back, quit; the terminal is as it was before."""
    told = project / "templates" / "told.jinja"
    with at_terminal(project) as (watched, terminal):
        before = termios.tcgetattr(terminal)
        watched.until("waits for edits")
        assert not termios.tcgetattr(terminal)[3] & termios.ICANON
        save(told, TELLING)
        watched.until("it leans to better")
        watched.say("a")
        watched.until("accepted")
        save(told, SILENT)
        said = watched.until("it leans to worse")
        assert "1.00 → 0.00" in said
        watched.say("q")
        assert watched.process.wait(PATIENCE_S) == 0
        assert termios.tcgetattr(terminal) == before


ENDINGS: dict[str, tuple[Callable[[Watched], None], int]] = {
    "Ctrl-C": (lambda watched: watched.process.send_signal(signal.SIGINT), 130),
    "Ctrl-D": (lambda watched: watched.say("\x04"), 0),
    "SIGTERM": (lambda watched: watched.process.send_signal(signal.SIGTERM), 128 + signal.SIGTERM),
    "SIGHUP": (lambda watched: watched.process.send_signal(signal.SIGHUP), 128 + signal.SIGHUP),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_terminal_is_given_back_however_it_ends(project: Path, ending: str) -> None:
    """By a signal, in the middle of waiting; nothing like a traceback is shown."""
    end, code = ENDINGS[ending]
    with at_terminal(project, "--case", "Finn") as (watched, terminal):
        before = termios.tcgetattr(terminal)
        watched.until("waits for edits")
        end(watched)
        assert watched.process.wait(PATIENCE_S) == code
        assert termios.tcgetattr(terminal) == before
        assert "Traceback" not in watched.rest()


def test_a_process_that_was_stopped_goes_on_to_hear_keys(project: Path) -> None:
    """As after Ctrl-Z and `fg`, though a shell has set the terminal otherwise meanwhile."""
    with at_terminal(project, "--case", "Finn") as (watched, terminal):
        before = termios.tcgetattr(terminal)
        watched.until("waits for edits")
        watched.process.send_signal(signal.SIGSTOP)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        watched.process.send_signal(signal.SIGCONT)
        while termios.tcgetattr(terminal)[3] & termios.ICANON:
            time.sleep(0.01)
        watched.say("q")
        assert watched.process.wait(PATIENCE_S) == 0
        assert termios.tcgetattr(terminal) == before


def test_an_arrow_is_no_letter(project: Path) -> None:
    """Terminals send it as `ESC [ A`, and that must accept nothing; neither does it end."""
    with at_terminal(project, "--case", "Finn") as (watched, _):
        watched.until("waits for edits")
        watched.say("\x1b[A\x1bOq\x1b[1;5A")
        watched.until("a accept")
        watched.say("r")
        assert "accepted" not in watched.until("all cells run again")
        watched.say("q")
        assert watched.process.wait(PATIENCE_S) == 0


def test_a_terminal_that_is_gone_is_the_end(project: Path) -> None:
    """Also where the signal that says so is ignored, as `nohup` has it."""
    code = "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    code += "from gemma_eval.__main__ import main; sys.exit(main())"
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", code, "watch", "towns.gemma.toml", "--case", "Finn"]
    said = project / "said"
    with (
        said.open("wb") as out,
        subprocess.Popen(
            command,
            cwd=project,
            stdin=theirs,
            stdout=out,
            stderr=out,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process,
    ):
        try:
            os.close(theirs)
            while b"waits for edits" not in said.read_bytes():
                assert process.poll() is None, said.read_text()
                time.sleep(0.05)
            os.close(ours)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()
    assert "Traceback" not in said.read_text()
