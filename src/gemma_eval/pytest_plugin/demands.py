"""What a cell's outcomes were required to be, and what a person reads when they are not."""

from __future__ import annotations

from collections.abc import Sequence

from gemma_eval.errors import EngineCrashed, GenerationTimeout, ServerError, TruncatedStream
from gemma_eval.records import Check, Outcome, Score
from gemma_eval.report.visible import visible
from gemma_eval.stats.reduction import check_value, reduction_name

_LINE = 400
_TEXT = 2_000
_PASSING = (ServerError.kind, TruncatedStream.kind, GenerationTimeout.kind, EngineCrashed.kind)
_MENDABLE = ("usage", "unknown_name", "missing_dependency", "model_not_found", "context_overflow", "template")


def missed(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Return one line for each demand that the outcomes of one cell miss.

    A generation is always demanded. A check demands something only when its suite gives `pass_at`: its
    value over the repeats, reduced as the case says, must reach it, and every repeat must have been scored.
    """
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    if failures:
        messages = dict.fromkeys(_one_line(failure.message) for failure in failures)
        return tuple(messages)
    checks = outcomes[0].trial.cell.case.checks
    lines = (
        _missed_by(check, outcomes, place) for place, check in enumerate(checks) if check.pass_at is not None
    )
    return tuple(line for line in lines if line is not None)


def explain(outcomes: Sequence[Outcome], lines: Sequence[str]) -> str:
    """Return what a failed item shows: the missed demands, then prompt, answer and scores per repeat."""
    if any(outcome.failure is not None for outcome in outcomes):
        return "\n".join(lines)
    return "\n".join([*lines, *(line for outcome in outcomes for line in _transcript(outcome))])


def mendable(outcomes: Sequence[Outcome]) -> bool:
    """Whether it was something a person wrote that kept each failed trial from being run."""
    kinds = [outcome.failure.kind for outcome in outcomes if outcome.failure is not None]
    return bool(kinds) and all(kind in _MENDABLE for kind in kinds)


def may_have_passed(outcome: Outcome) -> bool:
    """Whether there is no answer for a reason that lay with a server or a process, and may be gone by now.

    Of a benchmark such a failure is what was measured, and stays.
    """
    is_timed = outcome.trial.cell.case.kind == "benchmark"
    return not is_timed and outcome.failure is not None and outcome.failure.kind in _PASSING


def _missed_by(check: Check, outcomes: Sequence[Outcome], place: int) -> str | None:
    scores = [outcome.scores[place] for outcome in outcomes]
    if any(score.value is None for score in scores):
        unscored = (score.unscored or "no reason given" for score in scores if score.value is None)
        reasons = ", ".join(dict.fromkeys(unscored))
        return _one_line(f"{check.name}: not scored ({reasons}), pass_at = {check.pass_at}")
    name, value = reduction_name(outcomes[0].trial.cell.case), check_value(outcomes, place)
    if value is None:
        return f"{check.name}: no {name} of {len(scores)} answers, pass_at = {check.pass_at}"
    if check.pass_at is None or value >= check.pass_at:
        return None
    how = "over all" if check.over_repeats else f"{name} of"
    over = f" ({how} {len(scores)})" if len(scores) > 1 else ""
    return f"{check.name}: {value:.2f}{over} is below pass_at = {check.pass_at}"


def _transcript(outcome: Outcome) -> list[str]:
    generation, prompt = outcome.generation, outcome.prompt
    lines = [f"repeat {outcome.trial.repeat}, seed {outcome.trial.seed}"]
    if prompt is not None and prompt.messages:
        lines.append(f"  prompt: {_block(prompt.messages[-1].content)}")
    if generation is not None:
        said = "read" if outcome.trial.cell.case.is_read else "answer"
        lines.append(f"  {said}: {_block(generation.text)}")
    lines.extend(f"  {_scored(score)}" for score in outcome.scores)
    return lines


def _scored(score: Score) -> str:
    value = "not scored" if score.value is None else f"{score.value:.2f}"
    reason = score.unscored or score.explanation
    return _one_line(f"{score.scorer}: {value} ({reason})" if reason else f"{score.scorer}: {value}")


def _block(text: str) -> str:
    shown = text if len(text) <= _TEXT else f"{text[:_TEXT]}… ({len(text)} characters)"
    return visible(shown).replace("\n", "\n          ")


def _one_line(text: str) -> str:
    line = visible(text).replace("\n", "\\n")
    return line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"
