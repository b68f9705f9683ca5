"""How many tokens there are for passages and for an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gemma_eval.prompts.templates import rag_context
from gemma_eval.records import Cell, Passage

CountTokens = Callable[[str], int | None]
"""Counts the tokens of a text as the model reads it; `None` when that cannot be known."""


def fit(passages: Sequence[Passage], *, budget_tokens: int, count_tokens: CountTokens) -> tuple[Passage, ...]:
    """Return the passages that fit, in their order.

    A passage is kept when all kept ones, written as the lines of `rag_context`, take at most
    `budget_tokens`; one that is too long does not keep a shorter one behind it out. Where tokens cannot be
    counted nothing is dropped.
    """
    kept: list[Passage] = []
    for passage in passages:
        n_tokens = count_tokens(rag_context([*kept, passage]))
        if n_tokens is None or n_tokens <= budget_tokens:
            kept.append(passage)
    return tuple(kept)


def answer_tokens(cell: Cell, *, count_tokens: CountTokens) -> int:
    """Return how many tokens of the context are kept for the answer, or for the longest text that is read."""
    case = cell.case
    if not case.is_read:
        return cell.profile.max_tokens
    read = case.choices if case.continuation is None else (case.continuation,)
    return max(count_tokens(case.delimiter + text) or 0 for text in read)
