"""Messages say where, what is wrong and what would be right."""

from __future__ import annotations

from pathlib import Path

from gemma_eval.errors import (
    ContextOverflow,
    MissingDependency,
    Problem,
    SuiteError,
    UnknownName,
    WrongSetting,
    suggestion,
)


def test_a_near_name_is_suggested() -> None:
    """A typing error is named with what was meant."""
    assert (
        str(UnknownName("scorer", "exct", ["exact", "contains"]))
        == 'no scorer named "exct"; did you mean "exact"?'
    )


def test_when_no_name_is_near_all_are_listed() -> None:
    """Who guesses is shown what there is."""
    assert suggestion("zzz", ["b", "a"]) == "; known: a, b"
    assert suggestion("zzz", []) == ""


def test_a_suite_error_lists_every_problem_by_line() -> None:
    """All problems of a file at once, in the order in which they are mended."""
    path = Path("s.toml")
    error = SuiteError([Problem(path=path, line=9, what="second"), Problem(path=path, line=2, what="first")])
    assert str(error) == "s.toml:2: first\ns.toml:9: second"
    assert str(Problem(path=path, line=0, what="unreadable")) == "s.toml: unreadable"


def test_a_missing_extra_comes_with_its_pip_line() -> None:
    """The message can be pasted."""
    assert 'pip install "gemma_eval[llama-cpp]"' in str(MissingDependency("backend x", extra="llama-cpp"))


def test_a_wrong_setting_says_of_which_model_it_is_and_where_it_stands() -> None:
    """Whoever has the file can show the line."""
    error = WrongSetting("pocket", "options", "threads", what="threads = 0; at least 1 is needed")
    assert str(error) == "model pocket: threads = 0; at least 1 is needed"
    assert error.keys == ("options", "threads")


def test_a_prompt_that_is_too_long_is_told_with_both_counts() -> None:
    """Needed and available tokens are in the message."""
    assert "900" in str(ContextOverflow(needed_tokens=900, limit_tokens=512))
