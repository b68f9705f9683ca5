"""A metric run by run: what its values are, which of them may be held together, where the level changes."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gemma_eval.records import Message, Noise, Outcome, Run, Score, Where
from gemma_eval.verdict.over_runs import Series, over_runs
from tests.examples import a_run, an_outcome

Recorded = tuple[Run, Sequence[Outcome]]


def answered(case: str, *, score: float | None = 1.0, ttft_s: float = 0.1, repeat: int = 0) -> Outcome:
    """Return an outcome with that score and time to first token."""
    outcome = an_outcome(case, repeat=repeat)
    assert outcome.measurement is not None
    return replace(
        outcome,
        scores=(Score(scorer="contains", value=score, passed=None),),
        measurement=replace(outcome.measurement, ttft_s=ttft_s, output_tokens_per_s=10 / ttft_s),
    )


def a_named_run(number: int) -> Run:
    """Return the run of that number, one a day."""
    day = f"2026-01-{number + 1:02}"
    return replace(a_run(f"run-{number}"), started_utc=f"{day}T00:00:00+00:00", commit=f"commit-{number}")


def of_scores(scores: Sequence[float]) -> list[Recorded]:
    """Return runs of one case with those scores."""
    return [(a_named_run(number), (answered("a", score=score),)) for number, score in enumerate(scores)]


def of_times(times: Sequence[float]) -> list[Recorded]:
    """Return runs of one case with those times."""
    return [(a_named_run(number), (answered("a", ttft_s=time),)) for number, time in enumerate(times)]


def the_one(recorded: Sequence[Recorded], metric: str = "score", **more: object) -> Series:
    """Return the only series of some runs."""
    (series,) = over_runs(recorded, metric, **more)  # type: ignore[arg-type]
    return series


def test_a_score_is_the_mean_over_the_cases() -> None:
    """A case that is asked more often does not weigh more, and one without a score does not count."""
    outcomes = (
        answered("a", score=1.0),
        answered("b", score=0.0),
        answered("b", score=0.5, repeat=1),
        answered("c", score=None),
    )
    (point,) = the_one([(a_named_run(0), outcomes)]).points
    assert (point.value, point.cases, point.commit) == ((1.0 + 0.25) / 2, 2, "commit-0")


def test_a_cost_is_the_geometric_mean_of_the_medians_of_the_cases() -> None:
    """Computed here from its definition."""
    times = {"a": (0.1, 0.3, 0.2), "b": (0.8,), "c": (0.05, 0.07)}
    outcomes = tuple(
        answered(case, ttft_s=time, repeat=repeat)
        for case, given in times.items()
        for repeat, time in enumerate(given)
    )
    (point,) = the_one([(a_named_run(0), outcomes)], "ttft_s").points
    assert point.value == pytest.approx(statistics.geometric_mean(map(statistics.median, times.values())))
    assert point.value == pytest.approx((0.2 * 0.8 * 0.06) ** (1 / 3))


def test_a_change_of_level_has_its_run_both_levels_and_its_size() -> None:
    """Scores change by points; + is worse."""
    series = the_one(of_scores([0.9, 0.8] * 4 + [0.6, 0.5] * 4))
    assert series.changes is not None
    (found,) = series.changes
    assert (found.run, found.point) == ("run-8", 8)
    assert found.before == pytest.approx(0.85)
    assert found.after == pytest.approx(0.55)
    assert found.difference == pytest.approx(0.3)


def test_levels_of_a_cost_are_geometric_means_and_a_change_is_a_logarithm() -> None:
    """Of a rate less is worse."""
    times = [0.1, 0.11] * 4 + [0.2, 0.22] * 4
    slower = the_one(of_times(times), "ttft_s").changes
    fewer = the_one(of_times(times), "output_tokens_per_s").changes
    assert slower is not None
    assert fewer is not None
    assert slower[0].before == pytest.approx(math.sqrt(0.1 * 0.11))
    assert slower[0].difference == pytest.approx(math.log(2))
    assert fewer[0].difference == pytest.approx(math.log(2))
    assert fewer[0].after == pytest.approx(fewer[0].before / 2)


def test_of_few_runs_nothing_is_said() -> None:
    """Which is not that nothing changed."""
    values = [0.9] * 6 + [0.5] * 6
    assert the_one(of_scores(values[:11])).changes is None
    assert the_one(of_scores([0.9] * 12)).changes == ()
    found = the_one(of_scores(values)).changes
    assert found is not None
    assert [each.run for each in found] == ["run-6"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"noise": Noise(reasons=("others took 40 %",))}, "noisy: others took 40 %"),
        ({"state": "interrupted"}, "interrupted"),
        ({"id": "base"}, "measured as the base of another run"),
    ],
)
def test_a_run_that_is_not_fair_is_shown_and_not_searched(changes: dict[str, object], why: str) -> None:
    """Four wild values in the midst would be a level."""
    recorded = of_scores([0.9] * 8 + [0.1] * 4 + [0.9] * 8)
    for number in range(8, 12):
        run, outcomes = recorded[number]
        recorded[number] = (replace(run, **changes), outcomes)  # type: ignore[arg-type]
    series = the_one(recorded, bases={"base"})
    assert [point.left_out for point in series.points[8:12]] == [why] * 4
    assert series.points[8].value == 0.1
    assert series.changes == ()
    wild = the_one(of_scores([0.9] * 8 + [0.1] * 4 + [0.9] * 8)).changes
    assert wild is not None
    assert len(wild) == 2


def test_runs_of_another_machine_are_a_series_of_their_own() -> None:
    """In the order in which the machines first occur."""
    recorded = of_scores([0.9, 0.5] * 6)
    recorded = [
        (replace(run, host=replace(run.host, cpu=f"processor {number % 2}")), outcomes)
        for number, (run, outcomes) in enumerate(recorded)
    ]
    one, other = over_runs(recorded, "score")
    assert (one.host.cpu, other.host.cpu) == ("processor 0", "processor 1")
    assert {point.value for point in one.points} == {0.9}
    assert {point.value for point in other.points} == {0.5}


def test_groups_are_series_and_globs_choose_among_them() -> None:
    """A group of which a run has nothing has no point there."""
    two = (answered("a"), an_outcome("a", profile="hot"))
    recorded = [(a_named_run(0), two), (a_named_run(1), two[:1])]
    series = over_runs(recorded, "score")
    assert [(each.group.profile, len(each.points)) for each in series] == [("greedy", 2), ("hot", 1)]
    assert [each.group.profile for each in over_runs(recorded, "score", where=Where(profile="h*"))] == ["hot"]
    assert over_runs(recorded, "score", where=Where(suite="other")) == ()


def test_other_questions_begin_a_stretch_and_nothing_is_compared_across() -> None:
    """A suite that got harder is no regression of a model."""
    before, after = of_scores([0.9] * 12), of_scores([0.9] * 12 + [0.5] * 12)[12:]
    harder = [(run, (*outcomes, answered("b", score=0.1))) for run, outcomes in after]
    series = the_one([*before, *harder])
    assert [number for number, point in enumerate(series.points) if point.begins] == [12]
    assert series.changes == ()
    asked = [(run, (_asking("Who?", outcomes[0]),)) for run, outcomes in after]
    assert the_one([*before, *asked]).points[12].begins
    assert the_one([*before, *after]).changes != ()


def _asking(question: str, outcome: Outcome) -> Outcome:
    cell = outcome.trial.cell
    case = replace(cell.case, messages=(Message(role="user", content=question),))
    return replace(outcome, trial=replace(outcome.trial, cell=replace(cell, case=case)))


def test_other_formulas_begin_a_stretch() -> None:
    """Their times are no longer the same."""
    recorded = of_times([0.1] * 12 + [0.2] * 12)
    newer = [(replace(run, definitions_version=99), outcomes) for run, outcomes in recorded[12:]]
    series = the_one([*recorded[:12], *newer], "ttft_s")
    assert series.points[12].begins
    assert series.changes == ()


def test_one_run_of_other_cases_is_left_out_alone() -> None:
    """As where one answer failed: the stretch goes on after it."""
    recorded = of_scores([0.9] * 6 + [0.5] * 7)
    whole: list[Recorded] = [(run, (*outcomes, answered("b", score=0.5))) for run, outcomes in recorded]
    whole[3] = recorded[3]
    series = the_one(whole)
    assert [point.left_out != "" for point in series.points] == [number == 3 for number in range(13)]
    assert series.points[3].left_out == "of other cases than before and after it"
    assert series.changes is not None
    assert [each.run for each in series.changes] == ["run-6"]


def test_a_run_without_a_value_has_no_point() -> None:
    """Neither where nothing was scored nor where nothing was timed."""
    recorded: list[Recorded] = [(a_named_run(0), (answered("a", score=None),)), (a_named_run(1), ())]
    assert over_runs(recorded, "score") == ()
    assert over_runs([(a_named_run(0), (replace(answered("a"), measurement=None),))], "ttft_s") == ()
