"""Profiles of gemma-cli become ours; what has no place here is named with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.cli import command
from gemma_eval.config import profiles
from gemma_eval.errors import ConfigError, UsageError
from gemma_eval.importers.old_profiles import convert
from gemma_eval.plugins import load

OLD = Path(__file__).parent / "fixtures" / "gemma_cli" / "profiles.json"


def run(*arguments: object) -> Result:
    """Run the command with these arguments."""
    given = ("import", "profiles", *map(str, arguments))
    return CliRunner().invoke(command(load()), given, catch_exceptions=False)


def test_profiles_of_gemma_cli_are_added_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    """With its line; a top_k that is not given was 40 there, and names have no spaces here."""
    result = run(OLD, "--out", tmp_path / "mine")
    assert result.exit_code == 0, result.output
    path = tmp_path / "mine" / "profiles.json"
    assert result.stdout == f"{path}\n"
    assert result.stderr.splitlines() == [
        f'note: {OLD}:5: profile "speed": description is left out: "Fast answers"',
        f'note: {OLD}:5: profile "speed": use_case is left out: "Chat"',
        f'note: {OLD}:7: profile "precise & slow" is called "precise-slow", for names have no such letters',
        f'note: {OLD}:11: profile "precise-slow": use_case is left out: "Facts"',
        f'note: {OLD}:7: profile "precise-slow": top_k is 40, as gemma-cli has it if not given',
    ]
    assert json.loads(path.read_text())["profiles"] == {
        "speed": {"max_tokens": 512, "temperature": 0.7, "top_p": 0.9, "top_k": 40},
        "precise-slow": {"max_tokens": 32768, "temperature": 0.1, "top_p": 0.85, "top_k": 40},
    }


ONE = {"temperature": 0.5, "top_k": 20}


@pytest.mark.parametrize(
    "written",
    [
        [{"name": "a", **ONE}],
        {"a": ONE},
        {"a": {"name": "a", **ONE, "min_p": None}},
        {"profiles": {"a": ONE}},
        {"version": 1, "profiles": {"a": ONE}},
        {"profiles": [{"name": "a", **ONE}]},
        {"performance_profiles": [{"name": "a", **ONE}]},
    ],
    ids=["list", "by name", "with nulls", "under profiles", "ours", "list under profiles", "old list"],
)
def test_every_form_of_a_file_is_read(written: object) -> None:
    """A list, by name, and either under `profiles` or `performance_profiles`."""
    for indent in (None, 2):
        made = convert(json.dumps(written, indent=indent), path=Path("x.json"))
        assert (made.of, made.notes) == ({"a": ONE}, ())


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,5}", fullmatch=True),
        st.dictionaries(
            st.sampled_from(["temperature", "top_p", "min_p", "max_tokens", "stop"]),
            st.one_of(st.integers(-3, 3), st.floats(-1, 2, allow_nan=False), st.just(["x"])),
            min_size=1,
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
)
def test_what_is_wrong_with_a_value_is_said_at_its_line(
    table: dict[str, dict[str, object]], indent: int | None, is_list: bool
) -> None:
    """That of the file that was read, as if it were one of ours."""
    as_ours = json.dumps({"version": 1, "profiles": table}, indent=indent)
    named = [{"name": name, **profile} for name, profile in table.items()]
    text = json.dumps(named if is_list else table, indent=indent)
    made = convert(text, path=Path("x.json"))
    try:
        assert profiles.parse(made.text, path=Path("x.json")) == profiles.parse(as_ours, path=Path("x.json"))
    except ConfigError as error:
        said = {problem.what for problem in error.problems}
        with pytest.raises(ConfigError) as ours:
            profiles.parse(as_ours, path=Path("x.json"))
        assert said == {problem.what for problem in ours.value.problems}
        lines = text.splitlines()
        for problem in error.problems:
            key = problem.what.partition(": ")[2].split()[0].partition("[")[0]
            assert f'"{key}"' in lines[problem.line - 1]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"a": {"temprature": 1}}', 'x.json:1: profile "a": unknown key "temprature"; did you mean'),
        ('{"a":\n {"temperature": -1}}', 'x.json:2: profile "a": temperature is -1; it should be at least 0'),
        ('{"a": {"top_k": 1},\n "a": {}}', 'x.json:2: key "a" is given twice'),
        ('[{"top_k": 1}]', "x.json:1: profile 1 of the list has no name"),
        ('{"a b": {}, "a_b": {}, "a-b": {}}', 'profile "a-b": there is one called "a-b" already'),
        ('{"profiles": 3}', 'x.json:1: "profiles" is 3; it should be a list or an object of profiles'),
        ('{"a": 1}', 'x.json:1: profile "a" is 1; it should be an object'),
        ('{"": {}}', "nothing of that can be a name"),
        ("{}", "x.json:1: has no profile"),
        ("[1,", "x.json:1: is not JSON"),
    ],
)
def test_what_cannot_be_carried_over_is_named_and_nothing_is_written(
    tmp_path: Path, text: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the line of the file that was given."""
    monkeypatch.chdir(tmp_path)
    Path("x.json").write_text(text)
    with pytest.raises(ConfigError) as caught:
        run("x.json", "--out", "mine")
    assert what in str(caught.value)
    assert not Path("mine/profiles.json").exists()


def test_profiles_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    """Their bytes stay; one of the same name is replaced only when asked to."""
    path = tmp_path / "profiles.json"
    before = '{\n  "version": 1,\n  "profiles": {\n    "speed":  {"temperature": 1e0}\n  }\n}\n'
    path.write_text(before)
    with pytest.raises(UsageError, match=r"has another profile speed; .*--replace to replace it"):
        run(OLD, "--out", tmp_path)
    assert path.read_text() == before
    assert run(OLD, "--out", tmp_path, "--replace").exit_code == 0
    assert list(profiles.load(path)) == ["speed", "precise-slow"]
    after = path.read_text()
    assert run(OLD, "--out", tmp_path).exit_code == 0
    assert path.read_text() == after


def test_what_is_beside_the_profiles_is_left_out_and_named() -> None:
    """As the models of a whole configuration."""
    made = convert('{"profiles": {"a": {}},\n "models": []}', path=Path("x.json"))
    assert made.notes == ('x.json:2: "models" is left out: it is no profile',)
