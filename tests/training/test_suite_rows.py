"""The rows that shipped suites ask are those that the script draws, and each kind of scorer has some."""

from __future__ import annotations

import json

import pytest

import suite_rows
from gemma_eval import plugins
from gemma_eval.config import shipped
from gemma_eval.suite import load_suite

FAMILIES = {
    "texts": {"contains", "equals", "starts_with"},
    "numbers": {"numeric"},
    "overlap": {"token_f1", "exact_match", "rougeL", "chrf"},
    "structure": {"json_schema", "json_equals"},
    "distance": {"levenshtein"},
    "limits": {"word_count"},
    "repeats": {"determinism"},
}


@pytest.mark.parametrize("name", suite_rows.FILES)
def test_the_rows_are_those_that_the_script_draws(name: str) -> None:
    """Whoever changes one by hand is told, for nobody would know that it is held out."""
    assert (suite_rows.FOLDER / f"{name}.jsonl").read_text() == suite_rows.content(name)


@pytest.mark.parametrize("name", ["told", "untold"])
def test_a_document_tells_the_answer_or_does_not(name: str) -> None:
    """The answer stands in it once, and where nothing is told the person does not occur."""
    for line in (suite_rows.FOLDER / f"{name}.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert row["document"].count(row["answer"]) == (1 if name == "told" else 0), row


@pytest.mark.parametrize("family", FAMILIES)
def test_the_standard_suite_has_every_family_of_scorers(family: str) -> None:
    """Those that ask a model, or read choices, have suites of their own."""
    suite, _ = load_suite(shipped.suites_directory() / "standard.toml", plugins.load())
    used = {check.scorer for case in suite.cases for check in case.checks}
    assert FAMILIES[family] <= used
