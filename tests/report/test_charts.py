"""The geometry of charts: scales, ticks, curves and label places."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.report.charts import (
    Box,
    Point,
    Scale,
    ecdf,
    leader_path,
    log_ticks,
    nice_ticks,
    paper,
    place_labels,
    rug_path,
    step_path,
)

values = st.floats(min_value=-1e6, max_value=1e6)
times = st.floats(min_value=1e-6, max_value=1e4)
FRAME = Box(left=0, top=0, width=500, height=300)


def test_a_scale_maps_the_ends_of_the_data_to_the_ends_of_the_paper() -> None:
    """Low is start, high is stop, the middle is the middle."""
    scale = Scale(low=0, high=10, start=100, stop=0)
    assert [scale(value) for value in (0, 5, 10)] == [100, 50, 0]


def test_a_log_scale_gives_every_decade_the_same_length() -> None:
    """1, 10 and 100 are evenly apart."""
    scale = Scale(low=1, high=100, start=0, stop=80, kind="log")
    assert [scale(value) for value in (1, 10, 100)] == pytest.approx([0, 40, 80])


def test_a_value_outside_stops_at_the_edge() -> None:
    """Zero on a log axis is drawn at its lower edge."""
    assert Scale(low=1, high=100, start=0, stop=80, kind="log")(0) == 0
    assert Scale(low=0, high=1, start=0, stop=80)(1.5) == 80


def test_a_scale_without_length_puts_everything_in_the_middle() -> None:
    """One value alone is drawn, not divided by zero."""
    assert Scale(low=3, high=3, start=0, stop=10)(3) == 5


@given(values, values)
@settings(deadline=None)
def test_nice_ticks_span_the_data_at_round_and_even_steps(one: float, other: float) -> None:
    """The first is at or below the data, the last at or above, the step is 1, 2 or 5 times a power of ten."""
    low, high = min(one, other), max(one, other)
    if high - low < 1e-3:
        return
    ticks = nice_ticks(low, high)
    slack = 1e-6 * (high - low)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 12
    step = ticks[1] - ticks[0]
    digit = step / 10 ** math.floor(math.log10(step) + 1e-6)
    assert min(abs(digit - nice) for nice in (1, 2, 5, 10)) < 1e-3


def test_nice_ticks_of_one_value_surround_it() -> None:
    """A single value has an axis too."""
    ticks = nice_ticks(4, 4)
    assert ticks[0] <= 4 <= ticks[-1]
    assert len(ticks) > 1


@given(times, times)
@settings(deadline=None)
def test_log_ticks_span_the_data(one: float, other: float) -> None:
    """The first tick is at or below the data, the last at or above, and they are few."""
    low, high = min(one, other), max(one, other)
    ticks = log_ticks(low, high)
    assert ticks[0] <= low * (1 + 1e-6)
    assert ticks[-1] >= high * (1 - 1e-6)
    assert len(ticks) <= 14


def test_log_ticks_name_the_range_that_they_refuse() -> None:
    """A log axis has no zero."""
    with pytest.raises(ValueError, match="0 < low"):
        log_ticks(0, 1)


def curve_is_true(curve: Callable[[Sequence[float]], tuple[Point, ...]], data: Sequence[float]) -> bool:
    """Tell whether each step of a curve is the share of the data at or below it, counted one by one."""
    return all(
        share == pytest.approx(sum(value <= place for value in data) / len(data))
        for place, share in curve(data)
    )


@given(st.lists(times, min_size=1, max_size=60))
@settings(deadline=None)
def test_the_curve_is_the_share_at_or_below(data: list[float]) -> None:
    """The definition of the empirical distribution, counted by hand; it ends at 1 and never falls."""
    steps = ecdf(data)
    assert curve_is_true(ecdf, data)
    assert steps[-1] == (max(data), 1.0)
    assert sorted(steps, key=lambda step: step[1]) == list(steps)


def test_a_curve_of_shares_below_would_be_found() -> None:
    """The oracle fails on a planted error: counting `<` for `<=`."""

    def wrong(data: Sequence[float]) -> tuple[Point, ...]:
        return tuple((place, sum(value < place for value in data) / len(data)) for place in sorted(set(data)))

    assert not curve_is_true(wrong, [1.0, 2.0, 2.0, 3.0])


def test_a_long_curve_is_thinned_and_stays_true() -> None:
    """Ten thousand values make at most 200 steps, each of them on the true curve, both ends kept."""
    data = [math.sin(index) ** 2 for index in range(10_000)]
    steps = ecdf(data)
    assert len(steps) <= 200
    assert curve_is_true(ecdf, data)
    assert steps[0][0] == min(data)
    assert steps[-1][0] == max(data)


def test_nothing_has_no_curve() -> None:
    """No value, no step, no path."""
    scale = Scale(low=0, high=1, start=0, stop=1)
    assert ecdf([]) == ()
    assert step_path((), x=scale, y=scale) == ""


def test_a_path_jumps_up_at_each_step() -> None:
    """From the base at the first value, right and up at each further one."""
    x = Scale(low=0, high=10, start=0, stop=100)
    y = Scale(low=0, high=1, start=50, stop=0)
    assert step_path(((2, 0.5), (4, 1.0)), x=x, y=y) == "M20 50H20V25H40V0"


def test_strokes_that_fall_together_are_drawn_once() -> None:
    """A thousand tokens take no more bytes than the paper has units."""
    assert rug_path([1.2, 0.9, 4.0], height=10) == "M1 0v10M4 0v10"


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (1.25, "1.2"), (-0.04, "0"), (10.06, "10.1")])
def test_coordinates_are_short(value: float, text: str) -> None:
    """One decimal, no trailing zero, no minus zero."""
    assert paper(value) == text


def test_labels_do_not_cover_each_other_where_there_is_room() -> None:
    """Nine points in a crowd get nine places apart, all on the paper."""
    points = [(200.0 + 12 * (index % 3), 120.0 + 12 * (index // 3)) for index in range(9)]
    boxes = place_labels(points, [60.0] * 9, height=14, frame=FRAME)
    assert all(box.outside(FRAME) == 0 for box in boxes)
    assert sum(one.overlap(other) for at, one in enumerate(boxes) for other in boxes[:at]) == 0


def test_a_lone_label_stands_beside_its_point_without_a_line() -> None:
    """No leader is drawn over so short a way; a label far away has one that ends at its edge."""
    (box,) = place_labels([(100.0, 100.0)], [50.0], height=14, frame=FRAME)
    assert leader_path((100.0, 100.0), box) == ""
    assert leader_path((10.0, 10.0), Box(left=40, top=30, width=50, height=14)) == "M10 10L40 30"


def test_the_overlap_of_boxes_is_their_common_area() -> None:
    """Touching boxes share nothing."""
    box = Box(left=0, top=0, width=10, height=10)
    assert box.overlap(Box(left=5, top=5, width=10, height=10)) == 25
    assert box.overlap(Box(left=10, top=0, width=5, height=5)) == 0
