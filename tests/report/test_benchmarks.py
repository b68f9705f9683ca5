"""The table of benchmarks: every figure is that of the answers, and what does not compare is marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean, median

import pytest

from gemma_eval.records import Outcome, Report
from gemma_eval.report import numbers
from gemma_eval.report.benchmarks import (
    COLUMNS,
    MOST_ROWS,
    BenchmarkRow,
    Benchmarks,
    alone,
    benchmarks,
    is_flagged,
    n_of,
)
from gemma_eval.report.cells import TimedCell, timed_cells
from gemma_eval.report.figure import Figure
from gemma_eval.report.groups import groups_of
from tests.report.timed import Timed, answer, cell_of, outcome_of, resources_of, timed_report, timed_run

REPORT = timed_run()
Middle = Callable[[Sequence[float]], float]


def table_of(report: Report) -> Benchmarks:
    """Return the table of a report."""
    groups = groups_of(report)
    found = benchmarks(alone(timed_cells(report, groups)), groups)
    assert found is not None
    return found


def rows_of(report: Report) -> list[BenchmarkRow]:
    """Return the rows of a report."""
    return [row for case in table_of(report).cases for row in case.rows]


def figures(row: BenchmarkRow) -> dict[str, Figure]:
    """Return the figures of a row by their headings."""
    return dict(zip(COLUMNS, row.figures, strict=True))


def only(*outcomes: Outcome) -> dict[str, Figure]:
    """Return the figures of a run of one cell."""
    (row,) = rows_of(timed_report(list(outcomes)))
    return figures(row)


def shows(row: BenchmarkRow, cell: TimedCell, middle: Middle) -> bool:
    """Tell whether a row has the middle values of its answers, computed here from their measurements."""
    measured = [each.measurement for each in cell.outcomes if each.measurement and each.failure is None]

    def of(field: str) -> float | None:
        values: list[float] = [value for each in measured if (value := getattr(each, field)) is not None]
        return middle(values) if values else None

    found = figures(row)
    return (
        found["TTFT p50"].value == numbers.seconds(of("ttft_s"))
        and found["TPOT p50"].value == numbers.seconds(of("tpot_s"))
        and found["output tokens/s"].value == numbers.known(of("output_tokens_per_s"))
        and found["prompt tokens/s"].value == numbers.known(of("prompt_tokens_per_s"))
        and found["CPU per token"].value == numbers.seconds(of("cpu_s_per_output_token"))
        and found["peak memory"].value == numbers.bytes_(of("peak_memory_bytes"))
    )


def rows_show(middle: Middle) -> bool:
    """Tell whether all rows of the made-up run show those middle values."""
    report = timed_run(Timed(trouble=False))
    cells = alone(timed_cells(report, groups_of(report)))
    return all(shows(row, cell, middle) for row, cell in zip(rows_of(report), cells, strict=True))


def test_every_figure_is_the_median_of_its_answers() -> None:
    """Computed a second time from the measurements."""
    assert rows_show(median)


def test_means_in_place_of_medians_would_be_found() -> None:
    """The check above fails on a planted error."""
    assert not rows_show(fmean)


def test_a_row_has_tokens_rates_memory_and_what_they_are_made_of() -> None:
    """Figures of ten answers have intervals; mapped weights do not look like heap."""
    (case, *_) = table_of(REPORT).cases
    assert case.name == "read-128"
    assert [row.label for row in case.rows] == ["small", "large"]
    small, large = map(figures, case.rows)
    assert small["prompt tokens"] == Figure(value="128")
    assert small["output tokens"] == Figure(value="16")
    assert small["TTFT p50"].interval.endswith("] ms")
    assert small["prompt tokens/s"].below == ("by the engine",)
    assert large["prompt tokens/s"].below == ("from TTFT",)
    assert small["peak memory"].below == ("61.0 MB anonymous", "290 MB file")
    assert small["CPU per token"].value.endswith(" ms")
    assert case.rows[0].n == "10"


def test_the_longest_stall_is_that_of_any_answer() -> None:
    """Not that of a middling one."""
    cell = cell_of("write")
    found = only(
        outcome_of(cell, answer(10, 20, 30), repeat=0),
        outcome_of(cell, answer(10, 20, 120), repeat=1),
        outcome_of(cell, answer(10, 20, 30), repeat=2),
    )
    assert found["longest stall"].value == "100 ms"


def test_answers_of_different_lengths_are_marked() -> None:
    """In the row and in a sentence."""
    cell = cell_of("write")
    report = timed_report([outcome_of(cell, answer(10, 20)), outcome_of(cell, answer(10, 20, 30), repeat=1)])
    (row,) = rows_of(report)
    assert figures(row)["output tokens"] == Figure(value="2 to 3", flags=("lengths differ",))
    assert any("answers differ in length" in note for note in table_of(report).notes)
    assert is_flagged(timed_cells(report, groups_of(report))[0])


@pytest.mark.parametrize(
    ("prompt", "cached", "expected"),
    [
        (512, 0, Figure(value="512")),
        (512, 4, Figure(value="512", below=("0 to 4 cached",))),
        (512, 480, Figure(value="512", flags=("0 to 480 cached",))),
        (6, 4, Figure(value="6", flags=("0 to 4 cached",))),
        (512, None, Figure(value="512")),
    ],
)
def test_prompts_from_a_cache_are_marked(prompt: int, cached: int | None, expected: Figure) -> None:
    """The few tokens that a chat template writes before every prompt are told of, and no warning."""
    cell = cell_of("read")
    outcomes = [
        outcome_of(cell, answer(10, 20, prompt_tokens=prompt, cached_tokens=count), repeat=repeat)
        for repeat, count in enumerate((0, cached))
    ]
    report = timed_report(outcomes)
    assert only(*outcomes)["prompt tokens"] == expected
    assert any("came from a cache" in note for note in table_of(report).notes) == bool(expected.flags)


def test_what_was_not_measured_is_a_dash_with_its_reason() -> None:
    """Never 0: an answer that came whole has no time to first token."""
    whole = replace(answer(50), streamed=False)
    report = timed_report([outcome_of(cell_of("read"), whole)])
    found = figures(rows_of(report)[0])
    for name in ("TTFT p50", "TPOT p50", "output tokens/s", "longest stall", "peak memory", "CPU per token"):
        assert found[name].value == numbers.MISSING, name
    said = " ".join(table_of(report).lacks)
    assert "TTFT" in said
    assert "(not_streamed): the answers came whole." in said
    assert "No peak memory and CPU per token (not_watched)" in said


def test_reasons_say_in_how_many_rows() -> None:
    """Where some rows have the figure."""
    watched = outcome_of(cell_of("a"), answer(10, 20), resources=resources_of("small", cpu_s=0.1))
    report = timed_report([watched, outcome_of(cell_of("b"), answer(10, 20))])
    (said,) = table_of(report).lacks
    assert said.startswith("No peak memory and CPU per token in 1 of 2 rows (not_watched): memory,")


def test_n_counts_the_answers_that_are_timed() -> None:
    """Of as many trials as there were, where some have no times."""
    troubled = next(cell for cell in timed_cells(REPORT, groups_of(REPORT)) if cell.name == "what-may-happen")
    assert n_of(troubled) == "1 of 4"


def test_a_rate_tells_of_both_its_bases() -> None:
    """An engine that told its time of reading only once."""
    cell = cell_of("read")
    told = replace(answer(10, 20), engine_timings={"prompt_ms": 9.0})
    found = only(outcome_of(cell, told), outcome_of(cell, answer(10, 20), repeat=1))
    assert found["prompt tokens/s"].below == ("by the engine and from TTFT",)


def test_a_time_limit_is_shown_as_such() -> None:
    """Half of the answers never began: their median is longer than the limit."""
    cell = cell_of("read")
    silent = replace(answer(), finish_reason="timeout", ended_ns=2_000_000_000)
    made = [outcome_of(cell, answer(10, 20))]
    made += [outcome_of(cell, silent, repeat=repeat) for repeat in (1, 2)]
    assert only(*made)["TTFT p50"].value == "> 2.00 s"


def test_a_long_table_is_cut_and_says_so() -> None:
    """A quality suite with hundreds of timed cases."""
    extra = 3
    outcomes = [outcome_of(cell_of(f"case-{i}"), answer(10, 20)) for i in range(MOST_ROWS + extra)]
    found = table_of(timed_report(outcomes))
    assert sum(len(case.rows) for case in found.cases) == MOST_ROWS
    assert found.left_out == extra


def test_a_run_without_benchmarks_has_no_table() -> None:
    """Nor one of loads alone."""
    report = timed_report([])
    assert benchmarks((), groups_of(report)) is None
    loaded = timed_run(Timed(models=(), trouble=False))
    assert alone(timed_cells(loaded, groups_of(loaded))) == ()


def test_a_figure_is_written_in_one_line() -> None:
    """For Markdown: value, interval, and what is below in brackets."""
    assert Figure(value="1").line == "1"
    full = Figure(value="1", interval="[0, 2]", below=("a", "b"), flags=("c",))
    assert full.line == "1 [0, 2] (a, b, c)"
