"""Records without secrets, before they are scored, stored, sent or shown.

Messages lose everything that looks like a key. What a model said loses the keys that models were asked with
and nothing else, piece by piece, so that its stamps still fit it. Prompts stay as their suite says.
"""

from __future__ import annotations

from dataclasses import replace

from gemma_eval.logs.redact import Redactor, current
from gemma_eval.records import Channel, Delta, EngineInfo, Failure, Generation, Outcome, Score


def answer(generation: Generation, *, redactor: Redactor | None = None) -> Generation:
    """Return an answer without the keys that models were asked with, also where one came in pieces."""
    redactor = redactor or current()
    if any(attempt.message != redactor(attempt.message) for attempt in generation.attempts):
        attempts = (replace(each, message=redactor(each.message)) for each in generation.attempts)
        generation = replace(generation, attempts=tuple(attempts))
    texts = {"text": generation.text, "reasoning": generation.reasoning, "tool_calls": generation.tool_calls}
    cleared = {name: redactor.answer(text) for name, text in texts.items()}
    if cleared == texts:
        return generation
    deltas = list(generation.deltas)
    for channel in ("output", "reasoning", "tool_call"):
        _clear_pieces(deltas, channel, redactor)
    choices = (replace(each, text=redactor.answer(each.text)) for each in generation.choices)
    return replace(generation, **cleared, deltas=tuple(deltas), choices=tuple(choices))  # type: ignore[arg-type]


def failure(kind: str, error: object) -> Failure:
    """Return the failure that an error is."""
    return Failure(kind=kind, message=current()(str(error)))


def outcome(outcome: Outcome) -> Outcome:
    """Return an outcome without secrets in what was said of it; its answer was cleared when it was made."""
    redactor = current()
    changed: dict[str, object] = {}
    if outcome.failure is not None:
        changed["failure"] = replace(outcome.failure, message=redactor(outcome.failure.message))
    if outcome.trace is not None and outcome.trace.degraded is not None:
        changed["trace"] = replace(outcome.trace, degraded=redactor(outcome.trace.degraded))
    if outcome.cached is not None and outcome.cached.reason is not None:
        changed["cached"] = replace(outcome.cached, reason=redactor(outcome.cached.reason))
    if any(map(_is_told_more, outcome.scores)):
        changed["scores"] = tuple(_score(each, redactor) for each in outcome.scores)
    return replace(outcome, **changed) if changed else outcome  # type: ignore[arg-type]


def engine(info: EngineInfo) -> EngineInfo:
    """Return what drives a model, without the secrets that a server may say of itself."""
    redactor = current()
    details = {
        key: redactor(value) if isinstance(value, str) else value for key, value in info.details.items()
    }
    return replace(info, engine=redactor(info.engine), version=redactor(info.version), details=details)


def _is_told_more(score: Score) -> bool:
    return bool(score.explanation or score.unscored or score.votes)


def _score(score: Score, redactor: Redactor) -> Score:
    """Return a score; why there is none is a message, the rest quotes the answer."""
    return replace(
        score,
        answer=redactor.answer(score.answer),
        explanation=redactor.answer(score.explanation),
        unscored=None if score.unscored is None else redactor(score.unscored),
        votes=tuple(
            replace(vote, reason=None if vote.reason is None else redactor(vote.reason))
            for vote in score.votes
        ),
    )


def _clear_pieces(deltas: list[Delta], channel: Channel, redactor: Redactor) -> None:
    """Put what stands for a key into the piece in which that begins, and take the rest of it out."""
    places = [index for index, each in enumerate(deltas) if each.channel == channel]
    texts = redactor.pieces([deltas[index].text for index in places])
    for index, text in zip(places, texts, strict=True):
        before = deltas[index]
        # Where nothing is counted a text tells that a token came, so that one that is emptied must count.
        carried = 1 if before.n_tokens is None and before.text and not text else before.n_tokens
        deltas[index] = replace(before, text=text, n_tokens=carried)
