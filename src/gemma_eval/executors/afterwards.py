"""What is scored when all answers of a cell are made: what judges them together, and what asks a model.

A judge that was asked between two answers would take processor and memory from what is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gemma_eval.records import Case, Outcome, Score
from gemma_eval.stages import Stages


def is_judged_afterwards(case: Case) -> bool:
    """Whether a check of the case waits for the last of its answers."""
    return any(check.over_repeats or check.judges for check in case.checks)


def judged(outcomes: Sequence[Outcome], stage: Stages) -> Iterator[Outcome]:
    """Yield the outcomes of a case with the scores that were waited for; one that failed has none."""
    over = _over_repeats(outcomes, stage)
    for outcome in outcomes:
        if outcome.failure is not None or outcome.generation is None:
            yield outcome
            continue
        found = stage.judge(outcome.trial.cell.case, outcome.generation)
        yield replace(outcome, scores=_last(_last(outcome.scores, over), found))


def _over_repeats(outcomes: Sequence[Outcome], stage: Stages) -> tuple[Score | None, ...]:
    """Return the scores of all answers at once; none unless every one was made."""
    answers = [each.generation for each in outcomes if each.failure is None and each.generation is not None]
    if not outcomes or len(answers) < len(outcomes):
        return ()
    return stage.score_repeats(outcomes[0].trial.cell.case, answers)


def _last(scores: Sequence[Score], later: Sequence[Score | None]) -> tuple[Score, ...]:
    if not later:
        return tuple(scores)
    return tuple(score if new is None else new for score, new in zip(scores, later, strict=True))
