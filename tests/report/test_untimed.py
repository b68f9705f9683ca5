"""A report says why groups have no times."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemma_eval.pytest_plugin.terminal import WIDTH, ending
from gemma_eval.records import Report
from gemma_eval.report.distributions import distributions
from gemma_eval.report.groups import groups_of
from gemma_eval.report.html import Html
from gemma_eval.report.markdown import Markdown
from gemma_eval.report.untimed import untimed
from tests.report.example import report_of
from tests.report.varied import Varied, varied

BATCHED = varied(Varied(models=("one", "two"), batch_size=4, needles=2), reach=50.0)
TIMED = varied(Varied(models=("three",), needles=2), reach=50.0)
READ = varied(Varied(models=("four",), needles=2, scorer="likelihood"), reach=50.0)


def said(report: Report) -> tuple[str, ...]:
    """Return the sentences of a report."""
    return untimed(report, groups_of(report))


def test_a_group_with_times_says_nothing() -> None:
    """There is nothing to explain."""
    assert said(TIMED) == ()
    assert said(report_of([])) == ()


def test_each_reason_is_said_once_with_its_groups() -> None:
    """The code is that of the records, so that it can be looked up."""
    both = report_of([*BATCHED.outcomes, *TIMED.outcomes, *READ.outcomes])
    batched, read = said(both)
    assert batched.startswith(
        "one and two have no times (batched): the repeats of a case were decoded together;"
    )
    assert read == "four has no times (not_generated): a given text was read, and nothing was written."
    assert said(BATCHED)[0].startswith("There are no times (batched): ")


def test_many_groups_are_counted() -> None:
    """A sentence stays short."""
    names = ("a", "b", "c", "d")
    several = varied(Varied(models=names, batch_size=2, needles=1), reach=50.0)
    assert said(report_of([*several.outcomes, *TIMED.outcomes]))[0].startswith("4 of the 5 groups have no")


def test_failures_alone_are_no_reason() -> None:
    """They are told as failures."""
    none = [replace(outcome, generation=None, measurement=None) for outcome in TIMED.outcomes]
    assert said(report_of(none)) == ()


def test_a_reason_that_is_not_known_keeps_its_code() -> None:
    """A plugin may have its own."""
    odd = [
        replace(outcome, measurement=replace(outcome.measurement, missing={"ttft_s": "odd"}))
        for outcome in BATCHED.outcomes
        if outcome.measurement is not None
    ]
    assert said(report_of(odd)) == ("There are no times (odd): not measured.",)


def test_every_report_says_it() -> None:
    """Page, Markdown and terminal, there in lines that fit."""
    (sentence,) = said(BATCHED)
    assert sentence.replace('"', "&#34;") in Html().render(BATCHED)
    assert "no times \\(batched\\)" in Markdown().render(BATCHED) or sentence in Markdown().render(BATCHED)
    lines = [line.text for line in ending(BATCHED)]
    assert sentence in " ".join(lines)
    assert all(len(line) <= WIDTH for line in lines)


@pytest.mark.parametrize("report", [BATCHED, READ])
def test_stamps_of_a_batch_or_a_reading_are_in_no_curve(report: Report) -> None:
    """They would show times that no answer has alone."""
    assert distributions(report, groups_of(report)) == ()
    assert distributions(TIMED, groups_of(TIMED)) != ()
