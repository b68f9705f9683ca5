"""Whatever a suite says of a dataset and whatever that holds, it is a Suite or a SuiteError."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemma_eval.cases.load import load
from gemma_eval.errors import SuiteError
from gemma_eval.prompts.row_template import compile_row
from gemma_eval.records import Suite
from tests.cases.suites import DEFAULTS, NAMES, look
from tests.cases.test_fuzz import VALUES

CASE = """
[[case]]
id = "qa"
prompt = "{{ q }} {% if a %}{{ a | upper }}{% endif %}"
choices = "{{ options }}"
target = "{{ a }}"
checks = [{ scorer = "acc" }]
[case.dataset]
path = "qa.jsonl"
columns = { q = "question" }
id_column = "id"
shuffle = true
seed = 3
[case.few_shot]
path = "qa.jsonl"
n = 1
answer = "{{ a }}"
as = "text"
"""
ROWS = """\
{"id": 1, "question": "?", "a": "x", "options": ["x", "y"]}
{"id": 2, "question": "!", "a": "B", "options": ["x", "y"]}
"""
TABLE = 'id,question,a\n1,"?",x\n2,"a\nb",y\n'
PLAIN = CASE.partition("choices")[0] + 'checks = [{ scorer = "contains", text = "{{ a }}" }]\n'
OF_TABLE = PLAIN.replace("{{ q }}", "{{ question }}") + 'dataset = "qa.csv"\n'


def outcome(suite: str, data: bytes, name: str = "qa.jsonl") -> Suite | SuiteError:
    """Return what a suite with that file becomes, and the cases of all its rows; other errors are defects."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.toml"
        (path.parent / name).write_bytes(data)
        path.write_bytes(suite.encode("utf-8", "surrogatepass"))
        try:
            found = load(path, names=NAMES, look=look, compile_text=compile_row)
        except SuiteError as error:
            return error
        for rows in found.rows.values():
            assert len(list(rows)) == len(rows)
        return found


def said(suite: str, data: bytes, name: str = "qa.jsonl") -> list[str]:
    """Return what is said of a suite with that file, and see that a terminal can show it."""
    found = outcome(suite, data, name)
    lines = [problem.what for problem in found.problems] if isinstance(found, SuiteError) else []
    assert all(line.isprintable() for line in lines)
    return lines


def test_the_suite_that_is_damaged_below_is_good() -> None:
    """Else nothing that follows would show anything."""
    assert said(DEFAULTS + CASE, ROWS.encode()) == []
    assert said(DEFAULTS + OF_TABLE, TABLE.encode(), "qa.csv") == []


@settings(max_examples=80, deadline=None)
@given(st.integers(0, len(DEFAULTS + CASE)), st.integers(0, 12), st.text(max_size=3))
def test_a_suite_with_a_damaged_spot_is_read_or_refused(start: int, length: int, piece: str) -> None:
    """As when somebody's editor slips, also within a template."""
    whole = DEFAULTS + CASE
    said(whole[:start] + piece + whole[start + length :], ROWS.encode())


@pytest.mark.parametrize("data", [ROWS, TABLE])
@settings(max_examples=60, deadline=None)
@given(start=st.integers(0, 120), length=st.integers(0, 12), piece=st.binary(max_size=4))
@example(start=0, length=0, piece=b"\xef\xbb\xbf")
@example(start=0, length=0, piece=b"\xff\xfe")
@example(start=10, length=0, piece=b"\r")
@example(start=3, length=120, piece=b"")
def test_a_file_with_a_damaged_spot_is_read_or_refused(
    data: str, start: int, length: int, piece: bytes
) -> None:
    """Whatever bytes it has there."""
    name = "qa.jsonl" if data == ROWS else "qa.csv"
    suite = DEFAULTS + (CASE if data == ROWS else OF_TABLE)
    whole = data.encode()
    said(suite, whole[:start] + piece + whole[start + length :], name)


WORDS = """
    path columns limit shuffle seed id_column cluster_column granularity concurrency n answer prompt as
"""
KEYS = st.sampled_from(WORDS.split())


@settings(max_examples=60, deadline=None)
@given(
    table=st.sampled_from(["dataset", "few_shot"]),
    given_=st.dictionaries(
        KEYS, VALUES | st.sampled_from(['"qa.jsonl"', '"q"', '"{{ q }}"', "1"]), max_size=4
    ),
)
def test_tables_of_nonsense_are_refused(table: str, given_: dict[str, str]) -> None:
    """Of a dataset, and of examples."""
    lines = "\n".join(f"{key} = {value}" for key, value in given_.items())
    dataset = 'dataset = "qa.jsonl"\n' if table == "few_shot" else ""
    case = PLAIN.replace("{{ q }}", "{{ question }}") + f"{dataset}[case.{table}]\n{lines}\n"
    said(DEFAULTS + case, ROWS.encode())


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("{}%# |.()[]'\"aq_0~+*\n"), max_size=20))
@example("{% for x in range(99999) %}{% endfor %}")
@example("{{ q.__class__ }}")
@example("{% macro q() %}{{ q() }}{% endmacro %}{{ q() }}")
@example("{{ [q] * 3 }}")
def test_a_template_of_nonsense_is_refused_or_filled(template: str) -> None:
    """In every place of a case."""
    quoted = template.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    for key in ("q }} {% if a %}{{ a | upper }}{% endif %}", "options }}", "a }}"):
        said(DEFAULTS + CASE.replace(f'"{{{{ {key}"', f'"{quoted}"', 1), ROWS.encode())
