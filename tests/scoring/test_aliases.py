"""promptfoo's assertions are checks of this package, and each can be built."""

from __future__ import annotations

import pytest

from gemma_eval.scoring.aliases import ALIASES, Translation, translated
from tests.scoring.answers import SCORERS, right


@pytest.mark.parametrize(
    ("kind", "value", "threshold", "expected"),
    [
        ("equals", "Oslo", None, ("equals", {"text": "Oslo"}, 1.0, False)),
        ("equals", 42, None, ("equals", {"text": "42"}, 1.0, False)),
        ("equals", {"a": 1}, None, ("json_equals", {"value": '{"a": 1}'}, 1.0, False)),
        ("not-equals", "Oslo", None, ("equals", {"text": "Oslo"}, 1.0, True)),
        ("contains-any", ["a", "b"], None, ("contains", {"any": ("a", "b")}, 1.0, False)),
        ("not-icontains-all", ["a"], None, ("icontains", {"all": ("a",)}, 1.0, True)),
        ("is-json", None, None, ("json_schema", {}, 1.0, False)),
        ("is-json", {"type": "object"}, None, ("json_schema", {"schema": '{"type": "object"}'}, 1.0, False)),
        ("contains-json", "true", None, ("contains_json", {"schema": "true"}, 1.0, False)),
        ("levenshtein", "a", None, ("levenshtein", {"text": "a", "max_distance": 5}, 1.0, False)),
        ("levenshtein", "a", 2, ("levenshtein", {"text": "a", "max_distance": 2}, 1.0, False)),
        ("rouge-n", "a b", None, ("rouge1", {"reference": "a b"}, 0.75, False)),
        ("rouge-n", "a b", 0.5, ("rouge1", {"reference": "a b"}, 0.5, False)),
        ("latency", None, 1500, ("latency", {"max_s": 1.5}, 1.0, False)),
        ("word-count", 3, None, ("word_count", {"least": 3, "most": 3}, 1.0, False)),
        ("word-count", {"min": 2}, None, ("word_count", {"least": 2}, 1.0, False)),
        ("word-count", {"min": 2, "max": 3}, None, ("word_count", {"least": 2, "most": 3}, 1.0, False)),
    ],
)
def test_an_assertion_is_a_check(
    kind: str, value: object, threshold: float | None, expected: tuple[object, ...]
) -> None:
    """With its value, its threshold and its negation; and its scorer takes the options."""
    found = translated(kind, value=value, threshold=threshold)
    assert isinstance(found, Translation)
    assert (found.scorer, found.options, found.pass_at, found.negated) == expected
    SCORERS.find(found.scorer)(found.options)


def test_every_alias_is_a_scorer() -> None:
    """And what has no scorer here is nothing."""
    assert {alias.scorer for alias in ALIASES.values()} <= set(SCORERS)
    assert translated("llm-rubric", value="nice") is None
    assert translated("not-existing") is None


@pytest.mark.parametrize(
    ("text", "reference", "threshold", "expected"),
    [("foo", "fooo", 1, True), ("foo", "foooooooo", None, False), ("kitten", "sitting", 3, True)],
)
def test_levenshtein_decides_as_promptfoo_does(
    text: str, reference: str, threshold: int | None, expected: bool
) -> None:
    """Up to five edits unless it says: promptfoo:src/assertions/levenshtein.ts."""
    found = translated("levenshtein", value=reference, threshold=threshold)
    assert found is not None
    assert right(found.scorer, text, **found.options) is expected
