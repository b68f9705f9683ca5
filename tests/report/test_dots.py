"""Pictures of benchmarks: a dot stands where its median is, and only where models can be compared."""

from __future__ import annotations

from dataclasses import replace

from gemma_eval.records import Report
from gemma_eval.report.axes import Tick
from gemma_eval.report.benchmarks import alone
from gemma_eval.report.cells import TimedCell, timed_cells
from gemma_eval.report.dots import MOST_NAME, DotFigure, dot_figures
from gemma_eval.report.groups import groups_of
from tests.report.timed import CASES, Timed, answer, cell_of, outcome_of, timed_report, timed_run

REPORT = timed_run()


def cells_of(report: Report) -> tuple[TimedCell, ...]:
    """Return the benchmarks of a report."""
    return alone(timed_cells(report, groups_of(report)))


def drawn(report: Report) -> tuple[DotFigure, ...]:
    """Return the pictures of a report."""
    return dot_figures(cells_of(report), groups_of(report))


def read_off(figure: DotFigure, at: float) -> float:
    """Read a value in seconds from its place, between the ticks of a linear axis or beyond."""
    first, last = figure.x_ticks[0], figure.x_ticks[-1]
    per_s = 1.0 if figure.x_title.startswith("s,") else 1e3
    low, high = float(first.label), float(last.label)
    return (low + (at - first.at) / (last.at - first.at) * (high - low)) / per_s


def stands_at_its_median(figure: DotFigure, report: Report) -> bool:
    """Tell whether every dot of the picture of TPOT is where the median of its cell is."""
    medians = [
        cell.summary("tpot_s").p50
        for cell in cells_of(report)
        if cell.name in {row.name for row in figure.rows}
    ]
    places = [read_off(figure, mark.x) for mark in figure.marks]
    return all(
        value is not None and abs(place - value) < 1e-6 * value
        for place, value in zip(places, medians, strict=True)
    )


def test_a_dot_stands_at_its_median() -> None:
    """Read back from the ticks of the axis."""
    report = timed_run(Timed(trouble=False, loads=False))
    short = replace(
        report,
        outcomes=tuple(each for each in report.outcomes if len(each.trial.cell.case.id) < MOST_NAME),
    )
    _, tpot = drawn(short)
    assert stands_at_its_median(tpot, short)
    moved = replace(tpot, x_ticks=tuple(Tick(at=tick.at + 3, label=tick.label) for tick in tpot.x_ticks))
    assert not stands_at_its_median(moved, short)


def test_there_is_a_picture_of_ttft_and_one_of_tpot() -> None:
    """A line for each case that both models ran, in the order of the table."""
    ttft, tpot = drawn(REPORT)
    assert [ttft.title, tpot.title] == ["Time to first token", "Time per output token"]
    assert [row.name for row in ttft.rows][:3] == list(CASES)[:3]
    assert len(ttft.marks) == 2 * len(CASES)
    assert [key.name for key in ttft.models] == ["small", "large"]
    assert ttft.x_title == "s, median, log scale"
    assert tpot.x_title == "ms, median"


def test_a_dot_tells_its_value_and_its_interval() -> None:
    """For those who do not see it, and under the pointer."""
    first = drawn(REPORT)[0].marks[0]
    assert first.words.startswith("read-128, small: 35.9 ms [")
    assert first.x_low <= first.x <= first.x_high


def test_models_have_colours_and_shapes_of_their_own() -> None:
    """The same in every picture."""
    for figure in drawn(REPORT):
        assert {(mark.colour, mark.shape) for mark in figure.marks} == {(0, 0), (1, 1)}


def test_a_long_name_is_cut() -> None:
    """The paper beside the lines is narrow; the table has the whole name."""
    last = drawn(REPORT)[0].rows[-1]
    assert len(last.name) == MOST_NAME
    assert last.name.endswith("…")


def test_one_model_alone_is_not_drawn() -> None:
    """There is nothing to compare; nor is there where two models ran different cases."""
    assert drawn(timed_run(Timed(models=("small",), loads=False))) == ()
    apart = [outcome_of(cell_of(name, model=name), answer(10, 20)) for name in ("one", "two")]
    assert drawn(timed_report(apart)) == ()


def test_each_profile_has_a_picture_of_its_own() -> None:
    """Named in the title, since times of different settings are not to be compared by model."""
    outcomes = [
        outcome_of(cell_of("read", model=model, profile=profile), answer(10, 20))
        for model in ("one", "two")
        for profile in ("greedy", "hot")
    ]
    titles = [figure.title for figure in drawn(timed_report(outcomes))]
    assert titles == [
        f"{what}, {profile}"
        for profile in ("greedy", "hot")
        for what in ("Time to first token", "Time per output token")
    ]


def test_every_dot_lies_in_its_frame() -> None:
    """With its interval."""
    for figure in drawn(REPORT):
        right, base = figure.frame.left + figure.frame.width, figure.frame.top + figure.frame.height
        for mark in figure.marks:
            assert figure.frame.left <= mark.x_low <= mark.x_high <= right
            assert figure.frame.top <= mark.y <= base


def test_equal_times_still_have_an_axis() -> None:
    """All zero, as from a clock that stands still."""
    outcomes = [outcome_of(cell_of("read", model=model), answer(0, 0)) for model in ("one", "two")]
    assert len(drawn(timed_report(outcomes))) == 2
