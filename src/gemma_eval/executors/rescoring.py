"""Scores the stored answers of a run again, cell by cell, by the checks of its suites as they are now."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gemma_eval.plugins import Registry
from gemma_eval.protocols import Services
from gemma_eval.records import Case, Cell, Group, ModelSpec, Outcome, Suite
from gemma_eval.scoring.again import again, asks_the_same, judged_as
from gemma_eval.stages import scorer_builder

Served = Callable[[Cell], Services]
"""Gives what the checks of a cell may ask."""
_Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Given:
    """A suite as it is now, and the models that its checks ask by their names."""

    suite: Suite
    judges: Mapping[str, ModelSpec]

    def cases(self) -> dict[str, Case | None]:
        """Return the cases by their ids, those of rows too; `None` for a row that cannot be asked."""
        found: dict[str, Case | None] = {}
        for case in self.suite.cases:
            rows = self.suite.rows.get(case.id)
            if rows is None:
                found[case.id] = case
            else:
                found |= {row.case.id: None if row.flaw else row.case for row in rows}
        return found


@dataclass(frozen=True, kw_only=True)
class Rescored:
    """The outcomes that were scored again, by the keys of their trials, and the cases that were not.

    `removed` are no longer in their suite, `added` were not asked then, and `otherwise` asks something else
    now. `fewer` have not as many answers as their reduction needs, and so no score. `kept` counts the answers
    with a score of a judge that was not asked again.
    """

    outcomes: Mapping[str, Outcome]
    removed: tuple[str, ...]
    added: tuple[str, ...]
    otherwise: tuple[str, ...]
    fewer: tuple[str, ...]
    kept: int


def rescore(
    outcomes: Mapping[str, Outcome],
    given: Sequence[Given],
    *,
    registry: Registry,
    services: Served | None = None,
) -> Rescored:
    """Score the outcomes whose cases ask the same in the suites that are given; others are left out."""
    suites = {each.suite.name: each for each in given}
    now = {name: each.cases() for name, each in suites.items()}
    asked = dict.fromkeys(_key(outcome) for outcome in outcomes.values() if _key(outcome)[0] in suites)
    build, fresh, kept = scorer_builder(registry), dict[str, Outcome](), 0
    otherwise: dict[_Key, None] = {}
    for members in _cells(outcomes):
        cell = next(iter(members.values())).trial.cell
        key = cell.suite, cell.case.id
        case = now.get(cell.suite, {}).get(cell.case.id)
        if case is None:
            continue
        if not asks_the_same(cell, case):
            otherwise[key] = None
            continue
        judges = tuple(suites[cell.suite].judges[name] for name in _names(case))
        found = again(
            list(members.values()),
            judged_as(cell.case, case),
            build=build,
            judges=judges,
            services=None if services is None else services(replace(cell, judges=judges)),
        )
        fresh |= zip(members, found, strict=True)
        kept += len(members) if judges and services is None else 0
    return Rescored(
        outcomes=fresh,
        removed=tuple(id_ for suite, id_ in asked if now[suite].get(id_) is None),
        added=tuple(id_ for suite, cases in now.items() for id_ in cases if (suite, id_) not in asked),
        otherwise=tuple(id_ for _, id_ in otherwise),
        fewer=_fewer(fresh.values()),
        kept=kept,
    )


def _cells(outcomes: Mapping[str, Outcome]) -> Iterable[Mapping[str, Outcome]]:
    """Return the outcomes of each cell and block together, in the order in which they first occur."""
    cells: dict[tuple[str, str, Group, int], dict[str, Outcome]] = defaultdict(dict)
    for key, outcome in outcomes.items():
        cell = outcome.trial.cell
        cells[cell.suite, cell.case.id, cell.group, outcome.trial.block][key] = outcome
    return cells.values()


def _fewer(outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    """Return the cases that have fewer answers than their pass@k or pass^k is of."""
    least: dict[tuple[str, str], int] = {}
    counts: dict[tuple[str, str], Counter[Group]] = defaultdict(Counter)
    for outcome in outcomes:
        cell = outcome.trial.cell
        least[_key(outcome)] = cell.case.k or 0
        counts[_key(outcome)][cell.group] += 1
    return tuple(key[1] for key, each in counts.items() if min(each.values()) < least[key])


def _key(outcome: Outcome) -> _Key:
    return outcome.trial.cell.suite, outcome.trial.cell.case.id


def _names(case: Case) -> tuple[str, ...]:
    """Return the models that the checks of a case ask, in the order of their names as in its cells."""
    return tuple(sorted({name for check in case.checks for name in check.judges}))
