"""Scorers of JSON: equal to a value, valid for a schema as another validator says, and within a text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gemma_eval.errors import UsageError
from gemma_eval.scoring.json_schema_text import LARGEST_UNEVALUATED, CannotTell, Schema
from gemma_eval.scoring.json_text import Json
from tests.scoring.answers import right, score
from tests.scoring.test_json_text import VALUES

IsValid = Callable[[str, Json], bool]

# Wanted, answer, whether right; openai/evals:evals/elsuite/basic/json_match_test.py at 4bfc1f58, MIT.
OPENAI = (
    (['{"key": "value"}'], '{ "key": "value" }', True),
    (['{"key": 100.1}', '{"key": 100}'], '{"key": 100}', True),
    (["[1, 2, 3]"], "[1.0,2.0,3.0]", True),
    (['{"key": "value"}'], '{"key": "value }', False),
)


def test_what_openai_evals_decides_is_decided_here() -> None:
    """And not by the text, which is the planted error."""
    assert all(right("json_equals", answer, value=wanted) is expected for wanted, answer, expected in OPENAI)
    assert not all(right("equals", answer, text=wanted[0]) is expected for wanted, answer, expected in OPENAI)


@given(VALUES, VALUES)
def test_an_answer_is_right_when_its_value_is(found: Json, wanted: Json) -> None:
    """However it is written."""
    assert right("json_equals", json.dumps(found, indent=1), value=json.dumps(found, sort_keys=True))
    is_equal = Draft202012Validator({"const": wanted}).is_valid(found)
    assert right("json_equals", json.dumps(found), value=json.dumps(wanted)) is is_equal


def test_a_path_leads_to_what_is_compared() -> None:
    """The rest of the answer does not matter."""
    assert right("json_equals", '{"city": {"name": "Oslo"}, "x": 1}', value='"Oslo"', path="/city/name")
    found = score("json_equals", '{"city": ["Rome"]}', value='["Oslo"]', path="/city")
    assert (found.answer, found.explanation) == ('["Rome"]', 'expected ["Oslo"], differs at "/city/0"')
    assert score("json_equals", "{}", value="1", path="/city").explanation == 'nothing at "/city": no "city"'
    assert score("json_equals", "Oslo", value="1").explanation.startswith("no JSON: Expecting value")


SUBSCHEMAS: st.SearchStrategy[Json] = st.one_of(
    st.sampled_from(
        (
            True,
            False,
            {"type": "string"},
            {"type": ["integer", "null"]},
            {"enum": [1, "a", [True]]},
            {"const": 1},
            {"minimum": 0, "multipleOf": 0.5},
            {"pattern": "^a*$"},
            {"pattern": "/"},
            {"maxLength": 2},
            {"uniqueItems": True},
        )
    )
)


def _combined(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    keys = st.sampled_from(("a", "b"))
    tables = st.dictionaries(keys, inner, max_size=2)
    patterns = st.dictionaries(st.sampled_from(("^a", "b|c", ".")), inner, max_size=2)
    several = st.lists(inner, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "properties": tables,
            "patternProperties": patterns,
            "additionalProperties": inner,
            "required": st.lists(keys, unique=True, max_size=2),
            "items": inner,
            "prefixItems": several,
            "anyOf": several,
            "oneOf": several,
            "not": inner,
        },
    ).map(lambda table: cast(Json, table))


def _with_reference(schema: Json) -> Json:
    if isinstance(schema, bool):
        return schema
    return {"$defs": {"x": {"type": ["object", "array", "integer"]}}, "$ref": "#/$defs/x", "allOf": [schema]}


SCHEMAS = st.recursive(SUBSCHEMAS, _combined, max_leaves=6).flatmap(
    lambda schema: st.sampled_from((schema, _with_reference(schema)))
)


def ours(schema: str, value: Json) -> bool:
    """Say what this package says."""
    return Schema(schema, what="schema").first_violation(value) is None


@given(SCHEMAS, VALUES)
def test_a_value_is_valid_when_the_plain_library_says_so(schema: Json, value: Json) -> None:
    """The bounded keywords mean what the library's own do."""
    assert isinstance(schema, dict | bool)
    assert ours(json.dumps(schema), value) is Draft202012Validator(schema).is_valid(value)


_LINKED = """{
  "$ref": "#/$defs/n",
  "$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}}
}"""
_OLD = "http://json-schema.org/draft"

# Schema, value, whether valid: the rules of the specification in one line each.
RULES: tuple[tuple[str, str, bool], ...] = (
    ('{"type": "integer"}', "1.0", True),
    ('{"type": "integer"}', "true", False),
    ('{"uniqueItems": true}', "[1, 1.0]", False),
    ('{"uniqueItems": true}', "[1, true]", True),
    ('{"uniqueItems": true}', '[{"a": 1, "b": 2}, {"b": 2, "a": 1}]', False),
    ('{"uniqueItems": false}', "[1, 1]", True),
    ('{"pattern": "b"}', '"abc"', True),
    ('{"pattern": "^b"}', '"abc"', False),
    ('{"pattern": "^b"}', "5", True),
    ('{"patternProperties": {"^a": {"type": "string"}}}', '{"a1": 5}', False),
    ('{"patternProperties": {"^a": {}}, "additionalProperties": false}', '{"a1": 5}', True),
    ('{"properties": {"b": {}}, "additionalProperties": false}', '{"a1": 5}', False),
    ('{"additionalProperties": {"type": "string"}}', '{"a": 5}', False),
    (_LINKED, '{"next": {"next": 5}}', False),
    (_LINKED, '{"next": {"next": {}}}', True),
    (f'{{"$schema": "{_OLD}-04/schema#", "minimum": 1, "exclusiveMinimum": true}}', "1", False),
    (f'{{"$schema": "{_OLD}-04/schema#", "minimum": 1, "exclusiveMinimum": true}}', "2", True),
    (f'{{"$schema": "{_OLD}-07/schema", "items": [{{"type": "string"}}]}}', "[5]", False),
    (f'{{"$schema": "{_OLD}-07/schema", "items": [{{"type": "string"}}]}}', '["a", 5]', True),
    ('{"unevaluatedProperties": false, "properties": {"a": {}}}', '{"a": 1, "b": 2}', False),
    ('{"properties": {"const": {"type": "null"}, "$schema": {"type": "null"}}}', '{"const": 1}', False),
    ('{"properties": {"$schema": true}, "additionalProperties": false}', '{"$schema": 1}', True),
    ('{"const": {"$schema": "x"}}', '{"$schema": "x"}', True),
    ('{"const": {"$schema": "x"}}', "{}", False),
    ('{"properties": {"$schema": {"type": "null"}}}', '{"$schema": 1}', False),
)


def rules_hold(is_valid: IsValid) -> bool:
    """Say whether every rule is kept."""
    return all(is_valid(schema, json.loads(value)) is expected for schema, value, expected in RULES)


def test_the_rules_of_the_specification_hold() -> None:
    """In the draft that a schema names."""
    assert rules_hold(ours)


def test_the_rules_catch_planted_errors() -> None:
    """Every keyword forgotten, and each schema read as the newest draft."""

    def newest(schema: str, value: Json) -> bool:
        table = {word: each for word, each in json.loads(schema).items() if word != "$schema"}
        return ours(json.dumps(table), value)

    def without(word: str) -> IsValid:
        return lambda schema, value: ours(schema.replace(f'"{word}"', '"x"'), value)

    words = ("uniqueItems", "pattern", "patternProperties", "additionalProperties", "$ref")
    assert not rules_hold(lambda schema, value: True)
    assert not any(rules_hold(without(word)) for word in words)
    assert not rules_hold(lambda schema, value: _held(newest, schema, value))


def _held(is_valid: IsValid, schema: str, value: Json) -> bool:
    try:
        return is_valid(schema, value)
    except UsageError:
        return False


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("{", "must be JSON, and is not: Expecting property name"),
        ("5", "must be a JSON object, true or false, not 5"),
        ('{"type": "objct"}', "is no JSON Schema: at \"/type\": 'objct' is not valid"),
        (
            '{"$schema": "urn:x"}',
            "is of a draft that is not known: urn:x; known: https://json-schema.org/draft/2020-12",
        ),
        (
            '{"$ref": "https://example.com/a.json"}',
            'refers to "https://example.com/a.json", which is not within',
        ),
        (
            '{"items": {"$ref": "#/$defs/x"}}',
            'refers to "#/$defs/x", which is not within it; nothing is fetched',
        ),
        ('{"$ref": "file:///etc/passwd"}', 'refers to "file:///etc/passwd", which is not within it'),
        ('{"pattern": "(?=a)"}', 'the pattern "(?=a)" is not an RE2 expression'),
        ('{"patternProperties": {"(a)\\\\1": {}}}', r'the pattern "(a)\1" is not an RE2 expression'),
        (
            '{"patternProperties": {"a": {}}, "unevaluatedProperties": false}',
            "has unevaluatedProperties beside",
        ),
    ],
)
def test_a_schema_that_cannot_be_applied_is_refused(schema: str, message: str) -> None:
    """When the check is built, with what is wrong."""
    with pytest.raises(UsageError) as raised:
        Schema(schema, what='json_schema: "schema"')
    assert message in str(raised.value)
    assert str(raised.value).startswith('json_schema: "schema"')


def test_a_schema_may_refer_to_itself_and_to_its_draft() -> None:
    """By its own name, by an anchor, and to the schema of schemas, which is at hand."""
    assert ours('{"$id": "urn:a", "$defs": {"x": {"$anchor": "n", "type": "null"}}, "$ref": "urn:a#n"}', None)
    assert not ours('{"$ref": "https://json-schema.org/draft/2020-12/schema"}', 5)
    assert ours('{"const": {"$ref": "https://example.com"}}', {"$ref": "https://example.com"})


def test_a_schema_without_an_end_leaves_an_answer_unscored() -> None:
    """It is nobody's answer that is wrong."""
    found = score("json_schema", "1", schema='{"$ref": "#"}')
    assert found.value is None
    assert str(found.unscored).startswith("the schema refers to itself without an end")


def test_a_hostile_answer_is_judged_in_linear_time() -> None:
    """Each of these would take the plain library hours, or what it takes to compare all with all."""
    assert not right("json_schema", json.dumps("a" * 40 + "!"), schema='{"pattern": "^(a+)+$"}')
    assert not right(
        "json_schema",
        json.dumps({"a" * 40 + "!": 1}),
        schema='{"patternProperties": {"^(a+)+$": {}}, "additionalProperties": false}',
    )
    draft = "https://json-schema.org/draft/2020-12/schema"
    inner = f'{{"items": {{"$schema": "{draft}", "pattern": "^(a+)+$"}}, "properties": {{"a": true}}}}'
    assert not right("json_schema", json.dumps(["a" * 40 + "!"]), schema=inner)
    mixed = [{"a": index} if index % 2 else index for index in range(20_000)]
    assert right("json_schema", json.dumps(mixed), schema='{"uniqueItems": true}')
    wide: Json = {str(key): key for key in range(LARGEST_UNEVALUATED + 1)}
    with pytest.raises(CannotTell, match="more than 5000 members"):
        Schema('{"unevaluatedProperties": false}', what="x").first_violation([wide])


def test_an_answer_is_told_where_it_breaks_the_schema() -> None:
    """By a pointer and the rule."""
    schema = '{"properties": {"tags": {"items": {"type": "string"}}}}'
    found = score("json_schema", '{"tags": ["a", 5]}', schema=schema)
    assert (found.value, found.explanation) == (0.0, "at \"/tags/1\": 5 is not of type 'string'")
    assert score("json_schema", '{"a": 1}', schema='{"additionalProperties": false}').explanation == (
        'the key "a" is not allowed'
    )
    assert right("json_schema", "5")
    assert not right("json_schema", "five")


@pytest.mark.parametrize(
    ("answer", "schema", "expected"),
    [
        ('Sure! {"a": 1}', "true", True),
        ("Sure!", "true", False),
        ("5", "true", False),
        ('[1] {"a": 1}', '{"required": ["a"], "type": "object"}', True),
        ("[1] {}", '{"required": ["a"], "type": "object"}', False),
    ],
)
def test_json_is_looked_for_in_a_text(answer: str, schema: str, expected: bool) -> None:
    """One object or array that is valid is enough."""
    assert right("contains_json", answer, schema=schema) is expected


def test_a_search_that_was_given_up_leaves_an_answer_unscored() -> None:
    """With the reason."""
    assert score("contains_json", "[" * 100_000).unscored == "too many brackets that open no JSON"


@pytest.mark.parametrize(
    ("value", "divisor", "is_multiple"),
    [
        ("19.99", "0.01", True),
        ("0.3", "0.1", True),
        ("0.35", "0.1", False),
        ("7", "0.5", True),
        ("1e300", "1e-300", True),
        ("3", "2", False),
        ("true", "2", True),
        ('"a"', "2", True),
    ],
)
def test_a_multiple_is_one_of_the_decimals_that_are_written(
    value: str, divisor: str, *, is_multiple: bool
) -> None:
    """As binary fractions 0.3 and 0.1 have a remainder; what is no number is left alone."""
    assert right("json_schema", value, schema=f'{{"multipleOf": {divisor}}}') is is_multiple


def test_an_address_that_is_none_is_a_mistake_of_the_schema() -> None:
    """Said in words, and not by what a library raises."""
    with pytest.raises(UsageError, match='"schema" has an address that is none'):
        score("json_schema", "1", schema='{"$id": "http://[bad", "$ref": "x"}')
