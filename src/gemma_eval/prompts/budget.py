"""How many tokens there are for an answer, and how tokens are counted."""

from __future__ import annotations

from collections.abc import Callable

from gemma_eval.records import Cell

CountTokens = Callable[[str], int | None]
"""Counts the tokens of a text as the model reads it; `None` when that cannot be known."""


def answer_tokens(cell: Cell, *, count_tokens: CountTokens) -> int:
    """Return how many tokens of the context are kept for the answer, or for the longest text that is read."""
    case = cell.case
    if not case.is_read:
        return cell.profile.max_tokens
    read = case.choices if case.continuation is None else (case.continuation,)
    return max(count_tokens(case.delimiter + text) or 0 for text in read)
