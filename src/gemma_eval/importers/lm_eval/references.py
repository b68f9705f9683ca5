"""The right answers of a task that generates: one text or several, as lm-evaluation-harness compares them.

Source: EleutherAI/lm-evaluation-harness:lm_eval/api/task.py (`process_results`), version 0.4.13.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gemma_eval.files.rows import show
from gemma_eval.importers.data import Plain
from gemma_eval.importers.lm_eval.fields import Fields, Unfit
from gemma_eval.importers.lm_eval.prompts import free

if TYPE_CHECKING:
    from gemma_eval.importers.lm_eval.questions import Question

KEY = "doc_to_target"


def column(fields: Fields) -> str:
    """Return the name of the column that the right answers stand in."""
    return free("reference", fields)


def answers(target: Plain, choices: Sequence[str]) -> list[str]:
    """Return the texts of which one is to be given. Raises Unfit."""
    if choices:
        if not isinstance(target, int) or not -len(choices) <= target < len(choices):
            raise Unfit(KEY, f"makes {show(target)}; with doc_to_choice it should be the index of a choice")
        return [choices[target]]
    items = target if isinstance(target, list) else [target]
    found = [
        item if isinstance(item, str) else str(item) for item in items if not isinstance(item, list | dict)
    ]
    if not found or len(found) != len(items) or not all(found):
        raise Unfit(
            KEY, f"makes {show(target)}; it should make a text or a list of texts, none of them empty"
        )
    return list(dict.fromkeys(found))


def are_several(questions: Sequence[Question]) -> bool:
    """Whether any row has more than one right answer."""
    return any(len(answers(each.target, each.choices)) > 1 for each in questions)
