"""Rows are read from JSON Lines, JSON, CSV and Parquet, or refused with their line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.files.read import ReadError
from gemma_eval.importers import data
from tests import required

VALUES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
ROWS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1), min_size=1, max_size=4)


def columns(name: str, content: str | bytes) -> list[data.Columns]:
    """Return the rows of a file of this name and content."""
    given_bytes = content if isinstance(content, bytes) else content.encode()
    return [row.columns for row in data.read(Path(name), given_bytes)]


@given(ROWS)
@settings(max_examples=50)
def test_rows_survive_being_written_and_read(rows: list[data.Columns]) -> None:
    """What a row lacks is null, as where rows are kept in a table; the bytes are the same each time."""
    names = dict.fromkeys(name for row in rows for name in row)
    filled = [{name: row.get(name) for name in names} for row in rows]
    assert columns("x.jsonl", data.lines(rows)) == filled
    assert columns("x.json", json.dumps(rows)) == filled
    assert data.lines(rows) == data.lines(json.loads(json.dumps(rows)))


def test_a_csv_column_of_numbers_has_numbers() -> None:
    """One that has anything else has texts; an empty cell is null; 007 is a text."""
    found = columns("x.csv", 'n,f,t,z\n1,1.5,x,007\n-2,,"a\nb",8\n')
    assert found == [
        {"n": 1, "f": 1.5, "t": "x", "z": "007"},
        {"n": -2, "f": None, "t": "a\nb", "z": "8"},
    ]
    assert columns("x.tsv", "a\tb\n1\t2\n") == [{"a": 1, "b": 2}]


def test_parquet_is_read_with_its_nested_columns() -> None:
    """With the extra that has pyarrow."""
    required.module("pyarrow", extra="analysis")
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"q": "a", "choices": {"text": ["x", "y"], "label": ["A", "B"]}}, {"q": "b", "choices": None}]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    assert columns("x.parquet", file.getvalue()) == rows
    with pytest.raises(ReadError, match="is not Parquet"):
        columns("x.parquet", b"PAR1 nonsense")


@pytest.mark.parametrize(
    ("name", "content", "line", "what"),
    [
        ("x.jsonl", '{"a": 1}\n\n[1]\n', 3, "is not an object"),
        ("x.jsonl", '{"a": 1}\n{"a": \n', 2, "is not JSON"),
        ("x.jsonl", '{"a": NaN}\n', 1, "NaN and infinities have no place"),
        ("x.jsonl", '{"a": ' + "[" * 100_000 + "\n", 1, "is nested too deep"),
        ("x.jsonl", '{"a": ' + "9" * 5000 + "}\n", 1, "too large a number"),
        ("x.jsonl", '{"a": "\\ud800"}\n', 1, "half of a surrogate pair"),
        ("x.jsonl", '{"a": "' + "x" * 1_100_000 + '"}\n', 1, "a row of more than 1,048,576 characters"),
        ("x.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', 2, "is not UTF-8 here"),
        ("x.jsonl", "\n\n", 0, "has no rows"),
        ("x.json", '[{"a": 1}, 2]', 1, "element 2 is not an object"),
        ("x.json", "[1\n,\n}", 3, "is not JSON"),
        ("x.csv", "a,b\n1,2\n3\n", 3, "has 1 cells, the first row 2"),
        ("x.csv", "a,a\n1,2\n", 1, "names a column twice"),
        ("x.csv", 'a\n"x\n', 2, "is not CSV"),
        ("x.csv", "a,b\n", 0, "has no rows"),
        ("x.xls", "", 0, r"is none of \.jsonl, \.json, \.csv, \.tsv, \.parquet"),
    ],
    ids=lambda value: str(value)[:16],
)
def test_what_is_no_row_is_told_with_its_line(name: str, content: str | bytes, line: int, what: str) -> None:
    """Nothing of the file is used then."""
    with pytest.raises(ReadError, match=what) as caught:
        columns(name, content)
    assert caught.value.line == line


def test_what_is_no_ordinary_file_is_not_read(tmp_path: Path) -> None:
    """A folder, and a file that is not there."""
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(ReadError, match="is no file"):
            data.read_bytes(path)
