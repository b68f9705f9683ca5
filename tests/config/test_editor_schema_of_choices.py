"""The JSON Schemas of models.toml and profiles.json take what ships, and refuse what is mistyped."""

from __future__ import annotations

import copy
import json
import tomllib

import pytest
from jsonschema import Draft7Validator

from gemma_eval.config.editor_schema import models_schema, profiles_schema
from gemma_eval.config.models import ModelRow
from gemma_eval.config.profiles import ProfileRow
from gemma_eval.config.schema_words import WORDS
from gemma_eval.config.shipped import suites_directory

MODELS = Draft7Validator(models_schema({"backend": ["numpy_gemma"]}))
PROFILES = Draft7Validator(profiles_schema({}))
MODEL = 'version = 1\n[model.m]\nbackend = "numpy_gemma"\nlocation = "x"\n'
SCALED = MODEL + 'rope_scaling = {rope_type = "yarn", factor = 4.0}\noptions = {threads = 2}\n'


def test_the_models_and_profiles_that_ship_are_valid() -> None:
    """Both files."""
    models = tomllib.loads((suites_directory() / "models.toml").read_text())
    profiles = json.loads((suites_directory() / "profiles.json").read_text())
    assert list(MODELS.iter_errors(models)) == []
    assert list(PROFILES.iter_errors(profiles)) == []
    assert list(MODELS.iter_errors(tomllib.loads(SCALED))) == []


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("version = 1", "version = 2"),
        ("backend =", "backnd ="),
        ('location = "x"\n', ""),
        ("threads = 2", "threads = {a = 1}"),
        ('"yarn"', '"yam"'),
        ("factor = 4.0", "factor = 0.5"),
        ("[model.m]", '[model."m m"]'),
    ],
)
def test_a_mistake_in_a_model_is_marked(line: str, mistake: str) -> None:
    """Whatever is wrong with it."""
    assert line in SCALED
    assert list(MODELS.iter_errors(tomllib.loads(SCALED.replace(line, mistake, 1))))


@pytest.mark.parametrize(
    "wrong",
    [{"temprature": 1}, {"top_p": 2}, {"mirostat": 3}, {"stop": "x"}, {"seed": -1}, {"order": "none"}],
)
def test_a_mistake_in_a_profile_is_marked(wrong: dict[str, object]) -> None:
    """And the same profile without it is not."""
    good: dict[str, object] = {"version": 1, "profiles": {"p": {"temperature": 0}}}
    assert list(PROFILES.iter_errors(good)) == []
    bad = copy.deepcopy(good)
    bad["profiles"] = {"p": wrong}
    assert list(PROFILES.iter_errors(bad))


def test_every_key_has_words() -> None:
    """Those of a model and of a profile."""
    assert set(ModelRow.model_fields) | set(ProfileRow.model_fields) <= set(WORDS)
