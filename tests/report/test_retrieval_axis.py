"""Named retrievals are an axis of every table and figure; without names nothing shows that there is one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gemma_eval.pytest_plugin.terminal import WIDTH, closing
from gemma_eval.records import Outcome, Report
from gemma_eval.report.exports.rows import OUTCOMES, SCORES, tables
from gemma_eval.report.findings import findings
from gemma_eval.report.grid import grids
from gemma_eval.report.groups import groups_of
from gemma_eval.report.html import Html
from gemma_eval.report.markdown import Markdown
from gemma_eval.report.view import page
from tests.report.example import Shape, example, report_of
from tests.report.retrieved import Asked, retrieved

CROSSED = retrieved(Asked(templates=("plain", "rag"), profiles=("greedy", "hot")))


def renamed(outcome: Outcome, name: str) -> Outcome:
    """Return the outcome with its retrieval under another name."""
    cell = outcome.trial.cell
    cell = replace(cell, retrieval=replace(cell.retrieval, name=name))
    return replace(outcome, trial=replace(outcome.trial, cell=cell))


def head(table: str) -> str:
    """Return the first line of a Markdown table that begins so."""
    return next(line for line in Markdown().render(CROSSED).splitlines() if line.startswith(table))


def test_groups_that_differ_in_the_retrieval_alone_are_never_one() -> None:
    """Each has its own score: what was found decides it."""
    groups = groups_of(CROSSED)
    found = {groups.label(each.group): each.value for each in groups.measured("score")}
    assert found["greedy · rag · bm25"] == pytest.approx(0.4)
    assert found["greedy · rag · hybrid"] == pytest.approx(0.7)
    assert len(found) == 10


def test_cases_that_ask_for_passages_alone_are_no_groups_beside_answers() -> None:
    """They are no rivals of an answer; where there is no answer, they are all there is."""
    assert all(group.has_model for group in groups_of(CROSSED).order)
    alone = report_of([each for each in CROSSED.outcomes if not each.trial.cell.group.has_model])
    assert [group.retrieval for group in groups_of(alone).order] == ["bm25", "hybrid", "oracle"]
    assert page(alone).headline.startswith("oracle ")


def test_a_matrix_has_a_column_for_each_template_with_each_of_its_retrievals() -> None:
    """A template that shows no passages has one."""
    (matrix,) = page(CROSSED).matrices
    assert matrix.columns == ("plain · none", "rag · none", "rag · bm25", "rag · hybrid", "rag · oracle")
    assert [[cell.score for cell in row.cells if cell] for row in matrix.rows] == [
        ["0.00", "0.00", "0.40", "0.70", "1.00"]
    ] * 2
    (single,) = page(retrieved()).matrices
    assert single.columns == ("none", "bm25", "hybrid", "oracle")


def test_a_retrieval_is_a_factor_where_it_varies() -> None:
    """Profile by retrieval with the template that has a choice, and profile by template with the same one."""
    found = [(grid.model, grid.across, grid.templates, grid.beside) for grid in grids(CROSSED)]
    assert found == [
        ("pocket", "retrieval", ("none", "bm25", "hybrid", "oracle"), "rag"),
        ("pocket", "template", ("plain", "rag"), "none"),
        ("-", "retrieval", ("bm25", "hybrid", "oracle"), ""),
    ]
    effects = page(CROSSED).effects
    assert [part.name for part in effects[0].parts] == ["profile", "retrieval", "together"]
    assert [row.name for row in effects[0].parts[1].rows] == ["none", "bm25", "hybrid", "oracle"]
    assert effects[1].title == "pocket, plain and rag with none"
    assert effects[2].title == "passages alone"


def test_a_finding_tells_which_retrieval_is_above_which() -> None:
    """In every place where both have an interval."""
    (text,) = [each.text for each in findings(CROSSED, groups_of(CROSSED)) if each.topic == "Retrievals"]
    assert "oracle is above none with every profile and template" in text


def test_repeats_of_one_retrieval_are_not_mixed_with_those_of_another() -> None:
    """The planted error: with one name for all, the same outcomes give other scores."""
    mixed = report_of([renamed(outcome, "") for outcome in CROSSED.outcomes])
    values = {round(each.value, 3) for each in groups_of(mixed).measured("score")}
    assert values != {0.0, 0.4, 0.7, 1.0}


def test_pages_and_terminal_have_a_column_for_names() -> None:
    """In 80 columns, whatever varies."""
    assert head("| model | profile").startswith("| model | profile | template | retrieval | score ")
    assert head("| case | model").startswith("| case | model | profile | template | retrieval | score ")
    assert '<th scope="col" data-key="retrieval">retrieval</th>' in Html().render(CROSSED)
    lines = [line.text for line in closing(CROSSED)]
    assert lines[1].split()[:3] == ["profile", "template", "retrieval"]
    assert max(map(len, lines)) <= WIDTH
    alone = lines[lines.index("passages alone") + 1]
    assert alone.split() == ["profile", "template", "retrieval", "score", "[95", "%]", "n"]
    assert [line.text for line in closing(retrieved())][1].split()[:2] == ["retrieval", "score"]


def test_a_large_page_sorts_and_filters_by_retrieval() -> None:
    """The script gets the names as data."""
    text = Html(most_static_rows=3).render(CROSSED)
    index = json.loads(text.split('<script type="application/json" id="index">')[1].split("</script>")[0])
    assert index["columns"][-1] == "retrieval"
    assert {row[-1] for row in index["rows"]} == {"none", "bm25", "hybrid", "oracle"}


def test_tables_for_other_programs_have_the_names() -> None:
    """And what was left out, and how a cache answered."""
    outcomes, scores = tables(CROSSED)
    assert tuple(outcomes.columns)[-3:] == ("retrieval", "degraded", "cached")
    assert {row["retrieval"] for row in scores.rows} == {"none", "bm25", "hybrid", "oracle"}


@pytest.mark.parametrize("report", [example(Shape(cases=3)), report_of(example(Shape(cases=2)).outcomes)])
def test_nothing_shows_a_retrieval_where_none_has_a_name(report: Report) -> None:
    """No column, no filter, no word of it."""
    for text in (Html().render(report), Markdown().render(report), *(line.text for line in closing(report))):
        body = text.split("</style>")[-1].split("The table of cases: sorted, filtered")[0]
        assert "retrieval" not in body.lower()
    assert [tuple(table.columns) for table in tables(report)] == [tuple(OUTCOMES), tuple(SCORES)]


def test_a_run_with_and_without_names_tells_them_apart() -> None:
    """Two suites in one run, of which one names its retrievals."""
    both = [renamed(each, "" if number % 2 else "bm25") for number, each in enumerate(retrieved().outcomes)]
    groups = groups_of(report_of([each for each in both if each.trial.cell.group.has_model]))
    assert groups.tells_retrievals
    assert sorted(map(groups.label, groups.order)) == ["bm25", "pocket"]
