"""The scores at each value of a variable are those of its cases, and figures show them where they lie."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest

from gemma_eval.records import Failure, Group, Outcome, Report
from gemma_eval.report.groups import group_of, groups_of
from gemma_eval.report.heat import heat_figures
from gemma_eval.report.lines import LineFigure, line_figures
from gemma_eval.report.scatter import SHAPES
from gemma_eval.report.series import Variation, planes, variations
from gemma_eval.stats.intervals import of_scores, wilson
from tests.report.example import Shape, example, report_of
from tests.report.varied import DEPTHS, LENGTHS, REACH, Varied, varied

REPORT = varied()
READ = varied(Varied(scorer="likelihood", needles=3))
GROUPS = groups_of(REPORT)


def figures(report: Report) -> tuple[LineFigure, ...]:
    """Return the line figures of a report."""
    return line_figures(variations(report), groups_of(report))


def changed(outcome: Outcome, **fields: object) -> Outcome:
    """Return the outcome with other fields of its case."""
    cell = outcome.trial.cell
    case = replace(cell.case, **fields)  # type: ignore[arg-type]
    return replace(outcome, trial=replace(outcome.trial, cell=replace(cell, case=case)))


Scores = Mapping[tuple[Group, float], Mapping[str, list[float]]]


def counted(report: Report, name: str) -> Scores:
    """Collect the scores by group, value and needle, straight from the outcomes."""
    found: dict[tuple[Group, float], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for outcome in report.outcomes:
        case = outcome.trial.cell.case
        found[group_of(outcome), case.variables[name]][str(case.cluster)].append(outcome.score or 0.0)
    return found


def disagreeing(variation: Variation, expected: Scores) -> int:
    """Count the points whose mean, n or interval is not that of the needles."""
    wrong = 0
    for point in variation.points:
        needles = expected[point.group, point.at[0]]
        scores = [score for needle in needles.values() for score in needle]
        interval = of_scores([sum(needle) / len(needle) for needle in needles.values()])
        fits = point.n == len(scores) and point.value == pytest.approx(sum(scores) / len(scores))
        assert point.interval is not None
        wrong += not (fits and point.interval == pytest.approx((interval.low, interval.high)))
    return wrong


def test_every_point_is_the_mean_of_its_cases_with_its_interval() -> None:
    """Over each variable, for each group."""
    by_length, by_depth = variations(REPORT)
    assert (by_length.variables, by_depth.variables) == (("length",), ("depth",))
    assert len(by_length.points) == len(REACH) * len(LENGTHS)
    assert disagreeing(by_length, counted(REPORT, "length")) == 0
    assert disagreeing(by_depth, counted(REPORT, "depth")) == 0


def test_a_point_of_other_cases_would_be_noticed() -> None:
    """The comparison above can fail: one trial less."""
    less = counted(report_of(REPORT.outcomes[1:]), "length")
    assert disagreeing(variations(REPORT)[0], less) == 1
    one_by_one = [changed(outcome, cluster=None) for outcome in REPORT.outcomes]
    assert disagreeing(variations(report_of(one_by_one))[0], counted(REPORT, "length")) > 10


def test_the_depths_of_a_needle_are_one_datum_of_an_interval() -> None:
    """Eight needles found at three depths prove what eight prove, and without clusters what 24 prove."""
    found = varied(Varied(models=("pocket",)), reach=9e9).outcomes
    sure = [replace(each, scores=(replace(each.scores[0], value=1.0),)) for each in found]
    apart = [changed(outcome, cluster=None) for outcome in sure]
    eight, all_24 = wilson(8, 8), wilson(24, 24)
    assert {point.interval for point in variations(report_of(sure))[0].points} == {(eight.low, eight.high)}
    assert {point.interval for point in variations(report_of(apart))[0].points} == {(all_24.low, all_24.high)}
    assert {point.n for point in variations(report_of(sure))[0].points} == {24}


def test_each_pair_of_three_variables_has_a_map() -> None:
    """With length across where it is one of them."""
    three = [
        changed(each, variables={**each.trial.cell.case.variables, "digits": float(index % 2)})
        for index, each in enumerate(REPORT.outcomes)
    ]
    pairs = [plane.variables for plane in planes(report_of(three))]
    assert pairs == [("length", "depth"), ("length", "digits"), ("depth", "digits")]


def test_repeats_of_a_case_are_one_datum() -> None:
    """As in summaries: ten repeats of one question are not ten questions."""
    once = [outcome for outcome in REPORT.outcomes if outcome.trial.cell.case.variables["depth"] == 0]
    twice = [replace(each, trial=replace(each.trial, repeat=repeat)) for each in once for repeat in (0, 1)]
    (alone,), (again,) = variations(report_of(once)), variations(report_of(twice))
    assert alone.points == again.points


def test_a_case_that_failed_is_missing_and_not_wrong() -> None:
    """A value without any score has no point, and the line is broken there."""
    failure = Failure(kind="context_overflow", message="too long")
    at_32 = [
        replace(each, generation=None, measurement=None, scores=(), failure=failure)
        if each.trial.cell.case.variables["length"] == 32
        else each
        for each in varied(Varied(models=("pocket",))).outcomes
    ]
    report = report_of(at_32)
    point = next(each for each in variations(report)[0].points if each.at == (32.0,))
    assert (point.value, point.n, point.missing) == (None, 0, 3 * 8)
    (line,) = figures(report)[0].lines
    assert len(line.dots) == len(LENGTHS) - 1
    assert line.path.count("M") == 2
    assert figures(report)[0].rows[2].n == "0 (24 missing)"


def test_a_run_without_variables_has_no_figure() -> None:
    """Nor has one in which the variables have one value each, or nothing was checked."""
    for report in (
        example(Shape(cases=3)),
        report_of([]),
        report_of(REPORT.outcomes[:2]),
        report_of([changed(outcome, checks=()) for outcome in REPORT.outcomes]),
    ):
        assert variations(report) == ()
        assert planes(report) == ()


def test_series_and_suites_are_kept_apart() -> None:
    """Two series with the same variables are two figures; without a series the suite names them."""
    other = [changed(outcome, series="passkey") for outcome in REPORT.outcomes]
    nameless = [changed(outcome, series=None) for outcome in REPORT.outcomes]
    titles = [figure.title for figure in figures(report_of([*REPORT.outcomes, *other, *nameless]))]
    assert titles == [
        f"Score by {name}: {series}"
        for series in ("needle", "passkey", "example")
        for name in ("length", "depth")
    ]


def test_lines_differ_in_more_than_colour() -> None:
    """Each has a marker of its own, and every point its words."""
    figure = figures(REPORT)[0]
    assert [line.name for line in figure.lines] == list(REACH)
    assert len({(line.colour, line.shape) for line in figure.lines}) == len(REACH) <= SHAPES
    words = figure.lines[0].dots[0].words
    assert words.startswith("pocket, 8: 0.")
    assert "[" in words


def test_points_lie_in_the_frame_where_their_values_are() -> None:
    """Higher is better, so upwards is a smaller y; longer is further right; no two lines hide each other."""
    for figure in (*figures(REPORT), *figures(READ)):
        box = figure.frame
        for line in figure.lines:
            assert [dot.x for dot in line.dots] == sorted(dot.x for dot in line.dots)
            for dot in line.dots:
                assert box.left <= dot.x <= box.left + box.width
                assert box.top <= dot.y_high <= dot.y <= dot.y_low <= box.top + box.height
        assert len({dot.x for line in figure.lines for dot in line.dots}) == sum(
            len(line.dots) for line in figure.lines
        )


def test_the_axis_of_lengths_tells_the_prompt_tokens() -> None:
    """The mean that was measured there, below the value; no other variable has any."""
    by_length, by_depth = figures(REPORT)
    assert [tick.label for tick in by_length.x_ticks] == ["8", "16", "32", "64", "128"]
    tokens = [20 + 9 * length + 4.5 for length in LENGTHS]
    assert [tick.below for tick in by_length.x_ticks] == [f"{round(n):,}".replace(",", " ") for n in tokens]
    assert by_length.x_title == "length, log scale; below: mean prompt tokens"
    assert by_depth.x_title == "depth"
    assert {tick.below for tick in by_depth.x_ticks} == {""}


def test_shares_have_an_even_axis_and_lie_on_a_straight_line_when_the_score_is_the_share() -> None:
    """A probability against a probability: on a log axis the diagonal would be bent."""
    shares = (0.1, 0.2, 0.4, 0.7)
    drawn = []
    for index, outcome in enumerate(REPORT.outcomes):
        share = shares[index // len(REACH) % len(shares)]
        score = replace(outcome.scores[0], value=share)
        drawn.append(replace(changed(outcome, variables={"share": share}), scores=(score,)))
    (figure,) = figures(report_of(drawn))
    assert figure.x_title == "share"
    for line in figure.lines:
        slopes = [(b.y - a.y) / (b.x - a.x) for a, b in pairwise(line.dots)]
        assert slopes == pytest.approx([slopes[0]] * (len(shares) - 1))


def test_small_values_that_lie_orders_apart_have_a_log_axis() -> None:
    """Such as learning rates: nobody could tell them apart on an even one."""
    rates = [
        changed(outcome, variables={"rate": 10.0 ** -(index // len(REACH) % 4)})
        for index, outcome in enumerate(REPORT.outcomes)
    ]
    (figure,) = figures(report_of(rates))
    assert figure.x_title == "rate, log scale"


def test_labels_that_would_touch_are_left_out() -> None:
    """The tick stays; many values have round ticks instead."""
    near = [
        changed(outcome, variables={"x": 1000.0 + index % 10 if index % 3 else 2000.0})
        for index, outcome in enumerate(REPORT.outcomes)
    ]
    (figure,) = figures(report_of(near))
    assert [tick.label for tick in figure.x_ticks if tick.label] == ["1 000", "2 000"]
    assert len(figure.x_ticks) > 5
    many = [changed(each, variables={"x": float(index % 40)}) for index, each in enumerate(REPORT.outcomes)]
    (figure,) = figures(report_of(many))
    assert [tick.label for tick in figure.x_ticks] == ["0", "10", "20", "30", "40"]
    wide = [
        changed(outcome, variables={"x": 2.0 ** (index % 14)})
        for index, outcome in enumerate(REPORT.outcomes)
    ]
    (figure,) = figures(report_of(wide))
    assert figure.x_ticks[-1].label == "10 000"


def test_what_was_read_is_drawn_as_probability_with_its_perplexity() -> None:
    """That of all tokens of a point: one over their geometric mean."""
    variation = variations(READ)[0]
    assert variation.is_likelihood
    figure = figures(READ)[0]
    assert figure.title == "Probability per token by length: needle"
    assert figure.y_title == "probability per token"
    point = variation.points[0]
    read = [
        outcome.generation
        for outcome in READ.outcomes
        if group_of(outcome) == point.group and outcome.trial.cell.case.variables["length"] == point.at[0]
    ]
    product = math.prod(math.exp(p) for each in read if each for p in each.log_probabilities or ())
    tokens = sum(len(each.log_probabilities or ()) for each in read if each)
    assert point.perplexity == pytest.approx(product ** (-1 / tokens))
    assert point.perplexity != pytest.approx(product ** (-1 / (tokens - 1)), rel=1e-3)
    assert variations(REPORT)[0].points[0].perplexity is None


def test_a_perplexity_past_all_floats_is_not_invented() -> None:
    """It is a dash."""
    beyond = [
        replace(outcome, generation=replace(outcome.generation, log_probabilities=(-1e6,)))
        for outcome in READ.outcomes
        if outcome.generation is not None
    ]
    assert {point.perplexity for point in variations(report_of(beyond))[0].points} == {None}


def test_two_variables_make_a_map_for_each_group() -> None:
    """Lengths across, depths down, each cell the mean of its cases; darker is better."""
    (figure,) = heat_figures(planes(REPORT), GROUPS)
    assert (figure.across, figure.down) == ("length", "depth")
    assert [each.name for each in figure.maps] == list(REACH)
    first = figure.maps[0]
    assert first.columns == ("8", "16", "32", "64", "128")
    assert [row.value for row in first.rows] == ["0", "0.5", "1"]
    scores = [
        outcome.score or 0.0
        for outcome in REPORT.outcomes
        if outcome.trial.cell.model.name == "pocket"
        and outcome.trial.cell.case.variables == {"length": 16.0, "depth": 0.5}
    ]
    cell = first.rows[1].cells[1]
    assert cell is not None
    assert cell.score == f"{sum(scores) / len(scores):.2f}"
    assert cell.words.endswith("], 8 cases")
    cells = [cell for each in figure.maps for row in each.rows for cell in row.cells if cell is not None]
    shades = {float(cell.score): cell.shade for cell in cells}
    assert [shades[score] for score in sorted(shades)] == sorted(shades.values())


def test_a_place_that_was_not_asked_is_an_empty_cell() -> None:
    """Not a score of 0."""
    some = [
        outcome
        for outcome in REPORT.outcomes
        if outcome.trial.cell.case.variables != {"length": LENGTHS[0], "depth": DEPTHS[0]}
    ]
    (figure,) = heat_figures(planes(report_of(some)), GROUPS)
    assert {each.rows[0].cells[0] for each in figure.maps} == {None}
