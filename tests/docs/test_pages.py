"""The documentation names what exists: record fields, reason codes, options, files and headings."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import _gemma_eval_pytest
from docs.make_example import with_figures
from gemma_eval import hookspecs
from gemma_eval.cases import schema, schema_datasets
from gemma_eval.cases.schema_retrieval import CachingRow, RetrievalRow
from gemma_eval.measure import latency
from gemma_eval.records import Comparison, Measurement, SamplingProfile, Summary
from tests.docs.commands import ROOT

DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))


def page(name: str) -> str:
    """Return the text of a page."""
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def missing_words(text: str, words: set[str]) -> set[str]:
    """Return the words that the text does not hold as `code`."""
    return words - set(re.findall(r"`([^`\n]+)`", text))


@pytest.mark.parametrize(
    "record", [Measurement, Summary, SamplingProfile, Comparison], ids=lambda record: record.__name__
)
def test_the_glossary_names_every_field(record: type) -> None:
    """One name per thing: what a record calls it stands in the glossary."""
    names = {field.name for field in fields(record)}
    assert not missing_words(page("glossary"), names)


def test_a_field_that_is_not_explained_is_found() -> None:
    """The check above fails on a planted name."""
    assert missing_words(page("glossary"), {"ttft_s", "planted_s"}) == {"planted_s"}


def test_the_profiles_page_explains_every_key() -> None:
    """Each field of a profile has a row in its table."""
    rows = set(re.findall(r"^\| `(\w+)` \|", page("profiles"), re.MULTILINE))
    assert rows == {field.name for field in fields(SamplingProfile)} - {"name"}


def test_the_suites_page_explains_every_key() -> None:
    """Each key that a suite file may have is in one of the tables."""
    rows = (schema.SuiteRow, schema.DefaultsRow, schema.CaseRow, schema.HaystackRow)
    keys = {key for row in (*rows, schema_datasets.DatasetRow) for key in row.model_fields}
    assert not missing_words(page("suites"), keys)


def test_the_pages_on_retrieval_explain_every_key() -> None:
    """Those of `[retrieval]`, and those of `cache`."""
    assert not missing_words(page("suites") + page("retrieval"), set(RetrievalRow.model_fields))
    assert not missing_words(page("cache"), set(CachingRow.model_fields))


def test_the_page_on_loads_explains_every_key() -> None:
    """Those of `load` and of `slo`."""
    keys = {key for row in (schema.LoadRow, schema.SloRow) for key in row.model_fields}
    assert not missing_words(page("load"), keys)


def test_the_metrics_page_explains_every_reason() -> None:
    """Each code that says why something was not measured is in the table."""
    codes = set(re.findall(r"^    ([a-z_]+)  ", latency.__doc__ or "", re.MULTILINE))
    assert len(codes) > 5
    assert not missing_words(page("metrics"), codes)


def test_the_plugins_page_has_an_example_of_every_hook() -> None:
    """Each hook is implemented in a block that runs."""
    hooks = {name for name in vars(hookspecs) if name.startswith("register_")}
    shown = set(re.findall(r"^ *def (\w+)\(", page("plugins"), re.MULTILINE))
    assert hooks | {"outcome_recorded", "run_finished", "config_reloaded"} <= shown


def test_every_option_is_mentioned_somewhere() -> None:
    """A reader finds each `--gemma-*` option in the pages."""
    source = Path(_gemma_eval_pytest.__file__).read_text(encoding="utf-8")
    written = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    settings = set(re.findall(r'addini\("(gemma_\w+)"', source))
    options = set(re.findall(r"--gemma-\w+", source))
    assert len(settings) > 2
    assert {name for name in options | settings if name not in written} == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    """Relative links name files that exist, and headings that the file has."""
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.exists(), f"{path.name} links to {target}"
        assert not anchor or anchor in headings(linked), f"{path.name} links to {target}"


def headings(path: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_is_linked_from_the_readme() -> None:
    """No page is hidden."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in DOCS.glob("*.md") if f"docs/{path.name}" not in readme] == []


def test_the_figures_in_the_readme_are_those_of_the_example() -> None:
    """The table is copied from the committed report, by the script that made both."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    report = (ROOT / "reports" / "example" / "report.md").read_text(encoding="utf-8")
    assert with_figures(readme, report) == readme
    assert with_figures(readme, report.replace("| rag |", "| planted |")) != readme
