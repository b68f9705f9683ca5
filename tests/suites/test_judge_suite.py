"""The judge suite asks what is held out, and its judge says what the check beside it says."""

from __future__ import annotations

from heldout import is_held_out  # of training/, which tests have on their path
from tests.suites.test_shipped_suites import shipped_suite


def test_every_right_answer_with_its_question_is_held_out_from_judging() -> None:
    """By the rule of training/heldout.py; the facts in the documents are checked with those of all suites."""
    suite, _ = shipped_suite("judge")
    assert len(suite.cases) >= 20
    for case in suite.cases:
        reference = str(case.checks[0].options["reference"])
        assert is_held_out("judge", case.query, reference, reference), case.id
        assert any(reference in document.text for document in case.documents), case.id


def test_every_verdict_has_a_check_beside_it_that_counts_nothing() -> None:
    """So that a report shows how often the judge is right."""
    suite, cells = shipped_suite("judge")
    for case in suite.cases:
        assert [check.scorer for check in case.checks] == ["judge", "contains"], case.id
        assert [check.weight for check in case.checks] == [1.0, 0.0], case.id
        assert case.checks[0].options["reference"] == case.checks[1].options["text"], case.id
    assert {spec.name for cell in cells for spec in cell.judges} == {"pocket"}
