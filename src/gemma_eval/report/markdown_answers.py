"""The texts of the Markdown report: kinds of failure, and answers that lost points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gemma_eval.records import Generation, Outcome
from gemma_eval.report import numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """Texts from elsewhere under one heading, each with its name: an answer and its checks, or an error."""

    heading: str
    notes: tuple[str, ...]
    fenced: tuple[tuple[str, str], ...]


def failures(outcomes: Sequence[Outcome]) -> tuple[Texts, ...]:
    """Return each kind of failure once, with its number, its first trial and that trial's message."""
    kinds: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.failure is not None:
            kinds.setdefault(outcome.failure.kind, []).append(outcome)
    return tuple(_failure(kind, members) for kind, members in kinds.items())


def _failure(kind: str, outcomes: Sequence[Outcome]) -> Texts:
    first = outcomes[0]
    message = first.failure.message if first.failure is not None else ""
    trials = "1 trial" if len(outcomes) == 1 else f"{numbers.count(len(outcomes))} trials"
    return Texts(
        heading=f"{kind}: {trials}", notes=(f"first {_label(first)}",), fenced=(("Message", message),)
    )


def lost_points(outcome: Outcome) -> bool:
    """Tell whether an answer is worth reading: it lost points, or broke off after something had come."""
    generation = outcome.generation
    if generation is None:
        return False
    if outcome.failure is not None:
        return bool(generation.text or generation.reasoning or generation.tool_calls)
    return not outcome.passed or (outcome.score is not None and outcome.score < 1)


def answer(outcome: Outcome) -> Texts:
    """Return what was written, and why checks gave it less than all."""
    texts = (
        () if outcome.generation is None else _texts(outcome.generation, broken=outcome.failure is not None)
    )
    reasons = tuple(
        (f"Check {score.scorer}, {numbers.score(score.value)}", score.explanation)
        for score in outcome.scores
        if score.explanation and (score.value is None or score.value < 1)
    )
    notes = (f"score {numbers.score(outcome.score)}", f"seed {outcome.trial.seed}", _finish(outcome))
    return Texts(heading=_label(outcome), notes=notes, fenced=(*texts, *reasons))


def _texts(generation: Generation, *, broken: bool) -> tuple[tuple[str, str], ...]:
    """Return what was written, channel by channel; the answer always, if empty."""
    known = (("Reasoning", generation.reasoning), ("Tool calls", generation.tool_calls))
    answer = "Answer, as far as it had come" if broken else "Answer"
    return ((answer, generation.text), *((name, text) for name, text in known if text))


def _finish(outcome: Outcome) -> str:
    return "" if outcome.generation is None else f"finished by {outcome.generation.finish_reason}"


def _label(outcome: Outcome) -> str:
    trial = outcome.trial
    repeat = f" repeat {trial.repeat}" if trial.cell.case.repeats > 1 else ""
    return f"{trial.cell.label}{repeat}"
