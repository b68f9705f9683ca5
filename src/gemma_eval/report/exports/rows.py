"""A run as two tables: a row per answer, and a row per score of an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from gemma_eval.records import Measurement, Outcome, Report, Score

Kind = Literal["text", "integer", "number", "flag"]
Value = str | int | float | bool | None
Row = Mapping[str, Value]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows with the same columns; `columns` says of which kind each is, so that an empty one has a type."""

    name: str
    columns: Mapping[str, Kind]
    rows: tuple[Row, ...]


def tables(report: Report) -> tuple[Table, Table]:
    """Return `outcomes`, with what was asked, answered and measured, and `scores`; `key` joins them.

    Columns are named as the fields of the records. What is not one value is JSON: `variables`, `missing` (why
    a measurement has no value), `figures` and `votes`. `tags` are joined by spaces. Those of `RETRIEVED`
    are there where a retrieval has a name.
    """
    run, named = report.run.id, any(each.trial.cell.retrieval.name for each in report.outcomes)
    more: Mapping[str, Kind] = RETRIEVED if named else {}
    scores = [row for outcome in report.outcomes for row in _scores(run, outcome)]
    return (
        _table("outcomes", {**OUTCOMES, **more}, [_outcome(run, each) for each in report.outcomes]),
        _table("scores", {**SCORES, **{name: more[name] for name in more if name == "retrieval"}}, scores),
    )


def _table(name: str, columns: Mapping[str, Kind], rows: Sequence[Row]) -> Table:
    return Table(
        name=name, columns=columns, rows=tuple({each: row[each] for each in columns} for row in rows)
    )


def _kind_of(annotation: str) -> Kind:
    """Return the kind of a field of `Measurement`, whose annotations are texts."""
    if annotation.startswith("int"):
        return "integer"
    return "number" if annotation.startswith("float") else "text"


_TRIAL: Mapping[str, Kind] = {
    "run": "text",
    "key": "text",
    "suite": "text",
    "case": "text",
    "model": "text",
    "profile": "text",
    "template": "text",
    "repeat": "integer",
    "block": "integer",
}
_COSTS: Mapping[str, Kind] = {
    field.name: _kind_of(str(field.type)) for field in fields(Measurement) if field.name != "missing"
}
OUTCOMES: Mapping[str, Kind] = {
    **_TRIAL,
    "seed": "integer",
    "kind": "text",
    "phase": "text",
    "cluster": "text",
    "tags": "text",
    "series": "text",
    "variables": "text",
    "prompt": "text",
    "text": "text",
    "reasoning": "text",
    "finish_reason": "text",
    "prompt_tokens": "integer",
    "cached_tokens": "integer",
    "reasoning_tokens": "integer",
    "batch_size": "integer",
    "score": "number",
    "passed": "flag",
    "failure_kind": "text",
    "failure_message": "text",
    **_COSTS,
    "missing": "text",
}
SCORES: Mapping[str, Kind] = {
    **_TRIAL,
    "check": "integer",
    "scorer": "text",
    "value": "number",
    "passed": "flag",
    "unscored": "text",
    "weight": "number",
    "vetoes": "flag",
    "answer": "text",
    "explanation": "text",
    "figures": "text",
    "votes": "text",
}
RETRIEVED: Mapping[str, Kind] = {"retrieval": "text", "degraded": "text", "cached": "text"}


def _trial(run: str, outcome: Outcome) -> dict[str, Value]:
    trial, cell = outcome.trial, outcome.trial.cell
    return {
        "run": run,
        "key": trial.key,
        "suite": cell.suite,
        "case": cell.case.id,
        "model": cell.model.name,
        "profile": cell.profile.name,
        "template": cell.template.name,
        "retrieval": cell.retrieval.name,
        "repeat": trial.repeat,
        "block": trial.block,
    }


def _outcome(run: str, outcome: Outcome) -> Row:
    case, failure = outcome.trial.cell.case, outcome.failure
    return {
        **_trial(run, outcome),
        "degraded": None if outcome.trace is None else outcome.trace.degraded,
        "cached": None if outcome.cached is None else outcome.cached.use,
        "seed": outcome.trial.seed,
        "kind": case.kind,
        "phase": outcome.phase,
        "cluster": case.cluster,
        "tags": " ".join(case.tags),
        "series": case.series,
        "variables": _json(dict(case.variables)),
        "prompt": _prompt(outcome),
        **_answer(outcome),
        "score": outcome.score,
        "passed": outcome.passed,
        "failure_kind": failure.kind if failure else None,
        "failure_message": failure.message if failure else None,
        **_costs(outcome),
    }


def _prompt(outcome: Outcome) -> str | None:
    """Return what the model read: in its markup, or the turns as JSON where a server applied its own."""
    if outcome.prompt is None or outcome.prompt.text is not None:
        return outcome.prompt.text if outcome.prompt else None
    return _json([{"role": each.role, "content": each.content} for each in outcome.prompt.messages])


def _answer(outcome: Outcome) -> dict[str, Value]:
    generation = outcome.generation
    names = (
        "text",
        "reasoning",
        "finish_reason",
        "prompt_tokens",
        "cached_tokens",
        "reasoning_tokens",
        "batch_size",
    )
    return {name: None if generation is None else getattr(generation, name) for name in names}


def _costs(outcome: Outcome) -> dict[str, Value]:
    measured = outcome.measurement
    values: dict[str, Value] = {
        name: None if measured is None else getattr(measured, name) for name in _COSTS
    }
    return values | {"missing": None if measured is None else _json(dict(measured.missing))}


def _scores(run: str, outcome: Outcome) -> Iterator[Row]:
    trial = _trial(run, outcome)
    for check, score in enumerate(outcome.scores):
        yield {**trial, "check": check, **_score(score)}


def _score(score: Score) -> dict[str, Value]:
    names = ("scorer", "value", "passed", "unscored", "weight", "vetoes", "answer", "explanation")
    votes = [{field.name: getattr(vote, field.name) for field in fields(vote)} for vote in score.votes]
    values: dict[str, Value] = {name: getattr(score, name) for name in names}
    return values | {"figures": _json(dict(score.figures)), "votes": _json(votes)}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
