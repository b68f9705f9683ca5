"""`gemma-eval suite`: what it writes passes and runs, and what it checks is named with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_eval.cli import command
from gemma_eval.cli.suite import STARTERS
from gemma_eval.config import suite_files
from gemma_eval.config.shipped import suite_names
from gemma_eval.errors import ConfigError, UnknownName, UsageError
from gemma_eval.plugins import load
from tests.plugin.gating import session
from tests.plugin.project import a_case, head, latest, write_project


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def suite(*words: str) -> Result:
    """Run `gemma-eval suite` with these words."""
    return CliRunner().invoke(command(load()), ["suite", *words], catch_exceptions=False)


@pytest.mark.parametrize("example", STARTERS)
def test_a_suite_to_begin_with_passes_the_check_and_runs_on_the_shipped_model(
    tmp_path: Path, example: str
) -> None:
    """As it is written, with nothing to be installed or filled in."""
    path = f"my-{example}.gemma.toml"
    assert "gemma-eval benchmark" in suite("new", path, "--from-example", example).output
    checked = suite("check", path)
    assert checked.exit_code == 0, checked.output
    assert "nothing is wrong" in " ".join(checked.output.split())
    assert "note:" not in checked.output
    ended = session(tmp_path, "--gemma-suite", path, "-q")
    assert ended.code == 0, ended.text
    assert all(outcome.failure is None for outcome in latest(tmp_path))


def test_a_new_suite_replaces_nothing(tmp_path: Path) -> None:
    """A name that is taken is refused, and the file is as it was."""
    (tmp_path / "mine.toml").write_text("# precious")
    with pytest.raises(UsageError, match=r"mine\.toml: exists and is left as it is"):
        suite("new", "mine.toml")
    assert (tmp_path / "mine.toml").read_text() == "# precious"


def test_a_new_suite_is_a_toml_file(tmp_path: Path) -> None:
    """Another name is no suite to anybody; its folders are made."""
    with pytest.raises(UsageError, match=r"did you mean mine\.gemma\.toml\?"):
        suite("new", "mine")
    with pytest.raises(UsageError, match="the path is empty"):
        suite("new", "")
    suite("new", "deep/er/mine.toml")
    assert (tmp_path / "deep/er/mine.toml").is_file()


WRONG = head(models=("nobody",)) + (
    '[[case]]\nid = "a"\nprompt = "?"\nchecks = [{ scorer = "contians", text = "x" }]\n'
    '[[case]]\nid = "a"\nprompt = "?"\ntemprature = 1\n'
)


def test_all_problems_of_all_suites_are_named_with_their_lines(tmp_path: Path) -> None:
    """In one go, with exit code 2; what is right beside them is still said."""
    write_project(tmp_path, WRONG, name="wrong.gemma.toml")
    write_project(tmp_path, head() + a_case("home"), name="right.gemma.toml")
    checked = suite("check", "wrong.gemma.toml", "right")
    assert checked.exit_code == 2
    lines = checked.output.splitlines()
    assert any(line.startswith("wrong.gemma.toml:") and "temprature" in line for line in lines)
    assert sum(line.startswith("wrong.gemma.toml:") for line in lines) >= 2
    assert any(line.startswith("right: 1 case, 1 cell, 1 trial with echo") for line in lines)


def test_a_program_reads_the_same(tmp_path: Path) -> None:
    """With paths, lines and counts as JSON."""
    write_project(tmp_path, WRONG, name="wrong.gemma.toml")
    write_project(tmp_path)
    checked = suite("check", "wrong", "cities", "--json")
    assert checked.exit_code == 2
    wrong, right = json.loads(checked.output)
    assert all(problem["line"] > 0 for problem in wrong["problems"])
    assert (right["suite"], right["cases"], right["cells"], right["trials"]) == ("cities", 3, 3, 4)
    assert right["problems"] == []


def test_what_cannot_run_here_is_said_with_the_reason(tmp_path: Path) -> None:
    """A sampler that an engine lacks, and a file that is not there."""
    (tmp_path / "models.toml").write_text(
        'version = 1\n[model.away]\nbackend = "numpy_gemma"\nlocation = "no-such-folder"\n'
        '[model.served]\nbackend = "openai_http"\nlocation = "http://127.0.0.1:9/v1"\n'
    )
    text = head(models=("away", "served"), profiles=("greedy", "mirostat-v2")) + a_case("home")
    (tmp_path / "lacking.gemma.toml").write_text(text)
    checked = suite("check", "lacking")
    assert checked.exit_code == 0, checked.output
    plain = " ".join(checked.output.split())
    assert "no-such-folder: no such folder or file" in plain
    assert '1 cell skipped here: model "served" with profile "mirostat-v2"' in plain


def test_a_suite_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    """Those of the project as well as those that ship."""
    write_project(tmp_path)
    with pytest.raises(UnknownName, match=r'no suite named "citis"; did you mean "cities"\?'):
        suite("check", "citis")
    with pytest.raises(UnknownName, match=r'did you mean "smoke"\?'):
        suite("show", "smok")


def test_the_list_has_what_ships_and_what_is_of_the_project(tmp_path: Path) -> None:
    """With counts, also where a suite cannot be read; one whose name is taken is called by its path."""
    write_project(tmp_path)
    write_project(tmp_path / "sub", WRONG, name="wrong.gemma.toml")
    (tmp_path / "sub" / "smoke.gemma.toml").write_text((tmp_path / "cities.gemma.toml").read_text())
    (tmp_path / ".venv").mkdir()
    write_project(tmp_path / ".venv", name="hidden.gemma.toml")
    listed = {each["name"]: each for each in json.loads(suite("list", "--json").output)}
    assert set(suite_names()) < set(listed)
    assert set(listed) - set(suite_names()) == {"cities", "wrong", "sub/smoke.gemma.toml"}
    assert listed["smoke"]["where"] == "shipped"
    assert listed["smoke"]["cases"] == 4
    assert listed["cities"]["where"] == "project"
    assert listed["wrong"]["problems"]
    shown = suite("list").output
    assert "mending: " in shown
    assert "Four cases that show in seconds" in shown


def test_a_suite_is_shown_as_it_was_written(tmp_path: Path) -> None:
    """Or where its file is."""
    path = write_project(tmp_path)
    assert suite("show", "cities").output == path.read_text()
    assert Path(suite("show", "cities", "--path").output.strip()).samefile(path)


def test_a_suite_that_is_no_text_cannot_be_shown(tmp_path: Path) -> None:
    """That is said with its line."""
    (tmp_path / "bad.toml").write_bytes(b"# a\n\xff")
    with pytest.raises(ConfigError, match=r"bad\.toml:2: is not UTF-8 here"):
        suite("show", "bad.toml")


def test_a_suite_of_a_folder_in_the_project_is_listed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the name by which it is called."""
    suite("new", "evals/cats.gemma.toml")
    monkeypatch.setenv("GEMMA_EVAL_SUITE_PATHS", str(tmp_path / "evals"))
    named = [each["name"] for each in json.loads(suite("list", "--json").stdout)]
    assert [name for name in named if "cats" in name] == ["cats"]


def test_the_suites_of_a_project_are_found_without_walking_through_everything(tmp_path: Path) -> None:
    """Not in environments, in what is built, or very deep; the one that lies less deep has the name."""
    for folder in ("a", "b/c", "node_modules", ".git", "1/2/3/4/5", "env"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{folder[0]}.gemma.toml").touch()
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "b" / "c" / "a.gemma.toml").touch()
    found = suite_files.of_project(tmp_path)
    assert set(found) == {"a", "b"}
    assert found["a"] == tmp_path / "a" / "a.gemma.toml"
