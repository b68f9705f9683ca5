"""The JSON Schemas of models.toml and of profiles.json, for editors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from gemma_eval.config.models import ModelRow, ModelsRow
from gemma_eval.config.profiles import ProfileRow, ProfilesRow
from gemma_eval.config.rope import RopeRow
from gemma_eval.config.schema_words import WORDS
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
