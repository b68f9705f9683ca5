"""The column `choices` of a row, by whose texts the filter `multi_choice_regex` finds what an answer chose.

Source: EleutherAI/lm-evaluation-harness:lm_eval/filters/extraction.py, version 0.4.13.
"""

from __future__ import annotations

from string import ascii_uppercase

from gemma_eval.files.rows import show
from gemma_eval.importers.data import Columns
from gemma_eval.importers.lm_eval.fields import Fields, Unfit, UnfitTask
from gemma_eval.importers.lm_eval.prompts import Carried
from gemma_eval.importers.lm_eval.task import TaskRow

FILTER = "multi_choice_regex"
TEMPLATE = "{{ choices }}"
_COLUMN = "choices"


def are_read(task: TaskRow) -> bool:
    """Whether a pipeline of a task reads the choices of a row."""
    return any(step.function == FILTER for each in task.filter_list or () for step in each.filter or ())


def column(task: TaskRow) -> tuple[Carried, ...]:
    """Return the column that is kept of the rows for the filter, none where there is no such filter."""
    return (Carried(template=TEMPLATE, reads=frozenset((_COLUMN,))),) if are_read(task) else ()


def check(task: TaskRow, fields: Fields, doc: Columns) -> None:
    """Raise Unfit where a pipeline reads the choices of a row that has none."""
    if not are_read(task):
        return
    if _COLUMN not in fields.columns:
        raise UnfitTask("filter_list", f"has {FILTER}, which reads a column choices, and the rows have none")
    found = doc.get(_COLUMN)
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        what = f"reads the column choices, which is {show(found)}; it should be a list of texts"
        raise Unfit("filter_list", what)
    if len(found) > len(ascii_uppercase):
        raise Unfit("filter_list", f"reads the column choices, which has {len(found)} texts for 26 letters")
