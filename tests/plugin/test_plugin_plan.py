"""`--gemma-plan` shows what would run and for how long, and runs nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemma_eval.pytest_plugin.plan import Known, estimate_s, lines
from gemma_eval.records import Cell, Measurement, Outcome
from tests.examples import a_cell, an_outcome
from tests.plugin.project import a_case, head, write_project


def taking(seconds: float, *, profile: str = "greedy") -> Outcome:
    """Return an outcome that took so long."""
    outcome = an_outcome(profile=profile)
    assert isinstance(outcome.measurement, Measurement)
    return replace(outcome, measurement=replace(outcome.measurement, e2e_s=seconds))


def with_repeats(cell: Cell, *, repeats: int, warmup: int) -> Cell:
    """Return the cell with other numbers of generations."""
    return replace(cell, case=replace(cell.case, repeats=repeats, warmup=warmup))


def test_the_plan_lists_every_cell_and_runs_nothing(pytester: pytest.Pytester) -> None:
    """The folder stays as it was, and the exit code is 0."""
    write_project(pytester.path)
    pytester.makepyfile("def test_plain(): raise RuntimeError('was run')")
    result = pytester.runpytest_inprocess("--gemma-plan")
    result.stdout.fnmatch_lines(
        [
            "suite cities",
            "  home[[]echo/greedy/plain]  quality, 1 generation",
            "  fast[[]echo/greedy/plain]  benchmark, 2 generations after 3 to warm up",
            "3 cells, 4 generations to be recorded, 3 to warm up",
            "estimated time: unknown, no earlier run of these models is in the database",
        ]
    )
    assert result.ret == 0
    assert not (pytester.path / "reports").exists()


def test_the_time_is_estimated_from_the_newest_run(pytester: pytest.Pytester) -> None:
    """After a run the plan knows how long its generations took, and says from where."""
    write_project(pytester.path)
    pytester.runpytest_inprocess()
    result = pytester.runpytest_inprocess("--gemma-plan")
    result.stdout.fnmatch_lines(["estimated time: * of generating (from run * in reports/gemma_eval.db)"])


def test_a_run_of_the_same_suite_tells_more_than_a_newer_one_of_another(pytester: pytest.Pytester) -> None:
    """One model may need a thousand times longer for the prompts of another suite."""
    write_project(pytester.path)
    pytester.makefile(".gemma.toml", towns=head() + a_case("town"))
    pytester.runpytest_inprocess("--gemma-suite", "towns.gemma.toml")
    (first,) = (path.name for path in (pytester.path / "reports").glob("2*"))
    pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml")
    result = pytester.runpytest_inprocess("--gemma-suite", "towns.gemma.toml", "--gemma-plan")
    result.stdout.fnmatch_lines([f"estimated time: * (from run {first} in reports/gemma_eval.db)"])


def test_a_run_without_an_answer_estimates_nothing(pytester: pytest.Pytester) -> None:
    """The prompt was too long for the context: the time is unknown, not 0 ms."""
    case = a_case("long", prompt="a b c d e f g h i j k", keys="max_tokens = 2")
    write_project(pytester.path, head(models=("small",)) + case)
    pytester.runpytest_inprocess()
    result = pytester.runpytest_inprocess("--gemma-plan")
    result.stdout.fnmatch_lines(["estimated time: unknown, no earlier run *"])


def test_a_selection_is_planned_as_it_would_run(pytester: pytest.Pytester) -> None:
    """`-k` and the `--gemma-*` options narrow the plan."""
    write_project(pytester.path)
    result = pytester.runpytest_inprocess("--gemma-plan", "-k", "fast", "--gemma-repeats", "5")
    result.stdout.fnmatch_lines(["1 cell, 5 generations to be recorded, 3 to warm up"])


def test_a_database_that_cannot_be_read_leaves_the_plan(pytester: pytest.Pytester) -> None:
    """Only the estimate is lost."""
    write_project(pytester.path)
    (pytester.path / "notes.db").write_text("important\n" * 100)
    result = pytester.runpytest_inprocess("--gemma-plan", "--gemma-db", "notes.db")
    result.stdout.fnmatch_lines(["suite cities", "estimated time: unknown*"])
    assert result.ret == 0


def test_a_plan_needs_no_terminal_plugin(pytester: pytest.Pytester) -> None:
    """`-p no:terminal` leaves the plan."""
    write_project(pytester.path)
    pytester.runpytest_subprocess("--gemma-plan", "-p", "no:terminal").stdout.fnmatch_lines(["suite cities"])


def test_an_estimate_is_the_sum_over_generations() -> None:
    """Mean of the group 2 s, three generations measured and one to warm up: 8 s."""
    cell = with_repeats(a_cell(), repeats=3, warmup=1)
    assert estimate_s([cell], [taking(1.0), taking(3.0)]) == (8.0, 0)


def test_a_new_profile_is_estimated_from_its_model() -> None:
    """What a model took with other profiles is a better guess than none."""
    assert estimate_s([a_cell(profile="hot")], [taking(1.0), taking(3.0)]) == (2.0, 0)


def test_a_group_that_was_measured_is_not_mixed_with_others() -> None:
    """A slow profile does not make a fast one seem slow."""
    assert estimate_s([a_cell()], [taking(1.0), taking(9.0, profile="hot")]) == (1.0, 0)


def test_a_cell_of_an_unknown_model_is_counted_as_unknown() -> None:
    """Nothing is guessed for a model that was never measured."""
    other = replace(a_cell(), model=replace(a_cell().model, name="new"))
    assert estimate_s([a_cell(), other], [taking(1.0)]) == (1.0, 1)
    shown = lines([a_cell(), other], Known(where="run r in d", outcomes=(taking(1.0),)))
    assert shown[-1] == (
        "estimated time: 1.00 s of generating, and 1 cell that was not measured before (from run r in d)"
    )
