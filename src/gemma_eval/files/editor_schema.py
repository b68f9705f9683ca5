"""The JSON Schema of a file that people write, from its rows: what editors complete and check by.

Everything that the reader of the file takes is valid. What only the whole of a file can tell, as that a
profile exists, is left to that reader.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from gemma_eval.files.rows import Row

Json = dict[str, object]

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The newest that editors of TOML know."""


def schema_of(
    kind: type[Row],
    *,
    name: str,
    words: Mapping[str, str],
    required: Mapping[str, Sequence[str]],
    known: Mapping[str, Sequence[str]],
) -> Json:
    """Return the schema of a file whose whole is the row `kind`.

    `words` describe keys, by key or by `Row.key`, `required` names the keys that a row cannot do without, by
    the name of the row, and `known` the values that an editor offers for a key which may have others, too.
    """
    made: Json = kind.model_json_schema(by_alias=True)
    rows = {**cast(Mapping[str, Json], made.get("$defs", {})), kind.__name__: made}
    for row, schema in rows.items():
        _tidy_row(schema, row, words=words, known=known)
        if row in required:
            schema["required"] = list(required[row])
    return {"$schema": DRAFT, "$id": f"urn:gemma_eval:{name}", "title": f"gemma_eval {name}", **made}


def _tidy_row(
    schema: Json, row: str, *, words: Mapping[str, str], known: Mapping[str, Sequence[str]]
) -> None:
    schema.pop("title", None)
    properties = cast(dict[str, Json], schema.get("properties", {}))
    for key, given in properties.items():
        offered = _offering(_plain(given), known[key]) if key in known else _plain(given)
        properties[key] = _described(offered, words.get(f"{row}.{key}", words.get(key)))


def _plain(schema: Json) -> Json:
    """Return a schema without what only Python means: titles of its own making, defaults, `null`.

    TOML has no null, and a key that is absent has no default that is one value.
    """
    rest = {key: _within(value) for key, value in schema.items() if key not in ("title", "default")}
    given = cast("list[Json]", rest.get("anyOf", []))
    kinds = [each for each in given if each != {"type": "null"}]
    if not given or len(kinds) == len(given):
        return rest
    del rest["anyOf"]
    return {**rest, **kinds[0]} if len(kinds) == 1 else {**rest, "anyOf": kinds}


def _within(value: object) -> object:
    if isinstance(value, dict):
        return _plain(value)
    return [_within(each) for each in value] if isinstance(value, list) else value


def _described(schema: Json, words: str | None) -> Json:
    if words is None:
        return schema
    if "$ref" in schema:  # what stands beside a reference is not read
        return {"description": words, "allOf": [schema]}
    return {"description": words, **schema}


def _offering(schema: Json, values: Sequence[str]) -> Json:
    """Return a schema of a text, or of a list of texts, that offers some and takes all."""
    if schema.get("type") == "array":
        return {**schema, "items": _offering(cast(Json, schema["items"]), values)}
    return {"anyOf": [{"enum": sorted(values)}, schema]}
