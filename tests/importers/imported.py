"""Imports of files that a test writes, and what is said of those that cannot be carried over."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gemma_eval import plugins
from gemma_eval.errors import SuiteError
from gemma_eval.importers.lm_eval.convert import Wanted, convert
from gemma_eval.importers.written import Imported
from gemma_eval.prompts import sandbox
from gemma_eval.protocols import AnyScorer
from gemma_eval.records import Case, Check, Generation, Score
from gemma_eval.scoring import check as checking
from tests.examples import a_generation

REGISTRY = plugins.load()
FIXTURES = Path(__file__).parent / "fixtures"

CHOOSING = """\
task: home
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "Where does {{name}} live?"
doc_to_choice: ["Oslo", "Rome"]
doc_to_target: label
"""
WRITING = """\
task: home
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "Where does {{name}} live?"
doc_to_target: "{{city}}"
generation_kwargs: {until: ["\\n"]}
"""
READING = """\
task: home
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: text
"""
ROWS = ({"name": "Finn", "city": "Oslo", "label": 0}, {"name": "Ada", "city": "Rome", "label": 1})


def write_rows(path: Path, rows: Sequence[Mapping[str, object]] = ROWS) -> Path:
    """Write rows as JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def task(folder: Path, text: str, *, rows: Sequence[Mapping[str, object]] = ROWS) -> Path:
    """Write a task file with its rows beside it."""
    write_rows(folder / "rows.jsonl", rows)
    path = folder / "task.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def imported(path: Path, wanted: Wanted | None = None) -> Imported:
    """Import a task file of lm-evaluation-harness."""
    return convert(path, wanted or Wanted(), render=sandbox.render)


def values(case: Case, answer: str) -> list[float | None]:
    """Return the value of each check of a case for an answer."""
    return [score.value for score in scores(case, a_generation(answer))]


def scores(case: Case, generation: Generation) -> list[Score]:
    """Return the score of each check of a case."""

    def build(check: Check) -> AnyScorer:
        return REGISTRY.scorers.find(check.scorer)(check.options)

    return [checking.score(check, case, generation, build=build) for check in case.checks]


def refused(path: Path, wanted: Wanted | None = None) -> list[str]:
    """Return what is said of a task file that cannot be imported, each with its line."""
    with pytest.raises(SuiteError) as caught:
        imported(path, wanted)
    return [f"{problem.path.name}:{problem.line}: {problem.what}" for problem in caught.value.problems]
