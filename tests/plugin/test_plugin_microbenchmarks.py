"""What pytest-benchmark measures is stored with the run of the session, and gated by sessions before it."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from gemma_eval.pytest_plugin import recording
from gemma_eval.pytest_plugin.microbenchmarks import of_session
from gemma_eval.records import Microbenchmark
from tests.plugin.gating import gating_of
from tests.plugin.project import a_case, head, newest_run, write_project

pytest.importorskip("pytest_benchmark")

TESTS = """
import os
import pytest

class Clock:
    now_s = 0.0

def take():
    Clock.now_s += float(os.environ["NAP_S"])

@pytest.mark.benchmark(timer=lambda: Clock.now_s)
def test_nap(benchmark):
    benchmark.pedantic(take, rounds=2)

@pytest.mark.parametrize("n", [1, 2])
def test_sum(benchmark, n):
    benchmark.pedantic(sum, args=(range(n),), rounds=3, iterations=5)

def test_unmeasured():
    pass

def test_broken(benchmark):
    with pytest.raises(ZeroDivisionError):
        benchmark(lambda: 1 / 0)
"""
GATES = """
[[gate]]
id = "naps"
metric = "microbenchmark_s"
tolerance = "20%"
where = { case = "*::test_nap" }
[[gate]]
id = "sums"
metric = "microbenchmark_s"
where = { case = "*test_sum[[]1]" }
tier = "advisory"
"""
BEFORE = ("0.100", "0.102", "0.099", "0.101", "0.098", "0.100")
"""What the nap took in six sessions, by a clock that it sets itself."""

NAP, ONE, TWO = (f"test_x.py::test_{name}" for name in ("nap", "sum[1]", "sum[2]"))


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite of one case, tests beside it, and gates of these."""
    write_project(pytester.path, head() + a_case("home", prompt="Where?"))
    (pytester.path / "test_x.py").write_text(TESTS)
    (pytester.path / "gates.toml").write_text(GATES)
    monkeypatch.setenv("NAP_S", BEFORE[0])
    monkeypatch.setattr(recording, "begin_noise", lambda **_: None)
    return pytester.path


def session(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run the suite and the tests in one session."""
    usual = ("-p", "no:cacheprovider", "--gemma-gates", "gates.toml")
    return pytester.runpytest_inprocess("cities.gemma.toml", "test_x.py", *usual, *arguments)


def stored(folder: Path) -> dict[str, Microbenchmark]:
    """Return those of the newest run by name."""
    return {each.name: each for each in newest_run(folder).microbenchmarks}


def test_those_of_a_session_are_stored_with_the_run_of_its_suite(
    project: Path, pytester: pytest.Pytester
) -> None:
    """By the full names of their tests; one that broke while it was measured is left out."""
    session(pytester).assert_outcomes(passed=6)
    found = stored(project)
    assert list(found) == [NAP, ONE, TWO]
    assert [each.rounds for each in found.values()] == [2, 3, 3]
    assert found[NAP].median_s == found[NAP].mean_s == pytest.approx(0.1)
    assert found[ONE].median_s > 0


@pytest.mark.parametrize(
    "arguments", [("--benchmark-disable",), ("--benchmark-skip",), ("-k", "home or unmeasured")]
)
def test_what_was_not_measured_is_not_stored(
    project: Path, pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    """And the run is recorded all the same."""
    session(pytester, *arguments)
    assert newest_run(project).state == "done"
    assert stored(project) == {}


def test_nothing_needs_pytest_benchmark(project: Path, pytester: pytest.Pytester) -> None:
    """Where it is absent a suite runs as always."""
    result = pytester.runpytest_inprocess("cities.gemma.toml", "-p", "no:benchmark", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    assert stored(project) == {}


def test_with_xdist_nothing_is_measured(project: Path, pytester: pytest.Pytester) -> None:
    """pytest-benchmark switches itself off there."""
    pytest.importorskip("xdist")
    arguments = ("-n", "2", "-p", "no:cacheprovider")
    pytester.runpytest_subprocess("cities.gemma.toml", "test_x.py", *arguments)
    assert newest_run(project).state == "done"
    assert stored(project) == {}


def test_a_session_without_a_suite_stores_nothing(project: Path, pytester: pytest.Pytester) -> None:
    """It has no run, so there is nothing to hold."""
    arguments = ("-p", "no:cacheprovider", "-k", "nap")
    pytester.runpytest_inprocess("test_x.py", *arguments).assert_outcomes(passed=1, deselected=4)
    assert not (project / "reports").exists()


@pytest.fixture
def seasoned(project: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project after six sessions."""
    for nap_s in BEFORE:
        monkeypatch.setenv("NAP_S", nap_s)
        session(pytester, "--gemma-baseline", "auto", "-k", "home or nap").assert_outcomes(
            passed=2, deselected=4, skipped=1
        )
    return project


@pytest.mark.parametrize(
    ("nap_s", "verdict", "code"),
    [("0.101", "PASS", 0), ("0.150", "REGRESSED", 1), ("0.120", "INCONCLUSIVE", 0)],
)
def test_six_sessions_tell_whether_the_seventh_is_slower(
    seasoned: Path,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    nap_s: str,
    verdict: str,
    code: int,
) -> None:
    """By half where a fifth is allowed: that fails the session, and is told with the name of the test."""
    monkeypatch.setenv("NAP_S", nap_s)
    ended = session(pytester, "--gemma-baseline", "latest", "-rA", "-k", "home or nap")
    (found,) = gating_of(seasoned).gated
    assert (found.comparison.verdict, found.id, ended.ret) == (verdict, f"naps[{NAP}]", code)
    assert found.comparison.difference == pytest.approx(math.log(float(nap_s) / float(BEFORE[-1])))
    assert NAP in ended.stdout.str()
    assert f"{verdict}" in ended.stdout.str()


def test_the_first_session_has_nothing_to_be_held_against(project: Path, pytester: pytest.Pytester) -> None:
    """The second has a base, and nothing that tells how much sessions differ."""
    session(pytester, "--gemma-baseline", "auto").assert_outcomes(passed=6, skipped=2)
    assert [each.comparison.verdict for each in gating_of(project).gated] == ["NEW", "NEW"]
    session(pytester, "--gemma-baseline", "latest")
    assert [each.id for each in gating_of(project).gated] == [f"naps[{NAP}]", f"sums[{ONE}]"]
    assert [each.comparison.verdict for each in gating_of(project).gated] == ["INCONCLUSIVE"] * 2


def test_a_test_that_is_gone_is_missing(project: Path, pytester: pytest.Pytester) -> None:
    """Where others were measured; where none was, the session was not whole."""
    session(pytester)
    (project / "test_x.py").write_text(TESTS.replace("test_nap", "test_rest"))
    assert session(pytester, "--gemma-baseline", "latest").ret == 1
    assert [each.comparison.verdict for each in gating_of(project).gated] == ["MISSING", "INCONCLUSIVE"]
    assert session(pytester, "--gemma-baseline", "latest~1", "--benchmark-disable").ret == 0
    assert [each.comparison.verdict for each in gating_of(project).gated] == ["INCOMPLETE"] * 2


def a_benchmark(**changes: object) -> SimpleNamespace:
    """Return what pytest-benchmark has of a test."""
    stats = SimpleNamespace(**{"median": 0.5, "mean": 0.6, "stddev": 0, "rounds": 1, **changes})
    return SimpleNamespace(fullname="a", has_error=changes.get("has_error", False), stats=stats)


def config_with(*benchmarks: object) -> pytest.Config:
    """Return the configuration of a session with such benchmarks."""
    session = SimpleNamespace(benchmarks=list(benchmarks))
    return cast(pytest.Config, SimpleNamespace(_benchmarksession=session))


@pytest.mark.parametrize(
    "told",
    [
        a_benchmark(has_error=True),
        a_benchmark(median=0.0),
        a_benchmark(median=math.nan),
        a_benchmark(mean=math.inf),
        a_benchmark(stddev=None),
        a_benchmark(rounds="many"),
        SimpleNamespace(fullname="a"),
        None,
    ],
)
def test_what_has_no_time_or_is_told_otherwise_is_left_out(told: object) -> None:
    """A session is never broken by what another version of pytest-benchmark tells."""
    whole = Microbenchmark(name="a", median_s=0.5, mean_s=0.6, sd_s=0.0, rounds=1)
    assert of_session(config_with(told)) == ()
    assert of_session(config_with(a_benchmark(), told)) == (whole,)


def test_of_a_test_that_was_run_again_the_last_time_counts() -> None:
    """There is one time for each name."""
    (found,) = of_session(config_with(a_benchmark(), a_benchmark(median=0.7)))
    assert found.median_s == 0.7
    assert of_session(cast(pytest.Config, SimpleNamespace())) == ()
    assert of_session(cast(pytest.Config, SimpleNamespace(_benchmarksession=SimpleNamespace()))) == ()
