"""Whether a judge can be trusted: how far it agrees with people, with itself, and in another order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gemma_eval.scoring.judge_items import Item
from gemma_eval.stats.agreement import Kappa, cohen_kappa, krippendorff_alpha
from gemma_eval.stats.intervals import of_scores

ENOUGH = 0.6
"""The kappa that a judge must be shown to reach: above it agreement is *substantial*.

Source: Landis and Koch 1977, Biometrics 33:159-174.
"""

NO_VERDICT = ""
"""Stands for the label of a judge that gave none: one that is never right."""

Trust = Literal["trusted", "not_trusted", "open"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Orders:
    """What was asked in both orders of two things, of which a fair judge prefers neither place.

    `flips` are those that were decided otherwise in the other order, `first` how often the first place won,
    of twice `n`, `None` where there are more than two. `right` counts those that were decided rightly in
    both, `None` where nothing is right.
    """

    n: int
    flips: int
    first: int | None
    right: int | None = None

    @property
    def flip_rate(self) -> float | None:
        """The share that the order decides."""
        return self.flips / self.n if self.n else None

    @property
    def position_bias(self) -> float | None:
        """How much more often than half of the time the first place won, in -0.5..0.5."""
        return None if self.first is None or not self.n else self.first / (2 * self.n) - 0.5

    @property
    def bias_interval(self) -> tuple[float, float] | None:
        """The 95 % interval of that; both orders together are one datum."""
        if self.first is None or not self.n:
            return None
        alike = self.n - self.flips  # where the orders agree, the first place won in one of them
        both = (self.first - alike) // 2
        share = of_scores([1.0] * both + [0.5] * alike + [0.0] * (self.flips - both))
        return None if share.low is None or share.high is None else (share.low - 0.5, share.high - 0.5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What is known of a judge.

    `kappa` is its agreement with the right labels, an item without a verdict counting as wrong. `alpha` is
    that of the judge and the people together, `people` that of the people alone, `None` where fewer than two
    gave labels. `same_again` of `asked_again` verdicts were the same with another seed. `labels` were listed
    in both orders, and `pairs` of a better and a worse answer were shown in both.
    """

    judge: str
    items: int
    kappa: Kappa | None
    unscored: int
    reasons: tuple[str, ...]
    confusion: Mapping[str, Mapping[str, int]]
    alpha: float | None
    people: float | None
    asked_again: int
    same_again: int
    labels: Orders
    pairs: Orders

    @property
    def trust(self) -> Trust:
        """Whether kappa is shown to be enough, shown not to be, or neither."""
        if self.kappa is None or self.kappa.low is None or self.kappa.high is None:
            return "open"
        if self.kappa.low >= ENOUGH:
            return "trusted"
        return "not_trusted" if self.kappa.high < ENOUGH else "open"


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a judge said of an item: with each seed, and with its labels the other way round."""

    labels: tuple[str, ...]
    reason: str | None = None
    reversed_label: str = NO_VERDICT


def calibration(
    judge: str, items: Sequence[Item], said: Sequence[Said], *, labels: Sequence[str], pairs: Orders
) -> Calibration:
    """Return what the verdicts of a judge on `items`, one `Said` for each, tell of it."""
    known = [(item.label, each.labels[0]) for item, each in zip(items, said, strict=True) if item.label]
    again = [label == each.labels[0] for each in said for label in each.labels[1:]]
    return Calibration(
        judge=judge,
        items=len(items),
        kappa=cohen_kappa([right for right, _ in known], [given for _, given in known]),
        unscored=sum(each.labels[0] == NO_VERDICT for each in said),
        reasons=tuple(dict.fromkeys(each.reason for each in said if each.reason is not None)),
        confusion=_confusion([(right or "", given) for right, given in known]),
        alpha=_alpha(
            [(each.labels[0] or None, *_people(item)) for item, each in zip(items, said, strict=True)]
        ),
        people=_alpha([item.people for item in items]),
        asked_again=len(again),
        same_again=sum(again),
        labels=_orders_of_labels(said, labels),
        pairs=pairs,
    )


def pairs_of(items: Sequence[Item], *, best: str, worst: str) -> tuple[tuple[Item, Item], ...]:
    """Return a better and a worse answer to each question that has both among the items."""
    found: dict[tuple[str, str], dict[str, Item]] = {}
    for item in items:
        if item.label in (best, worst):
            found.setdefault((item.prompt, item.reference), {}).setdefault(item.label, item)
    return tuple((each[best], each[worst]) for each in found.values() if len(each) == 2)


def orders_of_pairs(values: Sequence[tuple[float | None, float | None]]) -> Orders:
    """Return what the votes on pairs tell: 1 where the better answer won, it being first, then second."""
    known = [(first, second) for first, second in values if first is not None and second is not None]
    return Orders(
        n=len(known),
        flips=sum(first != second for first, second in known),
        first=sum(int(first == 1) + int(second == 0) for first, second in known),
        right=sum(first == second == 1 for first, second in known),
    )


def _orders_of_labels(said: Sequence[Said], labels: Sequence[str]) -> Orders:
    """Return what two orders of the labels in the question tell."""
    known = [
        (each.labels[0], each.reversed_label)
        for each in said
        if each.labels[0] != NO_VERDICT and each.reversed_label != NO_VERDICT
    ]
    return Orders(
        n=len(known),
        flips=sum(one != other for one, other in known),
        first=sum(int(one == labels[0]) + int(other == labels[1]) for one, other in known)
        if len(labels) == 2
        else None,
    )


def _people(item: Item) -> tuple[str, ...]:
    """Return the labels that people gave; the one label of an item is that of somebody."""
    return item.people or ((item.label,) if item.label else ())


def _alpha(units: Sequence[Sequence[str | None]]) -> float | None:
    return krippendorff_alpha(units, level="nominal")


def _confusion(pairs: Sequence[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Return how often each right label was given each label."""
    counts = Counter(pairs)
    return {
        right: {given: counts[right, given] for given in dict.fromkeys(given for _, given in sorted(counts))}
        for right in dict.fromkeys(right for right, _ in sorted(counts))
    }
