"""Files of judgements are read as TREC and BEIR write them, and each bad line is said with its number."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.cases import qrels
from gemma_eval.files.read import ReadError
from gemma_eval.records import Judgement
from tests import required

ir_measures = required.module("ir_measures", extra="test")


def read(folder: Path, text: str | bytes) -> tuple[qrels.Qrels, list[str]]:
    """Return the judgements of a file with this text, and its problems as `line: what`."""
    path = folder / "dev.qrels"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    judged, found = qrels.read(path)
    return judged, [f"{each.line}: {each.what}" for each in found]


def test_lines_of_trec_are_query_iteration_passage_and_grade(tmp_path: Path) -> None:
    """With any space between them, comments, empty lines, and what was not looked at."""
    text = "\ufeff# of 1996\n301 0 d-1 2\r\n301\t0\td-2\t0\n\n302  Q0  d#3  -1\n302 0 d-1 1\n"
    judged, found = read(tmp_path, text)
    assert found == []
    assert judged.of == {
        "301": (Judgement(passage="d-1", grade=2), Judgement(passage="d-2", grade=0)),
        "302": (Judgement(passage="d#3", grade=0), Judgement(passage="d-1", grade=1)),
    }
    assert [judged.has(query) for query in ("301", "302", "303")] == [True, True, False]


def test_lines_of_beir_have_a_header_and_tabs(tmp_path: Path) -> None:
    """Ids with spaces in them are whole."""
    judged, found = read(tmp_path, "query-id\tcorpus-id\tscore\nPLAIN-2\tMED 24\t1\n")
    assert (judged.of, found) == ({"PLAIN-2": (Judgement(passage="MED 24"),)}, [])


ID = st.text(st.sampled_from("abc-_.0#é"), min_size=1, max_size=4).filter(
    lambda text: not text.startswith("#")
)
ROWS = st.dictionaries(st.tuples(ID, ID), st.integers(0, 3), min_size=1, max_size=8)


@settings(max_examples=30)
@given(ROWS)
def test_they_are_read_as_ir_measures_reads_them(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[tuple[str, str], int]
) -> None:
    """The same triples; a grade that is one off is caught."""
    text = "".join(f"{query} 0 {passage} {grade}\n" for (query, passage), grade in rows.items())
    judged, found = read(tmp_path_factory.mktemp("qrels"), text)
    theirs = {(each.query_id, each.doc_id): each.relevance for each in ir_measures.read_trec_qrels(text)}
    ours = {(query, each.passage): each.grade for query, of in judged.of.items() for each in of}
    assert (ours, found) == (theirs, [])
    assert {key: grade + 1 for key, grade in ours.items()} != theirs


WANTED = 'a judgement is "query 0 passage grade", or query, passage and grade with tabs between them'


def test_each_bad_line_is_said_with_its_number(tmp_path: Path) -> None:
    """And the good ones are not lost."""
    text = "q 0 d 1\nq 0 d\nq 0 d 1.5\nq 0 d 2\nq 0 e 2000\n\t\t1\nquery-id\tcorpus-id\tscore\nq 0 f x\n"
    judged, found = read(tmp_path, text)
    assert judged.of["q"][0].passage == "d"
    assert found == [
        f"2: has 3 columns; {WANTED}",
        '3: has the grade "1.5"; it should be a whole number of at most 1000',
        '4: judges "d" for query "q" as line 1 does',
        '5: has the grade "2000"; it should be a whole number of at most 1000',
        "6: has no query",
        "7: is a header, and belongs before all judgements",
        '8: has the grade "x"; it should be a whole number of at most 1000',
    ]
    _, found = read(tmp_path, "a b\n")
    assert found == [f"1: has 2 columns; {WANTED}"]


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("", "has no judgements", 0),
        ("# nothing\n", "has no judgements", 0),
        (b"q 0 d 1\nq 0 \xff 1\n", "is not UTF-8 here", 2),
        ("q 0 " + "d" * 20_000 + " 1\n", "is longer than 10,000 bytes, and no judgement", 1),
    ],
)
def test_a_file_that_is_no_list_of_judgements_is_refused(
    tmp_path: Path, text: str | bytes, what: str, line: int
) -> None:
    """With the reason, and the line where there is one."""
    with pytest.raises(ReadError, match=what) as caught:
        read(tmp_path, text)
    assert caught.value.line == line


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Nor is what is not there."""
    for path in (tmp_path, tmp_path / "none.qrels"):
        with pytest.raises(ReadError):
            qrels.read(path)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before all of it is in memory."""
    monkeypatch.setattr(qrels, "MOST_BYTES", 16)
    with pytest.raises(ReadError, match="is larger than"):
        read(tmp_path, "q 0 d 1\n" * 3)
