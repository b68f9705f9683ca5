"""`gemma-eval profiles`, used as a person would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_eval.__main__ import main
from gemma_eval.cli import command
from gemma_eval.config import profiles, shipped
from gemma_eval.errors import ConfigError, GemmaEvalError, UnknownName, UsageError
from gemma_eval.plugins import load


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, as a user who has chosen nothing."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("GEMMA_EVAL_CONFIG", str(tmp_path / "user"))
    return tmp_path / "user" / "profiles.json"


def run(*arguments: str) -> Result:
    """Run the command with these arguments."""
    result = CliRunner().invoke(command(load()), ["profiles", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


OWN = """{
  "version": 1,
  "profiles": {
    "greedy": {"temperature": 0, "max_tokens": 8},
    "calm":   {"min_p": 1e-1, "temperature": 0.4}
  }
}
"""


def write(path: Path, text: str = OWN) -> Path:
    """Write a file of profiles."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_profiles_are_listed_with_what_they_set_and_where_they_are_from(user: Path) -> None:
    """What overrules another says so."""
    write(user)
    lines = run("list").stdout.splitlines()
    assert lines[0].split() == ["profile", "sets", "from", "overrules"]
    assert "greedy temperature 0, max_tokens 8" in " ".join(lines[2].split())
    assert lines[2].split()[-2:] == [str(user), "built-in"]
    assert next(line for line in lines if line.startswith("calm")).split()[1:5] == [
        *("min_p", "0.1,", "temperature", "0.4")
    ]
    listed = {each["name"]: each for each in json.loads(run("list", "--json").stdout)}
    ships = str(shipped.suites_directory() / "profiles.json")
    assert listed["greedy"] == {
        "name": "greedy",
        "layer": "user",
        "file": str(user),
        "line": 4,
        "sets": {"temperature": 0, "max_tokens": 8},
        "overrules": [ships],
    }
    assert (listed["hot"]["layer"], listed["hot"]["overrules"]) == ("built-in", [])


def test_a_profile_is_shown_whole_with_the_place_it_is_from(user: Path) -> None:
    """Defaults are told from what is set, and an order has its name."""
    write(user)
    printed = run("show", "greedy").stdout.splitlines()
    assert printed[:2] == [f"greedy: {user}:4", "overrules that of built-in"]
    rows = {line.split()[0]: line.split()[1:] for line in printed[4:]}
    assert rows["temperature"] == ["0.0"]
    assert rows["top_k"] == ["0", "default"]
    assert rows["order"] == ["llama.cpp", "default"]
    shown = json.loads(run("show", "greedy", "--json").stdout)
    assert shown["line"] == 4
    assert shown["resolved"]["order"][-1] == "temperature"
    assert set(shown["resolved"]) == set(profiles.ProfileRow.model_fields)


def test_two_profiles_are_compared_with_their_defaults(user: Path) -> None:
    """Only what differs; the same profile does not differ from itself."""
    write(user)
    assert json.loads(run("diff", "greedy", "calm", "--json").stdout) == {
        "temperature": [0.0, 0.4],
        "min_p": [0.0, 0.1],
        "max_tokens": [8, 64],
    }
    assert run("diff", "greedy", "calm").stdout.splitlines()[0].split() == ["key", "greedy", "calm"]
    assert run("diff", "hot", "hot").stdout == "hot and hot are the same\n"


def test_a_profile_is_made_where_there_is_no_file(user: Path) -> None:
    """In the user's folder, where no project is; lists are given item by item."""
    printed = run("set", "mine", "temperature=.4", "stop=A", "stop=B,C", "order=top_k,temperature", "top_k=5")
    assert profiles.load(user)["mine"].stop == ("A", "B,C")
    assert user.read_text() == (
        '{\n  "version": 1,\n  "profiles": {\n    "mine": {"temperature": 0.4, "stop": ["A", "B,C"], '
        '"order": ["top_k", "temperature"], "top_k": 5}\n  }\n}\n'
    )
    assert printed.stdout.splitlines()[-1] == f"{user}: is made"
    assert "+  " in printed.stdout


def test_a_change_touches_nothing_but_its_value(user: Path) -> None:
    """Numbers, spaces and the order of the rest stay, and the diff shows one line."""
    write(user)
    printed = run("set", "calm", "temperature=0.5", "top_k=3").stdout
    assert user.read_text() == OWN.replace('"temperature": 0.4}', '"temperature": 0.5, "top_k": 3}')
    assert [line for line in printed.splitlines() if line.startswith("+ ")] == [
        '+    "calm":   {"min_p": 1e-1, "temperature": 0.5, "top_k": 3}'
    ]
    run("set", "calm", "--unset", "top_k", "temperature=0.4")
    assert user.read_text() == OWN
    assert run("set", "calm", "temperature=0.4").stdout == f"{user}: nothing changes\n"


def test_a_dry_run_shows_the_change_and_writes_nothing(user: Path) -> None:
    """No folder is made either."""
    printed = run("set", "calm", "temperature=1", "--dry-run").stdout
    assert '+    "calm": {"temperature": 1}' in printed
    assert printed.endswith("would be made\n")
    assert not user.parent.exists()


def test_a_profile_that_ships_is_overruled_and_stays(user: Path) -> None:
    """What is written has all that the one that ships sets, and the change."""
    before = (shipped.suites_directory() / "profiles.json").read_bytes()
    result = run("set", "llama-cpp", "top_k=20")
    assert result.stderr == ("llama-cpp: the one that ships stays as it is; what is written overrules it\n")
    assert '"llama-cpp": {"temperature": 0.8, "top_k": 20, "top_p": 0.95, "min_p": 0.05}' in user.read_text()
    assert (shipped.suites_directory() / "profiles.json").read_bytes() == before
    assert run("remove", "llama-cpp").stderr == "llama-cpp: the one that ships counts again\n"


def test_a_file_is_chosen_by_who_has_the_name_then_by_the_project(user: Path) -> None:
    """And by the options before all; what another file overrules is said."""
    write(user)
    project = Path(".gemma-eval/profiles.json")
    run("set", "calm", "top_k=3")
    assert not project.exists()
    run("set", "other", "top_k=3", "--project")
    assert list(profiles.load(project)) == ["other"]
    run("set", "third", "top_k=3")
    assert list(profiles.load(project)) == ["other", "third"]
    run("set", "calm", "top_k=7", "--project")
    assert profiles.load(project)["calm"].min_p == 0.1
    assert (
        "calm: .gemma-eval/profiles.json overrules it here" in run("set", "calm", "top_k=1", "--user").stderr
    )
    beside = run("set", "calm", "top_k=9", "--file", "beside.json")
    assert beside.stderr.splitlines() == [
        "calm: the one in .gemma-eval/profiles.json stays as it is",
        "beside.json: is read by nothing until it is called profiles.json",
    ]
    assert profiles.load(Path("beside.json"))["calm"].top_k == 9


def test_what_does_not_count_is_not_said_to_overrule(user: Path) -> None:
    """The user's file is written from the project's, and the project's counts still."""
    run("set", "mine", "top_k=3", "--project")
    assert run("set", "mine", "top_k=4", "--user").stderr.splitlines() == [
        "mine: the one in .gemma-eval/profiles.json stays as it is",
        "mine: .gemma-eval/profiles.json overrules it here",
    ]
    assert run("remove", "mine", "--user").stderr == ""
    assert run("set", "greedy", "top_k=4", "--user").stderr == (
        "greedy: the one that ships stays as it is; what is written overrules it\n"
    )


def test_a_key_is_set_or_taken_out_and_not_both(user: Path) -> None:
    """Which of the two was meant nobody knows."""
    write(user)
    before = user.read_text()
    with pytest.raises(UsageError, match='"top_k" is given a value and taken out; do one of the two'):
        run("set", "calm", "top_k=3", "--unset", "top_k")
    assert user.read_text() == before


def test_the_folder_that_one_works_in_counts_last(user: Path) -> None:
    """Its profiles are those of the suites beside it."""
    write(user)
    here = write(Path("profiles.json"), '{"version": 1, "profiles": {"calm": {"top_k": 1}}}')
    run("set", "calm", "top_k=2")
    assert here.read_text() == '{"version": 1, "profiles": {"calm": {"top_k": 2}}}'
    shown = json.loads(run("show", "calm", "--json").stdout)
    assert (shown["layer"], shown["overrules"]) == ("suite", [str(user)])


def test_a_copy_has_the_keys_of_the_other(user: Path) -> None:
    """Under a name that is free."""
    run("copy", "hot", "warm")
    assert profiles.load(user)["warm"].temperature == 2.0
    with pytest.raises(UsageError, match='there is a profile "warm" already'):
        run("copy", "hot", "warm")
    with pytest.raises(UsageError, match='there is a profile "greedy" already'):
        run("copy", "hot", "greedy")
    with pytest.raises(UsageError, match="the name of a profile is"):
        run("copy", "hot", "not a name")


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (["temprature=1"], 'no key of a profile named "temprature"; did you mean "temperature"'),
        (["temperature=-1"], 'profile "x": temperature is -1; it should be at least 0'),
        (["temperature=hot"], 'profile "x": temperature is "hot"; it should be a number'),
        (["top_k=1.5"], "top_k is 1.5; it should be a whole number"),
        (["mirostat=true"], "mirostat is true; it should be 0, 1 or 2"),
        (["mirostat=2", "min_p=0.1"], "mirostat 2 chooses the candidates by itself and replaces min_p"),
        (["temperature"], '"temperature" is no key=value, as top_k=40'),
        (["top_k=1", "top_k=2"], '"top_k" is given twice'),
        (["top_k.a=1"], "top_k is no table"),
        (["logit_bias=3"], 'logit_bias is "3"; it should be a JSON object'),
        (["order=nonsense", "stop="], "has an empty text, which would stop every answer at once"),
        ([], "nothing to set"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(user: Path, given: list[str], what: str) -> None:
    """By the schema of the file, and by what contradicts itself."""
    with pytest.raises(GemmaEvalError) as caught:
        run("set", "x", *given)
    assert what in str(caught.value)
    assert not user.exists()


def test_a_file_with_another_flaw_is_not_written(user: Path) -> None:
    """The line of the flaw is named, and the file stays."""
    text = OWN.replace("1e-1", "7")
    write(user, text)
    with pytest.raises(ConfigError, match=r"profiles\.json:5: profile \"calm\": min_p is 7"):
        run("set", "other", "top_k=1")
    assert user.read_text() == text
    write(user, OWN.replace(",\n", "\n"))
    with pytest.raises(ConfigError, match="is not JSON"):
        run("set", "other", "top_k=1")


def test_what_is_not_there_is_suggested(user: Path) -> None:
    """And a file is named that has the profile, where another was meant."""
    write(user)
    with pytest.raises(UnknownName, match='no profile named "gredy"; did you mean "greedy"'):
        run("show", "gredy")
    with pytest.raises(UnknownName, match='no profile named "gredy"'):
        run("remove", "gredy")
    with pytest.raises(UsageError, match=r'has no profile "hot"; there is the one that ships'):
        run("remove", "hot")
    with pytest.raises(UsageError, match="name one file each"):
        run("remove", "calm", "--user", "--project")
    with pytest.raises(UsageError, match=r"is no \.json file"):
        run("set", "calm", "top_k=1", "--file", "profiles.toml")


def test_a_mistake_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    """As for every command."""
    with pytest.raises(SystemExit) as caught:
        main(["profiles", "set", "x", "temprature=1"])
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        'gemma-eval: no key of a profile named "temprature"; did you mean "temperature"?\n'
    )


def test_the_file_that_ships_is_never_edited() -> None:
    """Not even by its path."""
    path = shipped.suites_directory() / "profiles.json"
    with pytest.raises(ConfigError, match="comes with gemma_eval and is not changed"):
        run("set", "greedy", "top_k=1", "--file", str(path))


def test_commands_at_the_same_time_lose_nothing(user: Path) -> None:
    """Each waits for the file; what another has changed of the same profile stays."""
    keys = ["top_k=1", "min_p=0.1", "top_p=0.9", "seed=4", "temperature=0.5"]
    writers = [
        subprocess.Popen([sys.executable, "-m", "gemma_eval", "profiles", "set", "one", key, "--user"])
        for key in keys
    ]
    assert [writer.wait(60) for writer in writers] == [0] * len(keys)
    assert set(json.loads(user.read_text())["profiles"]["one"]) == {key.partition("=")[0] for key in keys}
