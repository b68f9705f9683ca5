"""How latency is distributed: gaps between tokens, curves, axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.records import Delta, Generation
from gemma_eval.report.distributions import distributions, token_gaps_s
from gemma_eval.report.groups import groups_of
from tests.examples import a_generation
from tests.report.example import Shape, example, report_of

REPORT = example(Shape(cases=6, unfinished=0))
GROUPS = groups_of(REPORT)


def stream(*arrivals: tuple[int, int | None]) -> Generation:
    """Return a generation whose deltas arrive at those milliseconds with those numbers of tokens."""
    deltas = tuple(Delta(text="x", n_tokens=n, at_ns=at * 1_000_000) for at, n in arrivals)
    return replace(a_generation(), text="x" * len(deltas), deltas=deltas)


def gaps_make_up_the_time(gaps_s: Callable[[Generation], tuple[float, ...]], generation: Generation) -> bool:
    """Tell whether there is a gap for each later token and all together are the time from first to last."""
    tokens = sum(delta.n_tokens or 0 for delta in generation.deltas[1:])
    span = (generation.deltas[-1].at_ns - generation.deltas[0].at_ns) / 1e9
    found = gaps_s(generation)
    return len(found) == tokens and sum(found) == pytest.approx(span)


PUBLISHED = stream((245, 1), (285, 1), (325, 3), (445, 1), (465, 2))


def test_gaps_are_per_token_not_per_delta() -> None:
    """Five deltas of eight tokens: seven gaps whose mean is the TPOT of 31.43 ms."""
    gaps = token_gaps_s(PUBLISHED)
    assert gaps == pytest.approx((0.04, 0.04 / 3, 0.04 / 3, 0.04 / 3, 0.12, 0.01, 0.01))
    assert sum(gaps) / len(gaps) == pytest.approx(0.22 / 7)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 5)), min_size=2, max_size=20))
@settings(deadline=None)
def test_gaps_add_up_to_the_time_from_first_to_last(steps: list[tuple[int, int]]) -> None:
    """Whatever the deltas carry."""
    at, arrivals = 0, []
    for wait, tokens in steps:
        at += wait
        arrivals.append((at, tokens))
    assert gaps_make_up_the_time(token_gaps_s, stream(*arrivals))


def test_gaps_per_delta_would_be_found() -> None:
    """The law fails on a planted error: one gap for each delta."""

    def wrong(generation: Generation) -> tuple[float, ...]:
        stamps = [delta.at_ns for delta in generation.deltas]
        return tuple((after - before) / 1e9 for before, after in pairwise(stamps))

    assert not gaps_make_up_the_time(wrong, PUBLISHED)


def test_a_delta_that_does_not_know_its_tokens_counts_as_one() -> None:
    """And one that brings no token, as a role alone, has no gap."""
    assert token_gaps_s(stream((0, 1), (10, None), (10, 0))) == pytest.approx((0.01,))


def test_there_is_a_figure_of_first_and_of_later_tokens_for_each_model() -> None:
    """First tokens by template, later ones by profile."""
    first, later = distributions(REPORT, GROUPS)
    assert [curve.name for curve in first.curves] == list(GROUPS.templates)
    assert [curve.name for curve in later.curves] == list(GROUPS.profiles)
    two = example(Shape(models=("small", "large"), cases=2))
    assert [figure.title for figure in distributions(two, groups_of(two))] == [
        "Time to first token by template, small",
        "Time per later token by profile, small",
        "Time to first token by template, large",
        "Time per later token by profile, large",
    ]


def test_models_are_drawn_on_one_axis() -> None:
    """So that a curve further left is a faster model."""
    two = example(Shape(models=("small", "large"), cases=2))
    small, _, large, _ = distributions(two, groups_of(two))
    assert small.x_ticks == large.x_ticks


def test_a_curve_counts_the_values_that_it_is_of() -> None:
    """As many first tokens as the summaries of its template are over."""
    first, _ = distributions(REPORT, GROUPS)
    for curve in first.curves:
        summaries = [
            GROUPS.summary(group, "ttft_s") for group in GROUPS.order if group.template == curve.name
        ]
        assert curve.n == sum(summary.n for summary in summaries if summary is not None)


def test_a_percentile_without_enough_values_is_a_dash() -> None:
    """Nine first tokens have a median and no 99th percentile."""
    first, _ = distributions(REPORT, GROUPS)
    assert first.curves[0].percentiles[0] != "–"  # noqa: RUF001 - the dash that reports print
    assert first.curves[0].percentiles[3] == "–"  # noqa: RUF001 - the dash that reports print


def test_times_that_differ_much_have_a_log_axis_and_zero_has_a_place_on_it() -> None:
    """A bundled delta gives a gap of 0, which a log axis draws at its edge."""
    outcome = next(outcome for outcome in REPORT.outcomes if outcome.generation is not None)
    given = report_of([replace(outcome, generation=stream((0, 1), (0, 1), (1, 1), (100, 1)))])
    figure = distributions(given, groups_of(given))[1]
    assert figure.kind == "log"
    assert [tick.label for tick in figure.x_ticks] == ["1", "2", "5", "10", "20", "50", "100"]
    assert figure.curves[0].path.startswith(f"M{figure.frame.left:g} ")


def test_seconds_are_shown_as_seconds() -> None:
    """An axis of slow tokens is not labelled in thousands of milliseconds."""
    outcome = next(outcome for outcome in REPORT.outcomes if outcome.generation is not None)
    given = report_of([replace(outcome, generation=stream((0, 1), (3000, 1), (7000, 1)))])
    assert distributions(given, groups_of(given))[1].unit == "s"


def test_gaps_that_are_all_zero_still_have_an_axis() -> None:
    """An engine that hands over everything at once."""
    outcome = next(outcome for outcome in REPORT.outcomes if outcome.generation is not None)
    given = report_of([replace(outcome, generation=stream((5, 1), (5, 1), (5, 1)))])
    assert distributions(given, groups_of(given))[1].kind == "linear"


def test_nothing_measured_makes_no_figure() -> None:
    """Failures alone have no curve."""
    outcomes = [replace(outcome, generation=None, measurement=None) for outcome in REPORT.outcomes]
    given = report_of(outcomes)
    assert distributions(given, groups_of(given)) == ()


def test_a_role_alone_takes_no_part_in_any_gap() -> None:
    """Neither one that comes first nor one between tokens: the time to the next token stays whole."""
    assert token_gaps_s(stream((0, 0), (50, 1), (55, 0), (60, 1))) == pytest.approx((0.01,))
    silent = replace(stream((0, None), (50, 1), (60, 1)).deltas[0], text="")
    made = stream((50, 1), (60, 1))
    assert token_gaps_s(replace(made, deltas=(silent, *made.deltas))) == pytest.approx((0.01,))


def test_times_between_pieces_are_not_drawn_as_times_per_token() -> None:
    """Where nobody knows how many tokens a piece carries: another quantity, in a figure of its own."""
    outcome = next(outcome for outcome in REPORT.outcomes if outcome.measurement is not None)
    assert outcome.measurement is not None
    unknown = replace(
        outcome,
        generation=stream((0, None), (10, None), (40, None)),
        measurement=replace(outcome.measurement, itl_basis="chunk"),
    )
    given = report_of([unknown])
    _, pieces = distributions(given, groups_of(given))
    assert pieces.title == "Time between pieces by profile"
    assert pieces.curves[0].n == 2
    both = report_of([unknown, replace(outcome, trial=replace(outcome.trial, repeat=1))])
    titles = [figure.title for figure in distributions(both, groups_of(both))]
    assert titles[1:] == ["Time per later token by profile", "Time between pieces by profile"]
