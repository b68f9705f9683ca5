"""A verdict is what a judge said last, by probability, in JSON or in words; prose is none."""

from __future__ import annotations

import json
import math

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.records import Reply
from gemma_eval.scoring import judge_verdict
from gemma_eval.scoring.judge_verdict import read, schema, told_apart

LABELS = ("correct", "incorrect")

WRITTEN = (
    ("correct", "correct"),
    (" **Incorrect.**\n", "incorrect"),
    ("GRADE: correct", "correct"),
    ("The answer says GRADE: correct, but it is wrong.\nGRADE: incorrect", "incorrect"),
    ("**Verdict:** `incorrect` because it names Rome", "incorrect"),
    ("It names another city.\n\nincorrect", "incorrect"),
    ('{"verdict": "incorrect"}', "incorrect"),
    ('```json\n{"verdict": "correct"}\n```', "correct"),
    ("The answer is not correct.", None),
    ("GRADE: not correct", None),
    ("GRADE: correct or incorrect", None),
    ("GRADE: correct/incorrect", None),
    ("GRADE: incorrectly", None),
    ("GRADE: correct, because the reference says so too.", "correct"),
    ("GRADE: correct? No, it names another city.", None),
    ("GRADE: correct answer is Oslo, and this one is not.", None),
    ("GRADE: correct - no, it is incorrect", None),
    ("GRADE: correct\nGRADE: partially", None),
    ('{"verdict": "maybe"}', None),
    ('{"verdict": null}', None),
    ("", None),
    ("I cannot judge this.", None),
    ("Score: 4.5", None),
)


@pytest.mark.parametrize(("text", "label"), WRITTEN)
def test_free_text_gives_the_last_grade_or_none(text: str, label: str | None) -> None:
    """A label within prose is no verdict: it may be denied there."""
    found = read(Reply(text=text, how="text"), LABELS)
    assert found.label == label
    assert (found.reason is None) == (label is not None)


def test_the_table_catches_planted_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that takes the first grade, or any label in the text, is noticed."""

    def first(text: str, labels: tuple[str, ...]) -> str | None:
        found = judge_verdict._GRADE.search(text)
        return None if found is None else judge_verdict._label(found["said"], labels, whole=False)

    def anywhere(text: str, labels: tuple[str, ...]) -> str | None:
        return next((label for label in labels if label in text.lower()), None)

    for planted in (first, anywhere):
        assert any(planted(text, LABELS) != label for text, label in WRITTEN)


@pytest.mark.parametrize(
    ("said", "label"),
    [("4", "4"), ("GRADE: 4/5", "4"), ("Rating: 10", "10"), ("score: 1", "1"), ("4.5", None)],
)
def test_a_number_is_read_whole(said: str, label: str | None) -> None:
    """10 is not 1, and four and a half is no grade of a scale of whole numbers."""
    numbers = tuple(map(str, range(1, 11)))
    assert read(Reply(text=said, how="text"), numbers).label == label


def test_a_letter_is_read_whatever_words_come_after() -> None:
    """`a` is a word of its own."""
    assert read(Reply(text="Verdict: B, which is a better answer", how="text"), ("A", "B")).label == "B"


def test_the_most_probable_label_is_the_verdict() -> None:
    """With its share among the labels, and how much of all probability they have together."""
    logs = {"correct": math.log(0.2), "incorrect": math.log(0.6)}
    found = read(Reply(text="correct", how="labels", label_log_probabilities=logs), LABELS)
    assert found.label == "incorrect"
    assert found.probabilities is not None
    assert found.probabilities["incorrect"] == pytest.approx(0.75)
    assert found.mass == pytest.approx(0.8)


@pytest.mark.parametrize(
    "logs",
    [{}, {"correct": -0.5}, {"correct": math.nan, "incorrect": -1.0}, dict.fromkeys(LABELS, -math.inf)],
)
def test_log_probabilities_that_are_none_give_no_verdict(logs: dict[str, float]) -> None:
    """And say so."""
    found = read(Reply(text="correct", how="labels", label_log_probabilities=logs), LABELS)
    assert found.label is None
    assert found.reason == "the engine gave no log-probability for a label"


def test_a_failure_is_the_reason() -> None:
    """Whatever else the reply has."""
    reply = Reply(text="correct", how="text", failure="context_overflow: too long")
    assert read(reply, LABELS).reason == "context_overflow: too long"


@given(st.text(max_size=60))
@settings(max_examples=50, deadline=None)
def test_whatever_a_judge_writes_is_a_label_or_a_reason(text: str) -> None:
    """And a grade appended to it binds, whatever stands before."""
    found = read(Reply(text=text, how="text"), LABELS)
    assert (found.label is None) != (found.reason is None)
    assert read(Reply(text=f"{text}\nGRADE: incorrect", how="text"), LABELS).label == "incorrect"


def test_the_schema_takes_the_labels_and_nothing_else() -> None:
    """As the package jsonschema reads it."""
    shape = json.loads(schema(LABELS))
    jsonschema.validate({"verdict": "correct"}, shape)
    for wrong in ({"verdict": "maybe"}, {}, {"verdict": "correct", "more": 1}, "correct"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, shape)


def test_labels_that_begin_one_another_cannot_be_told_apart_by_probability() -> None:
    """As 1 and 10 of a scale to ten; correct and incorrect can."""
    assert told_apart(LABELS)
    assert not told_apart(("1", "10"))
