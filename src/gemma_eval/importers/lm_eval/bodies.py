"""What a case has beside its prompt: choices, a text that is read, or the answers that are right."""

from __future__ import annotations

from collections.abc import Sequence

from gemma_eval.importers import jinja
from gemma_eval.importers.data import Plain
from gemma_eval.importers.lm_eval import choosing, listed, references
from gemma_eval.importers.lm_eval.fields import Fields
from gemma_eval.importers.lm_eval.prompts import Carried, free, template
from gemma_eval.importers.lm_eval.questions import Question
from gemma_eval.importers.lm_eval.task import ROLLING, TaskRow
from gemma_eval.importers.written import Table

Body = tuple[Table, tuple[Carried, ...]]
"""The keys of a case, and the columns that they need."""


def body(task: TaskRow, fields: Fields, questions: Sequence[Question], *, chat: bool) -> Body:
    """Return the body of the case of a task, by its output type."""
    if task.output_type == "multiple_choice":
        return _choosing(task, fields, questions, chat=chat)
    if task.output_type in ("loglikelihood", ROLLING):
        return _reading(task, fields, questions)
    return {}, (_references(fields, questions), *listed.column(task))


def _choosing(task: TaskRow, fields: Fields, questions: Sequence[Question], *, chat: bool) -> Body:
    choices, of_choices = choosing.choices(task, fields, questions)
    target, of_target = choosing.target(task, fields, questions)
    delimiter = "" if chat else task.target_delimiter
    keys: Table = {"choices": choices, "target": target}
    return keys | ({"delimiter": delimiter} if delimiter else {}), (of_choices, of_target)


def _reading(task: TaskRow, fields: Fields, questions: Sequence[Question]) -> Body:
    carried = template(task.doc_to_target, fields)
    if carried is not None and all(isinstance(each.target, str) for each in questions):
        return {"continuation": jinja.whole(carried)}, (
            Carried(template=carried, reads=jinja.names(carried)),
        )
    name = free("continuation", fields)
    values = tuple(str(each.target) for each in questions)
    return {"continuation": f"{{{{ {name} }}}}"}, (Carried(template="", column=name, values=values),)


def _references(fields: Fields, questions: Sequence[Question]) -> Carried:
    """Return the column of the right answers: a text where every row has one, else lists."""
    several = references.are_several(questions)
    given = [references.answers(each.target, each.choices) for each in questions]
    values: tuple[Plain, ...] = tuple(list(each) if several else each[0] for each in given)
    return Carried(template="", column=references.column(fields), values=values)
