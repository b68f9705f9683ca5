"""The groups of a report and their names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemma_eval.records import Group
from gemma_eval.report.groups import centre, group_of, groups_of, interval_of, overlap, timed
from tests.report.example import Shape, example, report_of

REPORT = example(Shape(cases=4, unfinished=0))


def test_groups_stand_in_the_order_of_the_run() -> None:
    """Profile by profile, template by template, as they first occur."""
    groups = groups_of(REPORT)
    assert groups.profiles == ("greedy", "min-p", "hot")
    assert groups.templates == ("plain", "rag", "rag-cited")
    assert [groups.label(group) for group in groups.order[:4]] == [
        "greedy · plain",
        "greedy · rag",
        "greedy · rag-cited",
        "min-p · plain",
    ]


def test_a_label_says_only_what_tells_groups_apart() -> None:
    """The model is named when there are two, and when there is nothing else to name."""
    two = groups_of(example(Shape(models=("small", "large"), cases=1, unfinished=0)))
    assert two.label(two.order[0]) == "small · greedy · plain"
    one = groups_of(report_of(REPORT.outcomes[:1]))
    assert one.label(one.order[0]) == "pocket"


def test_timings_are_of_benchmark_trials_where_there_are_any() -> None:
    """The curves are drawn over the same generations as the summaries."""
    for group, outcomes in timed(REPORT).items():
        assert {outcome.trial.cell.case.kind for outcome in outcomes} == {"benchmark"}
        measured = sum(outcome.measurement is not None for outcome in outcomes)
        summary = groups_of(REPORT).summary(group, "ttft_s")
        assert summary is not None
        assert summary.n == measured
    quality = tuple(outcome for outcome in REPORT.outcomes if outcome.trial.cell.case.kind == "quality")
    assert sum(map(len, timed(report_of(quality)).values())) == len(quality)


def test_the_centre_is_what_the_interval_is_of() -> None:
    """The mean of a score, the median of a timing, nothing of nothing."""
    groups = groups_of(REPORT)
    score, ttft = (groups.summary(groups.order[0], metric) for metric in ("score", "ttft_s"))
    assert score is not None
    assert ttft is not None
    assert centre(score) == score.mean
    assert centre(ttft) == ttft.p50
    assert centre(None) is None
    assert interval_of(None) is None
    assert interval_of(replace(score, ci_low=None)) is None
    assert groups.summary(Group(model="no", profile="such", template="group"), "score") is None


def test_scores_compare_over_the_cases_that_both_groups_have() -> None:
    """The summaries' intervals when the cases are the same, none at all when they have nothing in common."""
    groups = groups_of(REPORT)
    one, other = groups.order[:2]
    assert groups.same_cases
    assert groups.score_intervals(one, other) == (
        interval_of(groups.summary(one, "score")),
        interval_of(groups.summary(other, "score")),
    )
    halves = [
        outcome
        for outcome in REPORT.outcomes
        if (group_of(outcome) == one) == outcome.trial.cell.case.id.startswith("where-finn")
    ]
    split = groups_of(report_of(halves))
    assert not split.same_cases
    assert split.score_intervals(one, other) == (None, None)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [((0, 1), (1, 2), True), ((0, 1), (1.1, 2), False), ((3, 4), (0, 1), False), (None, (0, 1), True)],
)
def test_intervals_overlap_when_they_share_a_value(
    one: tuple[float, float] | None, other: tuple[float, float] | None, *, shared: bool
) -> None:
    """An interval that is not known may lie anywhere."""
    assert overlap(one, other) is shared


def test_an_outcome_belongs_to_its_model_profile_and_template() -> None:
    """All three names of its cell."""
    assert group_of(REPORT.outcomes[1]) == Group(model="pocket", profile="greedy", template="rag")
