"""CSV and Parquet hold what the records hold, whatever the texts are."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.records import Report
from gemma_eval.report.exports.csv_file import csv_files, marked
from gemma_eval.report.exports.parquet import parquet_files
from gemma_eval.report.exports.rows import tables
from tests.report.exports.runs import RUNS, hostile, quality, unscored
from tests.required import module


def read(report: Report) -> list[list[dict[str, str]]]:
    """Return the rows of both CSV files as texts."""
    return [list(csv.DictReader(io.StringIO(file.data.decode(), newline=""))) for file in csv_files(report)]


def test_a_row_per_answer_and_a_row_per_score() -> None:
    """Joined by the key of the trial."""
    report = quality()
    outcomes, scores = read(report)
    assert len(outcomes) == len(report.outcomes)
    assert len(scores) == sum(len(each.scores) for each in report.outcomes)
    assert {row["key"] for row in scores} <= {row["key"] for row in outcomes}


def test_numbers_are_written_in_full() -> None:
    """What is read is what was measured, to the last bit; what is not known is empty."""
    report = quality()
    for row, outcome in zip(read(report)[0], report.outcomes, strict=True):
        measured = outcome.measurement
        assert row["ttft_s"] == ("" if measured is None else repr(measured.ttft_s))
        assert row["score"] == ("" if outcome.score is None else repr(outcome.score))
        assert row["passed"] == str(outcome.passed).lower()


@given(st.text())
@settings(max_examples=50)
def test_no_text_is_a_formula_and_every_text_comes_back(text: str) -> None:
    """One mark is put before what a spreadsheet would calculate, and one is taken off again."""
    written = marked(text)
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert (written.removeprefix("'")) == text


def test_a_mark_that_is_not_put_is_found() -> None:
    """The check above fails for a text that is written as it is."""
    assert "=1+1".startswith(("=", "+", "-", "@", "\t", "\r"))
    assert marked("=1+1") == "'=1+1"


def test_answers_that_look_like_formulas_are_marked_in_the_file() -> None:
    """In every text column; numbers that are negative stay numbers."""
    outcomes, _ = read(hostile())
    starts = {
        row[name][:1] for row in outcomes for name in ("suite", "case", "model", "prompt", "failure_kind")
    }
    assert not starts & set("=+-@\t\r")


@pytest.mark.parametrize("kind", RUNS)
def test_parquet_has_the_same_columns_with_their_types_and_values(kind: str) -> None:
    """A column without any value has its type all the same, and texts are as they were."""
    parquet = module("pyarrow.parquet", extra="analysis")
    report = RUNS[kind]()
    types = {"text": "string", "integer": "int64", "number": "double", "flag": "bool"}
    for file, table in zip(parquet_files(report), tables(report), strict=True):
        found = parquet.read_table(io.BytesIO(file.data))
        assert {field.name: str(field.type) for field in found.schema} == {
            name: types[kind] for name, kind in table.columns.items()
        }
        expected = [
            {
                name: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
                for name, value in row.items()
            }
            for row in table.rows
        ]
        assert found.to_pylist() == expected


def test_votes_and_reasons_are_json() -> None:
    """What is not one value stays readable."""
    _, scores = read(unscored())
    assert '"reason": "prose"' in scores[0]["votes"]
    assert scores[0]["unscored"] == "no verdict"
    assert scores[0]["value"] == ""
