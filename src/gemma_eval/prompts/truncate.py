"""Leave out of a prompt what the context cannot hold, the least important first."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from gemma_eval.errors import ContextOverflow
from gemma_eval.records import Message, Passage, Prompt

Make = Callable[[tuple[Passage, ...], tuple[Message, ...]], Prompt]
"""Makes the prompt of some passages and some turns, the last of which is the question."""


def fit(
    passages: Sequence[Passage],
    messages: Sequence[Message],
    *,
    made: Make,
    context_tokens: int,
    answer_tokens: int,
) -> Prompt:
    """Return the prompt that leaves room for `answer_tokens` in the context and leaves out least.

    Passages go first, the worst ranked before the better ones, then the earliest exchanges of the
    conversation; system turns and the question stay. What stays of a conversation begins with a turn of the
    user, as chat templates demand. Where tokens cannot be counted nothing is left out. The search halves, for
    it takes a prompt of less to be no longer. Raises ContextOverflow when the question alone is too long.
    """
    choices = [(kept, 0) for kept in range(len(passages), 0, -1)]
    choices += [(0, start) for start in _beginnings(messages)]

    def prompt_of(choice: tuple[int, int]) -> Prompt:
        kept, start = choice
        turns = tuple(turn for at, turn in enumerate(messages) if at >= start or turn.role == "system")
        prompt = made(_best(passages, kept), turns)
        return replace(prompt, dropped_turns=len(messages) - len(turns))

    def fitting(choice: tuple[int, int]) -> int:
        n_tokens = prompt_of(choice).n_tokens
        return int(n_tokens is None or n_tokens + answer_tokens <= context_tokens)

    first = 0 if fitting(choices[0]) else bisect_left(choices, 1, lo=1, key=fitting)
    prompt = prompt_of(choices[min(first, len(choices) - 1)])
    if first == len(choices):
        needed = (prompt.n_tokens or 0) + answer_tokens
        raise ContextOverflow(needed_tokens=needed, limit_tokens=context_tokens, overflow="truncate")
    return prompt


def _best(passages: Sequence[Passage], n: int) -> tuple[Passage, ...]:
    """Return the `n` best ranked passages in the order in which all are given."""
    best_first = sorted(range(len(passages)), key=lambda at: passages[at].rank)
    return tuple(passages[at] for at in sorted(best_first[:n]))


def _beginnings(messages: Sequence[Message]) -> Iterator[int]:
    """Yield where a conversation may begin: as it is, at each later turn of the user, at the question."""
    yield 0
    first = next(at for at, turn in enumerate(messages) if turn.role != "system")
    yield from (at for at in range(first + 1, len(messages)) if messages[at].role == "user")
