"""What a run that goes on asks again: what had no answer, for a reason that may be gone by now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemma_eval.pytest_plugin.demands import may_have_passed
from gemma_eval.records import CaseKind, Failure, Outcome, Trace
from tests.examples import an_outcome

DOWN = Failure(kind="server_error", message="nobody answers")
MISTAKE = Failure(kind="usage", message="no such file")


def of_kind(kind: CaseKind, *, failure: Failure | None = None, trace: Trace | None = None) -> Outcome:
    """Return an outcome of a case of that kind."""
    outcome = an_outcome()
    cell = outcome.trial.cell
    cell = replace(cell, case=replace(cell.case, kind=kind))
    return replace(outcome, trial=replace(outcome.trial, cell=cell), failure=failure, trace=trace)


@pytest.mark.parametrize("kind", ["quality", "retrieval"])
def test_a_server_may_be_there_again_for_answers_and_for_passages(kind: CaseKind) -> None:
    """Of a model or an embedder; a mistake is not gone, and an answer stays, also one without a store."""
    assert may_have_passed(of_kind(kind, failure=DOWN))
    assert not may_have_passed(of_kind(kind, trace=Trace(degraded="redis://host: nobody answers")))
    assert not may_have_passed(of_kind(kind, failure=MISTAKE))
    assert not may_have_passed(of_kind(kind))


def test_what_failed_while_it_was_timed_is_what_was_measured() -> None:
    """A benchmark is not asked again."""
    assert not may_have_passed(of_kind("benchmark", failure=DOWN))
