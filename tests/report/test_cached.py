"""A report says how many of its answers a cache gave again."""

from __future__ import annotations

from dataclasses import replace

from gemma_eval.records import Cached, Outcome
from gemma_eval.report.cached import told
from gemma_eval.report.findings import findings
from gemma_eval.report.groups import groups_of
from gemma_eval.report.trial_facts import trial_facts
from gemma_eval.run import make_report
from tests.examples import a_run, an_outcome

MISS, DOWN = Cached(use="miss"), Cached(use="miss", reason="Redis at localhost:6379 cannot be reached")
EXACT = Cached(use="exact", similarity=1.0, query="Where?")
LIKE = Cached(use="semantic", similarity=0.961, query="Where?")


def sentences(*cached: Cached | None) -> list[str]:
    """Return what is said of a run whose answers were had so."""
    return list(told(make_report(a_run(), outcomes(*cached))))


def outcomes(*cached: Cached | None) -> list[Outcome]:
    """Return outcomes that were had so."""
    return [replace(an_outcome(repeat=number), cached=each) for number, each in enumerate(cached)]


def test_hits_are_counted_and_those_to_another_question_named() -> None:
    """Of the answers of cases that have a cache."""
    assert sentences(MISS, EXACT, LIKE, None) == [
        (
            "2 of 3 answers were given again by a cache (1 of them to another question); "
            "they are scored, and their times count nowhere."
        )
    ]


def test_an_outage_is_told_once_with_its_number() -> None:
    """The reason is that of the rows."""
    assert sentences(DOWN, DOWN, MISS)[1:] == [
        "2 answers without it: Redis at localhost:6379 cannot be reached."
    ]


def test_nothing_is_said_where_there_was_no_cache() -> None:
    """Most runs have none."""
    assert sentences(None, None) == []


def test_the_findings_have_a_topic_for_it() -> None:
    """Beside what the run shows."""
    report = make_report(a_run(), outcomes(EXACT, MISS))
    assert "Cache" in {each.topic for each in findings(report, groups_of(report))}


def test_the_facts_of_a_trial_say_how_it_was_answered() -> None:
    """With the question that it was taken for."""
    said = [
        next(fact.value for fact in trial_facts(outcome) if fact.name == "cache")
        for outcome in outcomes(MISS, DOWN, EXACT, LIKE)
    ]
    assert said == [
        "miss",
        "miss (Redis at localhost:6379 cannot be reached)",
        "exact hit: Where?",
        "semantic hit, cosine 0.961: Where?",
    ]
