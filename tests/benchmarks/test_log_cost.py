"""What a log costs, and what it costs to look for secrets; figures for docs/performance.md.

pytest tests/benchmarks/test_log_cost.py -m slow -s
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter_ns

import pytest

from gemma_eval import plugins
from gemma_eval.logs import json_file
from gemma_eval.logs.events import emit
from gemma_eval.logs.redact import of_environment
from gemma_eval.run import run_trial
from gemma_eval.selftest.null_engine import NullEngine
from gemma_eval.selftest.overhead import trial
from gemma_eval.stages import stages

ROUNDS = 15
CALLS = 200


def us(call: Callable[[], object]) -> float:
    """Return the microseconds of a call: the median of the rounds, each of many calls."""
    took = []
    for _ in range(ROUNDS):
        began = perf_counter_ns()
        for _ in range(CALLS):
            call()
        took.append((perf_counter_ns() - began) / CALLS / 1e3)
    return median(took)


@pytest.mark.slow
def test_a_log_costs_a_trial_little_and_no_log_next_to_nothing(tmp_path: Path) -> None:
    """Its line beside a plain write of such a line, and beside the shortest trial there is."""
    registry = plugins.load()
    stage = stages(registry, NullEngine(clock=perf_counter_ns))
    made = run_trial(trial(8), stage)
    assert made.failure is None

    def told() -> None:
        registry.hook.outcome_recorded(outcome=made)

    off, silent = us(told), us(lambda: emit("error", failure_kind="x", failure_message="y"))
    json_file.start(tmp_path / "log.jsonl", run="20261129-135541-c8fc")
    try:
        on = us(told)
    finally:
        json_file.stop()
    line = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    encoded, shortest = us(lambda: json.dumps(line)), us(lambda: run_trial(made.trial, stage))
    print(
        f"\na line of an outcome {on:.1f} µs ({len(json.dumps(line))} letters; json.dumps {encoded:.1f} µs)"
    )
    print(f"without a log {off:.2f} µs; an event that nobody hears {silent:.2f} µs")
    print(f"the shortest trial {shortest:.0f} µs")
    assert off < on / 4
    assert on < shortest


@pytest.mark.slow
def test_looking_for_secrets_is_a_small_part_of_what_is_done_with_a_text() -> None:
    """An answer is looked through for keys alone; here with eight keys in the environment."""
    keys = {f"SERVICE_{n}_API_KEY": f"canary-{n}-" + "Ab3x" * 8 for n in range(8)}
    redactor = of_environment(keys)
    asked = replace(redactor, keys=frozenset(keys.values()))
    text = ("The server answered 500: what a pity that nothing was said of it, at https://a.b/v1. " * 12)[
        :1000
    ]
    message, answer = us(lambda: redactor(text)), us(lambda: asked.answer(text))
    print(f"\na message of 1 kB {message:.1f} µs, an answer of 1 kB {answer:.1f} µs")
    assert answer < message
