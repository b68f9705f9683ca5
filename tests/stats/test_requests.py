"""Whether a request was answered, and whether by a cache."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemma_eval.records import Outcome
from gemma_eval.stats.requests import answers, contaminated, error_kind, sent
from tests.stats.requests_of_a_load import made, request

ANSWER = made(0, 100, deltas=[(10, 1)])


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (request(ANSWER), None),
        (request(None, error="server_error"), "server_error"),
        (request(ANSWER, error="timeout"), "timeout"),
        (request(replace(ANSWER, finish_reason="timeout")), "timeout"),
        (request(replace(ANSWER, finish_reason="error")), "error"),
        (request(replace(ANSWER, finish_reason="length")), None),
        (request(None), "no_generation"),
    ],
)
def test_a_request_is_answered_or_has_an_error(outcome: Outcome, kind: str | None) -> None:
    """Whether a backend raised or handed back what had come."""
    assert error_kind(outcome) == kind
    assert list(answers([outcome])) == ([] if kind else [outcome.generation])
    assert list(sent([outcome])) == ([outcome.generation] if outcome.generation else [])


def cached(prompt_tokens: int | None, cached_tokens: int | None) -> Outcome:
    """Return a request of which so many prompt tokens were cached."""
    return request(replace(ANSWER, prompt_tokens=prompt_tokens, cached_tokens=cached_tokens))


@pytest.mark.parametrize(
    ("prompt_tokens", "cached_tokens", "expected"),
    [
        (500, 0, False),
        (500, 4, False),  # Gemma's markup
        (500, 32, False),
        (500, 33, True),
        (500, 499, True),
        (10, 4, False),  # Gemma's markup around one word
        (10, 5, False),
        (10, 6, True),  # the same word again
        (None, 33, True),
        (None, 4, True),
        (None, 0, False),
        (500, None, None),
    ],
)
def test_a_prompt_is_contaminated_when_more_than_its_markup_was_cached(
    prompt_tokens: int | None, cached_tokens: int | None, expected: bool | None
) -> None:
    """And it is unknown where the engine does not say."""
    assert contaminated(cached(prompt_tokens, cached_tokens)) is expected


def test_quality_is_not_contaminated() -> None:
    """Nobody times it, and what was read before is the same text."""
    outcome = cached(500, 499)
    cell = outcome.trial.cell
    quality = replace(outcome.trial, cell=replace(cell, case=replace(cell.case, kind="quality")))
    assert contaminated(replace(outcome, trial=quality)) is False


def test_a_request_without_an_answer_tells_nothing_of_a_cache() -> None:
    """It may have been refused before anything was read."""
    assert contaminated(request(None, error="server_error")) is None
