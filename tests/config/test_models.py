"""Models are read strictly, and a relative location is relative to the file that gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval.config import models, shipped
from gemma_eval.errors import ConfigError
from gemma_eval.records import ModelSpec, RopeScaling

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
        "1: needs version = 1; gemma-eval config migrate adds it",
        '3: model "x" is 1; it should be a table, as [model.pocket]',
        '4: model "a": needs a backend',
        '5: model "a": unknown key "bakend"; did you mean "backend"?',
        '6: model "a": location is empty',
        f'7: the name of a model is "b c", {NO_NAME}',
        '10: model "b c": options.limit is nan; it should be finite',
        '11: model "b c": context_tokens is 0; it should be at least 1',
    ]
    with pytest.raises(ConfigError, match=r"needs version = 1; .*\n.*needs a model"):
        read(tmp_path, "")


def scaled(text: str) -> str:
    """Return a models file whose one model has this scaling."""
    return f'version = 1\n[model.m]\nbackend = "b"\nlocation = "x"\nrope_scaling = {text}\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{ rope_type = "default" }', RopeScaling()),
        (
            '{ rope_type = "yarn", factor = 4.0, original_max_position_embeddings = 384 }',
            RopeScaling(rope_type="yarn", factor=4.0, original_max_position_embeddings=384),
        ),
        (
            '{ rope_type = "yarn", factor = 2, beta_fast = 16, truncate = false, apply_to = "all" }',
            RopeScaling(
                rope_type="yarn",
                factor=2.0,
                beta_fast=16.0,
                truncate=False,
                apply_to="all",
            ),
        ),
        (
            '{ rope_type = "yarn", factor = 2, mscale = 1, mscale_all_dim = 0.5 }',
            RopeScaling(rope_type="yarn", factor=2.0, mscale=1.0, mscale_all_dim=0.5),
        ),
        (
            '{ rope_type = "llama3", factor = 8, low_freq_factor = 2, high_freq_factor = 8 }',
            RopeScaling(rope_type="llama3", factor=8.0, low_freq_factor=2.0, high_freq_factor=8.0),
        ),
        (
            '{ rope_type = "longrope", factor = 4, short_factor = [1], long_factor = [2.5] }',
            RopeScaling(
                rope_type="longrope",
                factor=4.0,
                short_factor=(1.0,),
                long_factor=(2.5,),
            ),
        ),
    ],
)
def test_a_scaling_is_read_as_it_is_written(tmp_path: Path, text: str, expected: RopeScaling) -> None:
    """In the names of Hugging Face configs, lists as tuples."""
    assert read(tmp_path, scaled(text))["m"].rope_scaling == expected


def test_a_scaling_may_be_a_table_of_its_own(tmp_path: Path) -> None:
    """As `[model.m.rope_scaling]`; a model without one leaves that of its own configuration alone."""
    text = (
        'version = 1\n[model.m]\nbackend = "b"\nlocation = "x"\n'
        '[model.m.rope_scaling]\nrope_type = "ntk"\nfactor = 4\n[model.n]\nbackend = "b"\nlocation = "x"\n'
    )
    found = read(tmp_path, text)
    assert found["m"].rope_scaling == RopeScaling(rope_type="ntk", factor=4.0)
    assert found["n"].rope_scaling is None


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ('"yarn"', ['rope_scaling is "yarn"; it should be a table']),
        ("{ factor = 2 }", ["needs a rope_type: default, linear, ntk, dynamic, yarn, llama3, longrope"]),
        (
            '{ rope_type = "yarm", factor = 2, mscal = 1 }',
            ['rope_type is "yarm"; it should be "default"', 'unknown key "mscal"; did you mean "mscale"?'],
        ),
        ('{ rope_type = "yarn" }', ["yarn needs a factor, as factor = 4.0 for four times"]),
        ('{ rope_type = "linear", factor = 0.5 }', ["factor is 0.5; it should be at least 1"]),
        (
            '{ rope_type = "linear", factor = 2, beta_fast = 8, truncate = true }',
            [
                "beta_fast has no effect with linear; remove it, or choose yarn",
                "truncate has no effect with linear; remove it, or choose yarn",
            ],
        ),
        ('{ rope_type = "default", factor = 2 }', ["factor has no effect with default; remove it"]),
        (
            '{ rope_type = "longrope", factor = 2 }',
            ["longrope needs a short_factor, a list", "longrope needs a long_factor, a list"],
        ),
        (
            '{ rope_type = "longrope", factor = 2, short_factor = [1, 1], long_factor = [2] }',
            ["long_factor has 1 numbers, short_factor 2; give as many of both"],
        ),
        (
            '{ rope_type = "longrope", factor = 2, short_factor = [0], long_factor = [2] }',
            ["short_factor[0] is 0; it should be more than 0"],
        ),
        (
            '{ rope_type = "yarn", factor = 2, beta_slow = 32 }',
            ["beta_fast is 32.0 and beta_slow 32.0; beta_fast should be the larger"],
        ),
        (
            '{ rope_type = "llama3", factor = 2, high_freq_factor = 0.5 }',
            ["high_freq_factor is 0.5 and low_freq_factor 1.0; high_freq_factor should be the larger"],
        ),
        ('{ rope_type = "yarn", factor = 2, mscale = 1 }', ["mscale has no effect without mscale_all_dim"]),
        (
            '{ rope_type = "yarn", factor = 2, mscale = 1, mscale_all_dim = 1, attention_factor = 1 }',
            ["attention_factor replaces what mscale and mscale_all_dim give; remove one of the two"],
        ),
        ('{ rope_type = "ntk", factor = 2, apply_to = "local" }', ['it should be "global" or "all"']),
        ('{ rope_type = "ntk", factor = inf }', ["factor is inf; it should be a finite number"]),
    ],
)
def test_a_scaling_that_contradicts_itself_is_refused(
    tmp_path: Path, text: str, complaints: list[str]
) -> None:
    """With its line and its model, and a way out for each problem."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, scaled(text))
    found = caught.value.problems
    assert len(found) >= len(complaints)
    for complaint in complaints:
        assert any(complaint in problem.what for problem in found), str(caught.value)
    assert all(problem.line == 5 and problem.what.startswith('model "m": ') for problem in found)


def test_the_shipped_models_are_good() -> None:
    """The pocket model is among them, wherever the package is installed."""
    found = models.load(shipped.suites_directory() / "models.toml")
    assert found["pocket"] == ModelSpec(name="pocket", backend="numpy_gemma", location="@pocket")
