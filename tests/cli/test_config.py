"""`gemma-eval config`, as a person would use it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_eval.cli import command
from gemma_eval.config.edit_settings import HEADER
from gemma_eval.config.places import PRECEDENCE
from gemma_eval.config.settings_keys import KEYS
from gemma_eval.errors import ConfigError, GemmaEvalError, UnknownName, UsageError
from gemma_eval.plugins import load

PROFILES = '{"version": 1, "profiles": {"greedy": {"temperature": 0}}}'


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a user, who works in a folder without a project."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("GEMMA_EVAL_CONFIG", str(tmp_path / "user"))
    return tmp_path / "user"


@pytest.fixture
def project(user: Path) -> Path:
    """The folder of a project, in which the user works."""
    folder = user.parent / "here" / ".gemma-eval"
    folder.mkdir()
    return folder


def run(*arguments: str, code: int = 0) -> Result:
    """Run `gemma-eval config` with these arguments."""
    result = CliRunner().invoke(command(load()), ("config", *arguments), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def fails(*arguments: str, error: type[GemmaEvalError] = UsageError) -> str:
    """Return what a command that is refused says."""
    with pytest.raises(error) as refused:
        run(*arguments)
    return str(refused.value)


def settings_of(folder: Path, text: str) -> Path:
    """Write a settings.yaml."""
    folder.mkdir(exist_ok=True)
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_every_setting_is_shown_with_its_value(user: Path) -> None:
    """In the order of the table of keys; lists and null as they would be written."""
    rows = [line.split() for line in run("show").stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == [key.name for key in KEYS]
    assert ["suite_paths", "[]"] in rows
    assert ["log_json", "null"] in rows
    assert not user.exists()


def test_only_some_are_shown(user: Path) -> None:
    """By name or by table; one that there is not is an error with a suggestion."""
    rows = run("show", "chat", "backups").stdout.splitlines()[2:]
    assert [row.split()[0] for row in rows] == [
        *("chat.model", "chat.profile", "chat.template", "chat.memory", "chat.history", "backups"),
    ]
    assert fails("show", "bakups", error=UnknownName).startswith(
        'no setting named "bakups"; did you mean "backups"?'
    )


def test_where_each_was_chosen_is_shown(user: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File and line, variable, or built-in; then the layers by precedence, then what is overruled."""
    settings_of(user, "version: 1\nchat:\n  model: a\n")
    settings_of(project, "version: 1\nbackups: 2\n")
    settings_of(Path.cwd(), "nonsense")
    (project / "profiles.json").write_text(PROFILES)
    monkeypatch.setenv("GEMMA_EVAL_REPORTS", "out")
    shown = run("show", "--origin").stdout
    rows = [" ".join(line.split()) for line in shown.splitlines()]
    assert f"chat.model a user: {user}/settings.yaml:3" in rows
    assert "backups 2 project: .gemma-eval/settings.yaml:2" in rows
    assert "reports out environment: GEMMA_EVAL_REPORTS" in rows
    assert "database reports/gemma_eval.db built-in" in rows
    layers = [row.split()[0] for row in rows[rows.index("") :] if row]
    assert [each for each in layers if each in {layer.split()[0] for layer in PRECEDENCE}] == [
        layer.split()[0] for layer in PRECEDENCE
    ]
    assert "project .gemma-eval settings.yaml, profiles.json" in rows or (
        "project .gemma-eval profiles.json, settings.yaml" in rows
    )
    assert "suite . settings.yaml (a suite has no settings of its own)" in rows
    assert any(row.startswith("profile greedy .gemma-eval ") for row in rows)


def test_a_program_reads_the_same_as_json(user: Path, project: Path) -> None:
    """Values as they are."""
    path = settings_of(project, "version: 1\nsuite_paths: [evals]\n")
    (project / "profiles.json").write_text(PROFILES)
    shown = json.loads(run("show", "--json").stdout)
    assert shown["settings"]["suite_paths"] == {
        "value": [str(project.parent / "evals")],
        "layer": "project",
        "where": str(path),
        "line": 2,
        "variable": "GEMMA_EVAL_SUITE_PATHS",
        "option": None,
    }
    assert shown["precedence"] == list(PRECEDENCE)
    assert [each["layer"] for each in shown["places"]] == ["built-in", "user", "project", "suite"]
    assert shown["places"][1]["exists"] is False
    (overruled,) = shown["overruled"]
    assert (overruled["kind"], overruled["name"]) == ("profile", "greedy")
    assert overruled["folders"][-1] == str(project)
    assert user.name == "user"


def test_a_setting_is_set_for_the_user_where_there_is_no_project(user: Path) -> None:
    """A new file begins with what it is; nothing is made where one works."""
    printed = run("set", "chat.model", "pocket").stdout
    assert (user / "settings.yaml").read_text() == HEADER + "chat:\n  model: pocket\n"
    assert printed.splitlines()[-1] == "chat.model is pocket"
    assert not list(Path.cwd().iterdir())


def test_a_setting_is_set_for_the_project_where_there_is_one(user: Path, project: Path) -> None:
    """Also from below; all that was in the file stays, and its earlier version is kept."""
    text = "# ours\nversion: 1\nbackups: 3   # enough\n\nchat:\n  profile: greedy\n"
    path = settings_of(project, text)
    run("set", "backups", "5")
    assert path.read_text() == text.replace("3  ", "5  ")
    assert [each.read_text() for each in (project / ".backups").glob("settings.yaml.*Z")].count(text) == 1
    assert not user.exists()


def test_a_project_folder_is_made_only_when_asked_for(user: Path) -> None:
    """With `--project`, in the folder that one works in."""
    run("set", "backups", "5", "--project")
    assert "backups: 5" in (Path.cwd() / ".gemma-eval" / "settings.yaml").read_text()
    run("set", "backups", "6", "--user")
    assert "backups: 6" in (user / "settings.yaml").read_text()
    assert "give one of them" in fails("set", "backups", "6", "--user", "--project")


def test_who_overrules_what_was_set_is_said(
    user: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later file, or a variable."""
    settings_of(project, "version: 1\nbackups: 3\n")
    printed = run("set", "backups", "5", "--user").stdout
    assert "backups is 3, for what is said in project: " in printed
    monkeypatch.setenv("GEMMA_EVAL_BACKUPS", "7")
    assert (
        "backups is 7, for what is said in environment: GEMMA_EVAL_BACKUPS overrules"
        in run("set", "backups", "5").stdout
    )
    assert user.exists()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("chat.history", "no", 'chat.history is "no"; it should be true or false'),
        ("backups", "many", 'backups is "many"; it should be a whole number'),
        ("chat.modl", "x", 'no setting named "chat.modl"; did you mean "chat.model"?'),
        ("chat.memory", "redis://a:hunter22@b/0", "chat.memory is a password in a URL"),
    ],
)
def test_what_cannot_be_set_is_refused_and_nothing_is_written(
    user: Path, key: str, value: str, said: str
) -> None:
    """With what would be right; a secret is never repeated."""
    message = fails("set", key, value)
    assert said in message
    assert "hunter22" not in message
    assert not (user / "settings.yaml").exists()


def test_a_file_that_cannot_be_read_is_not_written(user: Path, project: Path) -> None:
    """It is for a person to mend; the line is named."""
    path = settings_of(project, "version: 1\nbackups: 3\nbackup: 4\n")
    assert fails("set", "backups", "5", error=ConfigError) == (
        f'{path}:3: unknown key "backup"; did you mean "backups"?'
    )
    assert path.read_text() == "version: 1\nbackups: 3\nbackup: 4\n"
    assert not user.exists()


def test_a_wrong_value_can_be_mended_by_setting_it(user: Path, project: Path) -> None:
    """Though all settings cannot be read until then."""
    path = settings_of(project, "version: 1\nbackups: many\n")
    run("set", "backups", "5")
    assert path.read_text() == "version: 1\nbackups: 5\n"
    assert not user.exists()


def test_a_name_that_nothing_has_is_set_and_told(user: Path) -> None:
    """It may be a model of another project."""
    told = run("set", "chat.model", "pocke", "--user").stderr
    assert told.strip() == 'chat.model is "pocke", and there is no such model; did you mean "pocket"?'
    assert "model: pocke" in (user / "settings.yaml").read_text()


def test_a_dry_run_shows_the_change_and_writes_nothing(user: Path) -> None:
    """As a diff."""
    shown = run("set", "backups", "5", "--dry-run").stdout
    assert "+backups: 5" in shown.splitlines()
    assert not (user / "settings.yaml").exists()


def test_a_setting_is_taken_out_again(user: Path, project: Path) -> None:
    """Then the layer before it counts."""
    path = settings_of(project, "version: 1\nbackups: 3\n")
    assert run("unset", "backups").stdout.splitlines()[-1] == "backups is 10"
    assert path.read_text() == "version: 1\n"
    assert "nothing changes" in run("unset", "backups").stdout
    assert "there is no such file" in fails("unset", "backups", "--user")
    assert not user.exists()


def test_the_paths_are_printed_whether_the_files_are_there_or_not(user: Path) -> None:
    """For an editor to be given."""
    assert run("path").stdout == f"{user}/settings.yaml\n"
    assert "there is no .gemma-eval here or above" in fails("path", "--project")
    (Path.cwd() / ".gemma-eval").mkdir()
    assert run("path", "--project").stdout == f"{Path.cwd()}/.gemma-eval/settings.yaml\n"
    assert len(run("path").stdout.splitlines()) == 2


def test_every_file_is_checked_and_every_problem_said(
    user: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all folders, and of the environment."""
    settings_of(user, "version: 1\nchat: {modell: x}\n")
    (project / "profiles.json").write_text('{"version": 1, "profiles": {"a": {"top_p": 2}}}')
    (project / "models.toml").write_text("version = 1\n[model.a]\nbackend = 'x'\n")
    (project / "templates").mkdir()
    (project / "templates" / "a b.md").write_text("x")
    monkeypatch.setenv("GEMMA_EVAL_BACKUPS", "x")
    shown = run("validate", code=2).stdout.splitlines()
    files = [line.partition(": ")[0] for line in shown]
    assert files == [
        f"{user}/settings.yaml:2",
        f"{project}/models.toml:2",
        f"{project}/profiles.json:1",
        f"{project}/templates/a b.md",
        "GEMMA_EVAL_BACKUPS",
    ]
    told = json.loads(run("validate", "--json", code=2).stdout)
    assert [each["line"] for each in told] == [2, 2, 1, None, None]


def test_a_file_that_may_not_be_looked_at_is_a_problem(user: Path, project: Path) -> None:
    """Neither check nor migration takes it for none."""
    (project / "models.toml").symlink_to("models.toml")
    assert "cannot be read" in run("validate", str(project), code=2).stdout
    assert "cannot be" in fails("migrate", error=ConfigError)


def test_names_in_settings_that_nothing_has_are_a_problem(user: Path, project: Path) -> None:
    """At the line where they were chosen."""
    path = settings_of(project, "version: 1\nchat:\n  model: pocket\n  profile: gredy\n")
    (said,) = run("validate", code=2).stdout.splitlines()
    assert said == (
        f'{path}:4: chat.profile is "gredy", and there is no such profile; did you mean "greedy"?'
    )
    assert not user.exists()


def test_good_files_are_said_to_be_good(user: Path, project: Path) -> None:
    """With how many there are; those that ship are among them."""
    settings_of(project, "version: 1\n")
    assert run("validate").stdout == "4 files can be read, and nothing is wrong with them\n"
    assert json.loads(run("validate", "--json").stdout) == []
    assert not user.exists()


def test_one_file_or_folder_is_checked(user: Path, tmp_path: Path) -> None:
    """By its path; what is none of them is refused."""
    path = settings_of(tmp_path / "other", "a: 1\n")
    assert len(run("validate", str(path), code=2).stdout.splitlines()) == 2
    assert len(run("validate", str(path.parent), code=2).stdout.splitlines()) == 2
    (tmp_path / "notes.txt").write_text("")
    assert "is none of models.toml, profiles.json, settings.yaml, templates" in fails(
        "validate", str(tmp_path / "notes.txt")
    )
    assert "there is no such file" in fails("validate", str(tmp_path / "nothing"))
    assert not user.exists()


OLD = '{\n  "profiles": {"greedy": {"temperature": 0}}\n}\n'


def test_an_earlier_version_is_migrated_after_a_look_at_it(user: Path, project: Path) -> None:
    """The dry run shows the change; the real one keeps the earlier version."""
    path = project / "profiles.json"
    path.write_text(OLD)
    shown = run("migrate", "--dry-run").stdout
    assert '+  "version": 1,' in shown.splitlines()
    assert shown.splitlines()[-1] == ".gemma-eval/profiles.json: would be version 1"
    assert path.read_text() == OLD
    run("migrate")
    assert path.read_text() == OLD.replace("{\n", '{\n  "version": 1,\n', 1)
    assert OLD in [each.read_text() for each in (project / ".backups").glob("profiles.json.*Z")]
    assert run("migrate").stdout == "every file is of the newest version\n"
    assert not user.exists()


def test_a_newer_file_is_left_alone_and_the_others_are_migrated(user: Path, project: Path) -> None:
    """The message says what to do."""
    newer = settings_of(project, "version: 2\nnew: 1\n")
    (project / "profiles.json").write_text(OLD)
    said = fails("migrate", error=ConfigError)
    assert said == f"{newer}: is version 2; this gemma_eval reads up to 1; install a newer one"
    assert newer.read_text() == "version: 2\nnew: 1\n"
    assert '"version": 1' in (project / "profiles.json").read_text()
    assert not user.exists()


def test_an_earlier_file_with_a_mistake_is_not_migrated(user: Path, project: Path) -> None:
    """What is written can be read, always."""
    path = project / "profiles.json"
    path.write_text('{"profiles": {"a": {"top_p": 2}}}')
    assert "top_p is 2; it should be at most 1" in fails("migrate", error=ConfigError)
    assert path.read_text() == '{"profiles": {"a": {"top_p": 2}}}'
    assert not user.exists()


def test_what_ships_is_not_touched(user: Path) -> None:
    """Not even looked at for a migration."""
    assert run("migrate").stdout == "every file is of the newest version\n"
    assert not user.exists()


def test_a_damaged_file_is_mended_by_its_last_good_version(user: Path, project: Path) -> None:
    """Said on the error stream, so that a program can read the rest."""
    run("set", "backups", "5")
    path = project / "settings.yaml"
    path.write_bytes(b"")
    shown = run("show", "backups")
    assert shown.stdout.split()[-1] == "5"
    assert "gemma-eval config restore" in shown.stderr
    assert path.read_bytes() == b""
    assert not user.exists()


def test_the_database_of_the_settings_is_the_default_of_every_command(
    user: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option, or the environment, overrules it."""
    settings_of(project, "version: 1\ndatabase: out/x.db\n")
    runner = CliRunner()
    (project.parent / "below").mkdir()
    monkeypatch.chdir(project.parent / "below")

    def missing(*arguments: str) -> str:
        return str(runner.invoke(command(load()), ("runs", *arguments)).exception)

    assert f"{project.parent}/out/x.db" in missing()
    assert "other.db" in missing("--db", "other.db")
    monkeypatch.setenv("GEMMA_EVAL_DATABASE", f"of{os.sep}environment.db")
    assert "of/environment.db" in missing()
    assert not user.exists()
