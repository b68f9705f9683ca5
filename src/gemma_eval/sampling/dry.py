"""DRY (don't repeat yourself): what would lengthen a repetition is lowered, the more the longer it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from gemma_eval.protocols import Vocabulary
from gemma_eval.records import SamplingProfile
from gemma_eval.sampling.candidates import Candidates, CandidateTransform, Indices
from gemma_eval.sampling.positions import lowered

Breakers = Mapping[int, tuple[tuple[int, ...], ...]]
"""By the token that a breaker begins in: the tokens that must follow it, none when it holds the breaker."""


def dry(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    """Lower what would go on with a repetition; a multiplier of 0, a base below 1 or no tokens are off."""
    if profile.dry_multiplier == 0 or profile.dry_base < 1 or profile.dry_penalty_last_n == 0:
        return None
    return Dry(
        multiplier=profile.dry_multiplier,
        base=profile.dry_base,
        allowed_length=profile.dry_allowed_length,
        last_n=profile.dry_penalty_last_n,
        breakers=_known_breakers(vocabulary, profile.dry_sequence_breakers),
    )


def breakers(vocabulary: Vocabulary, texts: tuple[str, ...]) -> Breakers:
    """Return how each of `texts` can stand in tokens: within one, or from the end of one over the next.

    The whole vocabulary is read. Beyond 40 characters of a text and 20 tokens after
    the first nothing is compared. Source: ggml-org/llama.cpp:src/llama-sampler.cpp (dry).
    """
    found: dict[int, set[tuple[int, ...]]] = {}
    wanted = [text[:_LONGEST_TEXT] for text in texts if text]
    for token in range(vocabulary.size):
        piece = vocabulary.piece(token)
        for text in wanted:
            for rest in _rests(piece, text):
                found.setdefault(token, set()).add(tuple(vocabulary.encode(rest))[:_LONGEST_TAIL])
    return {token: tuple(sorted(tails)) for token, tails in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dry(CandidateTransform):
    """Subtract `multiplier`·`base`^(length - `allowed_length`) from what would lengthen a repeat of `length`.

    A repeat is a run that ends the last `last_n` tokens (-1: all) and stands in them before, too; it reaches
    back to the last breaker at most. A token that holds a breaker is never lowered.
    Source: oobabooga/text-generation-webui, pull request 5677 (p-e-w);
    ggml-org/llama.cpp:src/llama-sampler.cpp (dry).
    """

    multiplier: float
    base: float
    allowed_length: int
    last_n: int
    breakers: Breakers

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return the candidates in their order, those that would repeat lowered."""
        last = seen if self.last_n < 0 else seen[max(0, len(seen) - self.last_n) :]
        window = np.asarray(last, dtype=np.intp)
        if len(window) <= self.allowed_length:
            return candidates
        tokens, lengths = self._repeats(window)
        free = np.array([() in self.breakers.get(token, ()) for token in tokens.tolist()], dtype=np.bool_)
        tokens, lengths = tokens[~free], lengths[~free]
        with np.errstate(over="ignore"):
            penalties = self.multiplier * np.power(float(self.base), lengths - self.allowed_length)
            return lowered(candidates, tokens, penalties.astype(np.float32))

    def _repeats(self, window: Indices) -> tuple[Indices, Indices]:
        """Return the tokens, ascending, that would lengthen a repeat, and the length of the longest each."""
        limit = self._limit(window)
        lengths = np.minimum(repeated(window, limit), limit)
        repeats = np.flatnonzero(lengths >= max(self.allowed_length, 0))
        tokens, place = np.unique(window[repeats + 1], return_inverse=True)
        longest = np.zeros(len(tokens), dtype=np.intp)
        np.maximum.at(longest, place, lengths[repeats])
        return tokens, longest

    def _limit(self, window: Indices) -> int:
        """Return the length at which a repeat is followed no further: a breaker, or the largest penalty."""
        most = len(window)
        if self.base > _GROWS:
            most = min(most, self.allowed_length + int(_FLOAT_MAX_LOG / np.log(self.base)))
        last = window[: -(most + _LONGEST_TAIL + 2) : -1].tolist()
        for back, token in enumerate(last):
            tails = self.breakers.get(token)
            if tails is None:
                continue
            matches = [len(tail) for tail in tails if tail == tuple(reversed(last[back - len(tail) : back]))]
            if matches:
                return min(most, back - max(matches))
        return most


def repeated(window: Indices, limit: int) -> Indices:
    """Return for each place but the last how many tokens up to it are those that end `window` [n].

    Beyond `limit` nothing need be counted. Repeats are few or short as a rule, and are followed all at once;
    where they are many and long, they are counted in one walk.
    """
    lengths = np.zeros(len(window) - 1, dtype=np.intp)
    ends = np.arange(len(lengths))
    for length in range(limit):
        ends = ends[ends >= length]
        ends = ends[window[ends - length] == window[-1 - length]]
        if not len(ends):
            break
        lengths[ends] = length + 1
        if len(ends) * (limit - length) > _MANY:
            return np.array(_z_values(window[::-1].tolist())[:0:-1], dtype=np.intp)
    return lengths


def _z_values(text: list[int]) -> list[int]:
    """Return for each place of `text` how far what begins there is as the beginning of all, in linear time.

    Source: Gusfield 1997, Algorithms on Strings, Trees and Sequences, section 1.4.
    """
    size = len(text)
    values = [size] + [0] * (size - 1)
    left = right = 0  # the known match that reaches farthest: text[left:right] == text[: right - left]
    for place in range(1, size):
        known = min(values[place - left], right - place) if place < right else 0
        while place + known < size and text[known] == text[place + known]:
            known += 1
        values[place] = known
        if place + known > right:
            left, right = place, place + known
    return values


_READ: WeakKeyDictionary[Vocabulary, dict[tuple[str, ...], Breakers]] = WeakKeyDictionary()
"""What was read of each vocabulary, which is let go of with its model."""


def _known_breakers(vocabulary: Vocabulary, texts: tuple[str, ...]) -> Breakers:
    """Return the breakers, read once per vocabulary and list."""
    known = _READ.setdefault(vocabulary, {})
    if texts not in known:
        known[texts] = breakers(vocabulary, texts)
    return known[texts]


_MANY = 1_000_000
"""Comparisons above which one walk in Python is quicker than following all repeats step by step."""
_LONGEST_TEXT, _LONGEST_TAIL = 40, 20
_FLOAT_MAX_LOG = 88.7228391
"""The natural logarithm of the largest float32: llama.cpp lets no power of the base get larger."""
_GROWS = 1.000001


def _rests(piece: str, text: str) -> Iterator[str]:
    """Yield what of `text` is left after `piece`, in which it begins: nothing when it lies within."""
    if text in piece:
        yield ""
        return
    for overlap in range(1, min(len(piece), len(text) - 1) + 1):
        if piece.endswith(text[:overlap]):
            yield text[overlap:]
