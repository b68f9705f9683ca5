"""Rows of openai/evals and samples of Inspect become cases over JSON Lines, one for each order of turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from gemma_eval import plugins
from gemma_eval.errors import SuiteError, UsageError
from gemma_eval.importers import inspect_samples, openai_evals
from gemma_eval.importers.inspect_samples import Scorer
from gemma_eval.importers.openai_evals import Match
from gemma_eval.importers.written import Choice, Imported, write
from gemma_eval.records import Case
from gemma_eval.suite import load_suite
from tests.importers.imported import values, write_rows

REGISTRY = plugins.load()
Rows = Sequence[Mapping[str, object]]


def evals(folder: Path, rows: Rows, match: Match = "match", *, ignore_case: bool = False) -> Imported:
    """Import rows of openai/evals."""
    path = write_rows(folder / "rows.jsonl", rows)
    return openai_evals.convert(path, Choice(), match=match, ignore_case=ignore_case)


def inspected(folder: Path, rows: Rows, scorer: Scorer = "match") -> Imported:
    """Import samples of Inspect."""
    return inspect_samples.convert(write_rows(folder / "rows.jsonl", rows), Choice(), scorer=scorer)


def loaded(made: Imported, folder: Path) -> list[Case]:
    """Return the cases of a suite as pytest would have them."""
    path, *_ = write(made, folder / "out", replaces=True)
    return [cell.case for cell in load_suite(path, REGISTRY)[1]]


def value(case: Case, answer: str) -> float | None:
    """Return the value of the first check of a case for an answer."""
    return values(case, answer)[0]


def refused(make: Callable[[], Imported]) -> list[str]:
    """Return what is said of rows that cannot be imported."""
    with pytest.raises(SuiteError) as caught:
        make()
    return [f"{problem.path.name}:{problem.line}: {problem.what}" for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("match", "ideal", "answer", "wanted"),
    [
        ("match", "Oslo", "Oslo, of course", 1.0),
        ("match", "Oslo", "In Oslo", 0.0),
        ("match", ["Rome", "Oslo"], "Oslo", 1.0),
        ("match", ["Rome", "Bern"], "Oslo", 0.0),
        ("includes", "Oslo", "It is Oslo.", 1.0),
        ("includes", "oslo", "It is Oslo.", 0.0),
        ("includes", ["Rome", "Oslo"], "It is Oslo.", 1.0),
        ("fuzzy", "the Oslo fjord", "oslo", 1.0),
        ("fuzzy", ["x", "Oslo!"], "in the oslo", 1.0),
        ("fuzzy", "Rome", "oslo", 0.0),
    ],
)
def test_an_answer_is_right_where_openai_evals_has_it_right(
    tmp_path: Path, match: Match, ideal: object, answer: str, wanted: float
) -> None:
    """By class of eval, with one ideal or several."""
    (case,) = loaded(evals(tmp_path, [{"input": "Where?", "ideal": ideal}], match), tmp_path)
    assert value(case, answer) == wanted


def test_case_is_ignored_where_includes_is_told_to(tmp_path: Path) -> None:
    """And nowhere else."""
    rows = [{"input": "Where?", "ideal": "oslo"}]
    (case,) = loaded(evals(tmp_path, rows, "includes", ignore_case=True), tmp_path)
    assert value(case, "OSLO") == 1.0
    with pytest.raises(UsageError, match="ignore_case is of includes; match has none"):
        evals(tmp_path, rows, "match", ignore_case=True)


def test_rows_of_other_turns_are_cases_of_their_own(tmp_path: Path) -> None:
    """A text, messages, and messages of a system alone, which ask there as a user does here."""
    system, user = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where {{ x }}?"}
    rows: Rows = [
        {"input": "Who?", "ideal": "Finn"},
        {"input": [system, user], "ideal": "Oslo"},
        {"input": [system], "ideal": "Yes"},
        {"input": [user, {"role": "assistant", "content": "Here."}, user], "ideal": ["a", "b"]},
        {"input": [system, {"role": "user", "content": [{"type": "text", "text": "Why?"}]}], "ideal": "c"},
    ]
    made = evals(tmp_path, rows)
    found = loaded(made, tmp_path)
    asked = [[(turn.role, turn.content) for turn in case.messages] for case in found]
    assert asked == [
        [("user", "Who?")],
        [("user", "Be brief.")],
        [("system", "Be brief."), ("user", "Where {{ x }}?")],
        [("system", "Be brief."), ("user", "Why?")],
        [("user", "Where {{ x }}?"), ("assistant", "Here."), ("user", "Where {{ x }}?")],
    ]
    assert sorted(made.rows) == ["data/rows-1.jsonl", "data/rows-2.jsonl", "data/rows-3.jsonl"]


@pytest.mark.parametrize(
    ("scorer", "target", "answer", "wanted"),
    [
        ("match", "Oslo", "It is OSLO.", 1.0),
        ("match", "Oslo", "Oslo it is", 0.0),
        ("match", "(Oslo)", 'it is "oslo"!\n', 1.0),
        ("match", ["Rome", "a.b"], "is it a.b?", 1.0),
        ("match", "a.b", "is it axb", 0.0),
        ("includes", "oslo", "It is OSLO, yes", 1.0),
        ("includes", ["Rome", "Bern"], "Oslo", 0.0),
        ("exact", "the Oslo", "oslo!", 1.0),
        ("exact", ["Rome", "Oslo"], "in Oslo", 0.0),
    ],
)
def test_an_answer_is_right_where_inspect_has_it_right(
    tmp_path: Path, scorer: Scorer, target: object, answer: str, wanted: float
) -> None:
    """By its scorers of texts."""
    (case,) = loaded(inspected(tmp_path, [{"input": "Where?", "target": target}], scorer), tmp_path)
    assert value(case, answer) == wanted


def test_samples_with_choices_are_read_by_log_likelihood(tmp_path: Path) -> None:
    """The letter of the target becomes an index, or the text where that would be another choice."""
    rows: Rows = [
        {"input": "Where?", "choices": ["Rome", "Oslo"], "target": "B", "id": "x-1"},
        {"input": "How many?", "choices": ["1", "0"], "target": "A", "id": 7, "metadata": {"a": 1}},
    ]
    made = inspected(tmp_path, rows)
    found = loaded(made, tmp_path)
    assert [(case.id, case.choices, case.target) for case in found] == [
        ("rows-x-1", ("Rome", "Oslo"), 1),
        ("rows-7", ("1", "0"), 0),
    ]
    assert [check.scorer for check in found[0].checks] == ["acc", "acc_norm"]
    assert "the most probable one counts" in made.notes[0]


@pytest.mark.parametrize("ids", [("a", "a"), ("a b", "c"), ("a", None), ("", "b")])
def test_ids_that_are_no_names_are_left_out(tmp_path: Path, ids: tuple[object, object]) -> None:
    """Rows are then told apart by their numbers."""
    rows = [{"input": "Where?", "target": "x", "id": each} for each in ids]
    assert len({case.id for case in loaded(inspected(tmp_path, rows), tmp_path)}) == 2


MESSAGE = {"role": "user", "content": "x"}


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"input": "x"}, "needs ideal; rows are {input, ideal}"),
        ({"ideal": "x"}, "needs input; rows are {input, ideal}"),
        ({"input": 3, "ideal": "x"}, "input is 3; it should be a text or a list of messages"),
        ({"input": [], "ideal": "x"}, "input is []; it should be a text or a list of messages"),
        ({"input": " ", "ideal": "x"}, "input has a turn without a text"),
        ({"input": ["x"], "ideal": "x"}, 'input has "x"; a message is {role, content}'),
        ({"input": [{"role": "tool", "content": "x"}], "ideal": "x"}, 'input has the role "tool"'),
        ({"input": [{**MESSAGE, "name": "example_user"}], "ideal": "x"}, 'a message with "name"'),
        ({"input": [{**MESSAGE, "content": 3}], "ideal": "x"}, "input has the content 3"),
        ({"input": [MESSAGE, MESSAGE], "ideal": "x"}, "input has the turns user, user; a case asks by user"),
        ({"input": "x", "ideal": []}, "ideal is []; it should be a text or a list of texts"),
        ({"input": "x", "ideal": ""}, 'ideal is ""; it should be a text or a list of texts'),
        ({"input": "x", "ideal": ["a", 3]}, 'ideal is ["a", 3]; it should be a text or a list of texts'),
    ],
)
def test_a_row_that_cannot_be_carried_over_is_named(
    tmp_path: Path, row: dict[str, object], what: str
) -> None:
    """With its line, and nothing is imported."""
    (found,) = refused(lambda: evals(tmp_path, [{"input": "a", "ideal": "b"}, row]))
    assert found.startswith("rows.jsonl:2: ")
    assert what in found


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"target": "x"}, "needs input; samples are {input, target, choices, id, metadata}"),
        ({"input": "x"}, "target is null; it should be a text"),
        ({"input": "x", "target": "..."}, 'target is ["..."], of nothing but signs'),
        ({"input": "x", "target": "C", "choices": ["a", "b"]}, "it should be a letter, A to B"),
        ({"input": "x", "target": "a", "choices": ["a", "b"]}, "it should be a letter, A to B"),
        (
            {"input": "x", "target": ["A", "B"], "choices": ["a", "b"]},
            "several right choices are not carried",
        ),
        ({"input": "x", "target": "A", "choices": ["a", "a"]}, "at least two texts, all of them different"),
        (
            {"input": "x", "target": "A", "setup": "rm -rf /"},
            "setup prepares a sandbox, and nothing here does",
        ),
        ({"input": "x", "target": "A", "files": {"a": "b"}}, "files prepares a sandbox"),
    ],
)
def test_a_sample_that_cannot_be_carried_over_is_named(
    tmp_path: Path, row: dict[str, object], what: str
) -> None:
    """With its line, and nothing is imported."""
    (found,) = refused(lambda: inspected(tmp_path, [{"input": "a", "target": "b"}, row]))
    assert found.startswith("rows.jsonl:2: ")
    assert what in found


def test_many_wrong_rows_are_not_all_told(tmp_path: Path) -> None:
    """Ten of them; a file that is none is one problem."""
    assert len(refused(lambda: evals(tmp_path, [{"input": "x"}] * 50))) == 10
    path = tmp_path / "none.jsonl"
    path.write_text("{")
    assert refused(lambda: openai_evals.convert(path, Choice(), match="match"))[0].startswith(
        "none.jsonl:1: is not"
    )


def test_a_json_array_of_samples_is_read_too(tmp_path: Path) -> None:
    """As Inspect does."""
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"input": "Where?", "target": "Oslo"}]))
    made = inspect_samples.convert(path, Choice(), scorer="includes")
    assert list(made.rows.values()) == [[{"input": "Where?", "target": "Oslo"}]]
