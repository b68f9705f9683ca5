"""The times of a run in the JSON of pytest-benchmark, which its `compare`, Bencher and others read.

Source: pytest-benchmark 5 (`pytest_benchmark.stats.Stats`), whose formulas for quartiles, outliers and
operations per second these are.
"""

from __future__ import annotations

import json
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from gemma_eval import __version__
from gemma_eval.records import Group, Outcome, Report, Run
from gemma_eval.report.gates.words import one_line
from gemma_eval.report.groups import group_of
from gemma_eval.stats.summary import timed
from gemma_eval.wire import Plain

Metric = Literal["e2e_s", "ttft_s", "tpot_s"]
METRICS: tuple[Metric, ...] = ("e2e_s", "ttft_s", "tpot_s")

_OPTIONS: Mapping[str, Plain] = {
    "disable_gc": False,
    "timer": "perf_counter",
    "min_rounds": 1,
    "max_time": 0.0,
    "min_time": 0.0,
    "warmup": False,
}


def pytest_benchmark(report: Report) -> str:
    """Return a benchmark for each case, group and metric: end to end, TTFT and TPOT in seconds.

    A round is one whole answer. Those count that count for the times of the report: benchmarks where a group
    has any. `fullname` is `suite::case[model/profile/template]::metric`, `group` is the metric.
    """
    plain: dict[str, Plain] = {
        "machine_info": _machine(report.run),
        "commit_info": {
            "id": report.run.commit or "unversioned",
            "time": None,
            "author_time": None,
            "dirty": False,
            "project": "gemma_eval",
            "branch": "(unknown)",
        },
        "benchmarks": [
            _benchmark(outcomes[0], metric, data)
            for outcomes in _cells(report)
            for metric in METRICS
            if (data := _data(outcomes, metric))
        ],
        "datetime": report.run.started_utc,
        "version": __version__,
    }
    return json.dumps(plain, indent=1, allow_nan=False) + "\n"


def stats(data: Sequence[float]) -> dict[str, Plain]:
    """Return what pytest-benchmark tells of the times of a benchmark, of one time at least, in seconds."""
    ordered = sorted(data)
    total, mean = sum(ordered), statistics.mean(ordered)
    sd = statistics.stdev(ordered) if len(ordered) > 1 else 0.0
    q1, q3 = _quartiles(ordered)
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    beyond_sd = sum(not mean - sd <= value <= mean + sd for value in ordered)
    beyond_iqr = sum(not low <= value <= high for value in ordered)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": sd,
        "rounds": len(ordered),
        "median": statistics.median(ordered),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": beyond_iqr,
        "stddev_outliers": beyond_sd,
        "outliers": f"{beyond_sd};{beyond_iqr}",
        "ld15iqr": ordered[bisect_left(ordered, low)],
        "hd15iqr": ordered[bisect_right(ordered, high) - 1],
        "ops": len(ordered) / total if total else 0.0,
        "total": total,
        "iterations": 1,
    }


def _quartiles(ordered: Sequence[float]) -> tuple[float, float]:
    """Return the quartiles: medians of the halves, of an odd number of data means of their neighbours."""
    n, rest = divmod(len(ordered), 4)
    if len(ordered) == 1:
        return ordered[0], ordered[0]
    if rest == 1:
        return (
            0.25 * ordered[n - 1] + 0.75 * ordered[n],
            0.75 * ordered[3 * n] + 0.25 * ordered[3 * n + 1],
        )
    if rest == 3:
        return (
            0.75 * ordered[n] + 0.25 * ordered[n + 1],
            0.25 * ordered[3 * n + 1] + 0.75 * ordered[3 * n + 2],
        )
    half = len(ordered) // 2
    return statistics.median(ordered[:half]), statistics.median(ordered[half:])


def _cells(report: Report) -> Iterator[list[Outcome]]:
    """Yield the outcomes that count for times, those of each case and group together."""
    groups: dict[Group, list[Outcome]] = {}
    for outcome in report.outcomes:
        groups.setdefault(group_of(outcome), []).append(outcome)
    for members in groups.values():
        cells: dict[tuple[str, str], list[Outcome]] = {}
        for outcome in timed(members):
            cell = outcome.trial.cell
            cells.setdefault((cell.suite, cell.case.id), []).append(outcome)
        yield from cells.values()


def _data(outcomes: Sequence[Outcome], metric: Metric) -> list[float]:
    whole = (each.measurement for each in outcomes if each.failure is None)
    values = (getattr(each, metric) for each in whole if each is not None)
    return [value for value in values if value is not None]


def _benchmark(outcome: Outcome, metric: Metric, data: Sequence[float]) -> Plain:
    cell, group = outcome.trial.cell, group_of(outcome)
    names = {"model": group.model, "profile": group.profile, "template": group.template}
    names |= {"retrieval": group.retrieval} if group.retrieval else {}
    return {
        "group": metric,
        "name": one_line(f"{cell.label}::{metric}"),
        "fullname": one_line(f"{cell.suite}::{cell.label}::{metric}"),
        "params": {name: one_line(value) for name, value in names.items()},
        "param": one_line("/".join(group.names)),
        "extra_info": {},
        "options": _OPTIONS,
        "stats": stats(data),
    }


def _machine(run: Run) -> Plain:
    host = run.host
    return {
        "node": "",
        "processor": one_line(host.cpu),
        "machine": "",
        "python_version": one_line(host.python),
        "system": one_line(host.os),
        "cpu": {"brand_raw": one_line(host.cpu), "count": host.logical_cores},
    }
