"""A changed formula is another version of the definitions: known event rows keep their values within one.

`python -m tests.measure.test_definitions` writes the values of a new version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from gemma_eval.measure.events import icl_s, itl_s
from gemma_eval.measure.latency import DEFINITIONS_VERSION, measure
from gemma_eval.records import Attempt, Generation, Phase, Resources
from tests.measure.event_rows import MS, SENT, STREAM, generation

FILE = Path(__file__).parent / "definitions.json"
WATCHED = Resources(peak_memory_bytes=9000, mean_memory_bytes=7000, cpu_s=0.5, involuntary_switches=3)
FAILED = Attempt(kind="server_error", message="503", requested_ns=SENT - 90 * MS, ended_ns=SENT - 40 * MS)


def rows() -> Mapping[str, tuple[Generation, Phase]]:
    """Return event rows that between them meet every rule, each with the phase of its request."""
    two = [(30 * MS, 1, "a"), (50 * MS, 1, "b")]
    uncounted = [(30 * MS, None, "a"), (50 * MS, None, "b")]
    last = [*two, (70 * MS, None, "")]
    made = {
        "known stream": STREAM,
        "no usage": generation(two, output_tokens=None, ended_ns=60 * MS),
        "one more is counted": generation(two, output_tokens=3, ended_ns=60 * MS),
        "fewer are counted": generation(two, output_tokens=1, ended_ns=60 * MS),
        "unknown first": generation(uncounted, output_tokens=2, ended_ns=60 * MS),
        "last delta without text or count": generation(last, output_tokens=3, ended_ns=80 * MS),
        "one delta": generation([(30 * MS, 4, "abcd")], output_tokens=4, ended_ns=60 * MS),
        "nothing": generation([], output_tokens=0, ended_ns=60 * MS),
        "whole": generation([(60 * MS, 2, "ab")], output_tokens=2, ended_ns=60 * MS, streamed=False),
        "reasoning first": generation(
            [(30 * MS, 1, "hm", "reasoning"), (50 * MS, 1, "a")], output_tokens=2, ended_ns=60 * MS
        ),
        "all cached": replace(STREAM, cached_tokens=100),
        "some cached": replace(STREAM, cached_tokens=60),
        "cache unknown": replace(STREAM, cached_tokens=None),
        "broken off": replace(STREAM, finish_reason="error"),
        "timed out": replace(STREAM, finish_reason="timeout"),
        "another attempt": replace(STREAM, attempts=(FAILED,)),
        "in a batch": replace(STREAM, batch_size=4),
        "scheduled": replace(STREAM, scheduled_ns=SENT - 12 * MS, dequeued_ns=SENT - 5 * MS),
        "clock went back": replace(STREAM, ended_ns=SENT - MS),
        "engine timings": replace(
            STREAM, engine_timings={"prompt_ms": 50.0, "prefill_tokens": 99.0, "output_tokens_per_s": 40.0}
        ),
    }
    phases: dict[str, Phase] = {"warming up": "warmup", "cooling down": "cooldown"}
    return {name: (row, "measured") for name, row in made.items()} | {
        name: (STREAM, phase) for name, phase in phases.items()
    }


def values() -> Mapping[str, object]:
    """Return what this version makes of them, as JSON has it."""
    made = {
        name: asdict(measure(row, resources=WATCHED, phase=phase))
        | {"icl_s": icl_s(row), "itl_s": itl_s(row)}
        for name, (row, phase) in rows().items()
    }
    whole: Mapping[str, object] = json.loads(json.dumps({"version": DEFINITIONS_VERSION, "rows": made}))
    return whole


def test_known_rows_keep_their_values_within_a_version() -> None:
    """So that one number never has two meanings under the same version of the definitions."""
    assert values() == json.loads(FILE.read_text()), "raise DEFINITIONS_VERSION, and write the file anew"


if __name__ == "__main__":
    FILE.write_text(json.dumps(values(), indent=1, sort_keys=True) + "\n")
