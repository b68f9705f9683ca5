"""The front of quality and speed is that of its definition; what lies behind it is said to be if shown."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gemma_eval.report.groups import Groups, groups_of
from gemma_eval.report.pareto import Trade, front, trade
from gemma_eval.report.pareto_rows import trade_table
from gemma_eval.report.scatter import scatter
from tests.report.crossed import Crossed, crossed, drawn
from tests.report.example import Shape, example, report_of

VALUES = st.integers(0, 6).map(float)
POINTS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=12)


@given(POINTS)
def test_the_front_has_what_a_sweep_from_the_right_finds(points: list[tuple[float, float]]) -> None:
    """From the fastest on, those that score more than all before; equal points are both on it."""
    kept, top = set(), -1.0
    for speed, score in sorted(points, key=lambda point: (-point[0], -point[1])):
        if score > top:
            kept.add((speed, score))
            top = score
    assert {point for point, is_on in zip(points, front(points), strict=True) if is_on} == kept
    assert all(is_on == (point in kept) for point, is_on in zip(points, front(points), strict=True))


def speeds(*values: float) -> Crossed:
    """Return a run of pairs of these speeds, one profile after the other."""
    return Crossed(
        templates=("plain", "rag"),
        speed=lambda case, profile, template: values[2 * profile + template] * (1 + (case % 9) / 900),
    )


def levels(*values: float) -> Groups:
    """Return groups with these mean scores, that differ little from case to case, and these speeds."""
    scores = drawn(1, (40, 2, 2, 1), spread=0.02)
    scores += np.reshape(values[:4], (1, 2, 2, 1)) - scores.mean(axis=(0, 3), keepdims=True)
    return groups_of(crossed(np.clip(scores, 0, 1), speeds(*values[4:])))


def known(groups: Groups) -> Trade:
    """Return the trade of groups that have one."""
    return cast(Trade, trade(groups))


def test_those_on_the_front_come_first_and_the_others_say_who_is_ahead() -> None:
    """In both beyond the intervals, in one of them, or in neither."""
    groups = levels(0.8, 0.5, 0.799, 0.3, 100.0, 200.0, 99.0, 150.0)
    told = {groups.label(each.group): each for each in known(groups).choices}
    assert list(told) == ["greedy · plain", "greedy · rag", "hot · plain", "hot · rag"]
    assert [told[name].ahead for name in ("greedy · plain", "greedy · rag")] == [None, None]
    assert told["hot · plain"].shown == ("speed",)
    assert told["hot · rag"].shown == ("score", "speed")
    rows = {row.name: row for row in trade_table(groups).rows}  # type: ignore[union-attr]
    assert rows["hot · plain"].standing == "behind greedy · plain in speed, shown; in score not told apart"
    assert rows["hot · rag"].standing == "behind greedy · rag: in both, shown"
    assert rows["greedy · rag"].on_front


def test_what_overlaps_may_be_on_the_front() -> None:
    """A hundredth of a point and of a token per second are no difference."""
    groups = levels(0.5, 0.5, 0.499, 0.3, 100.0, 90.0, 99.99, 50.0)
    rows = {row.name: row for row in trade_table(groups).rows}  # type: ignore[union-attr]
    assert rows["hot · plain"].standing == "may be on it: not told apart from greedy · plain"


def test_the_detectable_distance_of_a_score_is_that_of_a_t_test() -> None:
    """By its quantiles; n counts cases and answers."""
    groups = levels(0.8, 0.5, 0.799, 0.3, 100.0, 200.0, 99.0, 150.0)
    for each in known(groups).choices:
        summary = groups.summary(each.group, "score")
        assert summary is not None
        error = cast(float, summary.sd) / 40**0.5
        assert each.detectable == pytest.approx((stats.t.isf(0.025, 39) + stats.t.isf(0.2, 39)) * error)
        assert (each.cases, each.answers) == (40, 40)


def test_rates_of_unlike_numbers_of_answers_give_way_to_the_time_to_first_token() -> None:
    """Less is better there, and a shorter time is on the front."""
    report = crossed(drawn(2, (40, 2, 2, 1)), speeds(1, 2, 3, 4))
    groups = groups_of(report)
    few = [
        replace(each, n=5) if each.metric == "output_tokens_per_s" and each.group == groups.order[0] else each
        for each in report.summaries
    ]
    slow = [
        replace(each, p50=9.0, ci_low=8.9, ci_high=9.1)
        if each.metric == "ttft_s" and each.group != groups.order[2]
        else each
        for each in few
    ]
    found = known(groups_of(replace(report, summaries=tuple(slow))))
    assert found.metric == "ttft_s"
    assert groups.order[2] in {each.group for each in found.choices if each.ahead is None}
    table = trade_table(groups_of(replace(report, summaries=tuple(slow))))
    assert table is not None
    assert table.speed == "TTFT p50"
    assert any("time to first token" in note for note in table.notes)


def test_numbers_of_answers_that_differ_are_told() -> None:
    """Medians over unlike answers."""
    report = crossed(drawn(3, (40, 2, 2, 1)), speeds(1, 2, 3, 4))
    first = report.summaries[0].group
    fewer = [
        replace(each, n=30) if each.metric == "output_tokens_per_s" and each.group == first else each
        for each in report.summaries
    ]
    table = trade_table(groups_of(replace(report, summaries=tuple(fewer))))
    assert table is not None
    assert any("from 30 to 40" in note for note in table.notes)


def test_scores_over_unlike_cases_are_said_not_to_compare() -> None:
    """One pair has a case less."""
    report = crossed(drawn(5, (40, 2, 2, 1)), speeds(1, 2, 3, 4))
    torn = groups_of(report_of(report.outcomes[1:]))
    tables = [trade_table(torn), trade_table(groups_of(report))]
    told = [table is not None and any("same cases" in note for note in table.notes) for table in tables]
    assert told == [True, False]


def test_one_group_is_no_choice() -> None:
    """And neither is one without a score."""
    assert trade(groups_of(crossed(drawn(4)[:, :1, :1]))) is None
    assert trade_table(groups_of(crossed(np.full((5, 2, 3, 1), np.nan)))) is None


def test_the_picture_draws_the_edge_of_the_front() -> None:
    """From the best score down to the highest speed, through every group on it."""
    groups = levels(0.8, 0.5, 0.799, 0.3, 100.0, 200.0, 99.0, 150.0)
    figure = scatter(groups)
    assert figure is not None
    places = {mark.label: (f"H{mark.x:.1f}", mark) for mark in figure.marks}
    for name in ("greedy · plain", "greedy · rag"):
        assert places[name][0].removesuffix(".0") in figure.front
    for name in ("hot · plain", "hot · rag"):
        assert places[name][0].removesuffix(".0") not in figure.front
    assert figure.front.endswith(f"V{figure.frame.top + figure.frame.height:g}")


def test_every_group_with_both_values_is_in_the_table() -> None:
    """Several models are one choice."""
    groups = groups_of(example(Shape(models=("a", "b"), cases=6, unfinished=0)))
    assert {each.group for each in known(groups).choices} == set(groups.order)
