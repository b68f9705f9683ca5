"""Rows are found once, and read again from where they lie, in each of the formats."""

from __future__ import annotations

import csv
import json
import os
from array import array
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.cases import text_rows
from gemma_eval.cases.dataset_rows import Rows, scan
from gemma_eval.files.read import ReadError

NOTHING: Mapping[str, object] = {}


def read(path: Path) -> tuple[Rows, Sequence[Mapping[str, object]], list[str]]:
    """Return the rows of a file, what a look at each saw, and the problems as `line: what`."""
    seen: list[Mapping[str, object]] = []
    rows, found = scan(path, visit=lambda line, row: seen.append(row))
    return rows, seen, [f"{each.line}: {each.what}" for each in found]


def again(rows: Rows) -> list[Mapping[str, object]]:
    """Return the rows as they are read one by one, the last one first."""
    backwards = [rows[index] for index in reversed(range(len(rows)))]
    return backwards[::-1]


def made(folder: Path, name: str, data: bytes | str) -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
values = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | texts | st.lists(texts, max_size=2)


@settings(max_examples=30, deadline=None)
@given(
    table=st.lists(st.dictionaries(texts, values, max_size=3), min_size=1, max_size=6), ascii_=st.booleans()
)
def test_lines_of_json_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, table: list[dict[str, object]], ascii_: bool
) -> None:
    """Also nested values, in any order, with empty lines between them."""
    text = "".join(f"{json.dumps(row, ensure_ascii=ascii_)}\n\n" for row in table)
    path = made(tmp_path_factory.mktemp("rows"), "a.jsonl", text)
    rows, seen, problems = read(path)
    assert problems == []
    assert seen == table == again(rows)
    assert [rows.line(index) for index in range(len(rows))] == [1 + 2 * n for n in range(len(table))]
    assert rows.sha256 == sha256(path.read_bytes()).hexdigest()


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8) | st.sampled_from(
    ['"', "a\nb", ",\t", "\r\n", " x "]
)


@settings(max_examples=30, deadline=None)
@given(
    table=st.lists(st.tuples(cells, cells), min_size=1, max_size=6), tabs=st.booleans(), mark=st.booleans()
)
def test_tables_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str]], tabs: bool, mark: bool
) -> None:
    """Quotes, commas and line ends in cells, by commas or tabs, with a byte order mark or without."""
    path = tmp_path_factory.mktemp("rows") / ("a.tsv" if tabs else "a.csv")
    encoding = "utf-8-sig" if mark else "utf-8"
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter="\t" if tabs else ",", quoting=csv.QUOTE_ALL)
        writer.writerows([("first", "second"), *table])
    rows, seen, problems = read(path)
    assert problems == []
    assert [(row["first"], row["second"]) for row in seen] == table
    assert again(rows) == seen
    assert list(rows.columns) == ["first", "second"]


def test_a_row_that_is_read_from_a_wrong_place_is_noticed(tmp_path: Path) -> None:
    """The comparisons above can fail."""
    rows, seen, _ = read(made(tmp_path, "a.jsonl", '{"a": 1}\n{"a": 2}\n'))
    assert isinstance(rows, text_rows.TextRows)
    rows.starts[:] = array("Q", [rows.starts[1], len('{"a": 1}\n' * 2)])
    assert rows[0] != seen[0]


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.csv", "a,b\n1\n", ["2: has 1 cells, and there are 2 columns"]),
        ("a.csv", "a,b,a\n1,2,3\n", ['1: names the column "a" more than once']),
        ("a.csv", "a,\n1,2\n", ["1: is the row of the names of columns, and one is empty"]),
        (
            "a.csv",
            'a\n"x"y\n',
            ["2: is no table from here on: ',' expected after '\"'; quote a cell as \"…\""],
        ),
        (
            "a.csv",
            'a\n1\n"x\ny\n',
            ['3: is no table from here on: unexpected end of data; quote a cell as "…"'],
        ),
        (
            "a.csv",
            b"a,b\r1,2\r",
            ['1: has a carriage return alone; save it with LF as line end, or quote the cell as "…"'],
        ),
        ("a.csv", b"a\n\xff\n", ["2: is not UTF-8 here; save it as UTF-8"]),
        ("a.csv", "a\nx\0y\n", ["2: has a NUL character, which no prompt can hold"]),
        ("a.jsonl", '{"a": "x\\u0000y"}\n', ["1: has a NUL character, which no prompt can hold"]),
        ("a.jsonl", '{"a": {"b": ["\\u0000"]}}\n', ["1: has a NUL character, which no prompt can hold"]),
        ("a.jsonl", '"a"\n', ['1: is "a"; it should be an object, as {"question": "…"}']),
        ("a.jsonl", "[" * 100_000 + "\n", ["1: is nested too deep"]),
        ("a.jsonl", '{"a": Infinity}\n', ["1: is not JSON: Infinity is no number of JSON"]),
    ],
)
def test_what_is_wrong_has_its_line(
    tmp_path: Path, name: str, data: bytes | str, expected: list[str]
) -> None:
    """And reading goes on behind it where that is possible."""
    assert read(made(tmp_path, name, data))[2] == expected


def test_a_backslash_before_u0000_is_no_nul(tmp_path: Path) -> None:
    """As a text about JSON has it."""
    _, seen, problems = read(made(tmp_path, "a.jsonl", json.dumps({"a": "\\u0000"})))
    assert (seen, problems) == ([{"a": "\\u0000"}], [])


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_row_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Without being held in memory; in lines of JSON the rows behind it are read."""
    monkeypatch.setattr(text_rows, "MOST_BYTES", 100)
    small, large = (
        ('{"a": 1}', json.dumps({"a": "x" * 300})) if name == "a.jsonl" else ("a", f'"{"x" * 300}"')
    )
    rows, seen, problems = read(made(tmp_path, name, f"{small}\n{large}\n{small}\n"))
    assert problems == ["2: is a row of more than 16 MB; leave it out, or make it shorter"]
    assert len(seen) == (2 if name == "a.jsonl" else 0)
    assert isinstance(rows, text_rows.TextRows)


def test_a_cell_that_is_never_closed_does_not_fill_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows a quote that stands alone belongs to its row until that is too large."""
    monkeypatch.setattr(text_rows, "MOST_BYTES", 100)
    lines = "".join(f"line {n}\n" for n in range(50))
    _, _, problems = read(made(tmp_path, "a.csv", f'a\n"open\n{lines}'))
    assert problems == ["2: is a row of more than 16 MB; leave it out, or make it shorter"]


def test_the_limit_of_cells_is_given_back(tmp_path: Path) -> None:
    """It is one for the whole process, and others read tables too."""
    before = csv.field_size_limit()
    rows, _, _ = read(made(tmp_path, "a.csv", f'a\n"{"x" * 200_000}"\n'))
    assert len(str(rows[0]["a"])) == 200_000
    assert csv.field_size_limit() == before


def test_parquet_has_rows_of_plain_data(tmp_path: Path) -> None:
    """Days are texts, what is not there and what is no number are null, and lists stay lists."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = {
        "text": ["a", None],
        "number": [1.5, float("nan")],
        "day": [date(2026, 1, 2), None],
        "exact": [Decimal("1.50"), None],
        "several": [["x", "y"], []],
        "nested": [{"k": 1}, {"k": 2}],
    }
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table(table), path)
    rows, seen, problems = read(path)
    assert problems == []
    first = {"text": "a", "number": 1.5, "day": "2026-01-02", "exact": "1.50", "several": ["x", "y"]}
    nothing: dict[str, object] = {"text": None, "number": None, "day": None, "exact": None, "several": []}
    assert seen == [{**first, "nested": {"k": 1}}, {**nothing, "nested": {"k": 2}}]
    assert again(rows) == seen
    assert rows.line(0) == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a\0b", "has a NUL character, which no prompt can hold"),
        ("ä" * (9 << 20), "is a row of more than 16 MB; leave it out, or make it shorter"),
        (b"\xff", r"""has "b'\xff'" in column "a", which no template can use"""),
    ],
    ids=["nul", "large", "bytes"],
)
def test_rows_of_parquet_have_the_limits_of_others_and_are_named(
    tmp_path: Path, value: object, said: str
) -> None:
    """As lines of text are: the row that is wrong has its number, and the others are read."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"a": [value, None, value]}), path)
    _, seen, problems = read(path)
    assert problems == [f"0: row 1 {said}", f"0: row 3 {said}"]
    assert seen == [{"a": None}]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_no_parquet(tmp_path: Path) -> None:
    """Nobody would ever write into it."""
    pytest.importorskip("pyarrow")
    os.mkfifo(tmp_path / "a.parquet")
    with pytest.raises(ReadError, match="is not a regular file"):
        read(tmp_path / "a.parquet")


@pytest.mark.parametrize("data", [b"", b"PAR1 is not all of it"])
def test_what_is_no_parquet_is_refused(tmp_path: Path, data: bytes) -> None:
    """In words of our own."""
    pytest.importorskip("pyarrow")
    with pytest.raises(ReadError, match="cannot be read as Parquet"):
        read(made(tmp_path, "a.parquet", data))
