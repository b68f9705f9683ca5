"""A synthetic run in which length and depth of a haystack were varied, to test its figures on and look at."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

from gemma_eval.records import Check, Generation, Measurement, Message, Outcome, Report, Score, Trial
from tests.examples import a_cell, an_outcome
from tests.report.example import report_of

LENGTHS = (8.0, 16.0, 32.0, 64.0, 128.0)
DEPTHS = (0.0, 0.5, 1.0)
REACH = {"pocket": 30.0, "pocket-linear": 70.0, "pocket-ntk": 90.0, "pocket-yarn": 400.0}
"""From which length on each model finds the needle in half of the cases."""
TOKENS_PER_PIECE = 9


@dataclass(frozen=True, kw_only=True)
class Varied:
    """How large the synthetic run is, and what its checks are."""

    models: tuple[str, ...] = tuple(REACH)
    needles: int = 8
    scorer: str = "equals"
    batch_size: int = 1


def varied(shape: Varied = Varied(), *, seed: int = 5, reach: float | None = None) -> Report:
    """Return a run in which each model finds needles up to its reach, or all up to one `reach`."""
    random = Random(seed)  # noqa: S311 - a synthetic run, no secret
    outcomes = [
        _outcome(_Place(model=model, length=length, depth=depth, needle=needle), shape, random, reach)
        for length in LENGTHS
        for depth in DEPTHS
        for needle in range(1, shape.needles + 1)
        for model in shape.models
    ]
    return report_of(outcomes)


@dataclass(frozen=True, kw_only=True)
class _Place:
    model: str
    length: float
    depth: float
    needle: int


def _outcome(place: _Place, shape: Varied, random: Random, reach: float | None) -> Outcome:
    length, depth, needle = place.length, place.depth, place.needle
    cell = a_cell()
    read = shape.scorer == "likelihood"
    case = replace(
        cell.case,
        id=f"needle-{length:g}-{depth:g}-{needle}",
        messages=(Message(role="user", content=f"Where does person {needle} live?"),),
        checks=(Check(scorer=shape.scorer),),
        documents=(),
        continuation="Oslo" if read else None,
        series="needle",
        cluster=f"needle {needle}",
        variables={"length": length, "depth": depth},
    )
    spec = replace(cell.model, name=place.model)
    trial = Trial(cell=replace(cell, case=case, model=spec), repeat=0, seed=needle)
    chance = 1 / (1 + (length / (reach or REACH[place.model])) ** 2) * (0.8 if depth == 0.5 else 1.0)
    made = an_outcome()
    assert made.generation is not None
    assert made.measurement is not None
    generation = replace(
        made.generation,
        prompt_tokens=int(length * TOKENS_PER_PIECE) + 20 + needle,
        batch_size=shape.batch_size,
    )
    if read:
        return _read(trial, made, generation, chance, random)
    value = 1.0 if random.random() < chance else 0.0
    score = Score(scorer=shape.scorer, value=value, passed=None, answer="Oslo" if value else "Rome")
    measurement = _timed(made.measurement, "batched" if shape.batch_size > 1 else None)
    return replace(made, trial=trial, generation=generation, measurement=measurement, scores=(score,))


def _read(trial: Trial, made: Outcome, generation: Generation, chance: float, random: Random) -> Outcome:
    known = tuple(math.log(min(0.99, chance * random.uniform(0.8, 1.1))) for _ in range(3))
    value = math.exp(sum(known) / len(known))
    score = Score(
        scorer="likelihood",
        value=value,
        passed=None,
        answer=generation.text,
        explanation=f"perplexity {1 / value:.4g} over 3 tokens",
    )
    assert made.measurement is not None
    return replace(
        made,
        trial=trial,
        generation=replace(generation, log_probabilities=known),
        measurement=_timed(made.measurement, "not_generated"),
        scores=(score,),
    )


def _timed(measurement: Measurement, reason: str | None) -> Measurement:
    """Return the measurement, without its times where there is a reason."""
    if reason is None:
        return measurement
    names = ("ttft_s", "tpot_s", "e2e_s", "output_tokens_per_s", "prompt_tokens_per_s", "max_stall_s")
    return replace(measurement, **dict.fromkeys(names), missing=dict.fromkeys(names, reason))
