"""The distance of Levenshtein is that of its table, and the likeness that of the longer text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scoring.answers import right, score, value

Edits = Callable[[str, str], int]

# Two texts and the edits between them; the first is in rapidfuzz's and promptfoo's own tests, too.
WORKED = (
    ("kitten", "sitting", 3),
    ("flaw", "lawn", 2),
    ("abc", "acb", 2),
    ("abc", "abc", 0),
    ("abc", "", 3),
    ("größe", "grosse", 3),
)


def table(left: str, right: str) -> int:
    """Return the edits by filling in the whole table, as the recurrence is written."""
    rows = [list(range(len(right) + 1))]
    for i, sign in enumerate(left, start=1):
        rows.append([i])
        for j, other in enumerate(right, start=1):
            rows[i].append(
                min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + int(sign != other))
            )
    return rows[-1][-1]


def edits(left: str, right: str) -> int:
    """Return what the scorer counts; a text that is empty cannot be wanted."""
    return round(score("levenshtein", left, text=right or "x").figures["edits"]) if right else len(left)


def worked_examples_hold(count: Edits) -> bool:
    """Say whether the edits are right in every worked example."""
    return all(count(left, right) == n for left, right, n in WORKED)


def test_the_worked_examples_hold_and_catch_planted_errors() -> None:
    """A swap of neighbours is two edits, a length is no distance, and neither are places that differ."""
    assert worked_examples_hold(edits)
    assert worked_examples_hold(table)
    assert not worked_examples_hold(lambda left, right: abs(len(left) - len(right)))
    assert not worked_examples_hold(
        lambda left, right: (
            sum(a != b for a, b in zip(left, right, strict=False)) + abs(len(left) - len(right))
        )
    )


_TEXT = st.text(alphabet="abé\ud800", max_size=8)


@given(_TEXT, _TEXT.filter(bool))
def test_the_edits_are_those_of_the_table(left: str, right: str) -> None:
    """And the value is 1 less their share of the longer text."""
    assert edits(left, right) == table(left, right)
    likeness = 1 - table(left, right) / max(len(left), len(right))
    assert value("levenshtein", left, text=right) == pytest.approx(likeness)


def test_a_limit_of_edits_makes_it_right_or_wrong() -> None:
    """Of several texts the nearest counts."""
    assert value("levenshtein", "kitten", text="sitting") == pytest.approx(1 - 3 / 7)
    assert right("levenshtein", "kitten", text="sitting", max_distance=3)
    assert not right("levenshtein", "kitten", text="sitting", max_distance=2)
    assert right("levenshtein", " KITTEN ", text=["dog", "kitten"], max_distance=0, ignore_case=True)
    assert score("levenshtein", "kitten", text="kitten").explanation == ""
    assert score("levenshtein", "kitten", text=["dog", "mitten"]).explanation == '1 edit from "mitten"'
