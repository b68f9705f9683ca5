"""The JSON report holds the run whole, reads back as the same records, and is the same for the same run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.records import Report, Run, Summary
from gemma_eval.report.cells import timed_cells
from gemma_eval.report.groups import groups_of
from gemma_eval.report.json_file import SCHEMA_VERSION, JsonFile
from gemma_eval.report.serving_rows import served
from gemma_eval.wire import load
from tests.examples import a_generation, a_run, an_outcome
from tests.report.example import Shape, example, report_of
from tests.report.timed import timed_run

UNPAIRED = st.text(st.characters(codec="utf-8") | st.just("\udc80"))


def read(text: str) -> tuple[dict[str, Any], Report]:
    """Read a file as a script would, and as records."""
    plain = json.loads(text)
    return plain, load(Report, {name: plain[name] for name in ("run", "outcomes", "summaries")})


def test_a_report_reads_back_as_it_was() -> None:
    """Run, outcomes with every delta, and summaries."""
    report = example(Shape(cases=3, models=("one", "two")))
    plain, back = read(JsonFile().render(report))
    assert back == report
    assert plain["schema_version"] == SCHEMA_VERSION


@settings(max_examples=50, deadline=None)
@given(UNPAIRED)
def test_any_answer_reads_back(text: str) -> None:
    """Control characters, separators, emoji, lone surrogates; the file itself is valid UTF-8."""
    outcome = replace(an_outcome(), generation=a_generation(text))
    written = JsonFile().render(Report(run=a_run(), outcomes=(outcome,), summaries=()))
    assert read(written.encode().decode())[1].outcomes == (outcome,)


def test_a_script_finds_what_it_looks_for() -> None:
    """Key, score and verdict stand beside the fields of the outcome."""
    outcome = an_outcome(value=0.5)
    first = read(JsonFile().render(report_of([outcome])))[0]["outcomes"][0]
    assert (first["key"], first["score"], first["passed"]) == (outcome.trial.key, 0.5, True)
    assert first["trial"]["cell"]["profile"]["temperature"] == 0.0
    delta = {"at_ns": 30_000_000, "channel": "output", "n_tokens": 1, "text": "lo"}
    assert first["generation"]["deltas"][1] == delta
    assert first["measurement"]["ttft_s"] == 0.01


def test_cells_and_servings_are_what_the_page_is_made_of() -> None:
    """The summaries of each benchmark case by itself, and how each load was served."""
    run = timed_run()
    plain, back = read(JsonFile().render(run))
    assert back == run
    groups = groups_of(run)
    cells = timed_cells(run, groups)
    assert [(each["case"], each["group"]["model"]) for each in plain["cells"]] == [
        (cell.case.id, cell.group.model) for cell in cells
    ]
    summaries = [load(Summary, summary) for summary in plain["cells"][0]["summaries"]]
    assert tuple(summaries) == cells[0].summaries
    closed, opened = plain["servings"]
    found = [each.serving for each in served(cells)]
    assert (closed["scheduled"], opened["scheduled"]) == (38, 56)
    assert closed["missing"] == {"queueing": "not_scheduled"}
    assert found[0].traffic is not None
    total_per_s = found[0].traffic.whole.total_tokens_per_s
    assert closed["traffic"]["whole"]["total_tokens_per_s"] == total_per_s is not None
    assert opened["error_rate"] == found[1].error_rate
    assert opened["queueing"]["delay"]["p50_s"] == found[1].queueing.delay.p50_s  # type: ignore[union-attr]


def test_there_is_one_line_for_each_record() -> None:
    """So that a file can be searched, compared and read in part."""
    report = example(Shape(cases=2))
    lines = JsonFile().render(report).splitlines()
    outcomes = lines[lines.index('"outcomes": [') + 1 : -2]
    assert [json.loads(line.rstrip(","))["key"] for line in outcomes] == [
        outcome.trial.key for outcome in report.outcomes
    ]


def test_equal_reports_give_equal_json() -> None:
    """Also when their mappings were filled in another order."""
    report = example(Shape(cases=2))
    versions = dict(reversed(list(report.run.host.versions.items())))
    other = replace(report, run=replace(report.run, host=replace(report.run.host, versions=versions)))
    assert JsonFile().render(other) == JsonFile().render(report)


def test_a_run_without_outcomes_is_still_json() -> None:
    """An interrupted run that got nowhere."""
    empty = Report(run=a_run(planned=4), outcomes=(), summaries=())
    plain, back = read(JsonFile().render(empty))
    assert back == empty
    assert load(Run, plain["run"]) == empty.run
