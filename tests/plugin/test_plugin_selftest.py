"""`--gemma-selftest`: published values as pytest items."""

from __future__ import annotations

import pytest

from gemma_eval.pytest_plugin import vectors
from gemma_eval.selftest.vectors import Given, Published, Vector

MEAN = Vector(name="mean", quantity="mean", given=Given(values=(1.0, 2.0)), expected=1.5)
WRONG = Vector(name="wrong", quantity="mean", given=Given(values=(1.0, 2.0)), expected=1.0)


def some(*members: Vector) -> tuple[Published, ...]:
    """Return one source."""
    return (
        Published(name="some", about="", where="a/b:c", commit="1234567", licence="MIT", vectors=members),
    )


def test_each_value_is_an_item_and_nothing_else_is_collected(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pytest --gemma-selftest` in any project."""
    pytester.makepyfile("def test_plain(): raise RuntimeError('was run')")
    monkeypatch.setattr(vectors, "published", lambda: some(MEAN))
    result = pytester.runpytest_inprocess("--gemma-selftest", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*some*mean*PASSED*"])


def test_one_that_differs_says_what_and_where_it_is_from(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a traceback."""
    monkeypatch.setattr(vectors, "published", lambda: some(MEAN, WRONG))
    result = pytester.runpytest_inprocess("--gemma-selftest")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["1.5 instead of 1", "a/b:c at 1234567, MIT"])


def test_tests_that_are_named_are_run_beside_them(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And `-m gemma_selftest` chooses."""
    path = pytester.makepyfile("def test_plain(): pass")
    monkeypatch.setattr(vectors, "published", lambda: some(MEAN))
    pytester.runpytest_inprocess("--gemma-selftest", path).assert_outcomes(passed=2)
    chosen = pytester.runpytest_inprocess("--gemma-selftest", path, "-m", "gemma_selftest")
    chosen.assert_outcomes(passed=1, deselected=1)
