"""A report says whether a score changes over a variable, by the intervals at its ends."""

from __future__ import annotations

from dataclasses import replace

from gemma_eval.records import Report
from gemma_eval.report.findings import findings
from gemma_eval.report.groups import groups_of
from gemma_eval.report.series import variations
from gemma_eval.report.trends import trend
from tests.report.example import report_of
from tests.report.varied import Varied, varied


def said(report: Report) -> list[tuple[str, bool] | None]:
    """Return what is said of each variation."""
    return [trend(variation, groups_of(report)) for variation in variations(report)]


def test_a_model_that_loses_the_needle_falls_and_one_that_keeps_it_shows_no_difference() -> None:
    """Told by intervals that do not overlap, with the scores at both ends."""
    report = varied(Varied(models=("pocket", "pocket-yarn")))
    by_length = said(report)[0]
    points = {(each.group.model, each.at[0]): each for each in variations(report)[0].points}
    first, last = points["pocket", 8.0].value, points["pocket", 128.0].value
    told = f"pocket falls from {first:.2f} to {last:.2f}; no difference shown for pocket-yarn."
    assert by_length == (f"needle, from length 8 to 128: {told}", True)
    found = {finding.topic: finding for finding in findings(report, groups_of(report))}
    assert (found["Length"].tone, found["Depth"].tone) == ("shown", "open")


def test_a_score_may_rise() -> None:
    """The other way round."""
    report = varied(Varied(models=("pocket",)))
    turned = []
    for outcome in report.outcomes:
        cell = outcome.trial.cell
        length = 200 - cell.case.variables["length"]
        case = replace(cell.case, variables={"length": length})
        turned.append(replace(outcome, trial=replace(outcome.trial, cell=replace(cell, case=case))))
    (by_length,) = said(report_of(turned))
    assert by_length is not None
    assert by_length[0].startswith("needle, from length 72 to 192: pocket rises from 0.")


def test_a_few_cases_show_nothing() -> None:
    """One needle has no interval, and a difference is not claimed without one."""
    report = varied(Varied(models=("pocket",), needles=1))
    at_start = [each for each in report.outcomes if each.trial.cell.case.variables["depth"] == 0.0]
    assert said(report_of(at_start)) == [
        ("needle, from length 8 to 128: no difference shown for pocket.", False)
    ]


def test_a_mean_over_answers_and_texts_that_were_read_is_called_one() -> None:
    """Neither suite alone has such a mean."""
    written = varied(Varied(models=("pocket", "pocket-yarn")))
    read = varied(Varied(models=("pocket",), scorer="likelihood"))
    both = report_of([*written.outcomes, *read.outcomes])
    told = {finding.topic: finding.text for finding in findings(both, groups_of(both))}
    assert told["Score"].startswith("the score of pocket is a mean over two kinds of numbers")
    for report in (written, read):
        assert "Score" not in {finding.topic for finding in findings(report, groups_of(report))}


def test_a_group_without_one_of_the_ends_is_not_told_of() -> None:
    """Nothing to compare."""
    report = varied(Varied(models=("pocket", "pocket-ntk")))
    none = [
        replace(each, scores=())
        if each.trial.cell.model.name == "pocket" and each.trial.cell.case.variables["length"] == 8.0
        else each
        for each in report.outcomes
    ]
    (by_length, _) = said(report_of(none))
    assert by_length is not None
    assert "pocket " not in by_length[0]
    short = [each for each in none if each.trial.cell.model.name == "pocket"]
    assert said(report_of(short))[0] is None


def test_many_groups_are_counted() -> None:
    """A sentence stays short."""
    falling = varied(Varied(models=tuple("abcdef"), needles=16), reach=20.0)
    (by_length, _) = said(falling)
    assert by_length is not None
    assert "; 2 more change, too." in by_length[0]
    five = varied(Varied(models=tuple("abcde"), needles=16), reach=20.0)
    (by_length, _) = said(five)
    assert by_length is not None
    assert "; 1 more changes, too." in by_length[0]
    steady = varied(Varied(models=tuple("abcdef")), reach=9e9)
    (by_length, _) = said(steady)
    assert by_length == ("needle, from length 8 to 128: no difference shown for 6 groups.", False)
