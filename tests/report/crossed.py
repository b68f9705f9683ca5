"""Synthetic runs of every profile with every template, with scores that a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gemma_eval.records import Outcome, Report, Score, Trial
from tests.examples import a_cell, an_outcome
from tests.report.example import report_of

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """The names of a run, which cluster each case is of, and how fast each pair answers in tokens/s."""

    model: str = "pocket"
    profiles: Sequence[str] = ("greedy", "hot")
    templates: Sequence[str] = ("plain", "rag", "cited")
    cluster: Callable[[int], str | None] = lambda _: None
    speed: Callable[[int, int, int], float] = lambda case, profile, template: 50.0 + case % 7


def crossed(scores: Array, of: Crossed = Crossed(), *, more: Sequence[Outcome] = ()) -> Report:
    """Return a report of scores [cases, profiles, templates, repeats]; one that is NaN is a failed check."""
    return report_of([*outcomes(scores, of), *more])


def outcomes(scores: Array, of: Crossed = Crossed()) -> list[Outcome]:
    """Return the outcomes of such a run, case by case."""
    return [_outcome(scores, of, at) for at in np.ndindex(*scores.shape)]


def drawn(seed: int, shape: tuple[int, int, int, int] = (30, 2, 3, 1), *, spread: float = 0.1) -> Array:
    """Return scores of which cases differ, and which differ in nothing else but noise."""
    random = np.random.default_rng(seed)
    cases = random.uniform(0.3, 0.7, (shape[0], 1, 1, 1))
    pairs = random.normal(0.0, spread, (*shape[:3], 1))
    return np.clip(cases + pairs + random.normal(0.0, 0.5 * spread, shape), 0.0, 1.0)


def _outcome(scores: Array, of: Crossed, at: tuple[int, ...]) -> Outcome:
    number, profile, template, repeat = at
    cell = a_cell(f"case-{number}", profile=of.profiles[profile], template=of.templates[template])
    case = replace(
        cell.case,
        repeats=scores.shape[3],
        cluster=of.cluster(number),
        profiles=tuple(of.profiles),
        templates=tuple(of.templates),
    )
    cell = replace(cell, case=case, model=replace(cell.model, name=of.model))
    made = an_outcome()
    assert made.measurement is not None
    value = None if np.isnan(scores[at]) else float(scores[at])
    return replace(
        made,
        trial=Trial(cell=cell, repeat=repeat, seed=repeat),
        measurement=replace(made.measurement, output_tokens_per_s=of.speed(number, profile, template)),
        scores=(Score(scorer="contains", value=value, passed=None, answer="Oslo"),),
    )
