"""Scorers of answers that are to be JSON: equal to a value, valid for a schema, or somewhere in a text."""

from __future__ import annotations

from collections.abc import Callable

from gemma_eval.errors import UsageError
from gemma_eval.protocols import Scorer
from gemma_eval.records import Options
from gemma_eval.scoring.findings import Finding, right, scorer_of, shortened, unjudged, wrong
from gemma_eval.scoring.json_schema_text import CannotTell, Schema
from gemma_eval.scoring.json_text import Json, NotJson, at, canonical, first_difference, parsed, values_within
from gemma_eval.scoring.options import CheckOptions


def json_equals(options: Options) -> Scorer:
    """The answer is JSON equal to `value`, or to one of several; with `path`, what that leads to in it is.

    1 equals 1.0, keys stand in any order, a list's items in theirs. `path` is a JSON pointer (`/a/0`).
    """
    given = CheckOptions("json_equals", options, known=("value", "path"))
    wanted = [_given_json("json_equals", "value", text) for text in given.texts("value")]
    path = given.text_or("path", "")
    if path and not path.startswith("/"):
        raise given.wrong("path", 'a JSON pointer, as "/name" or "/items/0"', path)
    accepted = {canonical(value) for value in wanted}

    def compare(value: Json, text: str) -> Finding:
        try:
            found = at(value, path)
        except KeyError as error:
            return wrong(text, f'nothing at "{path}": no "{error.args[0]}"')
        answer = canonical(found) if path else text
        if canonical(found) in accepted:
            return right(answer)
        where = first_difference(found, wanted[0], pointer=path)
        differs = f', differs at "{where}"' if where != path else ""
        return wrong(answer, f"expected {' or '.join(map(_shown, wanted))}{differs}")

    return scorer_of("json_equals", _judging_json(compare))


def json_schema(options: Options) -> Scorer:
    """The answer is JSON that is valid for `schema`, a JSON Schema as text; without one it is JSON.

    The draft is that of its `$schema`, 2020-12 unless it says. A reference leads within the schema: nothing
    is fetched. Patterns are RE2's.
    """
    given = CheckOptions("json_schema", options, known=("schema",))
    schema = Schema(given.text_or("schema", "true"), what='json_schema: "schema"')

    def validate(value: Json, text: str) -> Finding:
        return _valid(schema, value, text)

    return scorer_of("json_schema", _judging_json(validate))


def contains_json(options: Options) -> Scorer:
    """The answer holds a JSON object or array, one that is valid for `schema` where that is given."""
    given = CheckOptions("contains_json", options, known=("schema",))
    schema = Schema(given.text_or("schema", "true"), what='contains_json: "schema"')

    def find(text: str) -> Finding:
        last = wrong(text.strip(), "holds no JSON object or array")
        try:
            for value in values_within(text):
                last = _valid(schema, value, canonical(value))
                if last.value != 0:
                    return last
        except NotJson as error:
            return unjudged(text.strip(), str(error))
        return last

    return scorer_of("contains_json", find)


def _judging_json(judge: Callable[[Json, str], Finding]) -> Callable[[str], Finding]:
    """Return what judges a text by the JSON that it is; a text that is none is wrong."""

    def find(text: str) -> Finding:
        try:
            value = parsed(text)
        except NotJson as error:
            return wrong(text.strip(), f"no JSON: {error}")
        return judge(value, text.strip())

    return find


def _valid(schema: Schema, value: Json, answer: str) -> Finding:
    try:
        why = schema.first_violation(value)
    except CannotTell as error:
        return unjudged(answer, str(error))
    return right(answer) if why is None else wrong(answer, why)


def _given_json(scorer: str, name: str, text: str) -> Json:
    try:
        return parsed(text)
    except NotJson as error:
        raise UsageError(f'{scorer}: "{name}" must be JSON, and is not: {error}') from error


def _shown(value: Json) -> str:
    return shortened(canonical(value))
