"""What other tools call one evaluation: a part of a run, with the figures over its cases."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from gemma_eval.records import Group, Outcome, Summary
from gemma_eval.report.groups import group_of
from gemma_eval.stats.clusters import cluster_of
from gemma_eval.stats.paired import paired
from gemma_eval.stats.percentiles import mean
from gemma_eval.stats.reduction import scorer_values
from gemma_eval.stats.summary import case_scores, summary_of

K = TypeVar("K", bound=Hashable)

ACCURACY = "acc"
"""The share of answers that are right: what the scorer `acc` says, else those of score 1."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?|data")


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseScores:
    """The outcomes of one case in one group, over its repeats, and how each metric came out for it.

    A metric is `None` where an answer failed or could not be judged.
    """

    outcomes: tuple[Outcome, ...]
    values: dict[str, float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """A metric over the cases of one group, and the standard error of its mean, `None` of one datum.

    That is s / sqrt(n) of n cases, where none of them share a cluster.
    """

    summary: Summary
    standard_error: float | None


def split(outcomes: Sequence[Outcome], key: Callable[[Outcome], K]) -> dict[K, tuple[Outcome, ...]]:
    """Return the outcomes by key, keys in the order in which they first occur."""
    parts: dict[K, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        parts[key(outcome)].append(outcome)
    return {name: tuple(members) for name, members in parts.items()}


def cases_of(outcomes: Sequence[Outcome]) -> tuple[CaseScores, ...]:
    """Return each case of one group and suite: `acc`, `score` and one metric per scorer it is checked by."""
    by_case = split(outcomes, lambda outcome: outcome.trial.cell.case.id)
    return tuple(CaseScores(outcomes=members, values=_values(members)) for members in by_case.values())


def quality(cases: Sequence[CaseScores]) -> Iterator[Quality]:
    """Yield what is known of every metric over the cases of one group that have it; the datum is the case."""
    names = dict.fromkeys(name for case in cases for name in case.values)
    for name in names:
        having = [case for case in cases if name in case.values]
        data = [case.values[name] for case in having]
        clusters = [cluster_of(case.outcomes[0].trial.cell) for case in having]
        summary = summary_of(group_of(cases[0].outcomes[0]), "score", data, clusters=clusters)
        yield Quality(summary=replace(summary, metric=name), standard_error=_standard_error(data, clusters))


def group_label(group: Group) -> str:
    """`profile/template`, then `/retrieval` where named: what sets apart the groups of one model."""
    return "/".join(group.names[1:])


def portable(name: str) -> str:
    """Return a name that every file system takes: one that is none has `_` for other signs, and a hash.

    The hash keeps apart what would be alike without those signs.
    """
    plain = _UNSAFE.sub("_", name).rstrip(".")
    if plain == name and name and not _RESERVED.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{plain.split('.')[0]}_{digest[:6]}"


def _standard_error(data: Sequence[float | None], clusters: Sequence[Hashable]) -> float | None:
    known = [(value, key) for value, key in zip(data, clusters, strict=True) if value is not None]
    found = paired([value for value, _ in known], clusters=[key for _, key in known])
    return None if found is None else found.se


def _values(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    if not outcomes[0].trial.cell.case.checks:
        return {}
    right = [None if (score := _score(each)) is None else float(score == 1) for each in outcomes]
    values = scorer_values(outcomes)
    return {ACCURACY: _mean_of_all(right)} | values | {"score": case_scores(outcomes)[0]}


def _score(outcome: Outcome) -> float | None:
    return None if outcome.failure else outcome.score


def _mean_of_all(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if len(known) == len(values) else None
