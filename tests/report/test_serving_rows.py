"""The table of loads: latencies from the schedule, goodput of all requests, and waits that are told of."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import pytest

from gemma_eval.records import Cell, Failure, Generation, Load, Outcome, Report, Slo
from gemma_eval.report import numbers
from gemma_eval.report.cells import timed_cells
from gemma_eval.report.figure import Figure
from gemma_eval.report.groups import groups_of
from gemma_eval.report.serving_rows import COLUMNS, LoadRow, Loads, load_words, loads, served, slo_words
from tests.report.timed import MS, Timed, answer, cell_of, outcome_of, timed_report, timed_run

REPORT = timed_run()
OPEN = Load(rate_per_s=10.0, arrival="constant", max_in_flight=1)
CLOSED = Load(concurrency=2)


def table_of(report: Report) -> Loads:
    """Return the table of a report."""
    groups = groups_of(report)
    found = loads(timed_cells(report, groups), groups)
    assert found is not None
    return found


def figures(row: LoadRow) -> dict[str, Figure]:
    """Return the figures of a row by their headings."""
    return dict(zip(COLUMNS, row.figures, strict=True))


def only(*outcomes: Outcome) -> dict[str, Figure]:
    """Return the figures of a run of one cell."""
    (row,) = table_of(timed_report(list(outcomes))).rows
    return figures(row)


def loaded(load: Load | None = OPEN, slo: Slo | None = None, *, repeats: int = 5) -> Cell:
    """Return a cell with a load and an SLO."""
    cell = cell_of("load", repeats=repeats, load=load)
    return replace(cell, case=replace(cell.case, slo=slo))


def queued(cell: Cell, *, wait_ms: float = 300, n: int = 5) -> list[Outcome]:
    """Return requests due every 100 ms and sent later, each with its first token 20 ms after that."""
    return [
        outcome_of(
            cell,
            answer(20, 40, sent_ms=100 * repeat + wait_ms, scheduled_ms=100.0 * repeat),
            repeat=repeat,
        )
        for repeat in range(n)
    ]


def headline_is_from_schedule(found: dict[str, Figure], outcomes: list[Outcome]) -> bool:
    """Tell whether the TTFT is counted from when requests were due, as computed here from their stamps."""
    made = [outcome.generation for outcome in outcomes if outcome.generation is not None]
    waited = [each.deltas[0].at_ns - (each.scheduled_ns or 0) for each in made]
    return found["TTFT p50"].value == numbers.seconds(median(waited) / 1e9)


def test_the_headline_of_an_open_loop_counts_from_the_schedule() -> None:
    """With the time from sending below it: 320 ms for a user, 20 ms for the engine."""
    outcomes = queued(loaded())
    found = only(*outcomes)
    assert headline_is_from_schedule(found, outcomes)
    assert found["TTFT p50"] == Figure(value="320 ms", below=("sent 20.0 ms",))
    assert found["queue delay"] == Figure(value="300 ms", below=("max 300 ms",))


def test_a_headline_from_sending_would_be_found() -> None:
    """The check above fails on a planted error: the same requests, called a closed loop."""
    outcomes = queued(loaded(CLOSED))
    assert not headline_is_from_schedule(only(*outcomes), outcomes)


def test_a_wait_on_this_side_is_told_of() -> None:
    """As the share that it is of what users waited; a short one is not worth a sentence."""
    (said,) = table_of(timed_report(queued(loaded()))).warnings
    assert said.startswith("load: requests waited on this side, 88.2 % of all the time that users waited;")
    assert table_of(timed_report(queued(loaded(), wait_ms=0.1))).warnings == ()


def test_every_figure_is_that_of_the_serving() -> None:
    """Rates, concurrency, goodput and errors of the made-up run."""
    rows, cells = table_of(REPORT).rows, timed_cells(REPORT, groups_of(REPORT))
    for row, found in zip(rows, [each.serving for each in served(cells)], strict=True):
        shown = figures(row)
        assert found.traffic is not None
        assert found.traffic.steady is not None
        assert found.goodput is not None
        assert row.case == found.case
        assert shown["requests"].value == f"{found.answered} of {found.scheduled} ok"
        assert shown["requests/s"].value == numbers.number(found.traffic.whole.requests_per_s)
        assert shown["output tokens/s"].value == numbers.known(found.traffic.whole.output_tokens_per_s)
        steady = numbers.known(found.traffic.steady.output_tokens_per_s)
        total = numbers.known(found.traffic.whole.total_tokens_per_s)
        assert shown["output tokens/s"].below == (f"steady {steady}", f"total {total}")
        assert shown["in flight"].value == numbers.number(found.traffic.concurrency_mean)
        assert shown["in flight"].below == (f"at most {found.traffic.concurrency_max}",)
        assert shown["good requests/s"].value == numbers.known(found.goodput.per_s)
        assert shown["good requests/s"].below == (f"{numbers.share(found.goodput.ratio)} good",)


def test_errors_are_counted_by_kind_and_warm_up_apart() -> None:
    """Requests that failed are in the row, not in its times."""
    closed, opened = map(figures, table_of(REPORT).rows)
    assert closed["requests"] == Figure(
        value="35 of 38 ok", below=("2 warm-up",), flags=("2 server_error", "1 timeout")
    )
    assert opened["requests"].below == ("2 warm-up", "2 cool-down")
    assert opened["requests/s"].below[0].startswith("offered 6.0")


def test_requests_that_an_interrupt_left_out_are_in_the_row() -> None:
    """The promise was made to them as well."""
    table = table_of(timed_report(queued(loaded(slo=Slo(limits={"ttft_s": 0.03}), repeats=8))))
    found = figures(table.rows[0])
    assert found["requests"] == Figure(value="5 of 8 ok", below=("3 not recorded",), flags=())
    assert found["good requests/s"].below == (f"{numbers.share(5 / 8)} good",)
    assert table.notes == ("load: 5 of 8 requests were good, with TTFT ≤ 30.0 ms (kept by 62.5 %).",)


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (None, "one at a time"),
        (CLOSED, "closed, 2 at once"),
        (OPEN, "open, 10/s constant, at most 1 at once"),
        (Load(rate_per_s=0.5), "open, 0.5/s poisson, at most 64 at once"),
    ],
)
def test_a_load_is_said_in_words(load: Load | None, words: str) -> None:
    """How requests arrive, and how many may be in flight."""
    assert load_words(load) == words


def test_a_promise_is_said_in_words_with_how_often_it_was_kept() -> None:
    """Each limit by itself; a metric of a plugin by its field."""
    slo = Slo(limits={"ttft_s": 0.03, "tpot_s": 0.01, "odd": 2.0}, may_miss=("odd",))
    assert slo_words(slo) == "TTFT ≤ 30.0 ms, TPOT ≤ 10.0 ms and odd ≤ 2.00 (may be missing)"
    promised = Slo(limits={"ttft_s": 0.03, "tpot_s": 0.01})
    (said,) = table_of(timed_report(queued(loaded(slo=promised)))).notes
    assert said == (
        "load: 0 of 5 requests were good, with TTFT ≤ 30.0 ms (kept by 100 %) and "
        "TPOT ≤ 10.0 ms (kept by 0 %)."
    )


def test_a_promise_without_a_request_is_said_all_the_same() -> None:
    """All requests were warm-up."""
    cell = loaded(slo=Slo(limits={"ttft_s": 0.03}))
    table = table_of(timed_report([outcome_of(cell, answer(10, 20), phase="warmup")]))
    assert table.notes == ("load: good is a request with TTFT ≤ 30.0 ms.",)
    assert any("no request was measured" in lack for lack in table.lacks)


def test_a_quality_case_with_a_promise_has_a_row() -> None:
    """Its requests come one at a time."""
    (row,) = table_of(timed_report(queued(loaded(None, Slo(limits={"ttft_s": 1.0}))))).rows
    assert row.load == "one at a time"


def test_what_nobody_promised_or_scheduled_is_a_dash_with_its_reason() -> None:
    """In a closed loop without an SLO: no queue delay, no goodput."""
    report = timed_report(queued(loaded(CLOSED))[:1])
    made = report.outcomes[0].generation
    assert made is not None
    unscheduled = replace(report.outcomes[0], generation=replace(made, scheduled_ns=None))
    table = table_of(timed_report([unscheduled]))
    found = figures(table.rows[0])
    assert found["queue delay"].value == found["good requests/s"].value == numbers.MISSING
    assert "No queue delay (not_scheduled): the requests were not due at a time" in " ".join(table.lacks)
    assert "No goodput (no_slo): nothing was promised." in table.lacks


def silent(cell: Cell, repeat: int) -> Outcome:
    """Return a request that was ended after 2 s without a token."""
    made = replace(
        answer(sent_ms=0, scheduled_ms=0), finish_reason="timeout", ended_ns=2000 * MS, output_tokens=0
    )
    failure = Failure(kind="timeout", message="no token for 2 s")
    return outcome_of(cell, made, repeat=repeat, failure=failure)


def test_a_percentile_among_time_limits_is_more_than_the_limit() -> None:
    """Two of 20 requests never began: the 95th percentile lies beyond 2 s, and nobody knows how far."""
    cell = loaded(repeats=20)
    outcomes = [*queued(cell, n=18, wait_ms=0), silent(cell, 18), silent(cell, 19)]
    found = only(*outcomes)
    assert found["TTFT p50"].value == "20.0 ms"
    assert found["TTFT p95"].value == "> 2.00 s"
    assert found["TTFT p99"].value == numbers.MISSING


def test_nothing_that_was_sent_is_no_rate() -> None:
    """All requests failed before they were sent."""
    failure = Failure(kind="server_down", message="connection refused")
    table = table_of(timed_report([outcome_of(loaded(), None, failure=failure)]))
    found = figures(table.rows[0])
    for name in ("requests/s", "output tokens/s", "in flight", "TTFT p50", "TPOT p50"):
        assert found[name].value == numbers.MISSING
    assert found["requests"].flags == ("1 server_down",)
    assert table.warnings == ()


def cached(tokens: int | None) -> list[Outcome]:
    """Return requests of 128 prompt tokens of which so many were cached."""

    def remembered(made: Generation | None) -> Generation:
        assert made is not None
        return replace(made, cached_tokens=tokens)

    outcomes = queued(loaded(CLOSED))
    return [replace(each, generation=remembered(each.generation)) for each in outcomes]


def test_prompts_from_a_cache_are_told_of() -> None:
    """And prompts of which nobody knows; none when nothing was cached."""
    told = [table_of(timed_report(cached(tokens))).warnings for tokens in (100, None, 0)]
    assert any("5 of 5 prompts came from a cache, 500 tokens in all" in said for said in told[0])
    assert any("so prompts may have come from a cache" in said for said in told[1])
    assert not any("cache" in said for said in told[2])


def test_times_without_tokens_say_why() -> None:
    """A server that does not stream has no TTFT under load either."""
    whole = replace(answer(50), streamed=False)
    table = table_of(timed_report([outcome_of(loaded(CLOSED), whole)]))
    assert any(lack.startswith("No TTFT and TPOT (not_streamed)") for lack in table.lacks)


def test_a_run_without_loads_has_no_table() -> None:
    """Nor rows."""
    report = timed_run(Timed(loads=False))
    groups = groups_of(report)
    assert loads(timed_cells(report, groups), groups) is None
    assert served(timed_cells(report, groups)) == ()
