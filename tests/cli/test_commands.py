"""The commands, used as a person would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import gemma_eval
from gemma_eval import __main__
from gemma_eval.cli import command
from gemma_eval.errors import StoreError, UnknownName
from gemma_eval.plugins import load
from gemma_eval.protocols import RegisterCommand
from gemma_eval.store.write import open_store
from tests.cli.installing import environment, install
from tests.examples import a_run, an_outcome


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one run of one outcome."""
    path = tmp_path / "results.db"
    outcome = an_outcome()
    with closing(open_store(path)) as store:
        run = a_run()
        store.begin(run, (outcome.trial,))
        store.record(run.id, outcome)
        store.finish(run.id, "done")
    return path


def invoke(*arguments: str, plugins: tuple[object, ...] = ()) -> str:
    """Run `gemma-eval` with these arguments and return what it printed."""
    result = CliRunner().invoke(command(load(plugins)), arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_runs_lists_what_is_recorded(database: Path) -> None:
    """Id, start, state and size of each run."""
    printed = invoke("runs", "--db", str(database))
    assert "20260101-000000-abcd  2026-01-01 00:00:00  done" in printed


def test_runs_are_listed_as_json(database: Path) -> None:
    """With the names that a program looks for."""
    (run,) = json.loads(invoke("runs", "--json", "--db", str(database)))
    assert (run["id"], run["state"]) == ("20260101-000000-abcd", "done")
    assert run["started_utc"].startswith("2026-01-01T00:00:00")


def test_no_runs_are_an_empty_list(tmp_path: Path) -> None:
    """Nothing else is printed."""
    path = tmp_path / "empty.db"
    open_store(path).close()
    assert json.loads(invoke("runs", "--json", "--db", str(path))) == []


def test_runs_says_how_to_make_a_first_one(tmp_path: Path) -> None:
    """An empty database is not an error."""
    path = tmp_path / "empty.db"
    open_store(path).close()
    assert "pytest --gemma-suite standard" in invoke("runs", "--db", str(path))


@pytest.mark.parametrize("arguments", [(), ("latest",), ("20260101-000000-abcd",)])
def test_report_writes_the_reports_of_a_run_again(
    database: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """By id or the newest, into a folder of the run's name."""
    folder = tmp_path / "reports"
    printed = invoke("report", *arguments, "--db", str(database), "--out", str(folder))
    written = folder / "20260101-000000-abcd"
    assert {path.name for path in written.iterdir()} == {"report.html", "report.md", "results.json"}
    assert str(written / "report.html") in printed
    assert json.loads((written / "results.json").read_text())["run"]["id"] == "20260101-000000-abcd"


def test_a_run_that_is_not_there_is_named_with_those_that_are(database: Path) -> None:
    """A typing error costs one look."""
    with pytest.raises(UnknownName, match=r'no run named "20260101-000000-abce"; did you mean'):
        invoke("report", "20260101-000000-abce", "--db", str(database))


def test_a_database_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    """It is not created by looking."""
    with pytest.raises(StoreError, match=r"nowhere\.db"):
        invoke("runs", "--db", str(tmp_path / "nowhere.db"))
    assert list(tmp_path.iterdir()) == []


def test_an_error_is_one_line_and_exit_code_two(capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback for what a person can mend."""
    with pytest.raises(SystemExit) as exit_code:
        __main__.main(["reprot"])
    assert exit_code.value.code == 2
    assert capsys.readouterr().err == 'gemma-eval: no command named "reprot"; did you mean "report"?\n'


def test_an_error_holds_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    """It may repeat what a file says."""
    with pytest.raises(SystemExit):
        __main__.main(["\x1b]0;pwn\x07\u202e\udcff"])
    told = capsys.readouterr().err
    assert told.startswith('gemma-eval: no command named "\\x1b]0;pwn\\x07\\u202e\\udcff"')


def test_a_plugin_adds_a_command() -> None:
    """Through the same door as the built-in ones."""

    @click.command()
    def greet() -> None:
        """Say hello."""
        click.echo("hello")

    class Greeting:
        @gemma_eval.hookimpl
        def register_commands(self, register: RegisterCommand) -> None:
            register("greet", greet)

    assert invoke("greet", plugins=(Greeting(),)) == "hello\n"


ENDING = """\
import signal
import time

import click
import gemma_eval
from gemma_eval.cli.screen import table


@click.group()
def end():
    "End in some way."


@end.command()
def waits():
    click.echo("ready")
    time.sleep(120)


@end.command()
def asks():
    click.echo("ready")
    click.prompt("Go on?")


@end.command()
def floods():
    for number in range(1_000_000):
        click.echo(number)


@end.command()
def tabulates():
    while True:
        table(("number",), ((number,) for number in range(5_000)))


@gemma_eval.hookimpl
def register_commands(register):
    register("end", end)
"""


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start `gemma-eval` as a person does at a terminal, where Ctrl-C is heard."""
    return subprocess.Popen(
        [sys.executable, "-m", "gemma_eval", *words],
        env=environment(folder),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - no thread of this process holds a lock there
    )


def hear_interrupts() -> None:
    """Hear an interrupt, which what a shell starts in the background ignores."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("how", ["waits", "asks"])
def test_ctrl_c_is_one_line_and_the_code_of_a_shell(tmp_path: Path, how: str) -> None:
    """At work and at a question, without a traceback."""
    install(tmp_path, "ending-plugin", ENDING)
    with started(tmp_path, "end", how) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        printed, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.strip().splitlines()[-1] == "gemma-eval: interrupted"
    assert "Traceback" not in told
    assert "Traceback" not in printed


def test_ctrl_c_while_plugins_are_loaded_is_no_traceback_either(tmp_path: Path) -> None:
    """A plugin that takes its time when it is imported is interrupted in the same way."""
    slow = "import sys, time\nsys.stdout.write('ready\\n')\nsys.stdout.flush()\ntime.sleep(120)\n"
    install(tmp_path, "slow-plugin", slow)
    with started(tmp_path, "runs") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (130, "gemma-eval: interrupted\n")


@pytest.mark.parametrize("how", ["floods", "tabulates"])
def test_a_reader_who_goes_away_is_no_error(tmp_path: Path, how: str) -> None:
    """As `gemma-eval runs | head -1`: nothing is said, and the code is that of a shell."""
    install(tmp_path, "ending-plugin", ENDING)
    with started(tmp_path, "end", how) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        told = process.stderr.read()
        assert process.wait(60) == 141
    assert told == ""


def test_a_mistake_on_the_command_line_is_code_two() -> None:
    """An option that there is not, with what is near."""
    result = CliRunner().invoke(command(load()), ["runs", "--bd", "x.db"])
    assert result.exit_code == 2
    assert "No such option" in result.output
    assert "--db" in result.output


PATH = b"/\xff/\xe2\x80\x93"
"""No UTF-8 in its first part, a dash in its last."""


def printed(folder: Path, encoding: str, *words: str) -> bytes:
    """Return what `gemma-eval` prints where the user's folder is `PATH`."""
    variables = {**environment(folder), "PYTHONIOENCODING": encoding, "GEMMA_EVAL_CONFIG": os.fsdecode(PATH)}
    process = [sys.executable, "-m", "gemma_eval", "config", *words]
    done = subprocess.run(process, env=variables, cwd=folder, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def test_a_path_that_is_no_text_is_printed_as_it_is(tmp_path: Path) -> None:
    """A shell opens it by that; and JSON stays JSON, from which a program reads the same path."""
    assert printed(tmp_path, "utf-8:strict", "path") == PATH + b"/settings.yaml\n"
    places = json.loads(printed(tmp_path, "utf-8:strict", "show", "--json"))["places"]
    assert os.fsencode(places[1]["folder"]) == PATH


def test_a_letter_that_the_terminal_lacks_ends_nothing(tmp_path: Path) -> None:
    """It is told as a number."""
    assert b"u2013/settings.yaml" in printed(tmp_path, "latin-1:strict", "path")
    assert b"chat.model" in printed(tmp_path, "ascii:strict", "show", "--origin")


def in_a_shell(folder: Path, line: str) -> tuple[int, str]:
    """Run a line of a shell in which `gemma-eval` is `$0`, and return its code and all that it prints."""
    words = [sys.executable, "-m", "gemma_eval"]
    done = subprocess.run(
        ["/bin/sh", "-c", line, *words],
        env=environment(folder),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_the_caller_has_closed_ends_nothing(tmp_path: Path, closed: str) -> None:
    """As a job without one; what is asked is asked, whoever hears the answer."""
    is_heard = " >&-" not in f" {closed}"
    asked = f'"$0" "$@" --log-json log.jsonl chat --ask "What is 12 + 13?" {closed}'
    assert in_a_shell(tmp_path, asked) == (0, "25\n" if is_heard else "")
    assert [json.loads(line)["event"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    """Of another shell, say; it is no fault of a file."""
    (tmp_path / "gone").mkdir()
    code, told = in_a_shell(tmp_path, 'cd gone && rmdir ../gone && "$0" "$@" runs')
    assert (code, told) == (
        2,
        "gemma-eval: the folder that this shell is in is gone; go to one that is there\n",
    )
