"""What became of a request of a load: whether it was answered, and whether by a cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gemma_eval.records import Generation, Outcome

MARKUP_TOKENS = 32
"""How many cached tokens are no matter: what a chat template writes before every question, which all requests
share. For Gemma that is 4 tokens; templates with a system turn of their own write some 25."""

MARKUP_SHARE = 0.5
"""The largest part of a prompt that is taken for markup, so that short questions asked twice are seen."""


def error_kind(outcome: Outcome) -> str | None:
    """Return why a request has no whole answer (`timeout`, `server_error` …), `None` when it has one.

    One that was answered at another attempt failed at first, and its user waited for that: `retried`.
    """
    if outcome.failure is not None:
        return outcome.failure.kind
    if outcome.generation is None:
        return "no_generation"
    if outcome.generation.attempts:
        return "retried"
    reason = outcome.generation.finish_reason
    return reason if reason in ("error", "timeout") else None


def answers(outcomes: Sequence[Outcome]) -> Iterator[Generation]:
    """Yield the answers that came whole."""
    for outcome in outcomes:
        if outcome.generation is not None and error_kind(outcome) is None:
            yield outcome.generation


def sent(outcomes: Sequence[Outcome]) -> Iterator[Generation]:
    """Yield what came of the requests that were sent, whole or broken off: those that have stamps."""
    for outcome in outcomes:
        if outcome.generation is not None:
            yield outcome.generation


def first_sent_ns(made: Generation) -> int:
    """Return when a request was sent for the first time, before the attempts that failed."""
    stamps = (attempt.requested_ns for attempt in made.attempts)
    return next((stamp for stamp in stamps if stamp is not None), made.requested_ns)


def contaminated(outcome: Outcome) -> bool | None:
    """Return whether a benchmark's prompt was answered from a cache; `None` when the engine does not say.

    A prompt that the engine has kept from a request before is not read again: its time to first token is
    another quantity. Always false for quality cases, which nobody times.
    """
    if outcome.trial.cell.case.kind != "benchmark":
        return False
    made = outcome.generation
    if made is None or made.cached_tokens is None:
        return None
    of_the_prompt = made.cached_tokens > MARKUP_SHARE * (made.prompt_tokens or 0)
    return made.cached_tokens > MARKUP_TOKENS or (made.cached_tokens > 0 and of_the_prompt)
