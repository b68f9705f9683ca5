"""What a task makes of each of its rows: the prompt, the choices and the right answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gemma_eval.files.rows import show
from gemma_eval.importers.data import Columns, Plain, Row
from gemma_eval.importers.lm_eval import choosing, listed, prompts
from gemma_eval.importers.lm_eval.documents import Documents
from gemma_eval.importers.lm_eval.fields import Fields, Unfit
from gemma_eval.importers.lm_eval.prompts import Parts
from gemma_eval.importers.lm_eval.shots import Draw
from gemma_eval.importers.lm_eval.task import ROLLING, TaskRow
from gemma_eval.importers.sheet import Sheet

MOST_SAID = 10
"""Rows that are complained of one by one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One row: its columns, the parts of its prompt, its choices, and its target as the task gives it."""

    doc: Columns
    parts: Parts
    choices: tuple[str, ...]
    target: Plain


def make(
    sheet: Sheet, task: TaskRow, fields: Fields, found: Documents, *, drawn: Draw, n_shots: int
) -> tuple[Question, ...]:
    """Return the questions of all rows; what of them cannot be carried over is noted in the sheet."""
    made: list[Question] = []
    said: set[str] = set()
    for row in found.asked:
        try:
            made.append(_one(task, fields, row, drawn=drawn, n_shots=n_shots))
        except Unfit as error:
            if str(error) not in said:
                _say(sheet, found, row, error)
            said.add(str(error))
            if len(said) == MOST_SAID:
                break
    return tuple(made)


def _one(task: TaskRow, fields: Fields, row: Row, *, drawn: Draw, n_shots: int) -> Question:
    doc = row.columns
    if task.output_type == ROLLING:
        return _read_alone(task, fields, doc)
    parts = prompts.parts(task, fields, doc, drawn=drawn, n_shots=n_shots)
    if not parts.whole.strip():
        raise Unfit("doc_to_text", "makes an empty prompt")
    listed.check(task, fields, doc)
    choices = tuple(fields.choices(task.doc_to_choice, doc)) if task.doc_to_choice is not None else ()
    target = fields.target(task.doc_to_target, doc)
    if task.output_type == "multiple_choice":
        choosing.right_index(target, choices)
    return Question(doc=doc, parts=parts, choices=choices, target=target)


def _read_alone(task: TaskRow, fields: Fields, doc: Columns) -> Question:
    """Return a text that is read after nothing. Raises Unfit."""
    text = fields.target(task.doc_to_target, doc)
    if not isinstance(text, str) or not text.strip():
        raise Unfit("doc_to_target", f"makes {show(text)}; it should make a text that is not empty")
    nothing = Parts(description="", examples="", question="")
    return Question(doc=doc, parts=nothing, choices=(), target=text)


def _say(sheet: Sheet, found: Documents, row: Row, error: Unfit) -> None:
    """Note at a template what is wrong with it, and at a row what that makes of it."""
    if error.of_task or not row.line:
        sheet.say((error.key,), str(error))
    else:
        sheet.say_of(found.path, row.line, str(error))


def docs(questions: Sequence[Question]) -> tuple[Columns, ...]:
    """Return the columns of the rows."""
    return tuple(question.doc for question in questions)
