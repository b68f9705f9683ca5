"""Settings choose where a run goes: files, then the ini file, then the environment, then options."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from gemma_eval.config.changing import change
from gemma_eval.config.edit_settings import put
from gemma_eval.config.settings_keys import BY_NAME
from tests.plugin.project import write_project

ALL = [f"evals/cities.gemma.toml::{case}[echo/greedy/plain]" for case in ("home", "visit", "fast")]


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    """A project with a suite and a folder of settings."""
    write_project(pytester.path)
    (pytester.path / ".gemma-eval").mkdir()
    return pytester.path


def choose(project: Path, text: str) -> Path:
    """Write the settings of the project."""
    path = project / ".gemma-eval" / "settings.yaml"
    path.write_text(f"version: 1\n{text}")
    return path


def collected(pytester: pytest.Pytester) -> list[str]:
    """Return the ids that a run of the suite has, which is found by its name."""
    lines = pytester.runpytest_inprocess("--co", "-q", "--gemma-suite", "cities").outlines
    return [line for line in lines if "::" in line]


def database(pytester: pytest.Pytester, *arguments: str) -> str:
    """Return the database that a run says it has written."""
    shown = pytester.runpytest_inprocess(*arguments).outlines
    (line,) = [line for line in shown if line.startswith("database ")]
    return line.split()[1]


def test_each_layer_is_overruled_by_the_next(
    pytester: pytest.Pytester, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built-in, settings.yaml, ini file, environment, option."""
    assert database(pytester) == "reports/gemma_eval.db"
    choose(project, "database: out/settings.db\n")
    assert database(pytester) == "out/settings.db"
    pytester.makeini("[pytest]\ngemma_db = ini.db")
    assert database(pytester) == "ini.db"
    monkeypatch.setenv("GEMMA_EVAL_DATABASE", "environment.db")
    assert database(pytester) == "environment.db"
    assert database(pytester, "--gemma-db", "option.db") == "option.db"


def test_reports_go_where_settings_say(pytester: pytest.Pytester, project: Path) -> None:
    """From below, too: a path of the project counts from what holds `.gemma-eval`."""
    choose(project, "reports: out\ndatabase: out/x.db\n")
    pytester.runpytest_inprocess()
    assert (project / "out" / "latest" / "report.md").is_file()
    assert (project / "out" / "x.db").is_file()
    assert not (project / "reports").exists()


def test_a_suite_is_found_in_the_folders_of_the_settings(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which those of the ini file and of the environment replace."""
    write_project(pytester.path / "evals")
    (pytester.path / ".gemma-eval").mkdir()
    choose(pytester.path, "suite_paths: [evals]\n")
    assert collected(pytester) == ALL
    monkeypatch.setenv("GEMMA_EVAL_SUITE_PATHS", "nowhere:evals")
    assert collected(pytester) == ALL


def test_a_mistake_in_settings_ends_the_run_before_it_begins(
    pytester: pytest.Pytester, project: Path
) -> None:
    """With a line for each and no traceback, whether a suite is asked for or found by its name."""
    path = choose(project, "databse: x\nbackups: many\n").relative_to(project)
    said = [
        f'{path}:2: unknown key "databse"; did you mean "database"?',
        f'{path}:3: backups is "many"; it should be a whole number',
    ]
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert [line for line in result.outlines if line.startswith(str(path))] == said
    assert "Traceback" not in str(result.stdout)
    for arguments in (("--gemma-suite", "smoke"), ("cities.gemma.toml",)):
        result = pytester.runpytest_inprocess(*arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert [line.removeprefix("ERROR: ") for line in result.errlines if str(path) in line] == said


def test_a_run_without_a_suite_reads_no_settings(pytester: pytest.Pytester) -> None:
    """Those of this project may be broken."""
    (pytester.path / ".gemma-eval").mkdir()
    choose(pytester.path, "databse: x\n")
    pytester.makepyfile("def test_plain(): pass")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_a_damaged_file_is_told_at_the_end(pytester: pytest.Pytester, project: Path) -> None:
    """Its last good version is used."""
    path = choose(project, "")
    change(path, partial(put, key=BY_NAME["database"], value="kept.db"), check=lambda text: None)
    path.write_bytes(b"")
    result = pytester.runpytest_inprocess()
    result.stdout.fnmatch_lines([f"{path}: is empty; its version of * is used; gemma-eval config restore *"])
    assert (project / "kept.db").is_file()
