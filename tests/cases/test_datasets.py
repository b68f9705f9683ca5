"""A case with a dataset is a template: each row makes a case of it; problems have their place."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from gemma_eval.cases import datasets
from gemma_eval.cases.load import load
from gemma_eval.errors import SuiteError, UsageError
from gemma_eval.prompts.row_template import compile_row
from gemma_eval.records import Case, Message, Suite
from tests.cases.suites import DEFAULTS, NAMES, look

QA: Sequence[Mapping[str, object]] = (
    {"id": "oslo", "question": "Capital of Norway?", "answer": "Oslo", "doc": "north"},
    {"id": "rome", "question": "Capital of Italy?", "answer": "Rome", "doc": "south"},
    {"id": "bern", "question": "Capital of Switzerland?", "answer": "Bern", "doc": None},
)
CASE = """
[[case]]
id = "qa"
prompt = "Q: {{ question }}"
checks = [{ scorer = "contains", text = "{{ answer }}" }]
"""


def written(folder: Path, rows: Sequence[object], name: str = "qa.jsonl") -> Path:
    """Write rows as JSON, a line each."""
    path = folder / name
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def read(folder: Path, case: str = CASE, dataset: str = 'path = "qa.jsonl"', more: str = "") -> Suite:
    """Load a suite of one case with a dataset."""
    path = folder / "s.toml"
    path.write_text(f"{DEFAULTS}{case}[case.dataset]\n{dataset}\n{more}")
    return load(path, names=NAMES, look=look, compile_text=compile_row)


def said(folder: Path, case: str = CASE, dataset: str = 'path = "qa.jsonl"', more: str = "") -> list[str]:
    """Return the problems of such a suite as `file:line: what`."""
    try:
        read(folder, case, dataset, more)
    except SuiteError as error:
        return [f"{each.path.name}:{each.line}: {each.what}" for each in error.problems]
    return []


def cases_of(folder: Path, **changes: str) -> tuple[Case, ...]:
    """Return the cases of such a suite."""
    return read(folder, **changes).cases


def test_every_row_makes_a_case(tmp_path: Path) -> None:
    """Its texts are filled, its id follows from that of the case, and it is in the series of that."""
    written(tmp_path, QA)
    keys = 'path = "qa.jsonl"\nid_column = "id"\ncluster_column = "doc"'
    cases = cases_of(tmp_path, dataset=keys)
    assert [case.id for case in cases] == ["qa-oslo", "qa-rome", "qa-bern"]
    assert [case.query for case in cases] == [f"Q: {row['question']}" for row in QA]
    assert [case.checks[0].options["text"] for case in cases] == ["Oslo", "Rome", "Bern"]
    assert [case.cluster for case in cases] == ["north", "south", None]
    assert {case.series for case in cases} == {"qa"}
    assert {case.source.line for case in cases} == {6}
    assert {case.dataset for case in cases} == {None}


def test_without_an_id_column_rows_are_numbered(tmp_path: Path) -> None:
    """By their number in the file, so that a limit or a shuffle renames none."""
    written(tmp_path, QA)
    assert [case.id for case in cases_of(tmp_path)] == ["qa-1", "qa-2", "qa-3"]
    limited = cases_of(tmp_path, dataset='path = "qa.jsonl"\nshuffle = true\nseed = 5\nlimit = 2')
    order = sorted(range(3), key=lambda index: sha256(f"5/{index}".encode()).digest())
    assert [case.id for case in limited] == [f"qa-{index + 1}" for index in order[:2]]


def test_what_an_id_cannot_hold_becomes_a_hyphen(tmp_path: Path) -> None:
    """Ids of datasets are nobody's choice."""
    written(tmp_path, [{**QA[0], "id": "train/é 1"}, {**QA[1], "id": 7}])
    cases = cases_of(tmp_path, dataset='path = "qa.jsonl"\nid_column = "id"')
    assert [case.id for case in cases] == ["qa-train---1", "qa-7"]


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    """A template asks for the name, and the column of the file is found."""
    written(tmp_path, [{"The Question": "Why?", "answer": "So."}])
    keys = 'path = "qa.jsonl"\ncolumns = { question = "The Question" }'
    assert cases_of(tmp_path, dataset=keys)[0].query == "Q: Why?"


def test_an_expression_alone_gives_the_value_itself(tmp_path: Path) -> None:
    """A list of choices, the index of the right one, and an option that is a list."""
    row = {"q": "Which?", "options": ["Oslo", "Rome", "Oslo"], "label": 1, "good": ["a", "b"]}
    written(tmp_path, [row, {**row, "options": ["x", 7], "label": "B"}, {**row, "label": "1"}])
    case = """
[[case]]
id = "mc"
prompt = "{{ q }}"
choices = "{{ options }}"
target = "{{ label }}"
checks = [{ scorer = "acc" }]
"""
    cases = cases_of(tmp_path, case=case)
    assert [case.choices for case in cases] == [
        ("Oslo", "Rome", "Oslo"),
        ("x", "7"),
        ("Oslo", "Rome", "Oslo"),
    ]
    assert [case.target for case in cases] == [1, 1, 1]
    listed = CASE.replace('text = "{{ answer }}"', 'any = "{{ good }}"').replace("question", "q")
    assert cases_of(tmp_path, case=listed)[0].checks[0].options == {"any": ("a", "b")}


def test_every_text_of_a_case_may_be_filled(tmp_path: Path) -> None:
    """Turns, documents, the continuation, the cluster and options of filters."""
    written(tmp_path, QA[:1])
    case = """
[[case]]
id = "qa"
messages = [
  { role = "user", content = "{{ id }}?" },
  { role = "assistant", content = "{{ doc }}" },
  { role = "user", content = "{{ question }}" },
]
documents = [{ name = "d", text = "- {{ answer }}" }]
cluster = "about {{ doc }}"
[[case.check]]
scorer = "contains"
text = "{{ answer }}"
filter = [{ filter = "regex", pattern = "{{ answer }}", group = 0 }]
"""
    (made,) = cases_of(tmp_path, case=case)
    assert [turn.content for turn in made.messages] == ["oslo?", "north", "Capital of Norway?"]
    assert made.documents[0].text == "- Oslo"
    assert made.cluster == "about north"
    assert made.checks[0].filters[0].options == {"pattern": "Oslo", "group": 0}
    continued = CASE.replace('prompt = "', 'continuation = " {{ answer }}"\nprompt = "').replace(
        'scorer = "contains", text = "{{ answer }}"', 'scorer = "likelihood"'
    )
    assert cases_of(tmp_path, case=continued)[0].continuation == " Oslo"


def test_a_row_says_what_is_relevant_to_it(tmp_path: Path) -> None:
    """One id, several, or tables with grades; a number is an id as in a corpus, and nothing is none."""
    rows = [
        {"q": "Where?", "gold": "note-1"},
        {"q": "Who?", "gold": ["note-1", {"passage": "note-2", "grade": 2}]},
        {"q": "What?", "gold": []},
        {"q": "When?", "gold": 7},
    ]
    written(tmp_path, rows)
    case = CASE.replace("question", "q").replace('text = "{{ answer }}"', 'text = "x"')
    whole = cases_of(tmp_path, case=case + 'relevant = "{{ gold }}"\n')
    assert [[(each.passage, each.grade) for each in case.relevant] for case in whole] == [
        [("note-1", 1)],
        [("note-1", 1), ("note-2", 2)],
        [],
        [("7", 1)],
    ]
    written(tmp_path, [{"q": "Where?", "gold": "note-1", "n": 3}])
    (one,) = cases_of(tmp_path, case=case + 'relevant = ["{{ gold }}", { text = "{{ q }}", grade = 3 }]\n')
    assert [(each.passage, each.text, each.grade) for each in one.relevant] == [
        ("note-1", None, 1),
        (None, "Where?", 3),
    ]


def test_what_a_row_says_wrong_of_relevance_has_the_line_of_the_row(tmp_path: Path) -> None:
    """A grade that is none, in the second of two rows."""
    written(
        tmp_path, [{"q": "Where?", "gold": ["a"]}, {"q": "Who?", "gold": [{"passage": "b", "grade": -1}]}]
    )
    case = CASE.replace("question", "q").replace('text = "{{ answer }}"', 'text = "x"')
    (problem,) = said(tmp_path, case=case + 'relevant = "{{ gold }}"\n')
    assert problem.startswith("qa.jsonl:2: ")
    assert "grade" in problem


def test_without_a_dataset_braces_are_text(tmp_path: Path) -> None:
    """Only where there are rows there is something to fill; a list of choices is then needed."""
    path = tmp_path / "s.toml"
    path.write_text(DEFAULTS + CASE)
    (case,) = load(path, names=NAMES, look=look, compile_text=compile_row).cases
    assert case.query == "Q: {{ question }}"
    path.write_text(DEFAULTS + CASE + 'choices = "{{ options }}"\n')
    with pytest.raises(SuiteError, match="choices is a text; without a dataset it should be a list"):
        load(path, names=NAMES, look=look, compile_text=compile_row)


def test_the_hash_of_a_suite_covers_its_rows(tmp_path: Path) -> None:
    """Another row is another suite."""
    written(tmp_path, QA)
    before = read(tmp_path).sha256
    written(tmp_path, QA[:2])
    assert read(tmp_path).sha256 != before


SHOTS = '[case.few_shot]\npath = "{path}"\nn = 1\nseed = 2\nanswer = "{{{{ answer }}}}"\n'


def test_examples_are_never_asked(tmp_path: Path) -> None:
    """Those of the same file go before every question and are no question themselves."""
    written(tmp_path, QA)
    cases = cases_of(tmp_path, more=SHOTS.format(path="qa.jsonl"))
    assert len(cases) == len(QA) - 1
    first = cases[0].messages
    assert [turn.role for turn in first] == ["user", "assistant", "user"]
    assert {case.messages[:2] for case in cases} == {first[:2]}
    asked = {case.query for case in cases}
    assert first[0].content not in asked
    assert asked | {first[0].content} == {f"Q: {row['question']}" for row in QA}


@pytest.mark.parametrize("path", ["./qa.jsonl", "link.jsonl", "copy.jsonl"])
def test_examples_are_never_asked_however_their_file_is_named(tmp_path: Path, path: str) -> None:
    """By another path, by a link, or as a copy of the file that is asked."""
    written(tmp_path, QA)
    written(tmp_path, QA, "copy.jsonl")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "qa.jsonl")
    cases = cases_of(tmp_path, more=SHOTS.format(path=path))
    shown = cases[0].messages[0].content
    assert {case.query for case in cases} | {shown} == {f"Q: {row['question']}" for row in QA}
    assert shown not in {case.query for case in cases}


def test_examples_of_another_file_leave_all_rows_to_be_asked(tmp_path: Path) -> None:
    """As turns after the system's, or as text before the question."""
    written(tmp_path, QA)
    written(tmp_path, [{"question": "1+1?", "answer": 2}], "train.jsonl")
    shots = SHOTS.format(path="train.jsonl")
    system = CASE.replace(
        'prompt = "Q: {{ question }}"',
        'messages = [{role = "system", content = "Be short."}, {role = "user", content = "Q: {{question}}"}]',
    )
    cases = cases_of(tmp_path, case=system, more=shots)
    assert len(cases) == len(QA)
    assert cases[0].messages[:3] == (
        Message(role="system", content="Be short."),
        Message(role="user", content="Q: 1+1?"),
        Message(role="assistant", content="2"),
    )
    (first, *_) = cases_of(tmp_path, more=shots + 'as = "text"\nseparator = "##"\n')
    assert first.messages == (Message(role="user", content="Q: 1+1? 2##Q: Capital of Norway?"),)


def test_a_large_dataset_is_one_case_that_stands_for_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cases of rows are those of a small one, made when they are asked for."""
    written(tmp_path, QA)
    keys = 'path = "qa.jsonl"\nid_column = "id"\ncluster_column = "doc"\nconcurrency = 3'
    small = cases_of(tmp_path, dataset=keys)
    monkeypatch.setattr(datasets, "MOST_ITEMS", 2)
    suite = read(tmp_path, dataset=keys)
    (whole,) = suite.cases
    assert (whole.id, whole.n_trials) == ("qa", 3)
    assert whole.dataset is not None
    assert (whole.dataset.rows, whole.dataset.concurrency) == (3, 3)
    rows = suite.rows["qa"]
    assert tuple(each.case for each in rows) == small
    assert [each.flaw for each in rows] == [None] * 3
    assert rows[1:2] == (rows[1],)
    assert cases_of(tmp_path, dataset=keys + '\ngranularity = "row"') == small


def test_a_row_that_is_not_looked_at_says_what_is_wrong_when_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it alone: collecting a large file does not fill all its rows."""
    monkeypatch.setattr(datasets, "LOOKED_AT", 1)
    written(tmp_path, [QA[0], {**QA[1], "question": None}, QA[2]])
    rows = read(tmp_path, dataset='path = "qa.jsonl"\ngranularity = "dataset"').rows["qa"]
    flaw = "qa.jsonl:2: template \"prompt\": a null is no text; give another one, as default('…', true) does"
    assert [each.flaw for each in rows] == [None, flaw, None]


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    """Its rows are no longer where they were."""
    written(tmp_path, QA)
    rows = read(tmp_path, dataset='path = "qa.jsonl"\ngranularity = "dataset"').rows["qa"]
    written(tmp_path, [*QA, *QA])
    with pytest.raises(UsageError, match=r"qa\.jsonl has changed since it was first read; start again"):
        rows[0]


GOOD = json.dumps(QA[0]).encode() + b"\n"


@pytest.mark.parametrize(
    ("data", "keys", "expected"),
    [
        (b"", "", ['s.toml:10: case "qa": dataset "qa.jsonl" has no rows']),
        (GOOD + b"{\n", "", ["qa.jsonl:2: is not JSON from character 2 on"]),
        (GOOD + b"[1]\n", "", ['qa.jsonl:2: is [1]; it should be an object, as {"question": "…"}']),
        (GOOD + b'{"question": "\xff"}\n', "", ["qa.jsonl:2: is not UTF-8 here; save it as UTF-8"]),
        (b"\xff\xfe{}\n", "", ['s.toml:10: case "qa": dataset "qa.jsonl" in line 1 looks like UTF-16']),
        (GOOD + GOOD.replace(b"Oslo", b"a\\u0000b"), "", ["qa.jsonl:2: has a NUL character"]),
        (GOOD + GOOD.replace(b"Oslo", b"\\ud800"), "", ["qa.jsonl:2: has half of a surrogate pair"]),
        (
            GOOD + b'{"question": NaN, "answer": ""}',
            "",
            ["qa.jsonl:2: is not JSON: NaN is no number of JSON"],
        ),
        (
            GOOD + b'{"question": "?"}\n',
            "",
            ['qa.jsonl:2: has no column "answer"'],
        ),
        (
            GOOD + b"\n" + GOOD,
            'id_column = "id"',
            ['qa.jsonl:3: makes a case "qa-oslo" as line 1 does; ids are unique'],
        ),
        (
            GOOD.replace(b'"oslo"', b"null"),
            'id_column = "id"',
            ['qa.jsonl:1: has no id: column "id" is null'],
        ),
        (GOOD.replace(b"oslo", b"o" * 101), 'id_column = "id"', ["qa.jsonl:1: makes an id that is"]),
        (
            GOOD,
            'id_column = "ids"',
            ['s.toml:12: case "qa": dataset.id_column: column "ids" is not in qa.jsonl; it has id,'],
        ),
        (GOOD, "seed = 3", ['s.toml:12: case "qa": dataset.seed is for shuffle = true']),
        (GOOD, 'granularity = "rows"', ['s.toml:12: case "qa": dataset.granularity is "rows"; it should be']),
        (GOOD, 'columns = { "a b" = "id" }', ['s.toml:12: case "qa": dataset.columns has the key "a b"']),
        (
            GOOD,
            'columns = { question = "questoin" }',
            ['s.toml:12: case "qa": dataset.columns.question: column "questoin" is not in qa.jsonl'],
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(
    tmp_path: Path, data: bytes, keys: str, expected: Sequence[str]
) -> None:
    """Where it can be known: in the file, or in the line of the suite that asks for what is not there."""
    (tmp_path / "qa.jsonl").write_bytes(data)
    found = said(tmp_path, dataset=f'path = "qa.jsonl"\n{keys}')
    assert len(found) == len(expected), found
    assert [line[: len(start)] for line, start in zip(found, expected, strict=True)] == list(expected)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            CASE.replace("{{ question }}", "{{ questoin }}"),
            's.toml:8: case "qa": prompt: column "questoin" is not in qa.jsonl; it has id, question',
        ),
        (CASE.replace("{{ question }}", "{{ question"), 's.toml:8: case "qa": template "prompt": line 1: '),
        (CASE.replace("contains", "nothing"), 's.toml:9: case "qa": checks[0]: no scorer named "nothing"'),
        (CASE.replace("text =", "txt ="), 's.toml:9: case "qa": checks[0]: unknown option'),
        (CASE + 'models = ["pockt"]\n', 's.toml:10: case "qa": no model named "pockt"; did you mean'),
        (CASE + 'target = "{{ answer }}"\n', 's.toml:10: case "qa": target needs choices'),
    ],
)
def test_what_is_wrong_with_a_template_is_said_with_the_line_of_the_suite(
    tmp_path: Path, case: str, expected: str
) -> None:
    """Once, though every row has it."""
    written(tmp_path, QA)
    (line,) = said(tmp_path, case)
    assert line.startswith(expected), line


def test_what_is_wrong_with_a_row_is_said_with_its_line(tmp_path: Path) -> None:
    """As if its case was written out: an empty question, a target that is no choice, a list in a text."""
    case = """
[[case]]
id = "mc"
prompt = "{{ q }}"
choices = ["{{ a }}", "{{ b }}"]
target = "{{ t }}"
checks = [{ scorer = "acc" }]
"""
    row = {"q": "?", "a": "x", "b": "y", "t": "A"}
    rows = [row, {**row, "q": " "}, {**row, "t": "C"}, {**row, "q": ["?"]}, {**row, "b": None}, row]
    written(tmp_path, [*rows, {**row, "b": "x", "t": "x"}, {**row, "q": " "}])
    assert [line.partition(", a letter")[0] for line in said(tmp_path, case)] == [
        'qa.jsonl:2: case "mc": prompt is empty (and so in 1 more rows)',
        'qa.jsonl:3: case "mc": target is "C"; it should be an index from 0 to 1',
        'qa.jsonl:4: case "mc": prompt is ["?"]; it should be a text in quotes',
        'qa.jsonl:5: case "mc": choices is ["x", null]; it should be a list of at least 2 texts',
        'qa.jsonl:7: case "mc": target is "x", which several choices are',
    ]


def test_of_many_problems_the_first_are_said(tmp_path: Path) -> None:
    """And how many more there are."""
    (tmp_path / "qa.jsonl").write_text("x\n" * 30)
    found = said(tmp_path)
    assert len(found) == 20
    assert found[-1].endswith("(and 10 more problems in this file)")


@pytest.mark.parametrize(
    ("shots", "expected"),
    [
        (
            'path = "qa.jsonl"\nn = 3\nanswer = "{{ answer }}"',
            "all rows of qa.jsonl are examples of few_shot",
        ),
        ('path = "qa.jsonl"\nn = 4\nanswer = "{{ answer }}"', "few_shot.n is 4, and qa.jsonl has 3 rows"),
        ('path = "qa.jsonl"\nn = 1', "few_shot needs answer, as answer ="),
        ('path = "no.jsonl"\nn = 1\nanswer = "x"', 'path "no.jsonl" does not exist in'),
        (
            'path = "qa.jsonl"\nn = 1\nanswer = "{{ answr }}"',
            'few_shot.answer: column "answr" is not in qa.jsonl',
        ),
        ('path = "qa.jsonl"\nn = 3\nanswer = "{{ doc }}"', "cannot be an example: null is no text"),
        ('path = "qa.jsonl"\nn = 1\nanswer = "x"\nas = "turn"', 'few_shot.as is "turn"; it should be'),
    ],
)
def test_what_is_wrong_with_examples_is_said(tmp_path: Path, shots: str, expected: str) -> None:
    """In the suite, or in the line of the row that cannot be one."""
    written(tmp_path, QA)
    (line,) = said(tmp_path, more=f"[case.few_shot]\n{shots}\n")
    assert expected in line


def test_ids_of_rows_are_unique_in_the_suite(tmp_path: Path) -> None:
    """A row may not make a case that is written out."""
    written(tmp_path, QA)
    other = '[[case]]\nid = "qa-2"\nprompt = "?"\nchecks = [{ scorer = "contains", text = "x" }]\n'
    (line,) = said(tmp_path, other + CASE)
    assert 'makes a case "qa-2", and there is one' in line


@pytest.mark.parametrize("path", ["../qa.jsonl", "/qa.jsonl", "qa.txt", "folder.jsonl"])
def test_a_dataset_is_a_file_of_rows_in_the_folder_of_the_suite(tmp_path: Path, path: str) -> None:
    """As documents are."""
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "qa.txt").write_text("x")
    (line,) = said(tmp_path, dataset=f'path = "{path}"')
    assert line.startswith(f's.toml:10: case "qa": dataset "{path}" ')


def test_a_gate_may_be_about_rows_of_a_large_dataset(tmp_path: Path) -> None:
    """Their ids are known, though no case is made of most of them."""
    written(tmp_path, QA)
    gate = '[[gate]]\nid = "g"\nmetric = "score"\nmargin = 0.1\nwhere = {{ case = "{case}" }}\n'
    keys = 'path = "qa.jsonl"\ngranularity = "dataset"'
    assert said(tmp_path, dataset=keys, more=gate.format(case="qa-*")) == []
    (line,) = said(tmp_path, dataset=keys, more=gate.format(case="qb-*"))
    assert 'where.case is "qb-*", and this suite has no such case' in line


def test_parquet_without_its_package_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the line of the suite that names the file."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "qa.parquet").write_bytes(b"PAR1")
    (line,) = said(tmp_path, dataset='path = "qa.parquet"')
    assert line.startswith('s.toml:10: case "qa": dataset "qa.parquet" cannot be read: reading Parquet needs')
    assert 'pip install "gemma_eval[analysis]"' in line


def test_rows_of_parquet_become_cases(tmp_path: Path) -> None:
    """And what is wrong with one is said with its number, for there are no lines."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in QA]), tmp_path / "qa.parquet")
    keys = 'path = "qa.parquet"\nid_column = "id"'
    assert [case.query for case in cases_of(tmp_path, dataset=keys)] == [
        f"Q: {row['question']}" for row in QA
    ]
    twice = [dict(row) for row in (QA[0], QA[1], QA[0])]
    parquet.write_table(pyarrow.Table.from_pylist(twice), tmp_path / "qa.parquet")
    (line,) = said(tmp_path, dataset=keys)
    assert line == 'qa.parquet:0: row 3 makes a case "qa-oslo" as row 1 does; ids are unique'
    parquet.write_table(pyarrow.Table.from_pylist([{**QA[0], "answer": None}]), tmp_path / "qa.parquet")
    (line,) = said(tmp_path, dataset=keys)
    assert line.startswith('qa.parquet:0: row 1: case "qa": checks[0].text is null; ')


def test_rows_may_be_texts_that_are_read_after_nothing(tmp_path: Path) -> None:
    """Nothing goes before them, and so no example."""
    written(tmp_path, QA)
    alone = CASE.replace('prompt = "Q: {{ question }}"', 'continuation = "{{ question }}"').replace(
        '{ scorer = "contains", text = "{{ answer }}" }', '{ scorer = "likelihood" }'
    )
    cases = cases_of(tmp_path, case=alone)
    assert [(case.messages, case.continuation) for case in cases] == [
        ((), str(row["question"])) for row in QA
    ]
    shots = SHOTS.format(path="qa.jsonl") + 'prompt = "Q"\n'
    (line,) = said(tmp_path, case=alone, more=shots)
    assert "few_shot goes before a question, and this text is read after nothing" in line
