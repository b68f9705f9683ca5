"""The suites that ship load, are built as their comments say, and fit what the pocket model can read."""

from __future__ import annotations

import pytest

from gemma_eval import plugins
from gemma_eval.config import profiles, shipped
from gemma_eval.records import Cell, Suite
from gemma_eval.suite import load_suite

NAMES = (
    "choices",
    "citations",
    "every_layer",
    "judge",
    "long_context",
    "long_context_position",
    "multiple_choice",
    "performance",
    "rag",
    "sampling",
    "smoke",
    "standard",
)


def shipped_suite(name: str) -> tuple[Suite, tuple[Cell, ...]]:
    """Load a shipped suite with the built-in plugins."""
    return load_suite(shipped.suites_directory() / f"{name}.toml", plugins.load())


def test_the_suites_ship() -> None:
    """Each is found by its name."""
    assert set(NAMES) <= set(shipped.suite_names())


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_suite_loads_and_describes_itself(name: str) -> None:
    """No problem is found, and a report has a sentence to show."""
    suite, cells = shipped_suite(name)
    assert suite.name == name
    assert suite.description.endswith(".")
    assert cells


@pytest.mark.parametrize("name", NAMES)
def test_every_case_can_be_selected_by_a_tag(name: str) -> None:
    """Reports group by tags, so no case is without one."""
    suite, _ = shipped_suite(name)
    assert [case.id for case in suite.cases if not case.tags] == []


@pytest.mark.parametrize("name", ["rag", "standard"])
def test_every_answer_that_is_looked_for_is_told_in_the_documents(name: str) -> None:
    """A context case whose documents do not hold the answer would measure nothing."""
    suite, _ = shipped_suite(name)
    told = {"context", "one-document", "three-documents"}
    for case in suite.cases:
        if told & set(case.tags):
            answer = str(case.checks[0].options["text"])
            assert any(answer in document.text for document in case.documents), case.id


def test_the_standard_suite_asks_every_question_in_every_cell() -> None:
    """The means of two profiles or templates are then means over the same questions."""
    suite, cells = shipped_suite("standard")
    groups = {(cell.profile.name, cell.template.name) for cell in cells}
    assert len(groups) == 9
    assert len(cells) == len(suite.cases) * len(groups)


def test_the_standard_suite_has_enough_of_each_kind() -> None:
    """Forty questions bear an interval of about a tenth; twenty timed answers bear a 95th percentile."""
    suite, _ = shipped_suite("standard")
    assert sum("context" in case.tags for case in suite.cases) >= 80
    assert sum(case.kind == "quality" for case in suite.cases) >= 200
    assert sum(case.repeats for case in suite.cases if case.kind == "benchmark") >= 20


def test_the_sampling_suite_uses_every_shipped_profile() -> None:
    """A new profile is measured."""
    _, cells = shipped_suite("sampling")
    catalog = shipped.suites_directory() / "profiles.json"
    assert {cell.profile.name for cell in cells} == set(profiles.load(catalog))


def test_only_the_smoke_suite_demands() -> None:
    """Elsewhere a wrong answer is a datum; the smoke suite says whether everything works."""
    demanding = [
        name
        for name in NAMES
        for case in shipped_suite(name)[0].cases
        if any(check.pass_at is not None for check in case.checks)
    ]
    assert set(demanding) == {"smoke"}
