"""The sentences of the summary say what the intervals say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gemma_eval.records import Failure, Group, Outcome, Report, Score, Summary
from gemma_eval.report.findings import Finding, best, findings, headline, status, wholeness
from gemma_eval.report.groups import groups_of, interval_of, overlap
from tests.report.example import Shape, example, report_of
from tests.report.timed import Timed, timed_run

REPORT = example(Shape(cases=3, unfinished=0), seed=3)
OUTCOME = next(outcome for outcome in REPORT.outcomes if outcome.failure is None)

Scores = dict[tuple[str, str], tuple[float, float, float]]
"""By profile and template: the score and the ends of its interval."""


def a_summary(profile: str, template: str, metric: str, value: tuple[float, float, float]) -> Summary:
    """Return a summary with that value and interval."""
    middle, low, high = value
    return Summary(
        group=Group(model="pocket", profile=profile, template=template),
        metric=metric,
        n=20,
        missing=0,
        mean=middle,
        sd=0.1,
        p50=middle,
        p90=middle,
        p95=middle,
        p99=None,
        ci_low=low,
        ci_high=high,
        interval="t",
    )


def report(scores: Scores, speeds: Scores | None = None) -> Report:
    """Return a report with those summaries, every group with an outcome of the same case."""
    summaries = [a_summary(*key, "score", value) for key, value in scores.items()]
    summaries += [a_summary(*key, "output_tokens_per_s", value) for key, value in (speeds or {}).items()]
    return reported(summaries)


def reported(summaries: Sequence[Summary]) -> Report:
    """Return a report with those summaries, every group with an outcome of the same case."""
    groups = dict.fromkeys(summary.group for summary in summaries)
    return replace(report_of([an_outcome_of(group) for group in groups]), summaries=tuple(summaries))


def an_outcome_of(group: Group) -> Outcome:
    """Return the good outcome as one of that group."""
    cell = replace(
        OUTCOME.trial.cell,
        model=replace(OUTCOME.trial.cell.model, name=group.model),
        profile=replace(OUTCOME.trial.cell.profile, name=group.profile),
        template=replace(OUTCOME.trial.cell.template, name=group.template),
    )
    return replace(OUTCOME, trial=replace(OUTCOME.trial, cell=cell))


def said(given: Report) -> dict[str, Finding]:
    """Return the findings by topic."""
    return {finding.topic: finding for finding in findings(given, groups_of(given))}


APART: Scores = {("greedy", "plain"): (0.4, 0.3, 0.5), ("greedy", "rag"): (0.9, 0.8, 0.96)}
TOGETHER: Scores = {("greedy", "plain"): (0.8, 0.6, 0.95), ("greedy", "rag"): (0.9, 0.8, 0.96)}


def test_a_group_beyond_all_intervals_is_best() -> None:
    """The headline says so and the finding counts as shown."""
    given = report(APART)
    words = "rag scores best, 0.90 [0.80, 0.96], beyond the intervals of all others."
    assert best(groups_of(given)).startswith(words)
    assert said(given)["Quality"].tone == "shown"
    assert said(given)["Templates"].text == "rag is above plain beyond the intervals."


def test_overlapping_intervals_show_no_difference() -> None:
    """Neither the headline nor a finding claims one."""
    given = report(TOGETHER)
    assert best(groups_of(given)).startswith("No difference in score is shown: rag has 0.90 [0.80, 0.96]")
    assert said(given)["Quality"].text.endswith("every other interval overlaps it: no difference shown.")
    assert said(given)["Quality"].tone == "open"
    assert said(given)["Templates"] == Finding(
        topic="Templates",
        text="the intervals of the scores overlap everywhere: no difference shown.",
        tone="open",
    )


def test_a_difference_says_with_how_many_profiles_it_holds() -> None:
    """Above with one profile, silent with the other."""
    given = report(APART | {("hot", "plain"): (0.3, 0.1, 0.5), ("hot", "rag"): (0.4, 0.2, 0.6)})
    assert said(given)["Templates"].text == "rag is above plain with 1 of 2 profiles."
    assert said(given)["Profiles"].text == "greedy is above hot with 1 of 2 templates."


def test_with_two_models_the_places_are_pairs() -> None:
    """Each model and profile is one place to compare templates in."""
    given = report(APART)
    other = [replace(each, group=replace(each.group, model="large")) for each in report(TOGETHER).summaries]
    both = reported((*given.summaries, *other))
    assert said(both)["Templates"].text == "rag is above plain with 1 of 2 pairs of model and profile."


def test_a_difference_that_turns_round_is_told_both_ways() -> None:
    """An interaction is not averaged away."""
    given = report(APART | {("hot", "plain"): (0.9, 0.8, 0.96), ("hot", "rag"): (0.3, 0.2, 0.4)})
    assert (
        said(given)["Templates"].text
        == "plain is above rag with 1 of 2 profiles but rag is above plain with 1 of 2 profiles."
    )


def test_pairs_that_show_nothing_are_named_beside_those_that_do() -> None:
    """Three templates: one apart, two together."""
    given = report(APART | {("greedy", "rag-cited"): (0.88, 0.75, 0.95)})
    assert said(given)["Templates"].text == (
        "rag is above plain beyond the intervals; rag-cited is above plain beyond the intervals; "
        "rag and rag-cited: the intervals overlap, no difference shown."
    )


def test_a_sentence_names_few_pairs_and_counts_the_rest() -> None:
    """Five templates far apart make ten pairs."""
    scores: Scores = {
        ("greedy", name): (0.1 + at / 5, 0.08 + at / 5, 0.12 + at / 5) for at, name in enumerate("abcde")
    }
    assert said(report(scores))["Templates"].text == (
        "b is above a beyond the intervals; c is above a beyond the intervals; "
        "d is above a beyond the intervals; 7 more pairs differ."
    )


def test_nothing_in_common_is_nothing_to_compare() -> None:
    """One template has no interval at all."""
    given = report(APART)
    bare = replace(given, summaries=(replace(given.summaries[0], ci_low=None), given.summaries[1]))
    assert said(bare)["Templates"].text == "too few cases in common for intervals: nothing to compare."


def test_the_fastest_is_named_with_its_interval_and_its_unit_once() -> None:
    """Speed is judged like quality."""
    speeds: Scores = {("greedy", "plain"): (900, 880, 910), ("greedy", "rag"): (700, 690, 720)}
    text = said(report(APART, speeds))["Speed"].text
    assert text == "plain is fastest, 900 tokens/s [880, 910]; its interval lies above all others."


def test_rates_of_few_answers_are_not_ranked_against_those_of_many() -> None:
    """A model that answers in one token, where it is right, has a rate for its wrong answers alone."""
    speeds = {("greedy", "plain"): (900.0, 880.0, 910.0), ("greedy", "rag"): (700.0, 690.0, 710.0)}
    whole = report(APART, speeds)
    few = replace(
        whole,
        summaries=tuple(
            replace(summary, n=9, missing=11)
            if (summary.metric, summary.group.template) == ("output_tokens_per_s", "plain")
            else summary
            for summary in whole.summaries
        ),
    )
    assert said(few)["Speed"].text == (
        "the number of answers with a rate goes from 9 (plain) to 20 (rag), so rates are not compared; "
        "an answer of one token has none."
    )
    assert "is fastest" in said(whole)["Speed"].text


def test_without_intervals_nothing_is_claimed() -> None:
    """Too few values: said in so many words."""
    given = report(APART)
    bare = replace(
        given, summaries=tuple(replace(each, ci_low=None, ci_high=None) for each in given.summaries)
    )
    assert "too few values for intervals: no difference shown" in said(bare)["Quality"].text
    assert said(bare)["Templates"].tone == "open"


def test_one_rival_is_named_and_more_are_counted() -> None:
    """The reader sees what to look at."""
    third: Scores = {("greedy", "other"): (0.85, 0.7, 0.95)}
    assert "only the interval of other overlaps it" in said(report(APART | third))["Quality"].text
    more: Scores = {**third, ("greedy", "fourth"): (0.84, 0.7, 0.95)}
    assert "the intervals of 2 of the 3 others overlap it" in said(report(APART | more))["Quality"].text


def test_the_headline_names_one_rival_and_counts_more() -> None:
    """So that nobody takes the first for the only one."""
    third: Scores = {("greedy", "other"): (0.85, 0.7, 0.95)}
    assert best(groups_of(report(APART | third))).endswith("though other cannot be told from it.")
    more: Scores = {**third, ("greedy", "fourth"): (0.84, 0.7, 0.95)}
    assert best(groups_of(report(APART | more))).endswith("though 2 of the 3 others cannot be told from it.")


def test_groups_with_other_cases_are_compared_over_those_they_share() -> None:
    """Plain is asked half of the cases, the easy ones: its higher score is no better."""
    outcomes = [
        replace(outcome, scores=(Score(scorer="equals", value=value, passed=None),))
        for outcome in example(Shape(cases=40, unfinished=0)).outcomes
        if outcome.failure is None and outcome.trial.cell.profile.name == "greedy"
        for number in [int(outcome.trial.cell.case.id[-3:])]
        for value in [1.0 if number < 20 else 0.0]
        if outcome.trial.cell.template.name == "rag" or number < 20
    ]
    given = report_of([outcome for outcome in outcomes if outcome.trial.cell.template.name != "rag-cited"])
    assert not groups_of(given).same_cases
    assert best(groups_of(given)).startswith("plain has the highest score, 1.00")
    assert "not every group has the same cases" in said(given)["Quality"].text
    assert said(given)["Templates"].text.endswith("no difference shown.")
    scores = {each.group.template: each for each in given.summaries if each.metric == "score"}
    assert not overlap(interval_of(scores["plain"]), interval_of(scores["rag"]))


def test_failures_and_missing_trials_come_first() -> None:
    """By kind, the most common first, and what has no record."""
    failed = replace(OUTCOME, generation=None, measurement=None, failure=Failure(kind="timeout", message="x"))
    given = report_of([OUTCOME, failed], unfinished=3)
    first = findings(given, groups_of(given))[0]
    assert first.tone == "bad"
    assert first.text.startswith("1 failed: timeout, 3 without a record (interrupted).")
    assert wholeness(given) == "Of 5 planned trials 1 failed and 3 never ran."


def test_a_whole_run_says_so() -> None:
    """One group, nothing missing."""
    given = report({("greedy", "rag"): (0.9, 0.8, 0.96)})
    assert best(groups_of(given)) == "The score is 0.90 [0.80, 0.96]."
    assert wholeness(given) == "All 1 planned trials were answered."
    assert headline(given, groups_of(given)) == f"{best(groups_of(given))} {wholeness(given)}"
    assert "Incomplete" not in said(given)


def test_no_score_is_no_zero() -> None:
    """A run of benchmarks alone has no best score."""
    given = report({})
    assert best(groups_of(given)).startswith("No score was measured.")


@pytest.mark.parametrize(
    ("demands", "expected"),
    [
        ((True, True), "passed"),
        ((True, False), "missed"),
        ((None, None), "open"),
        ((None, True), "passed"),
        ((), "open"),
    ],
)
def test_a_status_follows_from_the_demands(demands: tuple[bool | None, ...], expected: str) -> None:
    """A check that demands nothing decides nothing."""
    scores = tuple(Score(scorer="contains", value=1.0, passed=passed) for passed in demands)
    assert status(replace(OUTCOME, scores=scores)) == expected


def test_a_failure_is_an_error_whatever_was_demanded() -> None:
    """No answer, no verdict on one."""
    assert status(replace(OUTCOME, failure=Failure(kind="timeout", message=""))) == "error"


def test_a_run_without_scores_is_headed_by_its_speed() -> None:
    """And does not say it a second time among its findings."""
    run = timed_run(Timed(loads=False, trouble=False))
    groups = groups_of(run)
    assert best(groups).startswith("Nothing was scored: small is fastest, 15")
    assert "Speed" not in [finding.topic for finding in findings(run, groups)]
    alone = timed_run(Timed(models=("small",), loads=False, trouble=False))
    assert best(groups_of(alone)).startswith("Nothing was scored: the median speed is 15")
