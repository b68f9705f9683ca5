"""The rows of the table of cases and what they open to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemma_eval.records import Failure, Measurement, Message, Packed, Passage, Prompt, Score
from gemma_eval.report.trials import EXCERPT, TIMELINE_WIDTH, Detail, TrialRow, timeline, trial_rows
from tests.examples import a_generation, an_outcome
from tests.report.example import report_of

OUTCOME = an_outcome()


def row_of(**changes: object) -> TrialRow:
    """Return the row of an outcome with changes."""
    return trial_rows(report_of([replace(OUTCOME, **changes)]))[0]  # type: ignore[arg-type]


def facts(detail: Detail) -> dict[str, str]:
    """Return the facts of a detail by name."""
    return {fact.name: fact.value for fact in detail.facts}


def test_a_row_shows_what_was_measured() -> None:
    """In the units of every other report."""
    row = row_of()
    assert (row.case, row.profile, row.template, row.result) == ("home", "greedy", "rag", "no demand")
    assert row.cells == ("1.00", "10.0 ms", "50.0", "30.0 ms", "2")
    assert row.query == "Where does Finn live?"
    assert row.excerpt == "Oslo"


def test_a_failed_trial_has_dashes_and_its_error() -> None:
    """Nothing is zero that was not measured."""
    failure = Failure(kind="timeout", message="no token for 30 s")
    row = row_of(generation=None, measurement=None, scores=(), failure=failure, prompt=None)
    assert row.result == "error"
    assert set(row.cells) == {"–"}  # noqa: RUF001 - the dash that reports print
    assert row.excerpt == row.detail.error == "timeout: no token for 30 s"
    assert row.detail.prompt == ""
    assert row.detail.timeline is None


def test_a_value_that_is_missing_says_why() -> None:
    """The reason code of the measurement stands beside the dash."""
    bare = Measurement(
        ttft_s=None,
        tpot_s=None,
        e2e_s=None,
        output_tokens_per_s=None,
        prompt_tokens_per_s=None,
        max_stall_s=None,
        output_tokens=0,
        peak_memory_bytes=None,
        mean_memory_bytes=None,
        missing={"ttft_s": "no_tokens"},
    )
    assert facts(row_of(measurement=bare).detail)["TTFT"] == "– (no_tokens)"  # noqa: RUF001 - a report's dash


def test_the_detail_tells_all_that_decided_the_answer() -> None:
    """Seed, repeat, finish reason, sampling, and the line of the suite."""
    found = facts(row_of().detail)
    assert found["seed"] == "41"
    assert found["repeat"] == "1 of 1, quality"
    assert found["finish reason"] == "stop"
    assert found["sampling"] == "order = temperature, temperature = 0.0"
    assert found["declared at"] == "suite.toml:7"
    assert found["tokens"] == "12 read, 2 written, counted by engine"
    cached = replace(a_generation(), cached_tokens=8)
    assert facts(row_of(generation=cached).detail)["tokens"].startswith("12 read (8 cached), ")


def test_passages_that_did_not_fit_are_shown_as_dropped() -> None:
    """After those that were used."""
    prompt = OUTCOME.prompt
    assert prompt is not None
    dropped = Passage(id="p2", text="Ada lives in Rome.", document="people", score=0.25, rank=2)
    passages = row_of(prompt=replace(prompt, dropped=(dropped,))).detail.passages
    assert [(passage.text, passage.used) for passage in passages] == [
        ("Finn lives in Oslo.", True),
        ("Ada lives in Rome.", False),
    ]


def test_a_passage_that_was_cut_is_shown_as_it_was_read() -> None:
    """And not a second time, as what it was before."""
    prompt = OUTCOME.prompt
    assert prompt is not None
    whole = Passage(id="p2", text="Ada is old. She lives in Rome.", document="people", score=0.25, rank=2)
    cut, packed = (
        replace(whole, text="Ada is old."),
        Packed(passage="p2", fate="cut", reason="needs 9 tokens"),
    )
    made = replace(prompt, passages=(cut,), dropped=(whole,), packing=(packed,))
    (shown,) = row_of(prompt=made).detail.passages
    assert (shown.text, shown.used) == ("Ada is old.", True)


@pytest.mark.parametrize(
    ("dropped", "said"), [(0, ""), (1, "; the first turn left out"), (4, "; the first 4 turns left out")]
)
def test_turns_that_the_context_cannot_hold_are_told_of(dropped: int, said: str) -> None:
    """Beside the prompt that lacks them."""
    prompt = OUTCOME.prompt
    assert prompt is not None
    note = row_of(prompt=replace(prompt, dropped_turns=dropped)).detail.prompt_note
    why = ", for which the context has no room" if dropped else ""
    assert note == f"{row_of().detail.prompt_note}{said}{why}"


def test_a_prompt_without_markup_is_shown_by_its_messages() -> None:
    """When the server applies its own markup, that is said."""
    prompt = Prompt(
        messages=(Message(role="system", content="Be brief."), Message(role="user", content="Hello?")),
        text=None,
        n_tokens=None,
    )
    detail = row_of(prompt=prompt).detail
    assert detail.prompt == "system:\nBe brief.\n\nuser:\nHello?"
    assert detail.prompt_note == "as messages; the server applied its own markup"


def test_a_check_that_could_not_judge_says_why() -> None:
    """Unscored is neither passed nor missed."""
    score = Score(scorer="judge", value=None, passed=None, unscored="no verdict in the reply")
    (row,) = row_of(scores=(score,)).detail.scores
    assert (row.value, row.result, row.explanation) == ("–", "unscored", "no verdict in the reply")  # noqa: RUF001


def test_a_long_answer_is_cut_in_the_row_and_whole_in_the_detail() -> None:
    """On one line."""
    text = "line one\nline two " * 40
    row = row_of(generation=replace(a_generation(), text=text))
    assert len(row.excerpt) == EXCERPT + 1
    assert "\n" not in row.excerpt
    assert [each.text for each in row.detail.texts] == [text]


def test_reasoning_and_calls_stand_apart_from_the_answer() -> None:
    """Each under its heading; what is not there has none."""
    thoughtful = replace(a_generation(), reasoning="It is a city.", tool_calls='{"name": "map"}')
    texts = row_of(generation=thoughtful).detail.texts
    assert [(each.heading, each.text, each.kind) for each in texts] == [
        ("Reasoning", "It is a city.", "reasoning"),
        ("Answer", "Oslo", "answer"),
        ("Tool calls", '{"name": "map"}', "call"),
    ]
    assert [each.heading for each in row_of().detail.texts] == ["Answer"]


def test_what_had_come_of_a_broken_answer_is_shown_beside_its_error() -> None:
    """With its arrivals up to the end; it is called what it is."""
    failure = Failure(kind="server_error", message="reset by peer")
    row = row_of(failure=failure, scores=())
    assert row.result == "error"
    assert row.excerpt == row.detail.error == "server_error: reset by peer"
    assert [(each.heading, each.text) for each in row.detail.texts] == [
        ("Answer, as far as it had come", "Oslo")
    ]
    assert row.detail.timeline is not None


def test_the_timeline_runs_from_request_to_end() -> None:
    """Deltas at 10 and 30 of 31 ms."""
    line = timeline(a_generation())
    assert line is not None
    assert line.first == round(TIMELINE_WIDTH * 10 / 31)
    assert line.ticks == "M194 0v10M581 0v10"
    assert line.end == "31.0 ms"
    assert timeline(replace(a_generation(), text="", deltas=())) is None


def test_a_thousand_tokens_take_no_more_than_the_paper() -> None:
    """The strokes of a long answer are at most one per unit."""
    delta = a_generation().deltas[0]
    many = tuple(replace(delta, at_ns=index * 1_000) for index in range(5_000))
    line = timeline(replace(a_generation(), deltas=many, ended_ns=5_000_000))
    assert line is not None
    assert line.ticks.count("M") <= TIMELINE_WIDTH + 1
