"""What was varied stands in the page, in Markdown and in JSON, and nothing of it where nothing was."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

from gemma_eval.records import Report
from gemma_eval.report.html import Html
from gemma_eval.report.json_file import JsonFile
from gemma_eval.report.markdown import MOST_BYTES, Markdown
from gemma_eval.report.series import Variation, planes, variations
from gemma_eval.wire import load
from tests.report.example import Shape, example, report_of
from tests.report.varied import LENGTHS, REACH, Varied, varied

REPORT = varied()
READ = varied(Varied(scorer="likelihood", needles=2))
PAGE = Html().render(REPORT)


def section(page: str) -> str:
    """Return what the page says of variables."""
    return page.partition('<section id="variables"')[2].partition("</section>")[0]


def test_the_page_has_a_line_for_each_model_and_a_map() -> None:
    """With a legend, a table of the same, and names for those who do not see the chart."""
    shown = section(PAGE)
    assert '<a href="#variables">' in PAGE
    charts = re.findall(r'<svg class="chart".*?</svg>', shown, re.DOTALL)
    assert len(charts) == 2
    for chart in charts:
        root = ElementTree.fromstring(chart)  # noqa: S314 - our own page
        assert root.get("role") == "img"
        for name in str(root.get("aria-labelledby")).split():
            assert f'id="{name}"' in chart
    assert shown.count("<figcaption>") == 2
    assert shown.count('<table class="heat">') == len(REACH)
    assert shown.count("<li>") == 2 * len(REACH)
    assert "perplexity" not in shown
    assert "perplexity" in section(Html().render(READ))


def test_ids_stay_unique() -> None:
    """Also with the figures of several series."""
    ids = re.findall(r'\bid="([^"]+)"', PAGE)
    assert len(ids) == len(set(ids))


def test_where_nothing_was_varied_nothing_is_said_of_it() -> None:
    """Neither section, nor link, nor table."""
    plain = example(Shape(cases=2))
    page = Html().render(plain)
    assert 'id="variables"' not in page
    assert 'href="#variables"' not in page
    assert "Score by" not in Markdown().render(plain)
    assert "are\none datum." not in Markdown().render(plain)
    assert "are\none datum.\n\n## Score by length: needle\n" in Markdown().render(REPORT)
    assert json.loads(JsonFile().render(plain))["variations"] == []


def test_a_hostile_series_is_shown_as_text() -> None:
    """As every text from elsewhere."""
    outcomes = []
    for outcome in REPORT.outcomes:
        cell = outcome.trial.cell
        case = replace(cell.case, series="<script>alert(1)</script>| a\n# b")
        outcomes.append(replace(outcome, trial=replace(outcome.trial, cell=replace(cell, case=case))))
    report = report_of(outcomes)
    assert "<script>alert" not in Html().render(report)
    assert "\n# b" not in Markdown().render(report)


def lines_below(report: Report, heading: str) -> list[str]:
    """Return the table of Markdown below a heading."""
    rest = Markdown().render(report).partition(f"\n## {heading}\n\n")[2].splitlines()
    return rest[: rest.index("")]


def test_markdown_has_the_points_and_the_map_as_tables() -> None:
    """Every row as wide as the header; perplexity where a text was read."""
    points = lines_below(READ, "Probability per token by length: needle")
    header = "| group | length | prompt tokens | probability [95 % interval] | perplexity | cases |"
    assert points[0] == header
    assert len(points) == 2 + len(REACH) * len(LENGTHS)
    assert {line.count("|") for line in points} == {7}
    grid = lines_below(REPORT, "Score by length and depth: needle: pocket")
    assert grid[0].startswith("| depth down, length across | 8 (96 tokens) | 16 (168 tokens) |")
    assert [line.split("|")[1].strip() for line in grid[2:]] == ["0", "0.5", "1"]


def test_markdown_stays_small_however_much_was_varied() -> None:
    """What does not fit is counted."""
    models = tuple(f"model-{number:03}" for number in range(150))
    text = Markdown().render(varied(Varied(models=models, needles=1), reach=40.0))
    assert len(text.encode()) < MOST_BYTES
    assert re.search(r"\d+ more rows are in `results.json`", text)


def test_json_has_the_points_and_reads_back() -> None:
    """As records, for who draws for themselves."""
    for report in (REPORT, READ):
        found = json.loads(JsonFile().render(report))["variations"]
        assert tuple(load(Variation, each) for each in found) == (*variations(report), *planes(report))
