"""What each retrieval finds, what the model makes of it, how long that takes, and where answers are lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gemma_eval.records import Group, Outcome, Report, Summary
from gemma_eval.report.by_scorer import Case, values_of
from gemma_eval.report.groups import group_of
from gemma_eval.report.series import Variation, point_of
from gemma_eval.stats.critical_path import before_answer, is_timed, span_s
from gemma_eval.stats.losses import LOSSES, losses
from gemma_eval.stats.summary import summary_of

LATENCY = "retrieval_s"
"""From the question to the prompt, or to the passages where nobody is asked more; in seconds."""

ORACLE = "oracle"
DISTRACTORS = "distractors"
PLACE = "place of what is relevant"


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One retrieval with one model, profile and template, or alone.

    `values` has what scorers of passages gave, by case; of a case that asks for passages alone, all of its
    scorers. Of the `trials`, so many looked for passages, were `degraded` or `cached`; `reasons` say why
    something was left out. `lost` counts the answers that are wrong by the step that lost them.
    """

    group: Group
    score: Summary
    latency: Summary
    trials: int
    searched: int
    degraded: int
    cached: int
    reasons: tuple[str, ...]
    lost: Mapping[str, int]
    values: Mapping[str, Mapping[Case, float | None]] = field(repr=False)
    embedders: tuple[str, ...] = ()
    """The backends of the embedders that it used."""
    retriever: str = ""
    distractors: int = 0


def found_by(report: Report) -> tuple[Found, ...]:
    """Return what each group found, in the order of the run; none where no retrieval has a name."""
    members: dict[Group, list[Outcome]] = {}
    for outcome in report.outcomes:
        members.setdefault(group_of(outcome), []).append(outcome)
    if not any(group.retrieval for group in members):
        return ()
    scores = {each.group: each for each in report.summaries if each.metric == "score"}
    return tuple(_found(group, each, scores[group]) for group, each in members.items() if group in scores)


def disturbed(report: Report) -> tuple[Variation, ...]:
    """Return the scores with what is relevant among more and more that is not, and at other places among it.

    They are those of the retrievals of *oracle* that differ in `distractors` alone, or in `gold_at` alone.
    """
    asked: dict[str, list[Outcome]] = {}
    for outcome in report.outcomes:
        cell = outcome.trial.cell
        if cell.retrieval.retriever == ORACLE and cell.case.checks and cell.case.kind != "retrieval":
            asked.setdefault(cell.suite, []).append(outcome)
    return tuple(each for suite, outcomes in asked.items() for each in _disturbed(suite, outcomes))


def _found(group: Group, outcomes: Sequence[Outcome], score: Summary) -> Found:
    searched = [each for each in outcomes if each.trace is not None]
    degraded = [each.trace.degraded for each in searched if each.trace is not None and each.trace.degraded]
    cached = sum(each.cached is not None and each.cached.is_hit for each in outcomes)
    times = [span_s(before_answer(each)) for each in searched if is_timed(each)]
    lost, way = losses(outcomes), outcomes[0].trial.cell.retrieval
    return Found(
        group=group,
        score=score,
        latency=summary_of(group, LATENCY, times),
        trials=len(outcomes),
        searched=len(searched),
        degraded=len(degraded),
        cached=cached,
        reasons=tuple(dict.fromkeys(degraded)),
        lost={name: lost[name] for name in LOSSES},
        values=_values(group, outcomes),
        embedders=tuple(
            dict.fromkeys(spec.backend for each in outcomes for spec in each.trial.cell.embedders)
        ),
        retriever=way.retriever,
        distractors=way.distractors,
    )


def _values(group: Group, outcomes: Sequence[Outcome]) -> dict[str, Mapping[Case, float | None]]:
    checks = [check for each in outcomes for check in each.trial.cell.case.checks]
    wanted = {check.name for check in checks if check.of_passages or not group.has_model}
    return {scorer: cases for (scorer, _), cases in values_of(outcomes).items() if scorer in wanted}


def _disturbed(suite: str, outcomes: Sequence[Outcome]) -> Iterator[Variation]:
    """Yield a variation for each place with several numbers of distractors, each number with several places.

    Without distractors what is relevant is at every place.
    """
    ways = [outcome.trial.cell.retrieval for outcome in outcomes]
    places = dict.fromkeys(way.gold_at for way in ways if way.distractors)
    by: dict[tuple[str, float | None], list[tuple[float, Outcome]]] = {}
    for way, outcome in zip(ways, outcomes, strict=True):
        for place in (way.gold_at,) if way.distractors else places:
            by.setdefault((DISTRACTORS, place), []).append((float(way.distractors), outcome))
        if way.distractors and way.gold_at is not None:
            by.setdefault((PLACE, float(way.distractors)), []).append((way.gold_at, outcome))
    for (variable, beside), members in by.items():
        if len({value for value, _ in members}) > 1:
            yield _variation(suite, variable, _series_name(variable, beside), members)


def _series_name(variable: str, beside: float | None) -> str:
    if variable == PLACE:
        return f"{beside:g} distractors"
    return "in the order of retrieval" if beside is None else f"what is relevant at {beside:g}"


def _variation(suite: str, variable: str, series: str, members: Sequence[tuple[float, Outcome]]) -> Variation:
    places: dict[tuple[Group, float], list[Outcome]] = {}
    for value, outcome in members:
        group = outcome.trial.cell.group
        shared = Group(model=group.model, profile=group.profile, template=group.template)
        places.setdefault((shared, value), []).append(outcome)
    varied = Counter(group for group, _ in places)
    order = list(dict.fromkeys(group for group, _ in places if varied[group] > 1))
    kept = [(at, outcomes) for at, outcomes in places.items() if at[0] in order]
    ordered = sorted(kept, key=lambda item: (order.index(item[0][0]), item[0][1]))
    return Variation(
        suite=suite,
        series=series,
        variables=(variable,),
        is_likelihood=False,
        points=tuple(point_of(group, (value,), outcomes) for (group, value), outcomes in ordered),
    )
