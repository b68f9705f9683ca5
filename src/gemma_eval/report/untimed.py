"""Why groups have no times: one sentence for each reason, instead of a row of dashes that says nothing."""

from __future__ import annotations

from collections import defaultdict

from gemma_eval.records import Group, Report
from gemma_eval.report.groups import Groups, timed

_WORDS = {
    "batched": 'the repeats of a case were decoded together; cases of kind "benchmark" are timed',
    "not_generated": "a given text was read, and nothing was written",
    "not_streamed": "the answers came whole",
    "no_tokens": "the answers are empty",
    "failed": "the answers ended in errors",
    "clock_went_back": "the clock went back",
}


def untimed(report: Report, groups: Groups) -> tuple[str, ...]:
    """Return a sentence for each reason why answered groups have no time to first token."""
    without: dict[str, list[Group]] = defaultdict(list)
    for group, outcomes in timed(report).items():
        summary = groups.summary(group, "ttft_s")
        measured = [outcome.measurement for outcome in outcomes if outcome.measurement is not None]
        if not measured or summary is None or summary.n:
            continue
        for reason in dict.fromkeys(each.missing.get("ttft_s", "unknown") for each in measured):
            without[reason].append(group)
    return tuple(
        f"{_who(found, groups)} no times ({reason}): {_WORDS.get(reason, 'not measured')}."
        for reason, found in without.items()
    )


def _who(found: list[Group], groups: Groups) -> str:
    if len(found) == len(groups.order):
        return "There are"
    if len(found) > 3:
        return f"{len(found)} of the {len(groups.order)} groups have"
    names = [groups.label(group) for group in found]
    return f"{names[0]} has" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} have"
