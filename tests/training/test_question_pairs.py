"""The pairs of questions that ship are those that the script writes."""

from __future__ import annotations

import question_pairs


def test_the_pairs_are_those_that_the_script_writes() -> None:
    """Whoever changes one by hand is told: the recorded cosines are of these."""
    assert question_pairs.PATH.read_text(encoding="utf-8") == question_pairs.content()


def test_a_label_is_never_given_to_a_question_and_itself() -> None:
    """Neither near-misses nor paraphrases are one text twice."""
    assert all(row["first"] != row["second"] for row in question_pairs.rows())
