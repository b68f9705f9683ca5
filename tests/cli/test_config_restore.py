"""`gemma-eval config restore` as a person uses it, and what commands say of a damaged file."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_eval.cli import command
from gemma_eval.config import profiles
from gemma_eval.config.changing import change
from gemma_eval.errors import ConfigError, UsageError
from gemma_eval.plugins import load

TEXTS = [f'{{"version": 1, "profiles": {{"mine": {{"temperature": {t}}}}}}}\n' for t in (0.1, 0.2)]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of two versions, in the folder that one works in, that a crash has emptied."""
    monkeypatch.chdir(tmp_path)
    path = Path("profiles.json")
    for text in TEXTS:
        change(path, lambda _, text=text: text, check=lambda text: profiles.parse(text, path=path))  # type: ignore[misc]
    path.write_bytes(b"")
    return path


def run(*arguments: str) -> Result:
    """Run gemma-eval in this process."""
    result = CliRunner().invoke(command(load()), arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_the_last_good_version_is_shown_and_brought_back(path: Path) -> None:
    """Where what was found is kept is said."""
    lines = run("config", "restore", str(path), "--yes").stdout.splitlines()
    assert lines[0].startswith("profiles.json: is empty; its version of 2")
    assert lines[0].endswith(" UTC would bring back:")
    assert f"+{TEXTS[1].strip()}" in lines
    assert "; what was there is kept as .backups/profiles.json.damaged-" in lines[-1]
    assert path.read_text() == TEXTS[1]


def test_nothing_is_restored_unasked(path: Path) -> None:
    """Where nobody can answer, that is an error which names the option."""
    with pytest.raises(UsageError, match="add --yes"):
        run("config", "restore", str(path))
    assert path.read_bytes() == b""


def test_what_is_restored_is_not_said_to_be_damaged_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where that is the settings, which say how many versions are kept."""
    monkeypatch.chdir(tmp_path)
    run("config", "set", "backups", "3", "--project")
    Path(".gemma-eval/settings.yaml").write_bytes(b"")
    result = run("config", "restore", ".gemma-eval/settings.yaml", "--yes")
    assert result.output.count("is empty") == 1
    assert "brings that back" not in result.output


@pytest.mark.parametrize("more", [["--yes"], ["--from", "profiles.json.20260101T000000.000000Z"]])
def test_json_is_for_the_list_alone(path: Path, more: list[str]) -> None:
    """Nobody takes a list for what was restored."""
    with pytest.raises(UsageError, match="--json lists the versions and restores nothing"):
        run("config", "restore", str(path), "--json", *more)
    assert path.read_bytes() == b""


@pytest.mark.parametrize(("answer", "text"), [("y", TEXTS[1]), ("n", ""), ("", "")])
def test_on_a_terminal_it_is_asked(path: Path, answer: str, text: str) -> None:
    """The answer that changes nothing is the usual one."""
    ours, theirs = pty.openpty()
    given = [sys.executable, "-m", "gemma_eval", "config", "restore", str(path)]
    process = subprocess.Popen(given, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    told, _ = process.communicate(timeout=60)
    os.close(ours)
    assert b"restore it?" in told
    assert (b"nothing is restored" in told) is (text == "")
    assert process.returncode == 0
    assert path.read_text() == text


def test_the_versions_are_listed_and_chosen_by_name(path: Path) -> None:
    """In a table, and for programs."""
    listed = json.loads(run("config", "restore", str(path), "--json").stdout)
    assert [each["flaw"] for each in listed] == [None, None]
    assert listed[0]["kept_utc"] > listed[1]["kept_utc"]
    table = run("config", "restore", str(path), "--list").stdout
    assert all(each["name"] in table for each in listed)
    run("config", "restore", str(path), "--from", listed[1]["name"], "--yes")
    assert path.read_text() == TEXTS[0]


def test_a_file_without_versions_says_so(tmp_path: Path) -> None:
    """None is made by looking."""
    path = tmp_path / "models.toml"
    assert "no version is kept" in run("config", "restore", str(path), "--list").stdout
    with pytest.raises(UsageError, match="no version of it is kept"):
        run("config", "restore", str(path), "--yes")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("arguments", [("profiles", "show", "mine"), ("schema", "suite")])
def test_a_command_that_reads_a_damaged_file_says_so_once(arguments: tuple[str, ...]) -> None:
    """On stderr, so that what is printed stays what a program may read."""
    result = run(*arguments)
    assert result.stderr.count("is empty; its version of") == 1
    assert "gemma-eval config restore" in result.stderr
    assert "is empty" not in result.stdout


def test_a_shell_that_completes_is_told_nothing(path: Path) -> None:
    """It would stand in the middle of what is typed."""
    assert path.read_bytes() == b""
    environment = {
        **os.environ,
        "_GEMMA_EVAL_COMPLETE": "bash_complete",
        "COMP_WORDS": "gemma-eval profiles show mi",
        "COMP_CWORD": "3",
    }
    code = "import sys; sys.argv = ['gemma-eval']; from gemma_eval.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "mine" in done.stdout
    assert done.stderr == ""


def test_settings_that_cannot_be_read_are_restored_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many versions are kept stands in them, and is not needed for that."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".gemma-eval").mkdir()
    run("config", "set", "backups", "3", "--project")
    run("config", "set", "backups", "4", "--project")
    path = tmp_path / ".gemma-eval" / "settings.yaml"
    whole = path.read_text()
    path.write_text("version: 1\nbackups: }\nchat: {}\n")
    with pytest.raises(ConfigError, match=r"or bring its version of .* back: gemma-eval config restore"):
        run("config", "show")
    run("config", "restore", str(path), "--yes")
    assert path.read_text() == whole
