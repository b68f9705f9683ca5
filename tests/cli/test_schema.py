"""`gemma-eval schema`, as a person would use it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator

from gemma_eval.cli import command
from gemma_eval.cli.schema import NAMES
from gemma_eval.plugins import load


@pytest.mark.parametrize("name", NAMES)
def test_each_schema_is_printed(name: str) -> None:
    """As JSON, of a draft that editors know, with an id."""
    result = CliRunner().invoke(command(load()), ["schema", name], catch_exceptions=False)
    assert result.exit_code == 0
    printed = json.loads(result.output)
    Draft7Validator.check_schema(printed)
    assert printed["$id"] == f"urn:gemma_eval:{name}"


def test_an_editor_is_offered_what_is_registered_and_what_ships() -> None:
    """Scorers, and the names of models, profiles and templates."""
    registry = load()
    printed = json.loads(CliRunner().invoke(command(registry), ["schema", "suite"]).output)
    scorer = printed["$defs"]["CheckRow"]["properties"]["scorer"]
    assert scorer["anyOf"][0]["enum"] == list(registry.scorers)
    assert "pocket" in printed["$defs"]["DefaultsRow"]["properties"]["models"]["items"]["anyOf"][0]["enum"]


def test_another_name_is_refused() -> None:
    """With those that there are."""
    result = CliRunner().invoke(command(load()), ["schema", "suites"])
    assert result.exit_code == 2
    assert "'suite', 'gates', 'models', 'profiles', 'settings'" in result.output
