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
    limit_tokens: int,
    answer_tokens: int,
) -> Prompt:
    """Return the prompt of at most `limit_tokens` that leaves out least, and records what it leaves out.

    Passages go first, the worst ranked before the better ones, then the earliest exchanges of the
    conversation; system turns and the question stay. What stays of a conversation begins with a turn of the
    user, as chat templates demand. Where tokens cannot be counted nothing is left out.
    Raises ContextOverflow when the question alone is too long; `answer_tokens` are kept free for its answer.
    """
    choices = list(_choices(tuple(passages), tuple(messages)))

    def fitting(choice: tuple[tuple[Passage, ...], tuple[Message, ...]]) -> int:
        return int((made(*choice).n_tokens or 0) <= limit_tokens)

    first = 0 if fitting(choices[0]) else bisect_left(choices, 1, lo=1, key=fitting)
    prompt = made(*choices[min(first, len(choices) - 1)])
    if first == len(choices):
        needed = (prompt.n_tokens or 0) + answer_tokens
        raise ContextOverflow(needed_tokens=needed, limit_tokens=limit_tokens + answer_tokens)
    kept, turns = choices[first]
    return replace(
        prompt,
        dropped=tuple(passage for passage in passages if passage not in kept),
        dropped_turns=len(messages) - len(turns),
    )


def _choices(
    passages: tuple[Passage, ...], messages: tuple[Message, ...]
) -> Iterator[tuple[tuple[Passage, ...], tuple[Message, ...]]]:
    """Yield what may be kept, from everything to the question alone."""
    best_first = sorted(passages, key=lambda passage: passage.rank)
    for n_kept in range(len(passages), 0, -1):
        kept = best_first[:n_kept]
        yield tuple(passage for passage in passages if passage in kept), messages
    for start in _beginnings(messages):
        yield (), tuple(turn for at, turn in enumerate(messages) if at >= start or turn.role == "system")


def _beginnings(messages: tuple[Message, ...]) -> Iterator[int]:
    """Yield where a conversation may begin: as it is, at each later turn of the user, at the question."""
    yield 0
    first = next(at for at, turn in enumerate(messages) if turn.role != "system")
    yield from (at for at in range(first + 1, len(messages)) if messages[at].role == "user")
