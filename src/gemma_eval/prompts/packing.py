"""Fit passages into the tokens that there are for them, in an order, and say what became of each."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gemma_eval.prompts.budget import CountTokens
from gemma_eval.prompts.templates import rag_context
from gemma_eval.records import Fate, Order, Packed, Passage, Retrieval

UNSHOWN = "the template shows no passages"
NO_CONTEXT = "the context of the model is full"
FITS = "fits"
UNCOUNTED = "its tokens cannot be counted"

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”\u2019»)\]]*(?=\s)|(?<=[。\uff01\uff1f])")
_JOINT = 8
"""Tokens by which two lines together may differ from both alone; what is further off is counted once."""


def pack(
    passages: Sequence[Passage], *, retrieval: Retrieval, count_tokens: CountTokens
) -> tuple[tuple[Passage, ...], tuple[Packed, ...]]:
    """Return the passages that fit, as they stand in the prompt, and what became of each, best first.

    `passages` are given best first. One is kept when all kept ones, written as the lines of `rag_context`,
    take at most `budget_tokens`; one that is too long does not keep a shorter one behind it out. With
    `long_passage` *cut* the first too long one of which a sentence fits ends after the last that does. Where
    tokens cannot be counted nothing is dropped. Several are tried at once, for it takes a context of less to
    be no longer.
    """
    own = [count_tokens(rag_context([passage])) for passage in passages]
    sizes = [size for size in own if size is not None]
    if len(sizes) < len(own):
        packed = [_packed(passage, None, fate="kept", reason=UNCOUNTED) for passage in passages]
        return ordered(passages, retrieval.order), tuple(packed)
    room = _Room(retrieval=retrieval, count_tokens=count_tokens)
    packed = []
    while len(packed) < len(passages):
        at = len(packed)
        packed += room.add_several(passages[at:], sizes[at:]) or [room.add(passages[at], sizes[at])]
    return ordered(room.kept, retrieval.order), tuple(packed)


def ordered(passages: Sequence[Passage], order: Order) -> tuple[Passage, ...]:
    """Return passages, given best first, as they stand in a prompt.

    *edges* has the best ones at both ends, 1 3 5 … 6 4 2; *chronological* the oldest first, and before it
    those without a time.
    Source: Liu et al. 2023, "Lost in the Middle", arXiv 2307.03172.
    """
    if order == "best_last":
        return tuple(passages[::-1])
    if order == "edges":
        return (*passages[::2], *passages[1::2][::-1])
    if order == "chronological":
        return tuple(sorted(passages, key=_time))
    return tuple(passages)


def without(
    packed: Sequence[Packed], *, kept: Sequence[Passage], read: Sequence[Passage]
) -> tuple[Packed, ...]:
    """Return what became of passages of which only those that are `read` are left of the `kept` ones.

    Of several with one id the worse ones are gone.
    """
    gone = Counter(each.id for each in kept) - Counter(each.id for each in read)
    marked: list[Packed] = []
    for each in reversed(packed):
        if each.fate != "dropped" and gone[each.passage]:
            gone[each.passage] -= 1
            marked.append(replace(each, fate="dropped", reason=NO_CONTEXT))
        else:
            marked.append(each)
    return tuple(reversed(marked))


@dataclass(kw_only=True)
class _Room:
    """The passages that are kept, best first, and the tokens that they take together."""

    retrieval: Retrieval
    count_tokens: CountTokens
    kept: list[Passage] = field(default_factory=list)
    _used: int = 0
    _has_cut: bool = False

    def add_several(self, passages: Sequence[Passage], sizes: Sequence[int]) -> list[Packed]:
        """Keep the first passages that fit together, if more than one does; `sizes` are theirs alone."""
        n, taken = 0, 0
        while n < len(sizes) and taken + sizes[n] <= self._left:
            taken += sizes[n] + 1  # the end of a line
            n += 1
        while n > 1:
            if self._keep(passages[:n], self._needed(passages[:n])):
                return [_packed(*each, fate="kept") for each in zip(passages[:n], sizes[:n], strict=True)]
            n //= 2
        return []

    def add(self, passage: Passage, size: int) -> Packed:
        """Keep a passage where it fits, or what fits of it, or nothing."""
        needed = self._needed([passage]) if size <= self._left + _JOINT else size
        if self._keep([passage], needed):
            return _packed(passage, size, fate="kept")
        why = f"needs {needed} tokens, {self._left} of the budget of {self.retrieval.budget_tokens} are left"
        cut = None if self.retrieval.long_passage == "drop" or self._has_cut else self._longest(passage)
        if cut is None:
            return _packed(passage, size, fate="dropped", reason=why)
        self._has_cut = self._keep([cut], self._needed([cut]))
        return _packed(passage, self.count_tokens(rag_context([cut])), fate="cut", reason=why)

    @property
    def _left(self) -> int:
        return self.retrieval.budget_tokens - self._used

    def _needed(self, passages: Sequence[Passage]) -> int:
        """Return how many tokens more the context takes with these passages in it."""
        context = rag_context(ordered([*self.kept, *passages], self.retrieval.order))
        return (self.count_tokens(context) or 0) - self._used

    def _keep(self, passages: Sequence[Passage], needed: int) -> bool:
        """Keep passages where what they need is left, and return whether it is."""
        if needed > self._left:
            return False
        self._used += needed
        self.kept += passages
        return True

    def _longest(self, passage: Passage) -> Passage | None:
        """Return the most sentences of a passage that fit, `None` where not one does."""
        ends = [match.end() for match in _SENTENCE_END.finditer(passage.text)]

        def is_too_long(end: int) -> bool:
            return self._needed([replace(passage, text=passage.text[:end])]) > self._left

        most = 1  # what is far too long is never looked at
        while most < len(ends) and not is_too_long(ends[most - 1]):
            most *= 2
        n = bisect_left(ends, 1, lo=most // 2, hi=min(most, len(ends)), key=is_too_long)
        return replace(passage, text=passage.text[: ends[n - 1]]) if n else None


def _time(passage: Passage) -> float:
    if passage.at_s is None or not math.isfinite(passage.at_s):
        return -math.inf
    return passage.at_s


def _packed(passage: Passage, n_tokens: int | None, *, fate: Fate, reason: str = FITS) -> Packed:
    return Packed(passage=passage.id, fate=fate, reason=reason, n_tokens=n_tokens)
