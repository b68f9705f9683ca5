"""Requests of a load, made by hand for the tests of this folder; their times are milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gemma_eval.records import Delta, Failure, Generation, Load, Measurement, Outcome, Phase, Slo
from gemma_eval.stats.censored import LONGER
from tests.examples import a_generation, an_outcome

MS = 1_000_000
NOTHING = Measurement(
    ttft_s=None,
    tpot_s=None,
    e2e_s=None,
    output_tokens_per_s=None,
    prompt_tokens_per_s=None,
    max_stall_s=None,
    output_tokens=None,
    peak_memory_bytes=None,
    mean_memory_bytes=None,
)


def made(
    sent: int,
    ended: int,
    *,
    deltas: Sequence[tuple[int, int | None]] = (),
    prompt_tokens: int | None = 10,
    output_tokens: int | None = None,
    due: int | None = None,
) -> Generation:
    """Return what came of a request; a delta is when it came and how many tokens it says it carries."""
    counted = [count for _, count in deltas if count is not None]
    return replace(
        a_generation(),
        text="x" * sum(count != 0 for _, count in deltas),
        deltas=tuple(
            Delta(text="x" if count != 0 else "", n_tokens=count, at_ns=at * MS) for at, count in deltas
        ),
        prompt_tokens=prompt_tokens,
        output_tokens=sum(counted)
        if output_tokens is None and len(counted) == len(deltas)
        else output_tokens,
        scheduled_ns=None if due is None else due * MS,
        dequeued_ns=None if due is None else sent * MS,
        requested_ns=sent * MS,
        ended_ns=ended * MS,
    )


def request(
    generation: Generation | None = None,
    *,
    phase: Phase = "measured",
    error: str | None = None,
    load: Load | None = None,
    slo: Slo | None = None,
    missing: Mapping[str, str] | None = None,
    repeats: int = 1,
    **times: float,
) -> Outcome:
    """Return a request of a benchmark case; `times` are what was measured, all else is missing.

    The case has so many `repeats`. `missing` says why; of one that was ended at a time limit it is that.
    """
    late = {metric: "timeout" for metric in LONGER if error == "timeout" and metric not in times}
    whole = an_outcome()
    case = replace(whole.trial.cell.case, kind="benchmark", checks=(), load=load, slo=slo, repeats=repeats)
    return replace(
        whole,
        trial=replace(whole.trial, cell=replace(whole.trial.cell, case=case)),
        generation=generation,
        measurement=None
        if generation is None
        else replace(NOTHING, missing={**late, **(missing or {})}, **times),  # type: ignore[arg-type]
        scores=(),
        failure=None if error is None else Failure(kind=error, message="It broke."),
        phase=phase,
    )
