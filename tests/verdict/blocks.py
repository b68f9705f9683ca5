"""Two sides with given costs, block by block, in outcomes as a run records them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from gemma_eval.records import CaseKind, Failure, Load, Measurement, Outcome
from gemma_eval.verdict.sides import Pair
from tests.examples import an_outcome

Values = Sequence[float | Sequence[float | None] | None]
"""What one case cost in each block, or of each of its repeats there; `None` where it was not measured."""

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


def answer(
    value: float | None,
    *,
    case: str = "a",
    metric: str = "ttft_s",
    block: int = 0,
    repeat: int = 0,
    kind: CaseKind = "benchmark",
    load: Load | None = None,
) -> Outcome:
    """Return a timed answer that cost so much and nothing else."""
    outcome = an_outcome(case, repeat=repeat)
    measured: Measurement = replace(NOTHING, **{metric: value})  # type: ignore[arg-type]
    asked = replace(outcome.trial.cell.case, kind=kind, load=load)
    cell = replace(outcome.trial.cell, case=asked)
    return replace(
        outcome, trial=replace(outcome.trial, cell=cell, block=block), measurement=measured, scores=()
    )


def in_blocks(
    values: Values, *, case: str = "a", metric: str = "ttft_s", first: int = 1
) -> tuple[Outcome, ...]:
    """Return the answers to one case, the first values of the block `first`."""
    return tuple(
        answer(value, case=case, metric=metric, block=first + index, repeat=repeat)
        for index, given in enumerate(values)
        for repeat, value in enumerate(given if isinstance(given, Sequence) else (given,))
    )


def failed(outcome: Outcome) -> Outcome:
    """Return an answer that never came."""
    failure = Failure(kind="timeout", message="")
    return replace(outcome, generation=None, measurement=None, scores=(), failure=failure)


def in_turn(differences: Sequence[float], *, metric: str = "ttft_s", sign: int = 1) -> Pair:
    """Return two sides of one case whose log-ratios are those differences, + is worse."""
    base = [1.0 + (index % 3) / 7 for index in range(len(differences))]
    candidate = [one * math.exp(sign * by) for one, by in zip(base, differences, strict=True)]
    return Pair(
        shared="greedy", base=in_blocks(base, metric=metric), candidate=in_blocks(candidate, metric=metric)
    )
