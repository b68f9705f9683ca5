"""`gemma-eval benchmark` is pytest: its options, its exit codes, its Ctrl-C, and a panel on a terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from gemma_eval.cli import command
from gemma_eval.cli.benchmark import arguments
from gemma_eval.plugins import load
from tests.plugin.project import NEVER, a_case, head, latest, newest_run, write_project
from tests.plugin.test_plugin_waiting import HOLDER, saying

CALM = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:benchmark")
NOTHING: dict[str, str | tuple[str, ...] | None] = {"case": ()}
TIMEOUT_S = 120


def given(*words: str, **named: str | tuple[str, ...] | None) -> list[str]:
    """Return what pytest is given where nobody looks at a terminal."""
    return arguments(words, {**NOTHING, **named}, opens=False, seen=False)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ["--gemma-suite=standard"]),
        (("smoke",), ["--gemma-suite=smoke"]),
        (("smoke", "rag"), ["--gemma-suite=smoke", "--gemma-suite=rag"]),
        (("smoke", "-k", "finn"), ["--gemma-suite=smoke", "-k", "finn"]),
        (("-x", "--lf"), ["--gemma-suite=standard", "-x", "--lf"]),
        (("--gemma-resume", "latest"), ["--gemma-resume", "latest"]),
        (("--gemma-suite=smoke",), ["--gemma-suite=smoke"]),
    ],
)
def test_suites_come_first_and_all_other_words_are_pytests(
    words: tuple[str, ...], expected: list[str]
) -> None:
    """In their order, unchanged; without a name the standard suite is meant."""
    assert given(*words) == expected


def test_its_own_options_are_those_of_the_plugin() -> None:
    """Each of them, once for each value."""
    options = given("smoke", model=("a", "b"), profile=("hot",), repeats="3", db="x.db", report="out")
    assert options == [
        "--gemma-suite=smoke",
        *("--gemma-model=a", "--gemma-model=b", "--gemma-profile=hot"),
        *("--gemma-repeats=3", "--gemma-db=x.db", "--gemma-report=out"),
    ]


def test_a_case_is_chosen_by_its_whole_id_in_every_suite() -> None:
    """And not, as with -k, wherever a model or profile has it in its name."""
    assert given("a", "b", case=("x", "y")) == [
        *("--gemma-suite=a::x", "--gemma-suite=a::y", "--gemma-suite=b::x", "--gemma-suite=b::y")
    ]


def test_a_terminal_gets_a_panel_and_a_pipe_gets_lines() -> None:
    """What CI reads is what pytest prints."""
    assert "--gemma-panel" in arguments((), NOTHING, opens=False, seen=True)
    assert "--gemma-panel" not in arguments((), NOTHING, opens=True, seen=False)
    assert "--gemma-open" in arguments((), NOTHING, opens=True, seen=False)


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a person who runs no test at the same time."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COVERAGE"))}
    return {**kept, "COLUMNS": "80", "PYTHONUNBUFFERED": "1", **more}


def benchmark(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a project to its end."""
    return subprocess.run(
        [sys.executable, "-m", "gemma_eval", "benchmark", *words],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_a_suite_of_the_project_is_run_by_its_name_and_its_report_is_opened(tmp_path: Path) -> None:
    """The same outcomes, report and exit code as with pytest; a browser is given the report."""
    write_project(tmp_path)
    opened = tmp_path / "opened.txt"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    browser.chmod(0o755)
    done = benchmark(
        tmp_path, "cities", "--case", "home", "--case", "fast", "--open", *CALM, BROWSER=str(browser)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert {outcome.trial.cell.case.id for outcome in latest(tmp_path)} == {"home", "fast"}
    run = newest_run(tmp_path)
    assert f"gemma_eval: run {run.id}" in done.stdout
    assert opened.read_text() == (tmp_path / "reports" / run.id / "report.html").as_uri()
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("never",), 1, "1 failed"),
        (("nevr",), 4, 'no suite named "nevr"; did you mean "never"?'),
        (("never", "--case", "nver"), 4, 'no case named "nver"; did you mean "never"?'),
        (("never", "--repeats", "many"), 4, "invalid int value: 'many'"),
        (("never", "-k", "nothing-of-this"), 5, "1 deselected"),
        (("never", "--gemma-plan"), 0, "1 generation to be recorded"),
        (("never", "--", "--gemma-plan"), 0, "1 generation to be recorded"),
    ],
)
def test_the_exit_codes_are_those_of_pytest(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    """Also for what this command refuses by itself."""
    write_project(tmp_path, head() + NEVER, name="never.gemma.toml")
    done = benchmark(tmp_path, *words, *CALM)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_an_option_without_its_value_is_a_mistake_on_the_command_line() -> None:
    """With the code that pytest has for one."""
    done = CliRunner().invoke(command(load()), ["benchmark", "smoke", "--profile"])
    assert done.exit_code == 4
    assert "Option '--profile' requires an argument." in done.output


@pytest.mark.parametrize("words", [("-x", "smoke"), ("--lf", "-x", "smoke", "-n", "2")])
def test_a_suite_behind_an_option_of_pytest_is_told_its_place(words: tuple[str, ...]) -> None:
    """Which pytest would look for as a file, after the standard suite."""
    done = CliRunner().invoke(command(load()), ["benchmark", *words])
    assert done.exit_code == 4
    assert f"a suite comes before pytest's options: gemma-eval benchmark smoke {words[0]}" in done.output


def test_workers_of_pytest_xdist_are_passed_through(tmp_path: Path) -> None:
    """`-n 2` means what it means to pytest."""
    write_project(tmp_path)
    done = benchmark(tmp_path, "cities", "-n", "2", *CALM)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(latest(tmp_path)) == 4


def test_ctrl_c_ends_the_run_in_order(tmp_path: Path) -> None:
    """As with pytest: code 2, what was answered is kept, and the command that goes on is printed."""
    slow = 'models = ["slow"]'
    many = "".join(a_case(f"case-{number}", keys="repeats = 20") for number in range(20))
    write_project(tmp_path, head().replace('models = ["echo"]', slow) + many, name="many.gemma.toml")
    with started(tmp_path, "many") as process:
        assert process.stdout is not None
        until_recorded(tmp_path, process)
        process.send_signal(signal.SIGINT)
        printed = process.communicate(timeout=TIMEOUT_S)[0]
    assert process.returncode == 2, printed
    assert "--gemma-resume" in printed
    assert newest_run(tmp_path).state == "interrupted"
    assert latest(tmp_path)


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start the command, and have it hear an interrupt, which a job in the background ignores."""
    return subprocess.Popen(
        [sys.executable, "-m", "gemma_eval", "benchmark", *words, *CALM],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - no thread of this process holds a lock there
    )


def hear_interrupts() -> None:
    """Let Ctrl-C end the process as that of a person."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def until_recorded(folder: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a first answer is in the database."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if latest(folder):
                return
        except Exception:  # noqa: BLE001, S110 - the database is being made
            pass
        time.sleep(0.05)
    raise AssertionError(f"nothing was recorded; exit code {process.poll()}")


def on_a_terminal(
    folder: Path, *words: str, read: Callable[[str], object] = len, **more: str
) -> tuple[int, str]:
    """Run the command on a terminal of its own, and return its exit code and all that it wrote there.

    `read` is given what it has written so far, whenever that has grown.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gemma_eval", "benchmark", *words, *CALM],
        cwd=folder,
        env=environment(TERM="xterm-256color", LINES="30", **more),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # nobody has the terminal open any more
            break
        if not piece:
            break
        written += piece
        read(written.decode(errors="replace"))
    os.close(ours)
    return process.wait(TIMEOUT_S), written.decode()


def test_a_terminal_shows_a_panel_in_the_place_of_dots_and_then_what_pytest_prints(tmp_path: Path) -> None:
    """The cursor is there after it as before; failures and the summary stand at the end."""
    write_project(tmp_path, head() + a_case("home") + NEVER, name="two.gemma.toml")
    code, written = on_a_terminal(tmp_path, "two")
    assert code == 1, written
    panel, _, after = written.rpartition("\x1b[?25h")
    assert "home[echo/greedy/plain]" in panel
    assert "2/2" in panel
    assert "1 failed" in panel
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", after)
    assert "FAILURES" in plain
    assert "gemma_eval: run" in plain
    assert "FAILED two.gemma.toml::never[echo/greedy/plain] - contains" in plain
    assert "1 failed, 1 passed" in plain
    assert not re.search(r"^two\.gemma\.toml [.F]", plain, re.MULTILINE)


def test_whom_a_benchmark_waits_for_is_said_above_the_panel(tmp_path: Path) -> None:
    """Once, in a line that stays, and the panel is drawn again below it."""
    write_project(tmp_path)
    locks = tmp_path / f"gemma_eval-{os.getuid()}"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(locks), "600"], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    def read(written: str) -> None:
        if "waits for" in written:
            holder.kill()

    with holder:
        code, written = on_a_terminal(tmp_path, "cities", "--case", "fast", read=read, TMPDIR=str(tmp_path))
        holder.kill()
    assert code == 0, written
    assert " ".join(written.split()).count(saying(holder.pid)) == 1
    assert written.index("fast[echo/greedy/plain]") < written.index("waits for") < written.rindex("1/1")


def test_who_asks_for_lines_gets_lines(tmp_path: Path) -> None:
    """With -v pytest names each item, also on a terminal."""
    write_project(tmp_path, head() + a_case("home"), name="one.gemma.toml")
    code, written = on_a_terminal(tmp_path, "one", "-v")
    assert code == 0, written
    assert "\x1b[?25l" not in written
    assert "PASSED" in written
