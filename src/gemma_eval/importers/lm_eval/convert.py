"""Make a suite of a task file of lm-evaluation-harness: the line that joins its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from gemma_eval.errors import UsageError
from gemma_eval.importers import sheet as sheets
from gemma_eval.importers.data import Columns
from gemma_eval.importers.jinja import Render
from gemma_eval.importers.lm_eval import (
    bodies,
    checks,
    documents,
    profile,
    prompts,
    questions,
    references,
    shots,
    task,
)
from gemma_eval.importers.lm_eval.fields import Fields
from gemma_eval.importers.lm_eval.prompts import Carried
from gemma_eval.importers.lm_eval.questions import Question
from gemma_eval.importers.lm_eval.task import TaskRow
from gemma_eval.importers.written import Choice, Imported, Table, slug


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a person may say of an import beside the task file.

    `data` are files by split, the one that is asked under "" where no split was named. With `chat` nothing
    stands before a choice, as lm-evaluation-harness does it with a chat template.
    """

    data: Mapping[str, Path] = field(default_factory=dict)
    root: Path | None = None
    n_shots: int | None = None
    seed: int = shots.SEED
    limit: int | None = None
    chat: bool = False
    choice: Choice = field(default_factory=Choice)


def convert(path: Path, wanted: Wanted, *, render: Render) -> Imported:
    """Return the suite of a task file. Raises SuiteError with all that cannot be carried over, by line."""
    root = (wanted.root or path.parent).resolve()
    sheet = sheets.load(path, root=root)
    row = task.read(sheet)
    sheet.stop()
    n_shots = _n_shots(row, wanted)
    found = documents.find(sheet, row, given=wanted.data, n_shots=n_shots, root=root)
    found = replace(found, asked=found.asked[: wanted.limit])
    fields = Fields(render=render, columns=found.columns, has_choices=row.doc_to_choice is not None)
    scored = checks.read(row, sheet, reference=references.column(fields))
    sampled = profile.profile(row, sheet) if row.output_type == "generate_until" else None
    sheet.stop()
    drawn = prompts.draw(row, found, seed=wanted.seed)
    made = questions.make(sheet, row, fields, found, drawn=drawn, n_shots=n_shots)
    sheet.stop()
    name = wanted.choice.name or slug(row.task or path.stem)
    fixed = drawn.is_fixed or not n_shots
    body, needed = bodies.body(row, fields, made, chat=wanted.chat)
    if row.output_type != task.ROLLING:
        prompt = prompts.prompt(row, fields, [each.parts for each in made], fixed=fixed)
        body, needed = {"prompt": prompt.template, **body}, (prompt, *needed)
    case: Table = {**body, "dataset": f"data/{name}.jsonl"}
    return Imported(
        name=name,
        framework="lm-evaluation-harness",
        suite=_suite(row, name, case, scored, wanted=wanted),
        rows={f"data/{name}.jsonl": _rows(made, needed)},
        profiles={} if sampled is None else {name: sampled},
        sources=sheet.sources,
        notes=scored.notes,
    )


def _n_shots(row: TaskRow, wanted: Wanted) -> int:
    if row.output_type == task.ROLLING:
        if wanted.n_shots:
            what = f"{task.ROLLING} reads each text after nothing, so that no example goes before it"
            raise UsageError(f"{row.task}: {what}; leave --num-fewshot out")
        return 0
    if wanted.n_shots is None or row.num_fewshot == wanted.n_shots:
        return row.num_fewshot or 0
    if row.num_fewshot == 0:
        raise UsageError(f"{row.task}: num_fewshot is 0, and the task means it; leave --num-fewshot out")
    return wanted.n_shots


def _suite(row: TaskRow, name: str, case: Table, scored: checks.Scored, *, wanted: Wanted) -> Table:
    """Return the tables of the suite file in the order in which they are read."""
    tags = list(dict.fromkeys(slug(tag) for tag in cast("list[str]", row.tag or [])))
    defaults: Table = {
        "models": list(wanted.choice.models),
        "profiles": [name if row.output_type == "generate_until" else "greedy"],
        "templates": ["plain"],
    }
    suite: Table = {
        "suite": {"name": name, "description": f"{row.task} of lm-evaluation-harness"},
        "defaults": defaults | ({"tags": tags} if tags else {}),
    }
    if scored.pipelines:
        suite["filters"] = dict(scored.pipelines)
    return suite | {"case": [_case(name, case, group, of=scored.groups) for group in scored.groups]}


def _case(name: str, case: Table, group: checks.Group, *, of: Sequence[checks.Group]) -> Table:
    """Return the case of one group of checks; a vote has its own repeats."""
    vote: Table = {} if group.voters == 1 else {"repeats": group.voters, "reduce": "majority"}
    own = name if group is of[0] else f"{name}-{group.voters}"
    return {"id": own, **case, **vote, "check": list(group.checks)}


def _rows(made: Sequence[Question], needed: Sequence[Carried]) -> list[Columns]:
    """Return what is kept of each row: the columns that a template reads, and those that were made for it."""
    read = frozenset[str]().union(*(each.reads for each in needed))
    rows = [{name: value for name, value in each.doc.items() if name in read} for each in made]
    for each in needed:
        if each.column is not None:
            for row, value in zip(rows, each.values, strict=True):
                row[each.column] = value
    return rows
