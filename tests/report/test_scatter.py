"""Quality against speed: every group a point."""

from __future__ import annotations

from dataclasses import replace

from gemma_eval.report.groups import groups_of
from gemma_eval.report.scatter import MOST_NAMED_POINTS, scatter
from tests.report.example import Shape, example, report_of

REPORT = example(Shape(cases=6, unfinished=0))
GROUPS = groups_of(REPORT)


def test_nothing_measured_makes_no_figure() -> None:
    """Failures alone have no point, and one point alone is no comparison."""
    outcomes = [replace(outcome, generation=None, measurement=None) for outcome in REPORT.outcomes]
    assert scatter(groups_of(report_of(outcomes))) is None
    assert scatter(groups_of(report_of(REPORT.outcomes[:1]))) is None


def test_every_group_is_a_named_point_on_the_plane() -> None:
    """Higher is better, so upwards is a smaller y."""
    figure = scatter(GROUPS)
    assert figure is not None
    assert [mark.label for mark in figure.marks] == [GROUPS.label(group) for group in GROUPS.order]
    scores = {each.group: each.value for each in GROUPS.measured("score")}
    best = max(GROUPS.order, key=lambda group: scores[group])
    assert figure.marks[GROUPS.order.index(best)].y == min(mark.y for mark in figure.marks)
    assert all(mark.x_low <= mark.x <= mark.x_high for mark in figure.marks)
    assert all(mark.y_low >= mark.y >= mark.y_high for mark in figure.marks)


def test_long_names_give_way_to_numbers() -> None:
    """A label is never wider than the plane."""
    long = [
        replace(each, group=replace(each.group, profile=each.group.profile + "x" * 60))
        for each in REPORT.summaries
    ]
    figure = scatter(groups_of(replace(REPORT, summaries=tuple(long))))
    assert figure is not None
    assert figure.numbered


def test_small_differences_of_speed_look_small() -> None:
    """The axis spans a fifth of the speed at least."""
    near = [replace(each, p50=1000.0, ci_low=999.0, ci_high=1001.0) for each in REPORT.summaries]
    figure = scatter(groups_of(replace(REPORT, summaries=tuple(near))))
    assert figure is not None
    labels = [float(tick.label) for tick in figure.x_ticks]
    assert labels[-1] - labels[0] >= 200


def test_many_points_are_numbered_as_the_rows_of_the_summary() -> None:
    """Names would not fit."""
    groups = groups_of(example(Shape(models=("a", "b", "c"), cases=4)))
    figure = scatter(groups)
    assert figure is not None
    assert len(figure.marks) > MOST_NAMED_POINTS
    scored = [each.group for each in groups.measured("score")]
    assert [mark.label for mark in figure.marks] == [str(groups.order.index(group) + 1) for group in scored]
