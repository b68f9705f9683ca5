"""Why groups have no times: one sentence for each reason, instead of a row of dashes that says nothing."""

from __future__ import annotations

from collections import defaultdict

from gemma_eval.records import Group, Report
from gemma_eval.report.groups import Groups, timed
from gemma_eval.report.reasons import codes, in_words, listed


def untimed(report: Report, groups: Groups) -> tuple[str, ...]:
    """Return a sentence for each reason why answered groups have no time to first token."""
    without: dict[str, list[Group]] = defaultdict(list)
    for group, outcomes in timed(report).items():
        summary = groups.summary(group, "ttft_s")
        measured = [outcome.measurement for outcome in outcomes if outcome.measurement is not None]
        if not measured or summary is None or summary.n:
            continue
        for reason in codes(measured, "ttft_s"):
            without[reason].append(group)
    return tuple(
        f"{_who(found, groups)} no times ({reason}): {in_words(reason)}." for reason, found in without.items()
    )


def _who(found: list[Group], groups: Groups) -> str:
    if len(found) == len(groups.order):
        return "There are"
    if len(found) > 3:
        return f"{len(found)} of the {len(groups.order)} groups have"
    return f"{listed([groups.label(group) for group in found])} {'has' if len(found) == 1 else 'have'}"
