"""What other trackers of benchmarks read: Bencher Metric Format, and the JSON of pytest-benchmark."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_benchmark.stats import Stats

from gemma_eval.records import Report
from gemma_eval.report.gates.bencher import bencher
from gemma_eval.report.gates.pytest_benchmark import METRICS, pytest_benchmark, stats
from gemma_eval.stats.summary import METRICS as SUMMARISED
from tests.report.example import Shape, example, with_text
from tests.report.gates.example_gating import HOSTILE
from tests.report.timed import Timed, answer, cell_of, outcome_of, timed_report, timed_run

Json = dict[str, Any]
REPORT = example(Shape(cases=6, repeats=3))
TIMED = timed_run(Timed(repeats=3))


def bencher_of(report: Report) -> Json:
    """Return the file."""
    told: Json = json.loads(bencher(report))
    return told


def benchmarks_of(report: Report) -> Json:
    """Return the file."""
    told: Json = json.loads(pytest_benchmark(report))
    return told


def theirs(data: list[float]) -> Json:
    """Return what pytest-benchmark computes of some times."""
    computed = Stats()  # type: ignore[no-untyped-call]
    computed.data = list(data)
    told: Json = computed.as_dict()  # type: ignore[no-untyped-call]
    return told


@pytest.mark.parametrize(
    "report", [REPORT, TIMED, with_text(TIMED, HOSTILE)], ids=["scored", "timed", "hostile"]
)
def test_bencher_is_given_what_its_schema_asks_for(report: Report) -> None:
    """Names of benchmarks, slugs of measures, a value and perhaps bounds, all of them numbers.

    Source: bencher.dev/bmf.json.
    """
    told = bencher_of(report)
    assert len(told) == len({summary.group for summary in report.summaries})
    for name, measures in told.items():
        assert 0 < len(name) <= 1024
        assert name.isprintable()
        for slug, measure in measures.items():
            assert re.fullmatch(r"[a-z0-9-]{1,64}", slug)
            assert {"value"} <= set(measure) <= {"value", "lower_value", "upper_value"}
            assert all(isinstance(each, int | float) and isfinite(each) for each in measure.values())


def test_a_measure_is_what_the_report_shows() -> None:
    """The mean of a score, the median of a cost, and the 95 % interval."""
    told = bencher_of(REPORT)
    for summary in REPORT.summaries:
        group = summary.group
        measures = told[f"{group.model}/{group.profile}/{group.template}"]
        value = summary.mean if summary.metric == "score" else summary.p50
        measure = measures.get(summary.metric.replace("_", "-"))
        if value is None:
            assert measure is None
            continue
        assert measure is not None
        assert measure["value"] == value
        assert measure.get("lower_value") == summary.ci_low
        assert measure.get("upper_value") == summary.ci_high
    assert {"score", "ttft-s", "output-tokens-per-s", "peak-memory-bytes"} <= set(next(iter(told.values())))
    assert all(len(metric) <= 64 for metric in SUMMARISED)


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=40))
def test_the_statistics_are_those_of_pytest_benchmark(data: list[float]) -> None:
    """Computed by it from the same times."""
    expected = theirs(data)
    ours = stats(data)
    assert set(ours) == {*expected, "iterations"}
    for name, value in expected.items():
        assert ours[name] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-9)), name


def test_statistics_of_other_times_are_noticed() -> None:
    """The check above fails on a planted error."""
    assert stats([0.1, 0.2, 0.4, 0.8])["q3"] != pytest.approx(theirs([0.1, 0.2, 0.4, 0.9])["q3"])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """Return what pytest-benchmark itself writes of a test that does nothing."""
    folder = tmp_path_factory.mktemp("benchmark")
    test = folder / "test_nothing.py"
    test.write_text("def test_nothing(benchmark):\n    benchmark.pedantic(int, rounds=3)\n")
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:gemma_eval", "--benchmark-json=out.json")
    subprocess.run([sys.executable, "-m", "pytest", *options, test.name], cwd=folder, check=True)
    told: Json = json.loads((folder / "out.json").read_text())
    return told


def unknown(ours: Json, theirs: Json) -> set[str]:
    """Return the keys that only ours has."""
    (their,) = theirs["benchmarks"]
    found = set(ours) - set(theirs)
    found |= set(ours["machine_info"]) - set(theirs["machine_info"])
    found |= set(ours["commit_info"]) - set(theirs["commit_info"])
    for each in ours["benchmarks"]:
        found |= (set(each) - set(their)) | (set(each["stats"]) - set(their["stats"]))
        found |= set(each["options"]) - set(their["options"])
    return found


def test_every_key_is_one_that_pytest_benchmark_writes(written: Json) -> None:
    """And the ones that others read are there."""
    told = benchmarks_of(REPORT)
    assert unknown(told, written) == set()
    planted = replace_first(told, "fullname", "full_name")
    assert unknown(planted, written) == {"full_name"}
    for each in told["benchmarks"]:
        assert isinstance(each["fullname"], str)
        assert {"ops", "stddev", "rounds", "mean", "median", "min", "max", "iqr"} <= set(each["stats"])


def replace_first(told: Json, old: str, new: str) -> Json:
    """Rename a key of the first benchmark."""
    first, *others = told["benchmarks"]
    return {**told, "benchmarks": [{(new if key == old else key): first[key] for key in first}, *others]}


def test_there_is_a_benchmark_for_each_case_group_and_metric() -> None:
    """Of the answers that count for times; a round is an answer."""
    outcomes = [
        outcome_of(cell_of(case, model=model), answer(10, 20 + repeat), repeat=repeat)
        for case in ("read", "write")
        for model in ("one", "two")
        for repeat in range(4)
    ]
    report = timed_report(outcomes)
    told = benchmarks_of(report)["benchmarks"]
    assert len(told) == 2 * 2 * len(METRICS)
    assert {each["group"] for each in told} == set(METRICS)
    assert {each["stats"]["rounds"] for each in told} == {4}
    first = outcomes[0].trial.cell
    e2e = [each for each in told if each["fullname"] == f"{first.suite}::{first.label}::e2e_s"]
    times = [each.measurement.e2e_s for each in outcomes[:4] if each.measurement is not None]
    assert [each["stats"]["total"] for each in e2e] == [pytest.approx(sum(filter(None, times)))]
    assert e2e[0]["params"] == {
        "model": "one",
        "profile": first.profile.name,
        "template": first.template.name,
    }


def test_what_was_not_measured_is_no_benchmark() -> None:
    """A group without times has none of a metric, and a run without any is still a file."""
    assert benchmarks_of(replace(REPORT, outcomes=()))["benchmarks"] == []


@pytest.mark.parametrize(
    "report", [REPORT, TIMED, with_text(TIMED, HOSTILE)], ids=["scored", "timed", "hostile"]
)
def test_pytest_benchmark_compares_two_such_files(report: Report, tmp_path: Path) -> None:
    """Its own command reads them, groups them, and shows every benchmark of both."""
    for name in ("0001_base.json", "0002_candidate.json"):
        (tmp_path / name).write_text(pytest_benchmark(report), encoding="utf-8")
    told = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", "0001_base.json", "0002_candidate.json"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    benchmarks = benchmarks_of(report)["benchmarks"]
    names = {each["name"] for each in benchmarks}
    assert names
    for name in names:
        assert told.count(f"{name} (0001_bas") >= 1, name
        assert told.count(f"{name} (0002_can") >= 1, name
    assert "\x1b[31mred" not in told


def test_names_are_one_line_without_controls() -> None:
    """Whatever a case is called."""
    for each in benchmarks_of(with_text(TIMED, HOSTILE))["benchmarks"]:
        assert each["name"].isprintable()
        assert each["fullname"].isprintable()
