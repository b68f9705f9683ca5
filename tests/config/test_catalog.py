"""What can be chosen is merged from folders, and every problem of every file is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval.config import catalog, shipped, templates
from gemma_eval.errors import ConfigError, Problem, UnknownName, UsageError
from gemma_eval.records import Template


def a_folder(path: Path, *, temperature: float, template: str) -> Path:
    """Write a folder with one profile and one template."""
    (path / "templates").mkdir(parents=True)
    (path / "profiles.json").write_text(
        f'{{"version": 1, "profiles": {{"p": {{"temperature": {temperature}}}}}}}'
    )
    (path / "templates" / "t.jinja").write_text(template)
    return path


def test_later_folders_win_and_may_lack_anything(tmp_path: Path) -> None:
    """A project's own profile replaces the shipped one of that name and keeps the others."""
    first = a_folder(tmp_path / "first", temperature=0.5, template="one")
    second = a_folder(tmp_path / "second", temperature=0.7, template="two")
    (tmp_path / "empty").mkdir()
    found = catalog.load([shipped.suites_directory(), first, second, tmp_path / "empty", tmp_path / "absent"])
    assert found.profiles["p"].temperature == 0.7
    assert found.templates["t"] == Template(name="t", text="two")
    assert "greedy" in found.profiles
    assert "pocket" in found.models


MODELS = """\
version = 1
[model.mine]
backend = "llama_cpp"
location = "mine.gguf"
[model.mine.options]
threads = 1
parallel = "two"
"""


@pytest.mark.parametrize(
    ("keys", "line"), [(("options", "parallel"), 7), (("location",), 4), (("options", "none"), 5), ((), 2)]
)
def test_what_is_wrong_with_a_model_is_placed_at_the_key_that_is_wrong(
    tmp_path: Path, keys: tuple[str, ...], line: int
) -> None:
    """At the model where no key of it is known, in the last folder that has it."""
    (tmp_path / "models.toml").write_text(MODELS)
    spec = catalog.load([tmp_path]).models["mine"]
    folders = (tmp_path, shipped.suites_directory(), tmp_path / "absent")
    what = "model mine: has threads in its parallel location"
    found = catalog.about_model(spec, what, keys=keys, folders=folders)
    assert found == Problem(path=tmp_path / "models.toml", line=line, what=what)
    assert catalog.about_model(spec, what, keys=keys, folders=[shipped.suites_directory()]) is None


def test_problems_of_all_files_are_said_together(tmp_path: Path) -> None:
    """One reading, one list."""
    a_folder(tmp_path, temperature=-1, template="x")
    (tmp_path / "templates" / "b c.jinja").write_text("x")
    (tmp_path / "templates" / "bad.jinja").write_bytes(b"\xff")
    (tmp_path / "models.toml").write_text("version = \n")
    with pytest.raises(ConfigError) as caught:
        catalog.load([tmp_path])
    assert [problem.path.name for problem in caught.value.problems] == [
        "models.toml",
        "profiles.json",
        "b c.jinja",
        "bad.jinja",
    ]


@pytest.mark.parametrize("name", ["models.toml", "profiles.json", "templates"])
def test_what_may_not_be_looked_at_is_an_error_and_never_taken_for_absent(name: str, tmp_path: Path) -> None:
    """A link in a circle, as one without rights: what it holds would else be missed without a word."""
    (tmp_path / name).symlink_to(name)
    with pytest.raises(ConfigError, match=f"{name}: cannot be read: "):
        catalog.load([tmp_path])


def test_a_file_in_the_place_of_the_templates_is_an_error(tmp_path: Path) -> None:
    """It has no templates, and is no folder without any."""
    (tmp_path / "templates").write_text("")
    with pytest.raises(ConfigError, match="templates: cannot be read: not a directory"):
        catalog.load([tmp_path])


def test_a_template_is_named_by_its_file(tmp_path: Path) -> None:
    """Other files and other folders are left alone."""
    (tmp_path / "a.jinja").write_text("A\n")
    (tmp_path / "notes.txt").write_text("x")
    assert templates.load(tmp_path) == {"a": Template(name="a", text="A\n")}
    assert templates.load(tmp_path / "absent") == {}


def test_a_suite_is_found_by_name_or_by_path(tmp_path: Path) -> None:
    """A name is a shipped suite; a slash or the ending makes it a path."""
    own = tmp_path / "mine.toml"
    own.write_text("")
    assert shipped.suite_path("mine.toml", folder=tmp_path) == own
    assert shipped.suite_path(str(own), folder=Path("elsewhere")) == own
    assert shipped.suite_path("standard", folder=tmp_path) == shipped.suites_directory() / "standard.toml"
    assert "models" not in shipped.suite_names()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("standrd", 'no suite named "standrd"; did you mean "standard"?'),
        ("models", 'no suite named "models"'),
        ("min.toml", 'no suite named "min.toml"; did you mean "mine.toml"?'),
        ("../standard", 'no suite named "../standard"'),
        ("~nobody-is-called-so/mine.toml", 'no suite named "~nobody-is-called-so/mine.toml"'),
        (f"./{'a' * 5000}", 'no suite named "./aaa'),
    ],
)
def test_an_unknown_suite_is_a_usage_error_with_a_suggestion(tmp_path: Path, name: str, message: str) -> None:
    """Near names are offered, whether a name or a path was meant."""
    (tmp_path / "mine.toml").write_text("")
    with pytest.raises(UnknownName) as caught:
        shipped.suite_path(name, folder=tmp_path)
    assert str(caught.value).startswith(message)


def test_only_suites_are_offered_for_a_path_that_is_wrong(tmp_path: Path) -> None:
    """Neither the project's own settings nor a folder that ends like a suite."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "village.toml").mkdir()
    with pytest.raises(UnknownName) as caught:
        shipped.suite_path("vilage.toml", folder=tmp_path)
    assert str(caught.value) == 'no suite named "vilage.toml"'
    with pytest.raises(UsageError, match="this is a folder; give the path of a suite"):
        shipped.suite_path("village.toml", folder=tmp_path)


@pytest.mark.parametrize("name", ["", "  ", "a\0.toml"])
def test_a_name_that_is_no_name_is_a_usage_error(tmp_path: Path, name: str) -> None:
    """An empty argument or a zero byte."""
    with pytest.raises(UsageError):
        shipped.suite_path(name, folder=tmp_path)
