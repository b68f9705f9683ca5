"""The JSON report: the whole run for a script, one record per line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from gemma_eval.records import Outcome, Report
from gemma_eval.report.cells import TimedCell, timed_cells
from gemma_eval.report.gates.verdicts_json import document
from gemma_eval.report.groups import groups_of
from gemma_eval.report.retrievals import Found, disturbed, found_by
from gemma_eval.report.series import planes, variations
from gemma_eval.report.serving_rows import served
from gemma_eval.stats.serving import Serving
from gemma_eval.wire import Plain, dump

SCHEMA_VERSION = 2
"""Raised when a field changes its meaning or goes; new fields alone do not raise it.

2: an outcome with a `failure` may have a `generation`, what had come before it broke off, and a
`measurement`; a generation's `text` is only what is for the user, beside `reasoning` and `tool_calls`; a
percentile may be `null` because data of it were cut off at a `limit`.
"""

_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonFile:
    """Writes `results.json`: `schema_version`, `run`, `summaries` and `outcomes`, as the records name them.

    `cells` has the same summaries for each benchmark case by itself, and `servings` how each case with a load
    or an SLO was served, with the reasons of what is `null` there in `missing`.
    `gating` has what became of the gates, as `gates.verdicts_json.document` tells, `null` without any.
    `variations` has the scores over what a suite varied: what the figures of the page are drawn from.
    Where retrievals have names, `retrievals` has for each group what it found, how long that took and where
    answers were lost, and `disturbed` the scores among distractors.
    An outcome also has its `key`, `score` and `passed`. `gemma_eval.wire.load` rebuilds the records.
    Keys are sorted, so that equal reports give equal text. A lone surrogate is written as its escape.
    """

    file_name = "results.json"

    def render(self, report: Report) -> str:
        """Return the whole file."""
        return "".join(_file(report))


def _file(report: Report) -> Iterator[str]:
    yield f'{{\n"schema_version": {SCHEMA_VERSION},\n'
    yield f'"run": {_line(dump(report.run))},\n'
    yield f'"gating": {_line(None if report.gating is None else document(report.gating))},\n'
    yield f'"summaries": {_lines(dump(summary) for summary in report.summaries)},\n'
    groups = groups_of(report)
    cells = timed_cells(report, groups)
    yield f'"cells": {_lines(map(_cell, cells))},\n'
    yield f'"servings": {_lines(_serving(each.serving) for each in served(cells))},\n'
    varied = (*variations(report), *planes(report))
    yield f'"variations": {_lines(dump(variation) for variation in varied)},\n'
    if found := found_by(report):
        yield f'"retrievals": {_lines(map(_found, found))},\n'
        yield f'"disturbed": {_lines(map(dump, disturbed(report)))},\n'
    yield f'"outcomes": {_lines(_outcome(outcome) for outcome in report.outcomes)}\n}}\n'


def _cell(cell: TimedCell) -> dict[str, Plain]:
    summaries = [dump(summary) for summary in cell.summaries]
    return {"suite": cell.suite, "case": cell.case.id, "group": dump(cell.group), "summaries": summaries}


def _serving(serving: Serving) -> dict[str, Plain]:
    computed: dict[str, Plain] = {"error_rate": serving.error_rate, "missing": dict(serving.missing)}
    return dump(serving) | computed


def _found(found: Found) -> dict[str, Plain]:
    plain = dump(found)
    plain["values"] = {
        scorer: [{"suite": suite, "case": case, "value": value} for (suite, case), value in cases.items()]
        for scorer, cases in found.values.items()
    }
    return plain


def _outcome(outcome: Outcome) -> dict[str, Plain]:
    computed: dict[str, Plain] = {
        "key": outcome.trial.key,
        "score": outcome.score,
        "passed": outcome.passed,
    }
    return dump(outcome) | computed


def _lines(records: Iterable[Plain]) -> str:
    lines = ",\n".join(_line(record) for record in records)
    return f"[\n{lines}\n]" if lines else "[]"


def _line(record: Plain) -> str:
    text = json.dumps(record, ensure_ascii=False, sort_keys=True, allow_nan=False)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
