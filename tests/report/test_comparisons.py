"""A change is written as one of the metric itself, with the sign that a reader expects of it."""

from __future__ import annotations

import re
from dataclasses import replace
from math import log, nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.records import Compared
from gemma_eval.report import comparisons, numbers
from gemma_eval.report.comparisons import bounds, change, figures, lines, more_is_better, notes, value
from gemma_eval.report.gates.words import WORDS
from gemma_eval.stats.summary import METRICS
from tests.report.gates.example_gating import RATE, SCORE, TTFT

COSTS = [metric for metric in METRICS if metric != "score"]


def worse_by(metric: str, base: float, candidate: float) -> float:
    """Return a difference as comparisons have it: + is worse, for a rate a smaller one."""
    ratio = log(candidate / base)
    return -ratio if metric.endswith("_per_s") else ratio


@pytest.mark.parametrize("metric", COSTS)
@pytest.mark.parametrize(("base", "candidate"), [(2.0, 2.1), (2.0, 1.9), (0.004, 0.006), (50.0, 5.0)])
def test_the_change_of_a_cost_is_per_cent_of_the_base(metric: str, base: float, candidate: float) -> None:
    """Computed from both values without logarithms; a rate that falls has a minus, though that is worse."""
    written = change(metric)(worse_by(metric, base, candidate))
    expected = 100 * (candidate - base) / base
    assert written == f"{expected:+.1f} %"


def test_a_change_with_the_wrong_sign_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above fails where a rate is taken for a cost."""
    monkeypatch.setattr(comparisons, "more_is_better", lambda metric: metric == "score")
    with pytest.raises(AssertionError):
        test_the_change_of_a_cost_is_per_cent_of_the_base("output_tokens_per_s", 2.0, 2.1)


def test_a_score_changes_by_points_and_less_is_worse() -> None:
    """0.91 became 0.83, so the difference is 0.08 and the change -0.08; nothing is never `-0.000`."""
    assert figures(SCORE) == ("0.91", "0.83", "-0.080", "[-0.119, -0.041]", "120 cases", "REGRESSED")
    assert change("score")(0.0) == change("score")(1e-9) == "+0.000"


def test_a_rate_is_written_as_a_rate_and_more_is_better() -> None:
    """Its bounds begin with the smaller one, too."""
    assert figures(RATE) == ("1 234/s", "1 296/s", "+5.0 %", "[+2.9 %, +7.1 %]", "12 blocks", "PASS")


@pytest.mark.parametrize(
    ("metric", "number", "written"),
    [
        ("score", 0.914, "0.91"),
        ("ttft_s", 0.0123, "12.3 ms"),
        ("e2e_s", 1.5, "1.50 s"),
        ("output_tokens_per_s", 41.25, numbers.rate(41.25)),
        ("peak_memory_bytes", 184e6, "184 MB"),
        ("cpu_s_per_output_token", 0.0021, "2.10 ms"),
        ("mean_tokens", 17.0, "17.0"),
        ("ttft_s", None, numbers.MISSING),
    ],
)
def test_a_value_has_the_unit_of_its_metric(metric: str, number: float | None, written: str) -> None:
    """As its name ends."""
    assert value(metric)(number) == written


@pytest.mark.parametrize("metric", COSTS)
def test_every_cost_has_a_unit(metric: str) -> None:
    """No metric of a summary is written as a bare number."""
    assert re.search(r"(s|B|/s)$", value(metric)(1.0))


def test_what_grew_many_times_is_written_as_a_ratio() -> None:
    """From eleven times the base on, and with a power beyond a million."""
    assert change("ttft_s")(nextafter(log(11), 0)) == "+1000.0 %"
    assert change("ttft_s")(log(11)) == "x 11.0"
    assert change("ttft_s")(log(2e5)) == "x 200 000"
    assert change("ttft_s")(7.5 * log(10)) == "x 10^7.5"
    assert change("output_tokens_per_s")(1e6) == "-100.0 %"


@given(st.floats(allow_nan=False, min_value=-1e300, max_value=1e300))
def test_no_change_is_too_large_to_be_written(difference: float) -> None:
    """Whatever the data."""
    for metric in ("score", "ttft_s", "output_tokens_per_s"):
        assert change(metric)(difference)


def test_a_bound_may_be_missing() -> None:
    """A dash stands for it, on the side where it is missing."""
    assert bounds(replace(TTFT, low=None)) == "[–, +20.4 %]"  # noqa: RUF001
    assert bounds(replace(SCORE, low=None)) == "[-0.119, –]"  # noqa: RUF001
    assert bounds(replace(TTFT, low=None, high=None)) == numbers.MISSING


def test_scores_and_rates_are_better_when_they_are_more() -> None:
    """And nothing else is."""
    better = [metric for metric in METRICS if more_is_better(metric)]
    assert better == ["score", "output_tokens_per_s", "prompt_tokens_per_s"]


def test_nothing_is_allowed_where_the_margin_is_none() -> None:
    """Against a limit the margin is 0, and "+0.0 % is allowed" would say nothing."""
    unproved = replace(TTFT, verdict="INCONCLUSIVE", lean="worse")
    assert "+5.0 % is allowed" in notes(unproved)
    assert not any("allowed" in note for note in notes(replace(unproved, margin=0.0)))


def test_lines_have_a_table_for_each_group() -> None:
    """With reasons and what was left out below."""
    compared = Compared(
        comparisons=(SCORE, replace(TTFT, shared="hot · rag", reason="few blocks")), left_out=("b",)
    )
    text = "\n".join(lines(compared))
    assert text.index("greedy · rag") < text.index("hot · rag") < text.index("ttft_s: few blocks")
    assert text.endswith("left out: b")


def test_a_note_promises_no_number_that_is_not_known() -> None:
    """What so many data would find, or that it is nothing; how many would decide, or that none can tell."""
    undecided = replace(SCORE, verdict="INCONCLUSIVE", reason="", detectable=0.11, needed=410)
    told = "; ".join(notes(undecided))
    assert "-0.110 would mostly be found by so many cases; about 410 cases would decide" in told
    told = "; ".join(notes(replace(undecided, needed=None)))
    assert "-0.110 would mostly be found by so many cases; how many cases would decide cannot be told" in told
    told = "; ".join(notes(replace(undecided, detectable=None)))
    assert "no loss would mostly be found by so few cases; about 410 cases would decide" in told
    assert "would" not in "; ".join(notes(replace(TTFT, detectable=None, needed=None)))
    assert "note" not in WORDS["INCONCLUSIVE"].to_do
