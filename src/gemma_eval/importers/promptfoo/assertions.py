"""The assertions of promptfoo as checks: a row for each kind.

Source: promptfoo/promptfoo:site/docs/configuration/expected-outputs/index.md and deterministic.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gemma_eval.files.rows import show
from gemma_eval.importers.data import Plain
from gemma_eval.importers.written import Table

LEVENSHTEIN = 5.0
"""The edits that promptfoo allows where an assertion does not say."""
SCHEMA = "https://json-schema.org/draft/2020-12/schema"


class Unfit(Exception):
    """An assertion cannot be carried over, for the reason that is the message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assertion:
    """An assertion with what its templates have made, and the models that those may ask that ask one."""

    kind: str
    value: Plain = None
    threshold: float | None = None
    judge: str | None = None
    embedder: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Scoring:
    """The scorer of an assertion, its options, and the value from which it passes."""

    scorer: str
    options: Table
    pass_at: float = 1.0


def scoring(given: Assertion) -> Scoring:
    """Return how an assertion of promptfoo is scored here. Raises Unfit."""
    make = KINDS.get(given.kind)
    if make is None:
        known = f"known: {', '.join(sorted(KINDS))}"
        raise Unfit(f"{REFUSED.get(given.kind, f'no assertion {show(given.kind)} is carried over')}; {known}")
    return make(given)


def _text(scorer: str, option: str, **more: object) -> Callable[[Assertion], Scoring]:
    def make(given: Assertion) -> Scoring:
        return Scoring(scorer=scorer, options={option: _one_text(given), **more})

    return make


def _texts(scorer: str, option: str) -> Callable[[Assertion], Scoring]:
    """Take a list of texts, or one text with commas between them."""

    def make(given: Assertion) -> Scoring:
        value = given.value
        items = [each.strip() for each in value.split(",")] if isinstance(value, str) else value
        if (
            not isinstance(items, list)
            or not items
            or not all(isinstance(each, str) and each for each in items)
        ):
            raise Unfit(f"{given.kind} has the value {show(value)}; it should be a list of texts")
        return Scoring(scorer=scorer, options={option: list(items)})

    return make


def _overlap(scorer: str, *, default: float) -> Callable[[Assertion], Scoring]:
    """Take a reference, and the value from which the assertion passes."""

    def make(given: Assertion) -> Scoring:
        value = given.value
        reference = (
            _texts(scorer, "reference")(given).options["reference"] if isinstance(value, list) else None
        )
        pass_at = default if given.threshold is None else given.threshold
        if not 0 <= pass_at <= 1:
            raise Unfit(f"{given.kind} has the threshold {pass_at:g}; it should lie in 0..1")
        return Scoring(scorer=scorer, options={"reference": reference or _one_text(given)}, pass_at=pass_at)

    return make


def _equals(given: Assertion) -> Scoring:
    if isinstance(given.value, dict | list):
        return Scoring(scorer="json_equals", options={"value": _json(given.value)})
    return Scoring(scorer="equals", options={"text": _one_text(given)})


def _schema(scorer: str) -> Callable[[Assertion], Scoring]:
    def make(given: Assertion) -> Scoring:
        if given.value is None:
            return Scoring(scorer=scorer, options={})
        if not isinstance(given.value, dict):
            raise Unfit(
                f"{given.kind} has the value {show(given.value)}; it should be a JSON Schema, as a table"
            )
        return Scoring(scorer=scorer, options={"schema": _json(given.value)})

    return make


def _levenshtein(given: Assertion) -> Scoring:
    most = LEVENSHTEIN if given.threshold is None else given.threshold
    if most < 0:
        raise Unfit(f"levenshtein has the threshold {most:g}; it should be a number of edits")
    return Scoring(scorer="levenshtein", options={"text": _one_text(given), "max_distance": int(most)})


def _latency(given: Assertion) -> Scoring:
    if given.threshold is None or given.threshold <= 0:
        raise Unfit("latency needs a threshold, in milliseconds")
    return Scoring(scorer="latency", options={"max_s": given.threshold / 1000})


def _word_count(given: Assertion) -> Scoring:
    value = given.value
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return Scoring(scorer="word_count", options={"least": value, "most": value})
    limits = value if isinstance(value, dict) and value and value.keys() <= {"min", "max"} else {}
    found = {new: limits[old] for old, new in (("min", "least"), ("max", "most")) if old in limits}
    if not found or not all(isinstance(each, int) for each in found.values()):
        raise Unfit(f"word-count has the value {show(value)}; it should be a number, or {{min, max}}")
    return Scoring(scorer="word_count", options=dict(found))


def _similar(given: Assertion) -> Scoring:
    if given.embedder is None:
        raise Unfit("similar compares by the vectors of an embedder; name it with --embedder")
    found = _overlap("similarity", default=0.75)(given)
    return replace(found, options={**found.options, "embedder": given.embedder})


def _rubric(given: Assertion) -> Scoring:
    return _judged(given, {"rubric": _one_text(given)})


def _factuality(given: Assertion) -> Scoring:
    return _judged(given, {"preset": "correctness", "reference": _one_text(given)})


def _judged(given: Assertion, options: Table) -> Scoring:
    if given.judge is None:
        raise Unfit(f"{given.kind} asks a model; name it with --judge")
    pass_at = 1.0 if given.threshold is None else given.threshold
    if not 0 <= pass_at <= 1:
        raise Unfit(f"{given.kind} has the threshold {pass_at:g}; it should lie in 0..1")
    return Scoring(scorer="judge", options={"judge": given.judge, **options}, pass_at=pass_at)


def _one_text(given: Assertion) -> str:
    value = given.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = _json(value)
    if not isinstance(value, str) or not value.strip():
        raise Unfit(f"{given.kind} has the value {show(value)}; it should be a text that is not empty")
    if value.startswith("file://"):
        raise Unfit(f"{given.kind} takes its value from {show(value)}; write it here")
    return value


def _json(value: Plain) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise Unfit("the value has NaN or an infinity, which JSON has not") from error


KINDS: Mapping[str, Callable[[Assertion], Scoring]] = {
    "equals": _equals,
    "contains": _text("contains", "text"),
    "icontains": _text("icontains", "text"),
    "contains-any": _texts("contains", "any"),
    "contains-all": _texts("contains", "all"),
    "icontains-any": _texts("icontains", "any"),
    "icontains-all": _texts("icontains", "all"),
    "starts-with": _text("starts_with", "text"),
    "regex": _text("regex", "pattern"),
    "is-json": _schema("json_schema"),
    "contains-json": _schema("contains_json"),
    "levenshtein": _levenshtein,
    "rouge-n": _overlap("rouge1", default=0.75),
    "bleu": _overlap("bleu", default=0.5),
    "latency": _latency,
    "word-count": _word_count,
    "similar": _similar,
    "llm-rubric": _rubric,
    "model-graded-closedqa": _rubric,
    "factuality": _factuality,
    "model-graded-factuality": _factuality,
}
"""How each kind of assertion is scored; `not-` before a kind negates it."""

_CODE = "is code, and an import runs none"
REFUSED: Mapping[str, str] = {
    "javascript": f"javascript {_CODE}",
    "python": f"python {_CODE}",
    "ruby": f"ruby {_CODE}",
    "webhook": "webhook sends answers to another machine, and nothing here does",
    "assert-set": "an assert-set passes as one; list its assertions one by one",
    "cost": "cost is of a service; a local model has tokens, seconds and energy",
    "perplexity": "perplexity is of texts that are read here: a case with a continuation",
    "perplexity-score": "perplexity-score is of texts that are read here: a case with a continuation",
}
"""Kinds that are not carried over, with the reason."""
