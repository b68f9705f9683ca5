"""Rows of openai/evals, `{"input": …, "ideal": …}`, as a suite.

Source: openai/evals:evals/elsuite/basic/match.py, includes.py and fuzzy_match.py.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from gemma_eval.errors import UsageError
from gemma_eval.importers import samples
from gemma_eval.importers.data import Columns
from gemma_eval.importers.samples import Sample, Unfit
from gemma_eval.importers.written import Choice, Imported, Table, slug

Match = Literal["match", "includes", "fuzzy"]
"""The class of an eval: an answer begins with an ideal, has one in it, or either has the other in it."""


def convert(path: Path, choice: Choice, *, match: Match, ignore_case: bool = False) -> Imported:
    """Return the suite of a file of rows. Raises SuiteError with each row that cannot be carried over."""
    if ignore_case and match != "includes":
        raise UsageError(f"ignore_case is of includes; {match} has none")
    found, content = samples.read_all(path, _sample)
    name = choice.name or slug(path.stem)
    cases, rows = samples.cases(name, found, lambda kind: _body(kind, match, ignore_case=ignore_case))
    return Imported(
        name=name,
        framework="openai/evals",
        suite={
            "suite": {"name": name, "description": f"{path.name} of openai/evals, {match}"},
            "defaults": {"models": list(choice.models), "profiles": ["greedy"], "templates": ["plain"]},
            "case": cases,
        },
        rows=rows,
        sources={path.name: hashlib.sha256(content).hexdigest()},
        notes=_NOTES[match],
    )


_NOTES = {
    "match": ("Space before an answer is not looked at; openai/evals looks at it.",),
    "includes": (),
    "fuzzy": (),
}


def _sample(row: Columns) -> Sample:
    for key in ("input", "ideal"):
        if row.get(key) is None:
            raise Unfit(f"needs {key}; rows are {{input, ideal}}")
    roles, contents = samples.turns(row["input"])
    ideal = samples.texts(row["ideal"], "ideal")
    several = len(ideal) > 1
    columns: Columns = {"ideal": list(ideal) if several else ideal[0]}
    return Sample(roles=roles, contents=contents, columns=columns, kind="several" if several else "one")


def _body(kind: str, match: Match, *, ignore_case: bool) -> Table:
    """Return the check of the rows with one ideal, or of those with several."""
    ideal = "{{ ideal }}"
    if match == "match":
        check: Table = {"scorer": "starts_with", "text": ideal}
    elif match == "fuzzy":
        check = {"scorer": "fuzzy", "reference": ideal}
    else:
        check = {
            "scorer": "icontains" if ignore_case else "contains",
            "any" if kind == "several" else "text": ideal,
        }
    return {"check": [check]}
