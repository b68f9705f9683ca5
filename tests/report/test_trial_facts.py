"""The facts of one trial: what it cost, why something is missing, and what was tried before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemma_eval.records import Attempt, Failure, Outcome, Phase
from gemma_eval.report.trial_facts import trial_facts
from tests.report.timed import MS, OPEN, answer, cell_of, outcome_of, resources_of, timed_run


def facts(outcome: Outcome) -> dict[str, str]:
    """Return the facts of an outcome by name."""
    return {fact.name: fact.value for fact in trial_facts(outcome)}


def test_memory_and_rates_say_what_they_are_made_of() -> None:
    """Pages of a file beside what nothing but memory holds; a rate with its basis."""
    told = replace(answer(10, 20), engine_timings={"prompt_ms": 8.0})
    found = facts(outcome_of(cell_of("read"), told, resources=resources_of("small", cpu_s=0.05)))
    assert found["peak memory"] == "351 MB (61.0 MB anonymous, 290 MB of files)"
    assert found["prompt tokens/s"] == "16 000 (by the engine)"
    assert found["CPU per token"] == "25.0 ms"
    assert found["involuntary switches"] == "3"
    assert found["the engine says"] == "prompt_ms = 8.00"


def test_what_is_as_usual_is_not_said() -> None:
    """The first chunk of most answers is their first token, and each chunk is one token."""
    found = facts(outcome_of(cell_of("read"), answer(10, 20)))
    for name in ("first chunk", "first output token", "tokens per chunk", "queue delay", "energy"):
        assert name not in found


def test_what_is_not_as_usual_is_said() -> None:
    """A role first, then thoughts, then the answer, two tokens at a time."""
    made = answer(30, 60, 90)
    role, thought, *rest = made.deltas
    deltas = (
        replace(role, text="", n_tokens=0),
        replace(thought, channel="reasoning", n_tokens=3),
        *(replace(each, n_tokens=3) for each in rest),
    )
    made = replace(made, deltas=deltas, output_tokens=6, reasoning_tokens=3, client_tokens=8)
    found = facts(outcome_of(cell_of("read"), made))
    assert found["first chunk"] == "30.0 ms"
    assert found["TTFT"] == "60.0 ms"
    assert found["first output token"] == "90.0 ms"
    assert found["tokens per chunk"] == "3.00"
    assert found["tokens"] == "128 read, 6 written (3 of them reasoning), counted by engine"
    assert found["counted here minus by the engine"] == "2"


def test_energy_names_what_measured_it() -> None:
    """A figure without its source is no figure."""
    used = replace(resources_of("small", cpu_s=0.05), energy_j=12.5, energy_source="rapl")
    found = facts(outcome_of(cell_of("read"), answer(10, 20), resources=used))
    assert found["energy"] == "12.5 J (rapl)"


def test_waits_before_sending_are_told_under_load() -> None:
    """From when the request was due."""
    made = answer(20, 40, sent_ms=300, scheduled_ms=0)
    found = facts(outcome_of(cell_of("load", load=OPEN), made))
    assert found["queue delay"] == "300 ms"
    assert found["TTFT from schedule"] == "320 ms"
    assert found["end to end from schedule"] == "340 ms"
    assert found["peak memory"] == "– (shared)"  # noqa: RUF001 - the dash that reports print


@pytest.mark.parametrize(
    ("phase", "said"), [("warmup", ", warm-up"), ("measured", ""), ("cooldown", ", cool-down")]
)
def test_a_request_that_does_not_count_says_so(phase: Phase, said: str) -> None:
    """Beside its number."""
    outcome = outcome_of(cell_of("load", repeats=9, load=OPEN), answer(20, 40), phase=phase)
    assert facts(outcome)["repeat"] == f"1 of 9, benchmark{said}"


def test_attempts_are_told_in_their_order() -> None:
    """Why each failed, and after how long where it was sent at all."""
    attempts = (
        Attempt(kind="server_down", message="refused", requested_ns=None, ended_ns=5 * MS),
        Attempt(kind="server_error", message="503", requested_ns=6 * MS, ended_ns=18 * MS),
    )
    found = facts(outcome_of(cell_of("read"), replace(answer(30, 40), attempts=attempts)))
    assert found["attempt 1"] == "server_down: refused"
    assert found["attempt 2"] == "server_error after 12.0 ms: 503"
    assert found["TPOT"] == "– (retried)"  # noqa: RUF001 - the dash that reports print


def test_an_answer_that_broke_off_keeps_its_facts() -> None:
    """With the reason at every time that it does not have."""
    broken = replace(answer(30, 40), finish_reason="error")
    failure = Failure(kind="server_error", message="reset")
    found = facts(outcome_of(cell_of("read"), broken, failure=failure))
    assert found["finish reason"] == "error"
    assert found["end to end"] == "– (failed)"  # noqa: RUF001 - the dash that reports print


def test_controls_are_made_visible() -> None:
    """In names that an engine gives and in messages of a server."""
    attempt = Attempt(kind="server_error", message="\x1b[2J", requested_ns=0, ended_ns=1)
    made = replace(answer(30, 40), attempts=(attempt,), engine_timings={"a\u202eb": 1.0})
    found = facts(outcome_of(cell_of("read"), made))
    assert found["attempt 1"].endswith("␛[2J")
    assert found["the engine says"] == "a\\u202eb = 1.00"


def test_the_made_up_run_has_facts_for_every_trial() -> None:
    """Whatever became of it."""
    assert all(trial_facts(outcome) for outcome in timed_run().outcomes)
