"""What changes along one axis: the scores of each two of its names, held together wherever both have one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Literal

from gemma_eval.records import Group
from gemma_eval.report.groups import Groups, Interval

MOST_PAIRS = 3
"""How many pairs a sentence names before it counts the rest."""

Axis = Literal["template", "retrieval", "profile"]
Compared = tuple[str, str, bool]
"""What is compared, what comes of it in words, and whether that shows a difference."""


def along_axes(groups: Groups) -> Iterator[Compared]:
    """Say for templates, retrievals and profiles which score above which, where there are several."""
    for axis in _AXES:
        names = tuple(dict.fromkeys(getattr(group, axis) for group in groups.order))
        if len(names) > 1:
            yield _compare(groups, axis, names)


_UNNAMED = "one without a name"
_AXES: tuple[Axis, ...] = ("template", "retrieval", "profile")


def _compare(groups: Groups, axis: Axis, names: Sequence[str]) -> Compared:
    """Compare the scores of every two names, in every place where both have an interval."""
    places = tuple(dict.fromkeys(replace(group, **{axis: ""}) for group in groups.order))
    word = _place_word(groups, axis)
    shown: list[str] = []
    silent: list[str] = []
    for one, other in combinations(names, 2):
        pairs = [groups.score_intervals(_at(place, axis, one), _at(place, axis, other)) for place in places]
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        ours, theirs = one or _UNNAMED, other or _UNNAMED
        sentence = _pair(ours, theirs, known, word)
        if known:
            (shown if sentence else silent).append(sentence or f"{ours} and {theirs}")
    return f"{axis.capitalize()}s", _compared(shown, silent), bool(shown)


def _at(place: Group, axis: Axis, name: str) -> Group:
    return replace(place, **{axis: name})


def _place_word(groups: Groups, axis: Axis) -> str:
    """Name what a place is: the other axes, as far as there is a choice on them."""
    of_profiles = axis == "template" or (axis == "retrieval" and len(groups.templates) < 2)
    words = (
        "model" if len(groups.models) > 1 else "",
        "profile" if of_profiles or (axis == "retrieval" and len(groups.profiles) > 1) else "",
        "template" if axis == "profile" or (axis == "retrieval" and len(groups.templates) > 1) else "",
        "retrieval" if axis != "retrieval" and groups.tells_retrievals else "",
    )
    return " and ".join(filter(None, words))


def _compared(shown: list[str], silent: list[str]) -> str:
    """Join what the pairs show, in so few words that it is read."""
    if not shown and not silent:
        return "too few cases in common for intervals: nothing to compare."
    if not shown:
        return "the intervals of the scores overlap everywhere: no difference shown."
    more = [f"{len(shown) - MOST_PAIRS} more pairs differ"] if len(shown) > MOST_PAIRS else []
    pairs = " or ".join(silent) if len(silent) <= MOST_PAIRS else f"{len(silent)} other pairs"
    rest = [f"{pairs}: the intervals overlap, no difference shown"] if silent else []
    return f"{'; '.join(shown[:MOST_PAIRS] + more + rest)}."


def _pair(one: str, other: str, known: list[tuple[Interval, Interval]], word: str) -> str:
    """Say where the interval of `one` lies above or below that of `other`; empty when it never does."""
    above = sum(a[0] > b[1] for a, b in known)
    below = sum(a[1] < b[0] for a, b in known)
    parts = [
        f"{winner} is above {loser} {_share(n, len(known), word)}"
        for winner, loser, n in ((one, other, above), (other, one, below))
        if n
    ]
    return " but ".join(parts)


def _share(n: int, total: int, word: str) -> str:
    if total == 1:
        return "beyond the intervals"
    if n == total:
        return f"with every {word}"
    return f"with {n} of {total} " + (f"{_sets(word)} of {word}" if " " in word else f"{word}s")


def _sets(word: str) -> str:
    return "pairs" if word.count(" and ") == 1 else "combinations"
