"""A JSON Schema given as text: checked when it is read, and applied without fetching or hanging.

Source: https://json-schema.org/specification; the library `jsonschema` does the work. What it would do in
more than linear time on a hostile answer is done here: patterns by RE2, unique items by their canonical text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, cast

from gemma_eval.errors import UsageError
from gemma_eval.scoring.findings import quoted, shortened
from gemma_eval.scoring.json_text import Json, NotJson, canonical, parsed
from gemma_eval.scoring.patterns import Pattern

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator as Draft
    from referencing import Specification

    Violations = Iterator[ValidationError]

LARGEST_UNEVALUATED = 5_000
"""The most members of an object or array that `unevaluatedProperties` and `unevaluatedItems` are held to."""


class CannotTell(Exception):
    """Whether a value is valid cannot be told; the message says why."""


class Validator(Protocol):
    """What is used of a validator of `jsonschema`."""

    def is_type(self, instance: object, type: str) -> bool: ...  # noqa: A002, D102
    def iter_errors(self, instance: object) -> Violations: ...  # noqa: D102
    def descend(  # noqa: D102
        self, instance: object, schema: object, path: object = None, schema_path: object = None
    ) -> Violations: ...


class Resolver(Protocol):
    """What is used of a resolver of `referencing`."""

    def in_subresource(self, subresource: object) -> Resolver: ...  # noqa: D102
    def lookup(self, ref: str) -> object: ...  # noqa: D102


class Schema:
    """A schema that is valid, refers to nothing outside of itself and has patterns that RE2 knows."""

    def __init__(self, text: str, *, what: str) -> None:
        """Read a schema. Raises UsageError, which begins with `what`."""
        self._what = what
        self._patterns: dict[str, Pattern] = {}
        schema = self._read(text)
        words = {word for each in _subschemas(schema) for word in each}
        self._counts_evaluated = bool(words & {"unevaluatedProperties", "unevaluatedItems"})
        if {"unevaluatedProperties", "patternProperties"} <= words:
            raise UsageError(
                f"{what} has unevaluatedProperties beside patternProperties, which is not supported"
            )
        for each in _subschemas(schema):
            for pattern in _patterns_of(each):
                self._compiled(pattern)
        self._validator = self._validator_of(schema)

    def first_violation(self, value: Json) -> str | None:
        """Return where and how `value` breaks the schema, `None` when it is valid. Raises CannotTell."""
        if self._counts_evaluated and _largest(value) > LARGEST_UNEVALUATED:
            raise CannotTell(f"more than {LARGEST_UNEVALUATED} members to hold against unevaluated ones")
        try:
            found = next(iter(self._validator.iter_errors(value)), None)
        except RecursionError as error:
            raise CannotTell(
                "the schema refers to itself without an end, or the answer is nested too deep for it"
            ) from error
        if found is None:
            return None
        place = "".join(f"/{step}" for step in found.absolute_path)
        return f"at {quoted(place)}: {shortened(found.message)}" if place else shortened(found.message)

    def _read(self, text: str) -> Json:
        try:
            schema = parsed(text)
        except NotJson as error:
            raise UsageError(f"{self._what} must be JSON, and is not: {error}") from error
        if not isinstance(schema, dict | bool):
            raise UsageError(f"{self._what} must be a JSON object, true or false, not {shortened(text)}")
        return schema

    def _validator_of(self, schema: Json) -> Validator:
        from jsonschema import exceptions, validators
        from referencing import Registry
        from referencing.jsonschema import specification_with

        base = self._draft_of(schema)
        try:
            # Without a format checker, for it would hold patterns to Python's dialect.
            base.check_schema(schema, format_checker=None)  # type: ignore[arg-type, call-arg]
        except exceptions.SchemaError as error:
            place = "".join(f"/{step}" for step in error.absolute_path)
            raise UsageError(
                f"{self._what} is no JSON Schema: at {quoted(place)}: {error.message}"
            ) from error
        bounded = validators.extend(  # type: ignore[no-untyped-call]
            base,
            {
                "pattern": self._pattern,
                "patternProperties": self._pattern_properties,
                "additionalProperties": self._additional_properties,
                "uniqueItems": _unique_items,
                "multipleOf": _multiple_of,
            },
        )
        # A schema that names its draft would be given that draft's own validator, with unbounded patterns.
        plain = _without_draft(schema)
        self._check_references(plain, specification_with(_identity(base)))
        return cast(Validator, bounded(plain, registry=Registry()))

    def _draft_of(self, schema: Json) -> type[Draft]:
        import jsonschema

        names = ("Draft202012", "Draft201909", "Draft7", "Draft6", "Draft4")
        drafts: list[type[Draft]] = [getattr(jsonschema, f"{name}Validator") for name in names]
        given = schema.get("$schema") if isinstance(schema, dict) else None
        if given is None:
            return drafts[0]
        known = {_identity(draft): draft for draft in drafts}
        if not isinstance(given, str) or given.rstrip("#") not in known:
            raise UsageError(
                f"{self._what} is of a draft that is not known: {given}; known: {', '.join(known)}"
            )
        return known[given.rstrip("#")]

    def _check_references(self, schema: Json, draft: Specification[Json]) -> None:
        """Raises UsageError for a reference that leads nowhere within the schema."""
        from jsonschema_specifications import REGISTRY
        from referencing.exceptions import Unresolvable

        def check(node: Json, resolver: Resolver) -> None:
            if isinstance(node, dict):
                resolver = resolver.in_subresource(draft.create_resource(node))
                for reference in _references_of(node):
                    try:
                        resolver.lookup(reference)
                    except Unresolvable as error:
                        raise UsageError(
                            f"{self._what} refers to {quoted(reference)}, which is not within it; "
                            "nothing is fetched"
                        ) from error
            for each in _inner(node):
                check(each, resolver)

        try:
            check(schema, REGISTRY.resolver_with_root(draft.create_resource(schema)))
        except ValueError as error:
            raise UsageError(f"{self._what} has an address that is none: {error}") from error

    def _compiled(self, pattern: str) -> Pattern:
        if pattern not in self._patterns:
            self._patterns[pattern] = Pattern(pattern, what=f"{self._what}: the pattern")
        return self._patterns[pattern]

    def _pattern(self, validator: Validator, pattern: str, value: Json, schema: Json) -> Violations:
        if isinstance(value, str) and self._compiled(pattern).first(value) is None:
            yield _violation(f"{quoted(value)} does not match {quoted(pattern)}")

    def _pattern_properties(
        self, validator: Validator, patterns: Mapping[str, Json], value: Json, schema: Json
    ) -> Violations:
        if isinstance(value, dict):
            for pattern, subschema in patterns.items():
                for key in self._matching(value, (pattern,)):
                    yield from validator.descend(value[key], subschema, path=key, schema_path=pattern)

    def _additional_properties(
        self, validator: Validator, subschema: Json, value: Json, schema: Mapping[str, Json]
    ) -> Violations:
        if not isinstance(value, dict):
            return
        patterns = cast(Mapping[str, Json], schema.get("patternProperties", {}))
        known = {*cast(Mapping[str, Json], schema.get("properties", {})), *self._matching(value, patterns)}
        for key in value:
            if key not in known and subschema is False:
                yield _violation(f"the key {quoted(key)} is not allowed")
            elif key not in known:
                yield from validator.descend(value[key], subschema, path=key)

    def _matching(self, keys: Iterable[str], patterns: Iterable[str]) -> list[str]:
        compiled = [self._compiled(pattern) for pattern in patterns]
        return [key for key in keys if any(pattern.first(key) for pattern in compiled)]


def _unique_items(validator: Validator, wanted: Json, value: Json, schema: Json) -> Violations:
    if wanted and isinstance(value, list) and len({canonical(item) for item in value}) < len(value):
        yield _violation("two items are equal")


def _multiple_of(validator: Validator, divisor: float, value: Json, schema: Json) -> Violations:
    """Go by the decimals that are written: as binary fractions 19.99 is no multiple of 0.01."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if Fraction(repr(value)) % Fraction(repr(divisor)):
        yield _violation(f"{value} is not a multiple of {divisor}")


def _violation(message: str) -> ValidationError:
    from jsonschema.exceptions import ValidationError

    return ValidationError(message)


_DATA = ("enum", "const", "default", "examples")
"""The words of a schema whose values are no schemas."""

_TABLES = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")
"""The words whose values are tables of schemas, by names that are no words."""


def _inner(node: Json) -> Iterator[Json]:
    """Yield what lies directly in a schema, or in a list of schemas, but for data."""
    if isinstance(node, list):
        yield from node
    elif isinstance(node, dict):
        for word, each in node.items():
            if word in _TABLES and isinstance(each, dict):
                yield from each.values()
            elif word not in _DATA:
                yield each


def _subschemas(node: Json) -> Iterator[dict[str, Json]]:
    if isinstance(node, dict):
        yield node
    for each in _inner(node):
        yield from _subschemas(each)


def _patterns_of(node: dict[str, Json]) -> Iterator[str]:
    if isinstance(pattern := node.get("pattern"), str):
        yield pattern
    if isinstance(patterns := node.get("patternProperties"), dict):
        yield from patterns


def _references_of(node: dict[str, Json]) -> Iterator[str]:
    for word in ("$ref", "$dynamicRef", "$recursiveRef"):
        if isinstance(reference := node.get(word), str):
            yield reference


def _identity(draft: type[Draft]) -> str:
    return str(draft.META_SCHEMA.get("$id") or draft.META_SCHEMA["id"]).rstrip("#")


def _without_draft(node: Json) -> Json:
    """Return a schema without the word that names its draft, here and further in."""
    if isinstance(node, list):
        return [_without_draft(each) for each in node]
    if not isinstance(node, dict):
        return node
    plain: dict[str, Json] = {}
    for word, each in node.items():
        if word in _TABLES and isinstance(each, dict):
            plain[word] = {name: _without_draft(schema) for name, schema in each.items()}
        elif word != "$schema":
            plain[word] = each if word in _DATA else _without_draft(each)
    return plain


def _largest(value: Json) -> int:
    """Return the most members of an array or object within `value`."""
    if not isinstance(value, list | dict):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return max(len(value), max(map(_largest, inner), default=0))
