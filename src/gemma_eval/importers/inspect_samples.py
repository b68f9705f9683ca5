"""Samples of Inspect, `{"input": …, "target": …, "choices": …}`, as a suite.

Source: UKGovernmentBEIS/inspect_ai:src/inspect_ai/dataset/_dataset.py (`Sample`) and scorer/_match.py.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from gemma_eval.files.rows import show
from gemma_eval.importers import samples, targets
from gemma_eval.importers.data import Columns, Plain
from gemma_eval.importers.samples import Sample, Unfit
from gemma_eval.importers.written import Choice, Imported, Table, slug

Scorer = Literal["match", "includes", "exact"]
"""Inspect's scorers of a text: the answer ends with a target, has one in it, or is one."""

_REFUSED = ("files", "sandbox", "setup")
_READ_NOTE = (
    "Choices are read after the question, and the most probable one counts; Inspect shows them with letters "
    "and reads the letter that is written."
)


def convert(path: Path, choice: Choice, *, scorer: Scorer) -> Imported:
    """Return the suite of a file of samples. Raises SuiteError with each that cannot be carried over."""
    found, content = samples.read_all(path, lambda row: _sample(row, scorer))
    if not samples.ids(found):
        found = tuple(replace(sample, id=None) for sample in found)
    name = choice.name or slug(path.stem)
    cases, rows = samples.cases(name, found, lambda kind: _body(kind, scorer))
    kinds = {sample.kind for sample in found}
    notes = [_READ_NOTE] if "choices" in kinds else []
    return Imported(
        name=name,
        framework="Inspect",
        suite={
            "suite": {"name": name, "description": f"{path.name} of Inspect"},
            "defaults": {"models": list(choice.models), "profiles": ["greedy"], "templates": ["plain"]},
            "case": cases,
        },
        rows=rows,
        sources={path.name: hashlib.sha256(content).hexdigest()},
        notes=tuple(notes),
    )


def _sample(row: Columns, scorer: Scorer) -> Sample:
    if given := [key for key in _REFUSED if row.get(key)]:
        raise Unfit(f"{given[0]} prepares a sandbox, and nothing here does; it is not carried over")
    if row.get("input") is None:
        raise Unfit("needs input; samples are {input, target, choices, id, metadata}")
    roles, contents = samples.turns(row["input"])
    choices = row.get("choices")
    columns, kind = _chosen(row, choices) if choices else _written(row, scorer)
    given_id = row.get("id")
    named = str(given_id) if isinstance(given_id, str | int) and not isinstance(given_id, bool) else None
    return Sample(roles=roles, contents=contents, columns=columns, kind=kind, id=named)


def _written(row: Columns, scorer: Scorer) -> tuple[Columns, str]:
    target = samples.texts(row.get("target"), "target")
    if scorer == "match":
        return {"pattern": _ending(target)}, "one"
    return ({"target": target[0]}, "one") if len(target) == 1 else ({"target": list(target)}, "several")


def _chosen(row: Columns, choices: Plain) -> tuple[Columns, str]:
    texts = samples.texts(choices, "choices")
    if len(set(texts)) != len(texts) or len(texts) < 2:
        raise Unfit(f"choices is {show(choices)}; it should be at least two texts, all of them different")
    target = samples.texts(row.get("target"), "target")
    if len(target) > 1:
        raise Unfit(f"target is {show(list(target))}: several right choices are not carried over")
    letter = ord(target[0]) - ord("A") if len(target[0]) == 1 else -1
    if not 0 <= letter < len(texts):
        last = chr(ord("A") + len(texts) - 1)
        raise Unfit(f"target is {show(target[0])}; with these choices it should be a letter, A to {last}")
    return {"choices": list(texts), "target": targets.said(letter, texts)}, "choices"


def _body(kind: str, scorer: Scorer) -> Table:
    """Return what the cases of a kind have beside their turns."""
    if kind == "choices":
        read = {"choices": "{{ choices }}", "target": "{{ target }}", "delimiter": " "}
        return {**read, "check": [{"scorer": "acc"}, {"scorer": "acc_norm", "weight": 0.0}]}
    target = "{{ target }}"
    if scorer == "includes":
        return {"check": [{"scorer": "icontains", "any" if kind == "several" else "text": target}]}
    if scorer == "exact":
        return {"check": [{"scorer": "exact_match", "reference": target}]}
    return {"check": [{"scorer": "regex", "pattern": "{{ pattern }}", "ignore_case": True}]}


def _ending(targets: Sequence[str]) -> str:
    """Return the RE2 expression of a text that ends with a target, whatever signs come after it."""
    bare = [target.strip(_SIGNS) for target in targets]
    if not all(bare):
        raise Unfit(f"target is {show(targets)}, of nothing but signs; give --scorer includes or exact")
    return f"(?:{'|'.join(map(re.escape, bare))})[{re.escape(_SIGNS)}]*\\z"


_SIGNS = string.whitespace + string.punctuation
