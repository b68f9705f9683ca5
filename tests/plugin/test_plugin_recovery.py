"""A run that used an earlier version of a damaged file says so; without one it does not begin."""

from __future__ import annotations

import pytest

from gemma_eval.config import models
from gemma_eval.config.changing import change
from tests.plugin.project import MODELS, a_case, head, latest, write_project


@pytest.fixture
def damaged(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project whose models.toml a command has written, and a crash has emptied."""
    write_project(pytester.path, head() + a_case("home"))
    path = pytester.path / "models.toml"
    path.unlink()
    change(path, lambda _: MODELS, check=lambda text: models.parse(text, path=path))
    path.write_bytes(b"")
    return pytester


NOTICE = (
    "*models.toml: is empty; its version of * UTC is used; gemma-eval config restore *models.toml brings*"
)


@pytest.mark.parametrize("arguments", [(), ("-n", "2"), ("-q",), ("-W", "error")])
def test_a_run_says_at_its_end_that_it_used_an_earlier_version(
    damaged: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    """Once, also when workers have read the file; what is measured is what that version says."""
    result = damaged.runpytest_subprocess("-p", "no:benchmark", *arguments)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*gemma_eval: run *", NOTICE])
    assert str(result.stdout).count("is used;") == 1
    assert [outcome.generation.text for outcome in latest(damaged.path) if outcome.generation] == ["Oslo"]
    assert (damaged.path / "models.toml").read_bytes() == b""


def test_a_plan_says_so_too(damaged: pytest.Pytester) -> None:
    """Before anything is run."""
    result = damaged.runpytest_inprocess("--gemma-plan")
    result.stdout.fnmatch_lines([NOTICE, "suite cities"])


def test_without_an_earlier_version_nothing_is_run(pytester: pytest.Pytester) -> None:
    """And it is said where the file is wrong."""
    write_project(pytester.path, head() + a_case("home"))
    (pytester.path / "models.toml").write_bytes(b"\0\0")
    result = pytester.runpytest_inprocess()
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*models.toml:1: is not TOML: *"])
