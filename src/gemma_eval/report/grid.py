"""The scores of one model with every profile and template, over the cases that all of them have scores of.

Several retrievals have grids of their own: profile by retrieval with each template that had a choice of them,
and profile by template with each retrieval.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from gemma_eval.records import Group, Outcome, Report
from gemma_eval.stats.judged import juror_values
from gemma_eval.stats.percentiles import mean
from gemma_eval.stats.reduction import case_score, reduction_name

Column = Literal["template", "retrieval"]
"""What stands across a grid."""
Pair = tuple[str, str]
"""A profile, and a template or a retrieval."""
Key = tuple[str, str]
"""A case: its suite and its id."""
Trials = dict[Key, list[Outcome]]
"""The trials of cases."""
Ways = dict[Group, Trials]
Place = tuple[str, frozenset[str], frozenset[str], frozenset[str]]
"""A model, and the profiles, templates and retrievals that a case names."""

_DIGITS = 12
"""Data that agree in so many decimals are equal: what is beyond is of rounding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """Scores by pair, by shared case and by repeat.

    `across` says what `templates` are, the names of templates or of retrievals; `beside` is then the one
    template or retrieval of all pairs, where there were others.

    `blocks` has for each shared case what its datum goes by: its cluster, or itself. `left_out` counts the
    cases that some pair was asked and not every one has a score of; `absent` are pairs that were asked none.
    `reduced` has the score of each shared case if that may be another than the mean of its repeats, and
    `reduced_by` names what it is. `votes` are those of juries, a row for each answer.
    """

    model: str
    profiles: tuple[str, ...]
    templates: tuple[str, ...]
    scores: Mapping[Pair, tuple[tuple[float, ...], ...]]
    blocks: tuple[Hashable, ...]
    left_out: int
    absent: tuple[Pair, ...]
    reduced: Mapping[Pair, tuple[float, ...]] = field(default_factory=dict)
    reduced_by: tuple[str, ...] = ()
    votes: Mapping[Pair, tuple[tuple[float, ...], ...]] = field(default_factory=dict)
    across: Column = "template"
    beside: str = ""

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The pairs that were asked, profiles first, each in the order of the run."""
        return tuple(self.scores)

    @property
    def cases(self) -> int:
        """The number of cases that all pairs have scores of."""
        return len(self.blocks)

    @property
    def data(self) -> int:
        """The number of independent data that they are."""
        return len(set(self.blocks))

    def label(self, pair: Pair) -> str:
        """Name a pair by what tells it from the others: `greedy · rag`."""
        parts = (
            pair[0] if len(self.profiles) > 1 else "",
            pair[1] if len(self.templates) > 1 else "",
        )
        return " · ".join(part for part in parts if part)

    def means(self, pair: Pair) -> tuple[float, ...]:
        """Return the score of each shared case, its repeats reduced as it says."""
        return self.reduced.get(pair) or tuple(_mean(repeats) for repeats in self.scores[pair])

    def of(self, holds: Callable[[Pair], bool]) -> tuple[float, ...]:
        """Return for each shared case its mean score over the pairs that are asked for."""
        columns = [self.means(pair) for pair in self.pairs if holds(pair)]
        return tuple(_mean(values) for values in zip(*columns, strict=True))

    def data_of(self, scores: Sequence[float]) -> tuple[float, ...]:
        """Return one value for each block, so that their mean is that of the scores.

        A cluster of more cases weighs more, as in that mean: its value is the mean over all, and what its
        cases are above it added up and divided by the mean size of a cluster (the ratio estimator).
        """
        center, size = _mean(scores), self.cases / self.data
        above: dict[Hashable, float] = dict.fromkeys(self.blocks, 0.0)
        for block, score in zip(self.blocks, scores, strict=True):
            above[block] += score - center
        return tuple(round(center + each / size, _DIGITS) for each in above.values())


def grids(report: Report) -> tuple[Grid, ...]:
    """Return the grids of a report: by model, and by the profiles, templates and retrievals that cases name.

    So cases that are asked with one template only are held against each other, and not against those that are
    asked with all. What was asked with a single pair has no grid.
    """
    found = (grid for place, asked in _asked(report).items() for grid in _grids(place[0], asked))
    return tuple(grid for grid in found if len(grid.scores) > 1)


def _asked(report: Report) -> dict[Place, Ways]:
    """Return by what cases name, and by group, each case with its trials."""
    found: dict[Place, Ways] = {}
    for outcome in report.outcomes:
        cell = outcome.trial.cell
        case = cell.case
        if case.checks:
            names = frozenset(case.profiles), frozenset(case.templates), frozenset(case.retrievals)
            trials = found.setdefault((cell.model.name, *names), {}).setdefault(cell.group, {})
            trials.setdefault((cell.suite, case.id), []).append(outcome)
    return found


def _grids(model: str, asked: Ways) -> Iterator[Grid]:
    """Yield the grids of what was asked with the same names: one, or those of several retrievals."""
    retrievals = dict.fromkeys(group.retrieval for group in asked)
    templates = dict.fromkeys(group.template for group in asked)
    if len(retrievals) == 1:
        yield _grid(model, {(group.profile, group.template): each for group, each in asked.items()})
        return
    for template in templates:
        of = {each: cases for each, cases in asked.items() if each.template == template}
        if len({each.retrieval for each in of}) > 1:
            found = _grid(model, {(each.profile, each.retrieval): cases for each, cases in of.items()})
            yield replace(found, across="retrieval", beside=template if len(templates) > 1 else "")
    for retrieval in retrievals:
        of = {each: cases for each, cases in asked.items() if each.retrieval == retrieval}
        if len({each.template for each in of}) > 1:
            found = _grid(model, {(each.profile, each.template): cases for each, cases in of.items()})
            yield replace(found, beside=retrieval)


def _grid(model: str, asked: Mapping[Pair, Trials]) -> Grid:
    profiles = tuple(dict.fromkeys(profile for profile, _ in asked))
    templates = tuple(dict.fromkeys(template for _, template in asked))
    every = [(profile, template) for profile in profiles for template in templates]
    pairs = [pair for pair in every if pair in asked]
    cases = {key: each[0].trial.cell.case for pair in pairs for key, each in asked[pair].items()}
    known = {pair: _scores(asked[pair]) for pair in pairs}
    shared = [key for key in cases if all(key in known[pair] for pair in pairs)]
    names = dict.fromkeys(reduction_name(cases[key]) for key in shared)
    return Grid(
        model=model,
        profiles=profiles,
        templates=templates,
        scores={pair: tuple(_of_repeats(asked[pair][key]) for key in shared) for pair in pairs},
        blocks=tuple(key if cases[key].cluster is None else cases[key].cluster for key in shared),
        left_out=len(cases) - len(shared),
        absent=tuple(pair for pair in every if pair not in asked),
        reduced={pair: tuple(known[pair][key] for key in shared) for pair in pairs},
        reduced_by=tuple(name for name in names if name != "mean"),
        votes={pair: _votes(asked[pair][key] for key in shared) for pair in pairs},
    )


def _votes(cases: Iterable[Sequence[Outcome]]) -> tuple[tuple[float, ...], ...]:
    found = (juror_values(score.votes) for trials in cases for each in trials for score in each.scores)
    return tuple(tuple(values) for values in found if len(values) > 1)


def _scores(asked: Trials) -> dict[Key, float]:
    """Return the score of each case that has one."""
    found = {key: case_score(trials) for key, trials in asked.items()}
    return {key: score for key, score in found.items() if score is not None}


def _of_repeats(trials: Sequence[Outcome]) -> tuple[float, ...]:
    return tuple(each.score for each in trials if each.score is not None)


def _mean(values: Sequence[float]) -> float:
    return mean(values) or 0.0
