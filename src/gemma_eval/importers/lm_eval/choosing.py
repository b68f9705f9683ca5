"""The choices of an imported case and which of them is right.

Source: EleutherAI/lm-evaluation-harness:lm_eval/api/task.py (`construct_requests`, `process_results`),
version 0.4.13.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gemma_eval.files.rows import show
from gemma_eval.importers import jinja, targets
from gemma_eval.importers.data import Plain
from gemma_eval.importers.lm_eval.fields import Fields, Unfit
from gemma_eval.importers.lm_eval.prompts import Carried, free, template
from gemma_eval.importers.lm_eval.task import TaskRow

if TYPE_CHECKING:
    from gemma_eval.importers.lm_eval.questions import Question


def right_index(target: Plain, choices: Sequence[str]) -> int:
    """Return the index of the right choice, for a target that is an index or a choice. Raises Unfit."""
    key = "doc_to_target"
    if isinstance(target, list):
        raise Unfit(key, f"makes {show(target)}: several right choices are not carried over")
    if isinstance(target, bool):
        target = int(target)
    index = choices.index(target) if isinstance(target, str) and target in choices else target
    if isinstance(index, int) and 0 <= index < len(choices):
        if targets.said(index, choices) is None:
            raise Unfit(
                key, f"means choice {index} of {show(list(choices))}, which cannot be told from others"
            )
        return index
    raise Unfit(
        key, f"makes {show(target)}, and there are {len(choices)} choices, from 0: {show(list(choices))}"
    )


def choices(task: TaskRow, fields: Fields, questions: Sequence[Question]) -> tuple[object, Carried]:
    """Return what a case has as `choices`, and the columns that this needs."""
    given = task.doc_to_choice
    if isinstance(given, list) and len(set(given)) == len(given):
        return [jinja.whole(jinja.literal(each)) for each in given], Carried(template="")
    text = str(given)
    carried = template(text, fields) if isinstance(given, str) else None
    if carried is not None and (text in fields.columns or jinja.expression(text) is not None):
        return carried, Carried(template=carried, reads=jinja.names(carried))
    return _in_column("choices", fields, [list(question.choices) for question in questions])


def target(task: TaskRow, fields: Fields, questions: Sequence[Question]) -> tuple[object, Carried]:
    """Return what a case has as `target`, and the columns that this needs.

    A template is carried over where its text means the same here in every row, for here a text that is a
    choice is that choice, also when it could be an index or a letter.
    """
    given = task.doc_to_target
    right = [right_index(each.target, each.choices) for each in questions]
    pairs = list(zip(questions, right, strict=True))
    same = all(targets.meant(_text(each.target), each.choices) == index for each, index in pairs)
    if isinstance(given, int) and same:
        return given, Carried(template="")
    carried = template(given, fields) if isinstance(given, str) and same else None
    if carried is not None and (given in fields.columns or jinja.expression(str(given)) is not None):
        return carried, Carried(template=carried, reads=jinja.names(carried))
    return _in_column("target", fields, [targets.said(index, each.choices) for each, index in pairs])


def _in_column(name: str, fields: Fields, values: Sequence[Plain]) -> tuple[object, Carried]:
    name = free(name, fields)
    return f"{{{{ {name} }}}}", Carried(template="", column=name, values=tuple(values))


def _text(target: Plain) -> str:
    return str(int(target)) if isinstance(target, bool) else str(target)
