"""Models are read strictly, and a relative location is relative to the file that gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval.config import models, shipped
from gemma_eval.errors import ConfigError
from gemma_eval.records import ModelSpec

NO_NAME = "which cannot be a name; use letters, digits and _ . + - (at most 100)"


def read(folder: Path, text: str) -> dict[str, ModelSpec]:
    """Write a models file and load it."""
    path = folder / "models.toml"
    path.write_text(text)
    return models.load(path)


def test_a_model_is_read_as_it_is_written(tmp_path: Path) -> None:
    """All keys, and options as they are."""
    text = (
        'version = 1\n[model.m]\nbackend = "b"\nlocation = "weights/m"\ncontext_tokens = 99\n'
        'chat_template = "{{ messages }}"\noptions = {threads = 2, names = ["a"], fast = true}\n'
    )
    assert read(tmp_path, text)["m"] == ModelSpec(
        name="m",
        backend="b",
        location=str(tmp_path / "weights" / "m"),
        context_tokens=99,
        chat_template="{{ messages }}",
        options={"threads": 2, "names": ("a",), "fast": True},
    )


@pytest.mark.parametrize("location", ["@pocket", "http://localhost:8080/v1", "/models/m"])
def test_a_location_that_is_not_relative_is_kept(tmp_path: Path, location: str) -> None:
    """Shipped models, servers and absolute paths."""
    text = f'version = 1\n[model.m]\nbackend = "b"\nlocation = "{location}"\n'
    assert read(tmp_path, text)["m"].location == location


def test_a_home_that_nobody_has_is_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    """The backend says so when it looks; reading the file does not fail."""
    text = 'version = 1\n[model.m]\nbackend = "b"\nlocation = "~nobody-is-called-so/m"\n'
    assert read(tmp_path, text)["m"].location.endswith("/~nobody-is-called-so/m")


def test_all_problems_of_a_file_are_said(tmp_path: Path) -> None:
    """Each with its line and its model."""
    text = (
        'verson = 1\n[model]\nx = 1\n[model.a]\nbakend = "b"\nlocation = ""\n'
        '["model"."b c"]\nbackend = "b"\nlocation = "x"\noptions = {limit = nan}\ncontext_tokens = 0\n'
    )
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert [f"{problem.line}: {problem.what}" for problem in caught.value.problems] == [
        '1: unknown key "verson"; did you mean "version"?',
        "1: needs version = 1",
        '3: model "x" is 1; it should be a table, as [model.pocket]',
        '4: model "a": needs a backend',
        '5: model "a": unknown key "bakend"; did you mean "backend"?',
        '6: model "a": location is empty',
        f'7: the name of a model is "b c", {NO_NAME}',
        '10: model "b c": options.limit is nan; it should be finite',
        '11: model "b c": context_tokens is 0; it should be at least 1',
    ]
    with pytest.raises(ConfigError, match=r"needs version = 1\n.*needs a model"):
        read(tmp_path, "")


def test_the_shipped_models_are_good() -> None:
    """The pocket model is among them, wherever the package is installed."""
    found = models.load(shipped.suites_directory() / "models.toml")
    assert found["pocket"] == ModelSpec(name="pocket", backend="numpy_gemma", location="@pocket")
