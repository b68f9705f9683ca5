"""`gemma-eval doctor` tries what it names, survives whatever is wrong, and says what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from gemma_eval.cli import command, doctor_engines, doctor_install, doctor_machine, doctor_try
from gemma_eval.cli.doctor import _lines
from gemma_eval.cli.doctor_findings import Finding, guarded
from gemma_eval.plugins import load


def found(check: Iterator[Finding]) -> dict[str, Finding]:
    """Return what a check finds by what it is of."""
    return {finding.what: finding for finding in check}


@pytest.fixture(scope="module")
def examined() -> list[dict[str, str]]:
    """The whole examination of this machine, as JSON, made once."""
    done = CliRunner().invoke(command(load()), ["doctor", "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    findings: list[dict[str, str]] = json.loads(done.stdout)
    return findings


def test_here_everything_that_is_needed_works(examined: list[dict[str, str]]) -> None:
    """The shipped model has written a token, databases and folders are fine."""
    assert {each["state"] for each in examined} <= {"ok", "note"}
    by_name = {each["what"]: each for each in examined}
    assert {"machine", "noise", "Python", "gemma_eval", "BLAS", "SQLite", "config", "terminal"} <= set(
        by_name
    )
    assert "a token after" in by_name["numpy_gemma"]["told"]
    assert by_name["numpy_gemma"]["state"] == "ok"
    assert "threads" in by_name["BLAS"]["told"]
    assert "pytest" in by_name["gemma_eval"]["told"]


def test_every_extra_is_installed_or_has_the_line_that_installs_it(examined: list[dict[str, str]]) -> None:
    """As a person would type it."""
    extras = [each for each in examined if each["what"].startswith("extra ")]
    assert {"extra llama-cpp", "extra redis", "extra xdist"} <= {each["what"] for each in extras}
    for each in extras:
        name = each["what"].removeprefix("extra ")
        assert each["state"] == "ok" or each["advice"] == f'pip install "gemma_eval[{name}]"'


def test_every_finding_fits_80_columns_with_a_mark_that_needs_no_colour(
    examined: list[dict[str, str]],
) -> None:
    """Whatever is told of it."""
    lines = [
        line
        for each in examined
        for line in _lines(Finding(**{name: value for name, value in each.items() if name != "section"}))  # type: ignore[arg-type]
    ]
    assert all(len(line) <= 80 or " " not in line.strip() for line in map(uncoloured, lines))
    marks = {uncoloured(line)[:7].strip() for line in lines}
    assert marks <= {"ok", "note", "FAIL", ""}


def uncoloured(line: str) -> str:
    """Return a line without its colours."""
    import click

    return click.unstyle(line)


def test_a_check_that_breaks_down_is_a_finding_and_ends_nothing() -> None:
    """Needed or not, it is said in one line."""

    def broken() -> Iterator[Finding]:
        yield Finding(what="first", told="fine")
        raise OSError("the disk is gone\nand more")

    first, second = guarded("disk", broken, needed=True)
    assert first.told == "fine"
    assert (second.what, second.state, second.told) == ("disk", "FAIL", "cannot be told: the disk is gone")
    assert [each.state for each in guarded("disk", broken)] == ["ok", "note"]


def test_what_fails_makes_the_exit_code_1_and_is_counted(tmp_path: Path) -> None:
    """A file of models that cannot be read, told with its line, in a real process without a traceback."""
    (tmp_path / "models.toml").write_text('version = 1\n[model.x]\nbakend = "scripted"\n')
    done = subprocess.run(
        [sys.executable, "-m", "gemma_eval", "doctor"],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 1
    plain = " ".join(done.stdout.split())
    assert "FAIL config" in plain
    assert "models.toml:3: " in plain
    assert "must be mended" in plain
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "reports").exists()


def test_an_engine_that_dies_is_said_and_takes_nothing_with_it(tmp_path: Path) -> None:
    """One that the kernel ends, one that ends by itself, one that raises, and one that tells."""
    dies = {
        "import os, signal; os.kill(os.getpid(), signal.SIGILL)": "the engine ended by SIGILL",
        "import sys; sys.exit('no such instruction')": "exit code 1: no such instruction",
        "print('noise'); print('tried: {\"problem\": \"no weights\"}')": "no weights",
    }
    for program, told in dies.items():
        finding = doctor_engines.Trial("llama_cpp", started(program)).finding()
        assert finding.state == "note"
        assert told in finding.told
    needed = doctor_engines.Trial("numpy_gemma", started("raise SystemExit(1)")).finding()
    assert needed.state == "FAIL"
    good = 'print(\'x\\ntried: {"engine": "e 1", "load": "1 ms", "token": "2 ms"}\')'
    works = doctor_engines.Trial("llama_cpp", started(good)).finding()
    assert (works.state, works.told) == ("ok", "e 1: loaded in 1 ms, a token after 2 ms")


def started(program: str) -> subprocess.Popen[str]:
    """Start a program in the place of an engine."""
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("location", "told"),
    [("@pocket", '"token": '), ("no-such-folder", '"problem": "no-such-folder: no such folder or file')],
)
def test_what_is_tried_tells_in_one_line(
    capsys: pytest.CaptureFixture[str], location: str, told: str
) -> None:
    """Among whatever an engine prints."""
    doctor_try.main("numpy_gemma", location)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith(doctor_try.MARK))
    assert told in line


def test_an_engine_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The examination goes on without it."""
    monkeypatch.setattr(doctor_engines, "WITHIN_S", 0.2)
    hanging = started("import time; time.sleep(600)")
    finding = doctor_engines.Trial("llama_cpp", hanging).finding()
    assert finding.told == "no token within 0.2 s"
    assert hanging.returncode is not None


class Answering(BaseHTTPRequestHandler):
    """A server that refuses, which shows that it is there."""

    def do_GET(self) -> None:
        """Want a key."""
        self.send_response(401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[int]:
    """Serve on a port of this machine."""
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_the_servers_of_a_project_are_asked_and_those_that_nobody_chose_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that answers, whatever it says, and one that is away."""
    monkeypatch.chdir(tmp_path)
    assert found(doctor_engines.servers()) == {}
    with serving() as port:
        (tmp_path / "models.toml").write_text(
            "version = 1\n"
            f'[model.there]\nbackend = "openai_http"\nlocation = "http://127.0.0.1:{port}/v1"\n'
            '[model.away]\nbackend = "openai_http"\nlocation = "http://127.0.0.1:9/v1"\n'
        )
        asked = found(doctor_engines.servers())
    assert (asked["model there"].state, asked["model away"].state) == ("ok", "note")
    assert "status 401" in asked["model there"].told
    assert "start the server" in asked["model away"].advice


def test_a_redis_that_is_away_is_a_note_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a memory in Redis needs it."""
    monkeypatch.setenv("REDIS_URL", "redis://:secret@127.0.0.1:9")
    (finding,) = doctor_engines.redis()
    assert finding.state == "note"
    assert "secret" not in finding.told + finding.advice
    assert "127.0.0.1:9" in finding.told


def test_a_program_of_gemma_cpp_is_found_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what builds it is said where it is not."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (missing,) = doctor_engines.gemma_cpp()
    assert missing.state == "note"
    assert "build it" in missing.advice
    program = tmp_path / "gemma"
    program.write_text('#!/bin/sh\necho "  --weights : w"; echo "  --prompt : p"\n')
    program.chmod(0o755)
    (there,) = doctor_engines.gemma_cpp()
    assert (there.state, there.told) == ("ok", f"the program is {program}")


@pytest.mark.parametrize(
    ("version", "is_fixed"),
    [
        ((3, 51, 3), True),
        ((3, 52, 0), True),
        ((3, 51, 2), False),
        ((3, 50, 7), True),
        ((3, 50, 6), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 40, 1), False),
    ],
)
def test_the_versions_of_sqlite_with_two_safe_writers_are_known(
    version: tuple[int, int, int], *, is_fixed: bool
) -> None:
    """3.51.3 and newer, and what was mended of older series. Source: sqlite.org/releaselog/3_51_3.html."""
    assert doctor_machine.has_wal_fix(version) is is_fixed


def test_a_file_in_the_place_of_a_folder_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks, root too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").touch()
    folders = found(doctor_machine.folders())
    assert folders["reports in"].state == "FAIL"
    assert "cannot be written" in folders["reports in"].told


def test_a_package_that_is_too_old_is_named_with_the_line_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it would be after another program has changed the environment."""
    old = tmp_path / "pluggy-0.1.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: pluggy\nVersion: 0.1\n")
    monkeypatch.syspath_prepend(tmp_path)
    (finding,) = doctor_install.packages()
    assert finding.state == "FAIL"
    assert finding.advice == "pip install 'pluggy>=1.5'"
