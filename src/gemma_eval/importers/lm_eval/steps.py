"""The pipelines of `filter_list` as filters of this package, and what they make of repeats.

Source: EleutherAI/lm-evaluation-harness:lm_eval/filters, version 0.4.13.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gemma_eval.errors import suggestion
from gemma_eval.files import locate
from gemma_eval.files.rows import show
from gemma_eval.importers import jinja
from gemma_eval.importers.lm_eval import listed, patterns
from gemma_eval.importers.lm_eval.task import PipelineRow, StepRow, TaskRow
from gemma_eval.importers.sheet import Sheet
from gemma_eval.importers.written import Table

Step = str | Table
"""A filter as a suite has it: its name, or a table with its options."""
Whole = Literal["take_first", "take_first_k", "majority_vote"]

_PLAIN = {"remove_whitespace": "strip", "lowercase": "lower", "uppercase": "upper"}
_WHOLE: tuple[Whole, ...] = ("take_first", "take_first_k", "majority_vote")
_REFUSED = {
    "custom": "runs Python code of the task",
    "decontaminate": "needs the training data of a model",
    "regex_pos": "makes a list of tags, which no metric that is carried over compares",
    "format_span": "makes a list of entities for a metric in Python of the task",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """One pipeline: its name, its filters, and how many answers it takes a vote of, 1 when of none."""

    name: str
    filters: tuple[Step, ...] = ()
    voters: int = 1

    @property
    def for_each_row(self) -> tuple[Step, ...]:
        """The filters as a check has them, whose texts are templates; none where no filter reads a row."""
        if not any(isinstance(each, dict) and each["filter"] == listed.FILTER for each in self.filters):
            return ()
        return tuple(each if isinstance(each, str) else _templates(each) for each in self.filters)


def read(task: TaskRow, sheet: Sheet) -> tuple[Steps, ...]:
    """Return the pipelines of a task, one that does nothing when it has none; problems go to the sheet."""
    if task.filter_list is None:
        return (Steps(name="none"),)
    if not task.filter_list:
        sheet.say(("filter_list",), "filter_list is empty; leave it out")
    return tuple(
        _pipeline(each, ("filter_list", number), task, sheet) for number, each in enumerate(task.filter_list)
    )


def _pipeline(row: PipelineRow, at: locate.Path, task: TaskRow, sheet: Sheet) -> Steps:
    if not row.name or not row.filter:
        sheet.say(at, "a pipeline needs a name and a list of functions under filter")
        return Steps(name="none")
    made: list[Step] = []
    whole: list[Whole] = []
    voters = task.repeats
    for number, step in enumerate(row.filter):
        place = (*at, "filter", number)
        if step.function in _WHOLE:
            whole.append(step.function)
            voters = step.k or voters if step.function == "take_first_k" else voters
        elif whole and whole[-1] == "take_first":
            sheet.say(place, f"{step.function} comes after take_first, which leaves no list to filter")
        else:
            made += _step(step, place, sheet)
    _check_whole(whole, voters, at, task, sheet)
    return Steps(name=row.name, filters=tuple(made), voters=voters if "majority_vote" in whole else 1)


def _check_whole(whole: list[Whole], voters: int, at: locate.Path, task: TaskRow, sheet: Sheet) -> None:
    """Note an order of the functions over all answers that leaves none or more than one."""
    if not whole or whole[-1] == "take_first_k":
        sheet.say(at, "the pipeline keeps several answers; end it with take_first")
    if voters > task.repeats:
        sheet.say(at, f"take_first_k takes {voters} answers, and repeats is {task.repeats}")


def _step(step: StepRow, at: locate.Path, sheet: Sheet) -> tuple[Step, ...]:
    name = step.function or ""
    if name in _PLAIN:
        return (_PLAIN[name],)
    if name == "regex":
        return _regex(step, at, sheet)
    if name == listed.FILTER:
        return _multi_choice_regex(step, at, sheet)
    if name == "map":
        return _map(step, at, sheet)
    if name in _REFUSED:
        sheet.say(at, f"the filter {name} {_REFUSED[name]}; it is not carried over")
    else:
        known = (*_PLAIN, *_WHOLE, "regex", "map", listed.FILTER)
        sheet.say(at, f"no filter named {show(name)}{suggestion(name[:80], known)}")
    return ()


def _regex(step: StepRow, at: locate.Path, sheet: Sheet) -> tuple[Step, ...]:
    """Return the filter that finds the first or the last match, and strips it."""
    pattern = _pattern(step, at, sheet)
    if pattern is None:
        return ()
    made: Table = {"filter": "regex", "pattern": pattern}
    if patterns.groups(pattern) == 1:
        made["group"] = 1
    if step.group_select == -1:
        made["which"] = "last"
    return made | {"fallback": step.fallback}, "strip"


def _multi_choice_regex(step: StepRow, at: locate.Path, sheet: Sheet) -> tuple[Step, ...]:
    """Return the filter that reads the column `choices` of each row."""
    pattern = _pattern(step, at, sheet)
    if pattern is None:
        return ()
    made: Table = {"filter": listed.FILTER, "pattern": pattern, "choices": listed.TEMPLATE}
    if step.group_select == -1:
        made["which"] = "last"
    for key in ("ignore_case", "ignore_punctuation"):
        if getattr(step, key):
            made[key] = True
    ignored = patterns.ignored(step.regexes_to_ignore or (), at, sheet)
    return (made | ({"regexes_to_ignore": ignored} if ignored else {}) | {"fallback": step.fallback},)


def _pattern(step: StepRow, at: locate.Path, sheet: Sheet) -> str | None:
    """Return the expression of a step of which the first or the last match counts."""
    if step.group_select not in (0, -1):
        sheet.say(
            (*at, "group_select"), f"group_select is {step.group_select}; 0, the first match, or -1, the last"
        )
        return None
    try:
        return patterns.carried(step.regex_pattern, takes_first=step.group_select == 0)
    except ValueError as error:
        sheet.say((*at, "regex_pattern"), f"regex_pattern {show(step.regex_pattern)} {error}")
        return None


def _map(step: StepRow, at: locate.Path, sheet: Sheet) -> tuple[Step, ...]:
    table = step.mapping_dict or {}
    if step.default_value is None or not all(table) or not table:
        sheet.say(at, "map needs a mapping_dict of texts, none of them empty, and a text as default_value")
        return ()
    texts = {"from": list(table), "to": list(table.values())}
    return ({"filter": "map", **texts, "fallback": step.default_value},)


def _templates(step: Table) -> Table:
    """Return a step whose texts are templates that make what they were; the choices have one already."""
    return {key: value if value == listed.TEMPLATE else _literal(value) for key, value in step.items()}


def _literal(value: object) -> object:
    if isinstance(value, list):
        return [_literal(each) for each in value]
    return jinja.whole(jinja.literal(value)) if isinstance(value, str) else value
