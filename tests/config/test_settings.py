"""Settings are chosen key by key, the later layer wins, and each value knows where it was chosen."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.config import environment, settings, settings_file
from gemma_eval.config.edit_settings import put, written
from gemma_eval.config.places import Place
from gemma_eval.config.settings import Origin, Settings
from gemma_eval.config.settings_keys import BY_NAME, KEYS, Key
from gemma_eval.errors import ConfigError, UnknownName


@pytest.fixture
def places(tmp_path: Path) -> Sequence[Place]:
    """The folders of a user, of a project and of a suite."""
    for folder in ("user", "cats/.gemma-eval", "cats/evals"):
        (tmp_path / folder).mkdir(parents=True)
    return (
        Place(layer="user", folder=tmp_path / "user"),
        Place(layer="project", folder=tmp_path / "cats/.gemma-eval"),
        Place(layer="suite", folder=tmp_path / "cats/evals"),
    )


def write(place: Place, text: str) -> Path:
    """Write a settings.yaml."""
    path = place.folder / "settings.yaml"
    path.write_text(text)
    return path


def problems(places: Sequence[Place], variables: Mapping[str, str] | None = None) -> list[str]:
    """Return what is said of settings that cannot be read."""
    with pytest.raises(ConfigError) as refused:
        settings.load(places, environment=variables or {})
    return str(refused.value).splitlines()


def test_the_table_of_keys_is_that_of_the_fields() -> None:
    """Each key is a field, each field but what is said about them a key; names do not collide."""
    own = {each.name for each in fields(Settings)} - {"origins", "notices"}
    assert {key.field for key in KEYS} == own
    assert len({key.variable for key in KEYS}) == len(KEYS)
    assert all(len(key.path) <= 2 for key in KEYS)


def test_without_files_all_is_built_in(places: Sequence[Place]) -> None:
    """And says so."""
    found = settings.load(places, environment={})
    assert found == Settings()
    assert {str(found.origin(key.name)) for key in KEYS} == {"built-in"}


def test_the_later_layer_wins_key_by_key(places: Sequence[Place]) -> None:
    """A table is merged, a list is replaced; each value knows the line, variable or option."""
    user, project, _ = places
    of_user = write(
        user,
        "version: 1\nchat:\n  model: a\n  profile: a\n  history: false\nbackups: 1\nsuite_paths: [x, y]\n",
    )
    of_project = write(project, "version: 1\nsuite_paths: [z]\nchat:\n  profile: b\n  template: b\n")
    found = settings.load(
        places,
        environment={"GEMMA_EVAL_CHAT_TEMPLATE": "c", "GEMMA_EVAL_BACKUPS": "", "OTHER": "x"},
        given={"database": "d.db", "reports": None},
        ini={"database": "/ini.db", "reports": "/ini"},
    )
    origins = {
        "chat.model": ("a", Origin(layer="user", where=str(of_user), line=3)),
        "chat.history": (False, Origin(layer="user", where=str(of_user), line=5)),
        "backups": (1, Origin(layer="user", where=str(of_user), line=6)),
        "chat.profile": ("b", Origin(layer="project", where=str(of_project), line=4)),
        "suite_paths": (
            (project.folder.parent / "z",),
            Origin(layer="project", where=str(of_project), line=2),
        ),
        "chat.template": ("c", Origin(layer="environment", where="GEMMA_EVAL_CHAT_TEMPLATE")),
        "reports": (Path("/ini"), Origin(layer="ini", where="gemma_reports")),
        "database": (Path("d.db"), Origin(layer="command line", where="--db")),
    }
    assert {name: (found.value(name), found.origin(name)) for name in origins} == origins
    assert set(found.origins) == set(origins)


def test_null_turns_off_what_an_earlier_layer_has_turned_on(places: Sequence[Place]) -> None:
    """Only where nothing can be meant."""
    write(places[0], "version: 1\nlog_json: log.jsonl\nchat: {template: rag}\n")
    write(places[1], "version: 1\nlog_json: null\nchat:\n  template: ~\n")
    found = settings.load(places, environment={})
    assert (found.log_json, found.chat_template) == (None, None)
    write(places[1], "version: 1\nbackups: null\nchat: {model: ~}\n")
    assert [line.partition(": ")[2] for line in problems(places)] == [
        "backups is null; it should be a whole number",
        "chat.model is null; it should be a text in quotes",
    ]


def test_paths_count_from_the_folder_that_the_file_is_for(places: Sequence[Place]) -> None:
    """The project's from what holds `.gemma-eval`, the user's from its own, others from where one works."""
    write(places[0], "version: 1\nreports: out\nlog_json: ~/log\n")
    write(places[1], "version: 1\ndatabase: out/../x.db\nchat:\n  memory: redis://localhost/1\n")
    found = settings.load(places, environment={"GEMMA_EVAL_SUITE_PATHS": f"a{os.pathsep}b c"})
    assert found.reports == places[0].folder / "out"
    assert found.log_json == Path.home() / "log"
    assert found.database == places[1].folder.parent / "x.db"
    assert found.chat_memory == "redis://localhost/1"
    assert found.suite_paths == (Path("a"), Path("b c"))
    write(places[1], "version: 1\nchat: {memory: m.db}\n")
    assert settings.load(places, environment={}).chat_memory == str(places[1].folder.parent / "m.db")


def test_a_suite_has_no_settings_of_its_own(places: Sequence[Place]) -> None:
    """What stands beside it is not read."""
    write(places[2], "nonsense: [")
    assert settings.load(places, environment={}) == Settings()


def test_everything_that_is_wrong_is_said_at_once(places: Sequence[Place]) -> None:
    """Of each layer, with file and line, and what would be right."""
    user, project, _ = places
    of_user = write(user, "chat:\n  modle: a\n  history: no\nchat_model: a\nchat.profile: b\n")
    of_project = write(project, "version: 1\nbackups: 1001\nreload:\n  poll_s: 0\n  poll_s: 1\nchat: &x {}\n")
    assert problems(places, {"GEMMA_EVAL_BACKUPS": "many", "GEMMA_EVAL_DATABSE": "x"}) == [
        f"{of_user}:1: needs version: 1; gemma-eval config migrate adds it",
        f'{of_user}:2: unknown key "modle"; did you mean "model"?',
        f'{of_user}:3: chat.history is "no"; it should be true or false',
        f'{of_user}:4: unknown key "chat_model"; write model in the table chat',
        f'{of_user}:5: unknown key "chat.profile"; write profile in the table chat',
        f"{of_project}:2: backups is 1001; it should be at most 1,000",
        f'{of_project}:5: key "poll_s" is given twice; keep one',
        f"{of_project}:6: &x names a value to repeat it; write the value out where it is repeated",
        "GEMMA_EVAL_DATABSE: no setting has this variable; did you mean GEMMA_EVAL_DATABASE?",
        'GEMMA_EVAL_BACKUPS: is "many"; it should be a whole number',
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GEMMA_EVAL_DB", "GEMMA_EVAL_DATABASE"),
        ("GEMMA_EVAL_CHAT_MODLE", "GEMMA_EVAL_CHAT_MODEL"),
        ("GEMMA_EVAL_REPORT", "GEMMA_EVAL_REPORTS"),
        ("GEMMA_EVAL_CONFG", "GEMMA_EVAL_CONFIG"),
    ],
)
def test_a_variable_that_is_nearly_one_of_ours_is_an_error(name: str, meant: str) -> None:
    """It would be overlooked otherwise."""
    with pytest.raises(ConfigError, match=f"{name}: no setting has this variable; did you mean {meant}"):
        environment.load({name: "x"})


@pytest.mark.parametrize(
    "name",
    [
        "GEMMA_EVAL_API_KEY",
        "GEMMA_EVAL_CONFIG",
        "GEMMA_EVAL_BLOCK",
        "GEMMA_EVAL_BLOCK_CELLS",
        "GEMMA_EVAL_TOKEN_OF_LAB",
    ],
)
def test_other_variables_are_let_be(name: str) -> None:
    """They may hold the key of a server, or are between processes of a run."""
    assert environment.load({name: "x"}) == {}


def test_every_variable_that_the_code_names_is_known() -> None:
    """One that is added without a word here would be an error, or overlooked where it is misspelt."""
    source = Path(settings.__file__).parents[1]
    named = {
        name
        for path in source.rglob("*.py")
        for name in re.findall(r"\bGEMMA_EVAL_[A-Z_]+", path.read_text())
    }
    known = {key.variable for key in KEYS} | environment.OTHERS | environment.INTERNAL
    assert named - known == set()
    assert {"GEMMA_EVAL_BLOCK", "GEMMA_EVAL_CONFIG"} <= named


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("backups", "0o14", 12),
        ("backups", "012", 12),
        ("reload.poll_s", "1e-1", 0.1),
        ("chat.history", "FALSE", False),
        ("chat.model", "12", "12"),
        ("chat.model", " no ", "no"),
        ("chat.model", "'pocket'", "pocket"),
        ("chat.template", "null", None),
        ("chat.template", "~", None),
        ("database", "a: b #c", "a: b #c"),
        ("suite_paths", "[a, 'b c']", ["a", "b c"]),
        ("suite_paths", "one", ["one"]),
    ],
)
def test_what_is_typed_is_a_scalar_of_yaml_but_a_text_needs_no_quotes(
    name: str, text: str, value: object
) -> None:
    """In the environment and on the command line."""
    assert environment.value(BY_NAME[name], text) == value
    assert environment.load({BY_NAME[name].variable: text}) == {name: value}


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("chat.history", "no", "should be true or false"),
        ("chat.history", "1", "should be true or false"),
        ("backups", "1.5", "should be a whole number"),
        ("backups", "null", "is null"),
        ("reload.poll_s", ".inf", "should be"),
        ("reload.poll_s", ".nan", "should be"),
        ("chat.model", "a b", "cannot be a name"),
        ("suite_paths", "[a", "is not YAML"),
        ("suite_paths", "[1]", "a text in quotes"),
        ("backups", "1: 2", "is not YAML"),
    ],
)
def test_what_is_typed_and_cannot_be_is_said(name: str, text: str, what: str) -> None:
    """With what would be right."""
    with pytest.raises(ValueError, match=what):
        environment.value(BY_NAME[name], text)


def test_a_password_does_not_stand_in_a_file(places: Sequence[Place]) -> None:
    """But may in the environment, which is what the message says."""
    url = "redis://ada:hunter22@localhost/0"
    write(places[1], f"version: 1\nchat:\n  memory: {url}\n")
    (said,) = problems(places)
    assert ":3: chat.memory is a password in a URL" in said
    assert "hunter22" not in said
    (places[1].folder / "settings.yaml").unlink()
    assert settings.load(places, environment={"GEMMA_EVAL_CHAT_MEMORY": url}).chat_memory == url


def test_no_setting_has_an_unknown_name() -> None:
    """A suggestion comes with it."""
    with pytest.raises(UnknownName, match=r'no setting named "chat.modl"; did you mean "chat.model"'):
        Settings().value("chat.modl")


def test_a_file_that_may_not_be_read_is_an_error_and_not_passed_over(places: Sequence[Place]) -> None:
    """Nor is a folder in its place, or one that links to itself; a link that leads nowhere is no file."""
    path = places[1].folder / "settings.yaml"
    path.symlink_to(path)
    assert problems(places) == [f"{path}: cannot be read: too many levels of symbolic links"]
    path.unlink()
    path.mkdir()
    assert problems(places) == [f"{path}: cannot be read: is a directory"]
    path.rmdir()
    path.symlink_to("nowhere")
    assert settings.load(places, environment={}) == Settings()


def test_an_empty_file_chooses_nothing(places: Sequence[Place]) -> None:
    """Nor does one that is all commented out, or a table without keys."""
    for text in ("", "# version: 1\n", "version: 1\nchat:\n  # model: x\n"):
        write(places[1], text)
        assert settings.load(places, environment={}) == Settings()


def values(key: Key) -> st.SearchStrategy[object]:
    """Return values that a key may have."""
    texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9).filter(str.strip)
    kinds: dict[str, st.SearchStrategy[object]] = {
        "path": texts,
        "place": texts,
        "paths": st.lists(texts, max_size=3),
        "name": st.from_regex(r"[A-Za-z0-9_.+-]{1,9}", fullmatch=True),
        "switch": st.booleans(),
        "count": st.integers(int(key.least), int(key.most or 1)),
        "seconds": st.floats(key.least, key.most or 1),
    }
    return kinds[key.kind] | st.none() if key.may_be_none else kinds[key.kind]


CHOSEN = st.fixed_dictionaries({}, optional={key.name: values(key) for key in KEYS})


@given(CHOSEN)
def test_any_settings_survive_being_written_and_read(chosen: dict[str, object]) -> None:
    """Each key as it was given, from a file that is made of them."""
    text = ""
    for name, value in chosen.items():
        text = put(text, BY_NAME[name], value)
    found = settings_file.parse(text, path=Path("settings.yaml"))
    assert {name: each.value for name, each in found.items()} == chosen


@given(CHOSEN, CHOSEN, CHOSEN)
def test_the_last_layer_that_has_a_key_is_the_one_that_counts(
    tmp_path_factory: pytest.TempPathFactory,
    of_user: dict[str, object],
    of_project: dict[str, object],
    given_: dict[str, object],
) -> None:
    """The oracle is a dictionary of dictionaries; None on the command line is what nobody gave."""
    folder = tmp_path_factory.mktemp("layers")
    where = (Place(layer="user", folder=folder / "u"), Place(layer="project", folder=folder / "p"))
    for place, chosen in zip(where, (of_user, of_project), strict=True):
        place.folder.mkdir()
        text = ""
        for name, value in chosen.items():
            text = put(text, BY_NAME[name], value)
        write(place, text)
    found = settings.load(where, environment={}, given=given_)
    typed = {name: value for name, value in given_.items() if value is not None}
    layers = {"user": of_user, "project": of_project, "command line": typed}
    for key in KEYS:
        having = [layer for layer, chosen in layers.items() if key.name in chosen]
        assert found.origin(key.name).layer == (having[-1] if having else "built-in")
        if having and key.kind in ("name", "switch", "count", "seconds"):
            assert found.value(key.name) == layers[having[-1]][key.name]


def test_what_is_written_is_short() -> None:
    """Quotes are only where they are needed, for readers of YAML 1.1 too."""
    assert [written(each) for each in ("a/b.db", "no", "1", "a b", None, True, 1, 0.5, ["x", "on"])] == [
        *("a/b.db", '"no"', '"1"', '"a b"', "null", "true", "1", "0.5", '[x, "on"]'),
    ]


def test_settings_cost_little_to_import() -> None:
    """Where there is no file they need neither pydantic nor YAML."""
    program = "import sys; from gemma_eval.config import places, settings; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert not {"pydantic", "yaml", "ruamel", "numpy"} & set(done.stdout.split())
