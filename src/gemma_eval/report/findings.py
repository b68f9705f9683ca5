"""What a run shows, in sentences: each is computed from the intervals, and says so when they show nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from gemma_eval.records import Group, Outcome, Report
from gemma_eval.report import numbers
from gemma_eval.report.along_axes import along_axes
from gemma_eval.report.cached import told as cached_told
from gemma_eval.report.groups import Groups, Measured, group_of, overlap
from gemma_eval.report.judges import told as judges_told
from gemma_eval.report.reductions import told as reduced
from gemma_eval.report.rescorings import told as scored_again
from gemma_eval.report.series import variations
from gemma_eval.report.trends import some, trend

Tone = Literal["shown", "open", "bad"]
Status = Literal["passed", "missed", "open", "error"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One sentence about one `topic`; its tone is *shown* by the data, left *open* by it, or *bad* news."""

    topic: str
    text: str
    tone: Tone


def headline(report: Report, groups: Groups) -> str:
    """Say in two sentences which group is best and whether the run is whole."""
    return f"{best(groups)} {wholeness(report)}"


def best(groups: Groups) -> str:
    """Say in one sentence which group scores best, and whether it can be told from the others.

    Where nothing was scored it says which is fastest.
    """
    scores = sorted(groups.measured("score"), key=lambda each: -each.value)
    if not scores:
        return _fastest(groups)
    first, *others = scores
    value = _value(first, numbers.score)
    if not others:
        return f"The score is {value}."
    name = groups.label(first.group)
    if not groups.same_cases:
        return f"{name} has the highest score, {value}; not every group has the same cases."
    rivals = [other for other in others if overlap(first.interval, other.interval)]
    if not rivals:
        return f"{name} scores best, {value}, beyond the intervals of all others."
    if len(rivals) == len(others):
        return f"No difference in score is shown: {name} has {value}, and every other interval overlaps."
    untold = (
        groups.label(rivals[0].group) if len(rivals) == 1 else f"{len(rivals)} of the {len(others)} others"
    )
    return f"{name} scores best, {value}, though {untold} cannot be told from it."


def wholeness(report: Report) -> str:
    """Say in one sentence how many of the planned trials were answered."""
    failed = sum(outcome.failure is not None for outcome in report.outcomes)
    missing = report.run.planned - len(report.outcomes)
    if not failed and missing <= 0:
        return f"All {numbers.count(report.run.planned)} planned trials were answered."
    parts = [f"{numbers.count(failed)} failed"] if failed else []
    parts += [f"{numbers.count(missing)} never ran"] if missing > 0 else []
    return f"Of {numbers.count(report.run.planned)} planned trials {' and '.join(parts)}."


def findings(report: Report, groups: Groups) -> tuple[Finding, ...]:
    """Say what the run shows about quality, speed, templates, profiles and demands, bad news first."""
    found = (
        _trouble(report),
        *(Finding(topic="Scored again", text=text, tone="open") for text in scored_again(report.run)),
        *(Finding(topic="Cache", text=text, tone="open") for text in cached_told(report)),
        _quality(groups),
        _mixture(report, groups),
        *(Finding(topic=topic, text=text, tone=tone) for topic, text, tone in judges_told(report)),
        _repeats(report),
        _speed(groups) if any(groups.measured("score")) else None,
        *(
            Finding(topic=topic, text=text, tone="shown" if shows else "open")
            for topic, text, shows in along_axes(groups)
        ),
        *_variables(report, groups),
        _demands(report),
    )
    return tuple(finding for finding in found if finding is not None)


def status(outcome: Outcome) -> Status:
    """Tell whether every demand was met, one was missed, none was made, or nothing was generated."""
    if outcome.failure is not None:
        return "error"
    demands = [score.passed for score in outcome.scores if score.passed is not None]
    if not demands:
        return "open"
    return "passed" if all(demands) else "missed"


def _trouble(report: Report) -> Finding | None:
    kinds = Counter(outcome.failure.kind for outcome in report.outcomes if outcome.failure is not None)
    missing = report.run.planned - len(report.outcomes)
    if not kinds and missing <= 0:
        return None
    parts = [f"{numbers.count(n)} failed: {kind}" for kind, n in kinds.most_common()]
    parts += [f"{numbers.count(missing)} without a record ({report.run.state})"] if missing > 0 else []
    text = f"{', '.join(parts)}. Failed trials are in no score and no timing below."
    return Finding(topic="Incomplete", text=text, tone="bad")


def _quality(groups: Groups) -> Finding | None:
    if groups.same_cases:
        return _leader(groups, "score", topic="Quality", verb="scores best", write=numbers.score)
    text = "not every group has the same cases, so the scores of groups do not compare as they stand; "
    text += "below, each pair is compared over the cases that both have."
    return Finding(topic="Quality", text=text, tone="open")


def _mixture(report: Report, groups: Groups) -> Finding | None:
    """Say which scores are means over answers and over texts that were read: means of neither."""
    kinds: dict[Group, set[bool]] = defaultdict(set)
    for outcome in report.outcomes:
        case = outcome.trial.cell.case
        if case.checks:
            kinds[group_of(outcome)].add(case.continuation is None)
    mixed = [groups.label(group) for group, found in kinds.items() if len(found) > 1]
    if not mixed:
        return None
    text = f"the score of {some(mixed)} is a mean over two kinds of numbers, how good answers are and how "
    text += "probable given texts are; run one after the other, their suites have scores of their own."
    return Finding(topic="Score", text=text, tone="open")


def _repeats(report: Report) -> Finding | None:
    """Say how the repeats of a case become its score, where that is not their mean."""
    text = reduced(report.outcomes)
    return None if text is None else Finding(topic="Repeats", text=text, tone="open")


def _speed(groups: Groups) -> Finding | None:
    """Rank the groups by tokens/s, unless too different numbers of answers have such a rate."""
    metric = "output_tokens_per_s"
    counts = {group: summary.n for group in groups.order if (summary := groups.summary(group, metric))}
    timed = sorted((group for group, n in counts.items() if n), key=lambda group: counts[group])
    if timed and counts[timed[0]] < counts[timed[-1]] / 2:
        fewest, most = (
            f"{numbers.count(counts[group])} ({groups.label(group)})" for group in (timed[0], timed[-1])
        )
        text = f"the number of answers with a rate goes from {fewest} to {most}, so rates are not compared; "
        text += "an answer of one token has none."
        return Finding(topic="Speed", text=text, tone="open")
    return _leader(groups, metric, topic="Speed", verb="is fastest", write=_tokens_per_s)


def _fastest(groups: Groups) -> str:
    rates = list(groups.measured("output_tokens_per_s"))
    found = _speed(groups)
    if not rates:
        return "No score was measured."
    text = f"the median speed is {_value(rates[0], _tokens_per_s)}." if found is None else found.text
    return f"Nothing was scored: {text}"


def _leader(
    groups: Groups, metric: str, *, topic: str, verb: str, write: Callable[[float], str]
) -> Finding | None:
    measured = sorted(groups.measured(metric), key=lambda each: -each.value)
    if len(measured) < 2:
        return None
    first, *others = measured
    rivals = [each for each in others if overlap(first.interval, each.interval)]
    text = f"{groups.label(first.group)} {verb}, {_value(first, write)}; {_rivals(rivals, others, groups)}."
    return Finding(topic=topic, text=text, tone="open" if rivals else "shown")


def _rivals(rivals: list[Measured], others: list[Measured], groups: Groups) -> str:
    if not rivals:
        return "its interval lies above all others"
    if all(rival.interval is None for rival in rivals):
        return "too few values for intervals: no difference shown"
    if len(rivals) == len(others):
        return "every other interval overlaps it: no difference shown"
    if len(rivals) == 1:
        return f"only the interval of {groups.label(rivals[0].group)} overlaps it"
    return f"the intervals of {len(rivals)} of the {len(others)} others overlap it"


def _variables(report: Report, groups: Groups) -> Iterator[Finding]:
    for variation in variations(report):
        found = trend(variation, groups)
        if found is not None:
            text, shows = found
            name = variation.variables[0]
            yield Finding(topic=name[:1].upper() + name[1:], text=text, tone="shown" if shows else "open")


def _demands(report: Report) -> Finding | None:
    counts = Counter(status(outcome) for outcome in report.outcomes)
    demanded = counts["passed"] + counts["missed"]
    if not demanded:
        return None
    text = f"{numbers.count(counts['passed'])} of {numbers.count(demanded)} trials with a demand met it."
    return Finding(topic="Demands", text=text, tone="bad" if counts["missed"] else "shown")


def _value(measured: Measured, write: Callable[[float], str]) -> str:
    """Write a value with its interval; the unit once."""
    if measured.interval is None:
        return write(measured.value)
    low, high = (write(end).removesuffix(" tokens/s") for end in measured.interval)
    return f"{write(measured.value)} [{low}, {high}]"


def _tokens_per_s(value: float) -> str:
    return f"{numbers.number(value)} tokens/s"
