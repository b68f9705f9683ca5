"""The table of scores by scorer: which values it is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from gemma_eval.records import Outcome, Report, Score
from gemma_eval.report.by_scorer import ByScorer, by_scorer
from gemma_eval.report.groups import groups_of
from gemma_eval.report.markdown import Markdown
from gemma_eval.run import make_report
from tests.examples import a_case, a_cell, a_run, an_outcome

Values = Mapping[str, float | None]


def outcomes(case: str, repeats: Sequence[Values], *, profile: str = "greedy") -> list[Outcome]:
    """Return the outcomes of a case, each with a value per scorer."""
    cell = replace(a_cell(case, profile=profile), case=a_case(case, repeats=len(repeats)))
    example = an_outcome()
    return [
        replace(
            example,
            trial=replace(example.trial, cell=cell, repeat=repeat),
            scores=tuple(
                Score(scorer=name, value=value, passed=None, unscored=None if value is not None else "why")
                for name, value in values.items()
            ),
        )
        for repeat, values in enumerate(repeats)
    ]


def table(*groups: Sequence[Outcome]) -> ByScorer | None:
    """Return the table of a report."""
    report: Report = make_report(a_run(), [outcome for group in groups for outcome in group])
    return by_scorer(report, groups_of(report))


def cells(found: ByScorer | None) -> dict[str, list[str | None]]:
    """Return the scores of each row."""
    assert found is not None
    return {row.scorer: [cell.score if cell else None for cell in row.cells] for row in found.rows}


def test_a_row_is_the_mean_over_cases_and_not_over_answers() -> None:
    """One case has three answers and another has one: each is one datum."""
    found = table(
        outcomes("a", [{"x": 1.0, "y": 0.5}, {"x": 1.0, "y": 0.5}, {"x": 0.4, "y": 0.5}]),
        outcomes("b", [{"x": 0.0, "y": 0.5}]),
    )
    assert cells(found) == {"x": ["0.40"], "y": ["0.50"]}


def test_groups_are_columns_and_what_was_not_asked_stays_open() -> None:
    """The second profile has no check with `y`."""
    found = table(outcomes("a", [{"x": 1.0, "y": 0.2}]), outcomes("a", [{"x": 0.3}], profile="hot"))
    assert found is not None
    assert found.columns == ("greedy", "hot")
    assert cells(found) == {"x": ["1.00", "0.30"], "y": ["0.20", None]}


def test_a_case_that_is_not_scored_is_left_out_and_counted() -> None:
    """Its other repeats say nothing of the one that is missing."""
    found = table(
        outcomes("a", [{"x": 1.0, "y": 1.0}, {"x": None, "y": 1.0}]), outcomes("b", [{"x": 0.5, "y": 1.0}])
    )
    assert found is not None
    (cell,) = found.rows[0].cells
    assert cell is not None
    assert cell.score == "0.50"
    assert cell.words == "no interval, 1 case, 1 not scored"


@pytest.mark.parametrize("values", [{"x": 1.0}, {}])
def test_one_scorer_alone_needs_no_table(values: Values) -> None:
    """The score is its value."""
    assert table(outcomes("a", [values])) is None


def test_markdown_shows_it_as_a_table() -> None:
    """A blank line within would make text of it."""
    made = make_report(a_run(), outcomes("a", [{"x": 1.0, "y": 0.5}]))
    page = MarkdownIt().enable("table").render(Markdown().render(made))
    assert re.search(r"<th[^>]*>scorer</th>", page)
    assert re.search(r"<td[^>]*>x</td>\s*<td[^>]*>1\.00 ?</td>\s*<td[^>]*>1</td>", page)
