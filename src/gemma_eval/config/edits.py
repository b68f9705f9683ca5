"""What commands write into profiles.json and models.toml: text in, text out."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Mapping
from typing import cast

from gemma_eval.config import edit_json, edit_toml
from gemma_eval.config.files import VERSION

Changes = Mapping[tuple[str, ...], object]
"""New values by their paths in a profile or model; `None` takes a key out."""
Table = dict[str, object]

_NEW_PROFILES = f'{{\n  "version": {VERSION},\n  "profiles": {{}}\n}}\n'
_NEW_MODELS = "# Models: gemma-eval models list shows them, gemma-eval models test tries one.\n"


def changed(table: Mapping[str, object], changes: Changes) -> Table:
    """Return a profile or model with changes; a table that they empty is taken out."""
    made = copy.deepcopy(dict(table))
    for at, value in changes.items():
        holder = made
        for key in at[:-1]:
            inner = holder.setdefault(key, {})
            if not isinstance(inner, dict):
                inner = holder[key] = {}
            holder = cast(Table, inner)
        if value is None:
            holder.pop(at[-1], None)
        else:
            holder[at[-1]] = value
    return {
        key: value for key, value in made.items() if value != {} or (key,) in changes or table.get(key) == {}
    }


def set_profile(text: str, name: str, changes: Changes, *, base: Mapping[str, object]) -> str:
    """Return profiles.json with changes to a profile; one that is not there yet begins as `base`."""
    found = _found(json.loads(text), ("profiles", name)) if text.strip() else None
    return with_profile(text, name, changed(found if isinstance(found, Mapping) else base, changes))


def set_model(text: str, name: str, changes: Changes, *, base: Mapping[str, object]) -> str:
    """Return models.toml with changes to a model; one that is not there yet begins as `base`."""
    found = _found(tomllib.loads(text), ("model", name))
    return with_model(text, name, changed(found if isinstance(found, Mapping) else base, changes))


def with_profile(text: str, name: str, table: Mapping[str, object]) -> str:
    """Return profiles.json with a profile of these keys; what is there of it and is the same stays."""
    text = text if text.strip() else _NEW_PROFILES
    found = _found(json.loads(text), ("profiles", name))
    if not isinstance(found, Mapping):
        return edit_json.put(text, ("profiles", name), table)
    for key in found:
        if key not in table:
            text = edit_json.drop(text, ("profiles", name, key))
    for key, value in table.items():
        text = edit_json.put(text, ("profiles", name, key), value)
    return text


def without_profile(text: str, name: str) -> str:
    """Return profiles.json without a profile."""
    return edit_json.drop(text, ("profiles", name))


def with_model(text: str, name: str, table: Mapping[str, object]) -> str:
    """Return models.toml with a model of these keys; what is there of it and is the same stays."""
    if not text.strip():
        import tomli_w

        text = _NEW_MODELS + tomli_w.dumps({"version": VERSION})
    return edit_toml.put(text, ("model", name), table)


def without_model(text: str, name: str) -> str:
    """Return models.toml without a model; where it was the last, an empty table is left for the next."""
    text = edit_toml.drop(text, ("model", name))
    return text if "model" in tomllib.loads(text) else f"{text.rstrip()}\n\n[model]\n"


def _found(table: object, at: tuple[str, ...]) -> object:
    for key in at:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table
