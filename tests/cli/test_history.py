"""`gemma-eval history` as a person uses it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.cli.history import BARS, bars, history
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.records import Noise
from gemma_eval.store.write import open_store
from tests.verdict.test_over_runs import a_named_run, answered

STEP = [0.1, 0.101, 0.099, 0.1, 0.102, 0.098, 0.1, 0.15, 0.151, 0.149, 0.15, 0.152, 0.148, 0.15]


def record(path: Path, times: Sequence[float], *, noisy: Sequence[int] = ()) -> None:
    """Write a run for each time."""
    with closing(open_store(path)) as store:
        for number, time in enumerate(times):
            run, outcome = a_named_run(number), answered("a", ttft_s=time)
            run = replace(run, commit=f"c{number}-dirty" if number % 2 else f"{number:09x}{31 * '0'}")
            store.begin(run, [outcome.trial])
            store.record(run.id, outcome)
            noise = Noise(reasons=("others took 40 %",)) if number in noisy else None
            store.finish(run.id, "done", noise=noise)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a database of 14 runs, the last seven of which are slower."""
    path = tmp_path / "results.db"
    record(path, STEP)
    return path


def invoke(path: Path, *arguments: str) -> Result:
    """Run the command; errors that `gemma-eval` would print are raised."""
    result = CliRunner().invoke(history, [*arguments, "--db", str(path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_a_change_of_level_is_drawn_marked_and_told(path: Path) -> None:
    """With its run, both levels, the change and the commits."""
    output = invoke(path, "ttft_s").output.splitlines()
    assert output[:3] == [
        "ttft_s of scripted · greedy · rag",
        "  14 runs on a processor, 2 cores, 8 GiB, 2026-01-01 to 2026-01-14",
        "  from 98.0 ms to 152 ms, the last 150 ms",
    ]
    assert output[3] == "  ▁▁▁▁▂▁▁█████▇█"
    assert output[4] == "         ^"
    assert output[5] == "  ^ from run run-7 on: 100 ms → 150 ms (+50.0 %), commit 000000006 → c7-dirty"
    assert all(len(line) <= 80 for line in output)


def test_scores_that_stay_have_no_change(path: Path) -> None:
    """And that is said."""
    output = invoke(path, "score").output
    assert "from 1.00 to 1.00, the last 1.00" in output
    assert "▄" * 14 in output
    assert "no change of level was found" in output


def test_of_few_runs_it_is_said_that_more_are_needed(path: Path) -> None:
    """The newest are chosen."""
    output = invoke(path, "ttft_s", "--last", "11").output
    assert "11 runs on" in output
    assert "is looked for in 12 and more runs that were asked the same" in output
    assert "^" not in output


def test_a_noisy_run_is_marked_with_its_reason(tmp_path: Path) -> None:
    """It is in the drawing and not among the levels."""
    path = tmp_path / "results.db"
    record(path, [*STEP, 9.0], noisy=[14])
    output = invoke(path, "ttft_s").output.splitlines()
    assert output[3][2:] == "▁" * 14 + "█"
    assert output[4] == "         ^      x"
    assert output[6] == "  x run run-14, left out: noisy: others took 40 %"


def test_of_many_runs_that_are_left_out_the_newest_are_told(tmp_path: Path) -> None:
    """The others are counted."""
    path = tmp_path / "results.db"
    record(path, STEP, noisy=range(8))
    told = [line for line in invoke(path, "ttft_s").output.splitlines() if line.startswith("  x ")]
    assert told[0] == "  x 3 runs left out before these; --json says why"
    assert [line.split(",")[0] for line in told[1:]] == [f"  x run run-{number}" for number in range(3, 8)]


def test_a_stretch_of_other_cases_is_marked(tmp_path: Path) -> None:
    """Nothing is compared across it."""
    path = tmp_path / "results.db"
    record(path, STEP)
    with closing(open_store(path)) as store:
        for number in range(14, 16):
            run, outcome = a_named_run(number), answered("b", ttft_s=0.15)
            store.begin(run, [outcome.trial])
            store.record(run.id, outcome)
            store.finish(run.id, "done")
    output = invoke(path, "ttft_s").output.splitlines()
    assert output[4] == "         ^      |"
    assert "  | from run run-14 on: other cases, or other formulas" in output


def test_a_base_that_was_measured_again_is_marked(path: Path) -> None:
    """It is of older code than its place among the runs says."""
    outcome = answered("a", ttft_s=0.1)
    with closing(open_store(path)) as store:
        for run in (a_named_run(14), replace(a_named_run(15), base="run-14")):
            store.begin(run, [outcome.trial])
            store.record(run.id, outcome)
            store.finish(run.id, "done")
    output = invoke(path, "ttft_s").output
    assert "x run run-14, left out: measured as the base of another run" in output
    assert "run-15, left out" not in output


def test_many_runs_are_drawn_in_several_lines(tmp_path: Path) -> None:
    """Each with its marks below it."""
    path = tmp_path / "results.db"
    with closing(open_store(path)) as store:
        for number in range(80):
            run, outcome = (
                replace(a_named_run(0), id=f"run-{number}"),
                answered("a", ttft_s=0.1 + number / 1e6),
            )
            store.begin(run, [outcome.trial])
            store.record(run.id, outcome)
            store.finish(run.id, "done")
    drawn = [
        line
        for line in invoke(path, "ttft_s", "--last", "80").output.splitlines()
        if "▁" in line or "█" in line
    ]
    assert [len(line) for line in drawn] == [78, 6]


def test_json_has_every_point(path: Path) -> None:
    """With a version of its own."""
    told = json.loads(invoke(path, "ttft_s", "--json").output)
    assert (told["version"], told["metric"], told["least"]) == (1, "ttft_s", 12)
    (series,) = told["series"]
    assert [point["value"] for point in series["points"]] == pytest.approx(STEP)
    assert [(each["run"], each["point"]) for each in series["changes"]] == [("run-7", 7)]
    named = {"model": "scripted", "profile": "greedy", "template": "rag"}
    assert series["group"] == {**named, "retrieval": ""}


def test_names_choose(path: Path) -> None:
    """With globs; what nothing fits is told, in JSON as an empty list."""
    arguments = (
        "ttft_s",
        "--model",
        "script*",
        "--profile",
        "greedy",
        "--template",
        "r?g",
        "--suite",
        "example",
    )
    assert invoke(path, *arguments).output == invoke(path, "ttft_s").output
    with pytest.raises(UsageError, match="none of the 14 newest runs has a ttft_s of that"):
        invoke(path, "ttft_s", "--model", "other")
    assert json.loads(invoke(path, "ttft_s", "--model", "other", "--json").output)["series"] == []


def test_an_unknown_metric_is_told(path: Path) -> None:
    """With the nearest."""
    with pytest.raises(UnknownName, match='no metric named "ttft"; did you mean "ttft_s"'):
        invoke(path, "ttft")


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=30))
def test_bars_are_as_high_as_their_values(values: list[float]) -> None:
    """The smallest is the lowest, the largest the highest, and a larger value is never drawn lower."""
    heights = [BARS.index(bar) for bar in bars(values)]
    assert len(heights) == len(values)
    order = sorted(range(len(values)), key=values.__getitem__)
    assert [heights[number] for number in order] == sorted(heights)
    if min(values) < max(values):
        assert (min(heights), max(heights)) == (0, 7)


def test_a_series_is_that_of_a_retrieval_and_may_be_chosen_by_it(tmp_path: Path) -> None:
    """Two retrievals of one model are two series, and the name of one stands at its head."""
    path = tmp_path / "ways.db"
    with closing(open_store(path)) as store:
        for number, (name, time) in enumerate([("bm25", 0.1), ("hybrid", 0.2)] * 2):
            run, outcome = a_named_run(number), answered("a", ttft_s=time)
            cell = outcome.trial.cell
            cell = replace(cell, retrieval=replace(cell.retrieval, name=name))
            outcome = replace(outcome, trial=replace(outcome.trial, cell=cell))
            store.begin(run, [outcome.trial])
            store.record(run.id, outcome)
            store.finish(run.id, "done")
    heads = [line for line in invoke(path, "ttft_s").output.splitlines() if line.startswith("ttft_s of")]
    assert heads == [f"ttft_s of scripted · greedy · rag · {name}" for name in ("bm25", "hybrid")]
    output = invoke(path, "ttft_s", "--retrieval", "hyb*").output
    assert "bm25" not in output
    assert "2 runs" in output
