"""The pure parts of the plugin: ids, order, demands, transport, and the lines at the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.executors.in_process import CellResult
from gemma_eval.pytest_plugin import payload
from gemma_eval.pytest_plugin.begin import run_id
from gemma_eval.pytest_plugin.demands import explain, mendable, missed
from gemma_eval.pytest_plugin.ids import cell_id, model_of, suite_id, suite_name
from gemma_eval.pytest_plugin.matrix import by_model
from gemma_eval.pytest_plugin.terminal import MOST_ROWS, WIDTH, closing, ending, table, timings
from gemma_eval.records import Check, Failure, Group, Outcome, Prompt, Reduction, Report, Score, Summary
from gemma_eval.run import make_report
from tests.examples import a_cell, a_run, an_outcome
from tests.report.timed import CASES, Timed, answer, cell_of, outcome_of, timed_report, timed_run

SLUG = st.text("abcXYZ019_.+-", min_size=1, max_size=30)


def demanding(*values: float | None, pass_at: float | None) -> list[Outcome]:
    """Return the repeats of a cell with one check, scored with `values`."""
    outcomes = []
    for repeat, value in enumerate(values):
        outcome = an_outcome(repeat=repeat)
        checks = (Check(scorer="contains", pass_at=pass_at),)
        case = replace(outcome.trial.cell.case, checks=checks)
        trial = replace(outcome.trial, cell=replace(outcome.trial.cell, case=case))
        unscored = "no verdict" if value is None else None
        score = Score(scorer="contains", value=value, passed=None, unscored=unscored)
        outcomes.append(replace(outcome, trial=trial, scores=(score,)))
    return outcomes


def failed(kind: str = "backend", message: str = "the engine died") -> Outcome:
    """Return an outcome without a generation."""
    failure = Failure(kind=kind, message=message)
    return replace(an_outcome(), generation=None, measurement=None, scores=(), failure=failure)


@given(model=SLUG, profile=SLUG, template=SLUG, retrieval=SLUG, case=SLUG)
def test_an_id_names_the_model_of_its_cell(
    model: str, profile: str, template: str, retrieval: str, case: str
) -> None:
    """What the scheduler reads from an id is what the id was made of."""
    cell = a_cell(case, profile=profile, template=template)
    cell = replace(cell, model=replace(cell.model, name=model))
    assert model_of(cell_id("evals/cities.gemma.toml", cell)) == model
    named = replace(cell, retrieval=replace(cell.retrieval, name=retrieval))
    assert model_of(cell_id("evals/cities.gemma.toml", named)) == model


@pytest.mark.parametrize(
    "other", ["test_a.py::test_b", "test_a.py::test_b[a-b]", "test_a.py::Class::test_b[a/b]", "test_a.py"]
)
def test_the_id_of_a_test_names_no_model(other: str) -> None:
    """Items of other plugins are left to xdist."""
    assert model_of(other) is None


def test_a_suite_is_named_by_its_path_or_by_its_name() -> None:
    """Below the root folder the path, elsewhere `@name`."""
    root = Path("/project")
    assert suite_id(root / "evals" / "a.gemma.toml", rootdir=root) == "evals/a.gemma.toml"
    assert suite_id(Path("/other/a.gemma.toml"), rootdir=root) == "@a"
    assert suite_name(Path("standard.toml")) == "standard"


@given(st.lists(st.tuples(st.sampled_from([None, "a", "b", "c"]), st.integers())))
def test_ordering_by_model_is_a_stable_permutation(items: list[tuple[str | None, int]]) -> None:
    """Nothing is lost, models are together, others stay put, and within a model the order is kept."""
    ordered = by_model(items, lambda item: item[0])
    assert sorted(ordered, key=repr) == sorted(items, key=repr)
    assert [item[0] is None for item in ordered] == [item[0] is None for item in items]
    models = [model for model, _ in ordered if model is not None]
    assert sum(first != second for first, second in pairwise(models)) <= 2
    for model in ("a", "b", "c", None):
        assert [item for item in ordered if item[0] == model] == [item for item in items if item[0] == model]


def test_a_check_without_pass_at_demands_nothing() -> None:
    """A score of 0 and a check that could not be scored are data."""
    assert missed(demanding(0.0, None, pass_at=None)) == ()


@pytest.mark.parametrize(
    ("values", "pass_at", "lines"),
    [
        ((1.0, 0.0), 0.5, ()),
        ((1.0, 0.0), 0.6, ("contains: 0.50 (mean of 2) is below pass_at = 0.6",)),
        ((0.0,), 0.0, ()),
        ((0.4,), 0.5, ("contains: 0.40 is below pass_at = 0.5",)),
        ((1.0, None), 0.5, ("contains: not scored (no verdict), pass_at = 0.5",)),
    ],
)
def test_a_demand_is_met_by_the_mean_of_the_repeats(
    values: tuple[float | None, ...], pass_at: float, lines: tuple[str, ...]
) -> None:
    """The mean reaches `pass_at`, or the demand is missed; so it is when a repeat has no score."""
    assert missed(demanding(*values, pass_at=pass_at)) == lines


@pytest.mark.parametrize(
    ("by", "k", "lines"),
    [
        ("max", None, ()),
        ("median", None, ("contains: 0.00 (median of 3) is below pass_at = 0.6",)),
        ("pass_at_k", 2, ()),
        ("pass_hat_k", 2, ("contains: 0.00 (pass^2 of 3) is below pass_at = 0.6",)),
        ("pass_at_k", 4, ("contains: no pass@4 of 3 answers, pass_at = 0.6",)),
    ],
)
def test_a_demand_is_on_the_value_that_the_repeats_are_reduced_to(
    by: Reduction, k: int | None, lines: tuple[str, ...]
) -> None:
    """Of three answers one is right: enough for pass@2 = 2/3, not for pass^2 = 0."""
    outcomes = demanding(0.0, 1.0, 0.0, pass_at=0.6)
    cell = outcomes[0].trial.cell
    cell = replace(cell, case=replace(cell.case, reduce=by, k=k))
    assert missed([replace(each, trial=replace(each.trial, cell=cell)) for each in outcomes]) == lines


def test_an_answer_is_always_demanded() -> None:
    """A failure fails the item, once per message."""
    assert missed([failed(), failed()]) == ("the engine died",)
    assert explain([failed()], ["the engine died"]) == "the engine died"


def test_what_was_read_after_nothing_is_shown_without_a_prompt() -> None:
    """There is none."""
    alone = replace(an_outcome(), prompt=Prompt(messages=(), text="", n_tokens=0))
    assert "prompt:" in explain([an_outcome()], ["missed"])
    assert "prompt:" not in explain([alone], ["missed"])


def test_control_characters_are_shown_and_not_sent() -> None:
    """Neither a message nor an answer can move the cursor."""
    outcome = failed(message="a\x1b[2Jb\nc")
    assert missed([outcome]) == ("a␛[2Jb\\nc",)
    generation = an_outcome().generation
    assert generation is not None
    hostile = replace(an_outcome(), generation=replace(generation, text="\x1b]0;x\x07", deltas=()))
    assert "\x1b" not in explain([hostile], ["missed"])


@pytest.mark.parametrize(
    ("kind", "is_mendable"), [("model_not_found", True), ("template", True), ("backend", False)]
)
def test_only_what_a_person_wrote_is_mendable(kind: str, is_mendable: bool) -> None:
    """A dead engine is a failure; a model that is not there is a usage error."""
    assert mendable([failed(kind)]) is is_mendable
    assert not mendable([an_outcome()])


def test_outcomes_survive_the_journey_on_a_report() -> None:
    """What a worker attaches is what the recording process reads."""
    report = pytest.TestReport("a::b[m/p/t]", ("a", 0, "b"), {}, "passed", None, "call")
    fresh = (an_outcome(), failed())
    attached = CellResult(outcomes=fresh, fresh=fresh, engine=a_run().engines["scripted"])
    payload.attach(report, attached, mendable=False)
    brought = payload.of(report)
    assert brought is not None
    assert brought.outcomes == fresh
    assert brought.engine == attached.engine
    assert not payload.was_recorded(report)
    assert payload.of(pytest.TestReport("x", ("a", 0, "b"), {}, "passed", None, "call")) is None


def a_summary(group: Group, metric: str, value: float | None) -> Summary:
    """Return a summary with one value everywhere."""
    n = 0 if value is None else 40
    return Summary(
        group=group, metric=metric, n=n, missing=0, mean=value, sd=value, p50=value, p90=value, p95=value,
        p99=value, ci_low=value, ci_high=value, interval="none" if value is None else "t",
    )  # fmt: skip


METRICS = ("score", "ttft_s", "tpot_s", "output_tokens_per_s", "e2e_s", "peak_memory_bytes")
VALUE = st.none() | st.floats(1e-4, 1e5, allow_nan=False)


@given(st.lists(st.tuples(SLUG, SLUG, SLUG, st.tuples(*[VALUE] * 6)), min_size=1, max_size=5))
def test_the_table_fits_eighty_columns(groups: list[tuple[str, str, str, tuple[float | None, ...]]]) -> None:
    """Whatever is measured and however long the names are, no line of figures is cut."""
    summaries = [
        a_summary(Group(model=model, profile=profile, template=template), metric, _bounded(metric, value))
        for model, profile, template, values in groups
        for metric, value in zip(METRICS, values, strict=True)
    ]
    lines = [line.text for line in table(summaries)]
    assert all(len(line) <= 80 for line in lines)


def _bounded(metric: str, value: float | None) -> float | None:
    return min(value, 1.0) if metric == "score" and value is not None else value


def test_the_table_shows_what_was_measured() -> None:
    """One row per profile and template below its model, with units, and a dash for what is missing."""
    group = Group(model="pocket", profile="greedy", template="rag")
    values = dict(zip(METRICS, (0.95, 0.0123, 0.002, 1234.0, 0.1, 184e6), strict=True))
    shown = [line.text for line in table([a_summary(group, name, value) for name, value in values.items()])]
    assert shown[0] == "model pocket"
    assert shown[1].split() == [
        "profile",
        "template",
        "score",
        "[95",
        "%]",
        "TTFT",
        "p50/p95",
        "tokens/s",
        "memory",
        "n",
    ]
    assert " ".join(shown[2].split()) == "greedy rag 0.95 [0.95, 0.95] 12.3/12.3 ms 1 234 184 MB 40"
    empty = [line.text for line in table([a_summary(group, name, None) for name in METRICS])]
    assert empty[2].split() == ["greedy", "rag", "–", "–/–", "–", "–", "0"]  # noqa: RUF001 - the dash of the report


def test_the_ending_says_what_is_missing() -> None:
    """Failures and missing trials are counted, not hidden."""
    report = make_report(a_run(planned=4), [an_outcome(), failed(), *demanding(None, pass_at=None)])
    assert [line.text for line in ending(report)] == [
        "3 of 4 trials recorded",
        "1 without an answer: they count as missing, not as 0",
        "1 with a check that could not be scored",
        "interrupted: 1 trial is missing, the report is partial and says so",
    ]
    assert (
        ending(Report(run=a_run(), outcomes=(an_outcome(),), summaries=()))[0].text
        == "1 of 1 trials recorded"
    )


def test_benchmarks_have_a_row_for_each_case_and_model() -> None:
    """TTFT, what is read and what is written per second, and a mark where rows do not compare."""
    shown = [line.text for line in timings(timed_run(Timed(loads=False, trouble=False)))]
    assert shown[0].split("  ")[0] == "benchmark"
    assert len(shown) == 1 + 2 * len(CASES) + 2
    assert " ".join(shown[1].split()) == "read-128 small 35.9 ms 3 672 159 10"
    assert shown[6].endswith("10 !")
    assert shown[-2] == "! prompts from a cache, or answers of different lengths"


def test_loads_have_a_row_each_and_say_that_requests_waited() -> None:
    """Requests per second, and how many of them were good."""
    shown = [line.text for line in timings(timed_run())]
    header = next(number for number, line in enumerate(shown) if line.startswith("load "))
    assert [" ".join(line.split()) for line in shown[header + 1 : header + 3]] == [
        "four-at-once small 35/38 4.44 107 116/162 ms 3.68",
        "six-a-second small 51/56 4.07 97.7 1.07/1.59 s 1.92",
    ]
    assert "requests waited on this side" in " ".join(shown[header:])


def test_a_run_without_benchmarks_has_no_table_of_them() -> None:
    """Quality alone."""
    assert timings(make_report(a_run(), [an_outcome()])) == []


def test_a_long_table_of_benchmarks_is_cut() -> None:
    """A terminal is no place for hundreds of rows."""
    outcomes = [outcome_of(cell_of(f"case-{i}"), answer(10, 20)) for i in range(MOST_ROWS + 2)]
    shown = [line.text for line in timings(timed_report(outcomes))]
    assert len(shown) == 1 + MOST_ROWS + 2
    assert shown[-2] == "2 more rows are in the report"


def test_noise_and_the_cost_of_measuring_are_said_at_the_end() -> None:
    """Each once; neither where nobody looked."""
    said = " ".join(line.text for line in ending(timed_run()))
    assert said.count("This run is noisy: some task waited for a processor 34.2 % of the time,") == 1
    assert said.count("Measuring adds 2.13 µs per token") == 1
    quiet = " ".join(line.text for line in ending(make_report(a_run(), [an_outcome()])))
    assert "noisy" not in quiet
    assert "Measuring" not in quiet


@given(st.lists(st.tuples(SLUG, SLUG, SLUG), min_size=1, max_size=4, unique=True))
def test_all_closing_lines_fit_eighty_columns(names: list[tuple[str, str, str]]) -> None:
    """However long the names of cases, models and profiles are, and whatever they hide."""
    outcomes = [
        outcome_of(cell_of(f"{case}\x1b[2J", model=model, profile=profile), answer(1e4, 2e4, prompt_tokens=9))
        for case, model, profile in names
    ]
    lines = [line.text for line in closing(timed_report(outcomes, noisy=True))]
    assert all(len(line) <= WIDTH for line in lines)
    assert not any("\x1b" in line for line in lines)


def test_run_ids_sort_by_time() -> None:
    """The id begins with the time, to the second."""
    assert run_id(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "beef") == "20260102-030405-beef"
