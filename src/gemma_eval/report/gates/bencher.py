"""The summaries of a run in Bencher Metric Format, for who keeps the history of a benchmark there.

Source: bencher.dev, "Bencher Metric Format (BMF)": a benchmark's name, the slug of a measure, and its value
with the bounds of an interval.
"""

from __future__ import annotations

import json

from gemma_eval.records import Group, Report, Summary
from gemma_eval.report.gates.words import one_line
from gemma_eval.stats.summary import MEANS
from gemma_eval.wire import Plain

MOST_NAME = 1_024
"""The longest name of a benchmark."""


def bencher(report: Report) -> str:
    """Return the metrics of each group: `model/profile/template`, `ttft-s`, and the value with its bounds.

    The value is the mean of a score or a share and the median of everything else, the bounds are its 95 %
    interval. A metric without a value is left out, and so is a bound that there is none of. Units are those
    that the name of the metric ends with.
    """
    found: dict[str, dict[str, Plain]] = {}
    for summary in report.summaries:
        value = summary.mean if summary.metric in MEANS else summary.p50
        if value is not None:
            measures = found.setdefault(_name(summary.group), {})
            measures[one_line(summary.metric).replace("_", "-")] = _measure(summary, value)
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


def _measure(summary: Summary, value: float) -> dict[str, Plain]:
    bounds = {"lower_value": summary.ci_low, "upper_value": summary.ci_high}
    return {"value": value, **{name: bound for name, bound in bounds.items() if bound is not None}}


def _name(group: Group) -> str:
    return one_line("/".join(group.names))[:MOST_NAME]
