"""Files of judgements are read as TREC and BEIR write them, and say what is relevant to a case."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval import plugins
from gemma_eval.cases import qrels
from gemma_eval.errors import SuiteError
from gemma_eval.files.read import ReadError
from gemma_eval.records import Case, Judgement
from gemma_eval.suite import load_suite
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
TRIPLES = st.dictionaries(st.tuples(ID, ID), st.integers(0, 3), min_size=1, max_size=8)


@settings(max_examples=30)
@given(TRIPLES)
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


JUDGED = "q1 0 d1 2\nq1 0 d2 0\nq3 0 d3 1\nq4 0 d4 0\n"
ROWS = "".join(f'{{"_id": "q{n}", "text": "Question {n}?"}}\n' for n in range(1, 6))
ASKED = """
[[case]]
id = "beir"
kind = "retrieval"
prompt = "{{ text }}"
corpus = "corpus.jsonl"
qrels = "dev.qrels"
checks = [{ scorer = "recall", k = 5 }, { scorer = "ndcg", k = 10 }]
dataset = { path = "queries.jsonl", id_column = "_id" }
"""
ONE = """
[[case]]
id = "q1"
kind = "retrieval"
prompt = "Question 1?"
corpus = "corpus.jsonl"
qrels = "dev.qrels"
checks = [{ scorer = "recall", k = 5 }]
"""
REGISTRY = plugins.load()


def suite(folder: Path, text: str = ASKED, *, judged: str = JUDGED) -> tuple[Case, ...]:
    """Return the cases of a suite file with its corpus, queries and judgements beside it."""
    (folder / "corpus.jsonl").write_text('{"_id": "d1", "text": "Oslo."}\n')
    (folder / "queries.jsonl").write_text(ROWS)
    (folder / "dev.qrels").write_text(judged)
    (folder / "beir.toml").write_text(text)
    return load_suite(folder / "beir.toml", REGISTRY)[0].cases


def problems(folder: Path, text: str = ASKED, *, judged: str = JUDGED) -> list[str]:
    """Return what is wrong with such a suite."""
    with pytest.raises(SuiteError) as caught:
        suite(folder, text, judged=judged)
    return [f"{each.path.name}:{each.line}: {each.what}" for each in caught.value.problems]


def test_of_a_dataset_the_rows_are_asked_that_have_something_relevant(tmp_path: Path) -> None:
    """As trec_eval averages over those alone; with all that is said of them."""
    cases = suite(tmp_path)
    assert [case.id for case in cases] == ["beir-q1", "beir-q3"]
    assert cases[0].relevant == (Judgement(passage="d1", grade=2), Judgement(passage="d2", grade=0))
    assert cases[1].relevant == (Judgement(passage="d3"),)
    limited = ASKED.replace('id_column = "_id" }', 'id_column = "_id", limit = 1 }')
    assert [case.id for case in suite(tmp_path, limited)] == ["beir-q1"]
    whole = ASKED.replace('id_column = "_id" }', 'id_column = "_id", granularity = "dataset" }')
    (case,) = suite(tmp_path, whole)
    assert case.dataset is not None
    assert case.dataset.rows == 2


def test_a_case_by_itself_is_the_query_of_its_id(tmp_path: Path) -> None:
    """Also where the suite is another one after the file changed: its hash is another."""
    (case,) = suite(tmp_path, ONE)
    assert case.relevant == (Judgement(passage="d1", grade=2), Judgement(passage="d2", grade=0))
    first = load_suite(tmp_path / "beir.toml", REGISTRY)[0].sha256
    (tmp_path / "dev.qrels").write_text(JUDGED + "# more\n")
    assert load_suite(tmp_path / "beir.toml", REGISTRY)[0].sha256 != first


def test_what_is_wrong_with_judgements_is_said_once_and_in_its_place(tmp_path: Path) -> None:
    """In the file of judgements, or in the suite; what follows from it is not said."""
    two = ONE + ONE.replace('"q1"', '"q3"')
    assert problems(tmp_path, two, judged="q1 0 d1 1\nq1 d1\nq3 0 d1 x\n") == [
        f"dev.qrels:2: has 2 columns; {WANTED}",
        'dev.qrels:3: has the grade "x"; it should be a whole number of at most 1000',
    ]
    (missing,) = problems(tmp_path, two.replace("dev.qrels", "other.qrels"))
    assert missing.startswith('beir.toml:7: case "q1": qrels "other.qrels" does not exist')
    assert problems(tmp_path, two, judged="q1 0 d1 1\n") == [
        'beir.toml:15: case "q3": qrels has nothing that is relevant to a query "q3", the id of the case'
    ]
    assert problems(tmp_path, ONE.replace("qrels =", 'relevant = ["d1"]\nqrels =')) == [
        'beir.toml:8: case "q1": has both relevant and qrels; give one of them'
    ]


def test_judgements_of_other_queries_than_the_rows_are_refused(tmp_path: Path) -> None:
    """And rows whose ids nobody named."""
    (said,) = problems(tmp_path, judged="301 0 d1 1\n")
    assert said == (
        'beir.toml:7: case "beir": dev.qrels has nothing that is relevant to a row of queries.jsonl; '
        'its first query is "301"'
    )
    (said,) = problems(tmp_path, ASKED.replace(', id_column = "_id"', ""))
    assert said == (
        'beir.toml:7: case "beir": qrels judges queries by their ids; name the column of these, '
        'as dataset.id_column = "id"'
    )


def test_a_case_with_nowhere_to_find_passages_is_refused(tmp_path: Path) -> None:
    """It would have 0 in every run; a store is somewhere, where a retrieval of the case names one."""
    bare = ONE.replace('corpus = "corpus.jsonl"\n', "")
    (said,) = problems(tmp_path, bare)
    assert said == (
        'beir.toml:7: case "q1": checks[0]: recall has nowhere to find passages; give documents, a corpus '
        "or a memory"
    )
    stored = '[retrievals.notes]\nretriever = "bm25"\nmemory = "notes.db"\n'
    assert problems(tmp_path, stored + bare) != []
    assert suite(tmp_path, stored + bare.replace("qrels =", 'retrievals = ["bm25", "notes"]\nqrels ='))
    assert suite(tmp_path, '[retrieval]\nmemory = "notes.db"\n' + bare)
    (said,) = problems(tmp_path, ONE.replace("corpus.jsonl", "other.jsonl"))
    assert "other.jsonl" in said


def test_a_check_that_needs_judgements_says_so_where_there_are_none(tmp_path: Path) -> None:
    """And one of answers where nobody answers."""
    bare = ONE.replace('qrels = "dev.qrels"\n', "")
    (said,) = problems(tmp_path, bare)
    assert said == (
        'beir.toml:7: case "q1": checks[0]: recall needs to know what is relevant; say so, as '
        'relevant = ["its id"]'
    )
    for scorer, more in (("contains", ', text = "x"'), ("groundedness", ""), ("determinism", "")):
        checks = f'checks = [{{ scorer = "{scorer}"{more} }}]'
        (problem,) = problems(tmp_path, ONE.replace('checks = [{ scorer = "recall", k = 5 }]', checks))
        assert problem.endswith(
            f"{scorer} judges an answer, and a case that asks for passages alone has none"
        )
    (filtered,) = problems(tmp_path, ONE.replace("k = 5", 'k = 5, filter = "strip"'))
    assert filtered.endswith("recall looks at passages, and a filter changes none; leave out the filter")
