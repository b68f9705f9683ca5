"""The JSON Schemas of models.toml, profiles.json and settings.yaml, for editors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from gemma_eval.config import settings_file
from gemma_eval.config.models import ModelRow, ModelsRow
from gemma_eval.config.profiles import ProfileRow, ProfilesRow
from gemma_eval.config.rope import RopeRow
from gemma_eval.config.schema_words import WORDS
from gemma_eval.config.settings_keys import KEYS, Key
from gemma_eval.files.editor_schema import Json, schema_of
from gemma_eval.files.rows import NAME, Row

_REQUIRED: Mapping[str, Sequence[str]] = {
    "ModelsRow": ("version", "model"),
    "ModelRow": ("backend", "location"),
    "RopeRow": ("rope_type",),
    "ProfilesRow": ("version", "profiles"),
}


def models_schema(known: Mapping[str, Sequence[str]]) -> Json:
    """Return that of a models.toml; `known` are the values that an editor offers for a key, as backends."""
    whole, model = _schema(ModelsRow, "models", known), _rest(_schema(ModelRow, "", known))
    scaling = _rest(_schema(RopeRow, "", known))
    _properties(model)["rope_scaling"] = {**scaling, "description": WORDS["rope_scaling"]}
    return _with_each(whole, "model", model)


def profiles_schema(known: Mapping[str, Sequence[str]]) -> Json:
    """Return that of a profiles.json."""
    whole, profile = _schema(ProfilesRow, "profiles", known), _rest(_schema(ProfileRow, "", known))
    return _with_each(whole, "profiles", profile)


def settings_schema(known: Mapping[str, Sequence[str]]) -> Json:
    """Return that of a settings.yaml, in which some keys and all tables may be null."""
    offered = {"model": "models", "profile": "profiles", "template": "templates"}
    schema = schema_of(
        settings_file.row(),
        name="settings",
        words={f"{_row_of(key)}.{key.path[-1]}": key.words for key in KEYS} | {"version": WORDS["version"]},
        required={_row_of(): ("version",)},
        known={key: known[names] for key, names in offered.items() if names in known},
    )
    tables = cast(Mapping[str, Json], schema["$defs"])
    for key in KEYS:
        table = tables[_row_of(key)] if len(key.path) > 1 else schema
        if key.may_be_none:
            _allow_null(_properties(table), key.path[-1])
    for name in {key.path[0] for key in KEYS if len(key.path) > 1}:
        _allow_null(_properties(schema), name)
    return schema


def _row_of(key: Key | None = None) -> str:
    table = key.path[0] if key is not None and len(key.path) > 1 else "settings"
    return f"{table.capitalize()}Row"


def _allow_null(properties: dict[str, Json], name: str) -> None:
    given = properties[name]
    words = {"description": given["description"]} if "description" in given else {}
    rest = {key: value for key, value in given.items() if key != "description"}
    properties[name] = {**words, "anyOf": [rest, {"type": "null"}]}


def _schema(kind: type[Row], name: str, known: Mapping[str, Sequence[str]]) -> Json:
    return schema_of(kind, name=name, words=WORDS, required=_REQUIRED, known=known)


def _rest(schema: Json) -> Json:
    """Return a schema without what only the outermost of a file says."""
    return {key: value for key, value in schema.items() if not key.startswith("$") and key != "title"}


def _properties(schema: Json) -> dict[str, Json]:
    return cast(dict[str, Json], schema["properties"])


def _with_each(whole: Json, key: str, each: Json) -> Json:
    """Return the schema with a table by name under `key`; its reader checks the tables one by one."""
    under = _properties(whole)[key]
    under["patternProperties"] = {NAME: each}
    under["additionalProperties"] = False
    return whole
