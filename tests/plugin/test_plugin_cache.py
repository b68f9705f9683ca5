"""A run with a cache: every row says how it was answered, and the times of a hit count nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gemma_eval.executors.arm import INSIDE
from gemma_eval.measure.again import again
from gemma_eval.run import make_report
from tests.plugin.project import latest, newest_run, write_project

pytest_plugins = ("pytester",)

SUITE = """\
[suite]
description = "who lives where, more than once"
[defaults]
models = ["echo"]
profiles = ["greedy"]
templates = ["plain"]
cache = { mode = "exact" }
[[case]]
id = "first"
prompt = "Where does Finn live?"
checks = [{ scorer = "contains", text = "o" }, { scorer = "latency", max_s = 9, weight = 0 }]
repeats = 2
[[case]]
id = "second"
prompt = "  Where does  Finn live?"
checks = [{ scorer = "contains", text = "o" }]
[[case]]
id = "timed"
kind = "benchmark"
prompt = "Where does Finn live?"
warmup = 0
repeats = 2
"""


def test_every_row_of_a_case_with_a_cache_says_how_it_was_answered(pytester: pytest.Pytester) -> None:
    """A repeat and the same question of another case are hits; a benchmark has no part in it."""
    write_project(pytester.path, SUITE)
    pytester.runpytest_inprocess()
    outcomes = latest(pytester.path)
    uses = [(each.trial.cell.case.id, each.cached.use if each.cached else None) for each in outcomes]
    assert uses == [
        ("first", "miss"),
        ("first", "exact"),
        ("second", "exact"),
        ("timed", None),
        ("timed", None),
    ]
    assert {each.generation.text for each in outcomes[:3] if each.generation} == {outcomes[0].generation.text}  # type: ignore[union-attr]
    assert {each.score for each in outcomes[:3]} == {outcomes[0].score}
    page = next(Path(pytester.path, "reports").rglob("report.html")).read_text(encoding="utf-8")
    assert "exact hit: Where does Finn live?" in page


def test_the_times_of_a_hit_count_nowhere(pytester: pytest.Pytester) -> None:
    """Each has its reason, also when the formulas are applied again; those of a miss are there."""
    write_project(pytester.path, SUITE)
    pytester.runpytest_inprocess()
    miss, hit, *_ = outcomes = latest(pytester.path)
    assert miss.measurement is not None
    assert hit.measurement is not None
    assert miss.measurement.ttft_s == pytest.approx(0.04)
    for name in ("ttft_s", "e2e_s", "tpot_s", "output_tokens_per_s", "peak_memory_bytes", "cpu_s"):
        assert getattr(hit.measurement, name) is None, name
        assert hit.measurement.missing[name] == "cached", name
    assert hit.measurement.output_tokens == miss.measurement.output_tokens
    assert again(hit) == hit.measurement
    report = make_report(newest_run(pytester.path), [each for each in outcomes if each.cached])
    ttft = next(each for each in report.summaries if each.metric == "ttft_s")
    assert (ttft.n, ttft.missing) == (1, 2)
    latency = next(score for score in miss.scores if score.scorer == "latency")
    assert latency.unscored == "the case has a cache, whose times are not those of the model"


def test_a_benchmark_that_asks_for_a_cache_has_one_and_is_marked(pytester: pytest.Pytester) -> None:
    """Its warm-up fills nothing, or all that is measured would be hits."""
    asked = SUITE.replace("warmup = 0", 'warmup = 2\ncache = { mode = "exact", ttl_s = 60 }')
    write_project(pytester.path, asked)
    pytester.runpytest_inprocess("-k", "timed")
    assert [each.cached.use for each in latest(pytester.path) if each.cached] == ["miss", "exact"]


def test_a_side_of_a_comparison_asks_no_cache(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other side may have kept the answer to the same question."""
    monkeypatch.setenv(INSIDE, str(os.getpid()))
    write_project(pytester.path, SUITE)
    pytester.runpytest_subprocess("-k", "first")
    assert [each.cached for each in latest(pytester.path)] == [None, None]


def test_a_server_that_is_down_fails_no_cell(pytester: pytest.Pytester) -> None:
    """Each row says that the cache could not be reached."""
    pytest.importorskip("redis")
    down = SUITE.replace('"exact" }', '"exact", location = "redis://127.0.0.1:1/0" }')
    write_project(pytester.path, down)
    pytester.runpytest_inprocess("-k", "first or second").assert_outcomes(passed=2)
    told = [each.cached for each in latest(pytester.path)]
    assert [each.use for each in told if each] == ["miss"] * 3
    assert all(each and "127.0.0.1:1" in str(each.reason) for each in told)
