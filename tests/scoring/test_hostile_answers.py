"""No answer makes a scorer fail, or take more than time linear in its length."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scoring.answers import score, score_all
from tests.scoring.test_options import NAMES

OPTIONS: dict[str, dict[str, object]] = {
    "equals": {"text": "a"},
    "contains": {"any": ["a b", "zz"]},
    "icontains": {"all": ["a b", "zz"]},
    "starts_with": {"text": "x"},
    "regex": {"pattern": "(a+)+$"},
    "numeric": {"value": 1, "which": "only"},
    "choice_letter": {"letter": "B"},
    "json_equals": {"value": "{}"},
    "json_schema": {"schema": '{"items": {"type": "integer"}, "uniqueItems": true}'},
    "contains_json": {"schema": '{"type": "object"}'},
    "levenshtein": {"text": "a b c " * 10},
    "word_count": {"least": 1},
    "token_count": {"least": 1},
    "latency": {"max_s": 1},
    "exact_match": {"reference": "a b", "regexes_to_ignore": "(b+)+"},
    "fuzzy": {"reference": "a b"},
    "token_f1": {"reference": "a b"},
    "rouge1": {"reference": "a b"},
    "rouge2": {"reference": "a b"},
    "rougeL": {"reference": "a b"},
    "bleu": {"reference": "a b"},
    "chrf": {"reference": "a b"},
}
OVER_REPEATS = ("determinism", "distinct_n", "self_bleu")
SLOW = ("bleu", "chrf", "self_bleu")
"""These take a microsecond or ten for each character, and are tried with fewer."""

# Each is the worst of some scorer: nested, unclosed, of one sign, of numbers, of half a pair.
HOSTILE = {
    "words": "a b c d " * 12_000,
    "one word": "a" * 100_000,
    "space": " " * 100_000,
    "digits": "9" * 100_000,
    "numbers": "1,234,5 1/2 -" * 7_000,
    "brackets": "[" * 100_000,
    "objects": '{"a": [1, ' * 10_000,
    "list": "[" + "1, " * 30_000 + "1]",
    "promises": "the answer to " * 7_000,
    "letters": "A, B and " * 10_000,
    "signs": "(*_`" * 25_000,
    "lines": "B)\n" * 30_000,
    "half a pair": "\ud800 " * 50_000,
    "right to left": "\u202e\u05d0\u0661 " * 25_000,
    "nothing": "",
}


def test_every_scorer_of_this_folder_is_tried() -> None:
    """A new one must say with which options."""
    assert set(OPTIONS) | set(OVER_REPEATS) == set(NAMES)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_hostile_answer_has_a_score(name: str) -> None:
    """A value in 0..1, or none with a reason; anything beyond linear time would not end."""
    for answer in HOSTILE.values():
        found = score(name, answer[: _most(name)], **OPTIONS[name])
        assert (found.value is None) is (found.unscored is not None)
        assert found.value is None or 0 <= found.value <= 1
        assert len(found.explanation) < 1000


@pytest.mark.parametrize("name", OVER_REPEATS)
def test_hostile_answers_have_a_score_together(name: str) -> None:
    """Beside each other and beside themselves."""
    for answer in HOSTILE.values():
        text = answer[: _most(name)]
        found = score_all(name, [text, text + "x"])
        assert found.value is None or 0 <= found.value <= 1


@given(st.sampled_from(sorted(OPTIONS)), st.text(max_size=30))
@settings(max_examples=200)
def test_any_text_has_a_score(name: str, answer: str) -> None:
    """Of whatever characters."""
    found = score(name, answer, **OPTIONS[name])
    assert found.value is None or 0 <= found.value <= 1


def _most(name: str) -> int | None:
    return 8_000 if name in SLOW else None
