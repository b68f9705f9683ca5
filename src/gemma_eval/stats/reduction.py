"""The scores of the repeats of a case become its one score: the datum of statistics is the case.

    pass@k = 1 - C(n - c, k) / C(n, k)        pass^k = C(c, k) / C(n, k)

Of n answers c succeed: pass@k is the chance that among k of them at least one does, pass^k that all do.
Source: Chen et al. 2021, arXiv 2107.03374, section 2.1; Yao et al. 2024, arXiv 2406.12045 (pass^k).
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.records import Case, Outcome, Reduction, Score
from gemma_eval.stats.percentiles import mean

_OF_SUCCESSES: frozenset[Reduction] = frozenset({"all", "pass_at_k", "pass_hat_k"})
"""The reductions that count which answers succeed."""

_DIGITS = 12
"""Scores that agree in so many decimals are equal: what is beyond is of rounding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeat:
    """One answer to a case: its value, whether it succeeds, and the part of it that was judged first."""

    value: float
    succeeds: bool
    answer: str = ""


def case_score(outcomes: Sequence[Outcome]) -> float | None:
    """Return the score of a case from the outcomes of its repeats, by what the case says.

    `None` when one of them failed or has no score, and where pass@k and pass^k have fewer than k of them. An
    answer succeeds when each check with `pass_at` passes and each other one that counts has the value 1.
    """
    return _reduced(outcomes, lambda outcome: outcome.score, _succeeds)


def check_value(outcomes: Sequence[Outcome], place: int) -> float | None:
    """Return the value of one check of a case over its repeats, by what the case says; `None` as above.

    One that judges all repeats at once has its value already, which is the same in each of them.
    """
    by: Reduction | None = "mean" if _is_over_repeats(outcomes, place) else None
    return _reduced(
        outcomes, lambda outcome: _value(outcome, place), lambda outcome: _passes(outcome, place), by=by
    )


def scorer_values(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Return the value of each scorer of a case over its repeats: the mean over its checks of that scorer."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(_scorers(outcomes)):
        places[name].append(place)
    found = {name: [check_value(outcomes, place) for place in at] for name, at in places.items()}
    return {name: None if None in each else _mean(_known(each)) for name, each in found.items()}


def reduced(repeats: Sequence[Repeat], *, by: Reduction, k: int | None = None) -> float | None:
    """Return one value of those of the repeats, `None` of none.

    Of several most frequent values *mode* is the mean. *majority* is the mean value of the answers that are
    equal to most others; between groups of one size, the mean over them, as if one were drawn.
    """
    if not repeats:
        return None
    return _REDUCTIONS[by](repeats) if by in _REDUCTIONS else _of_k(repeats, by=by, k=k or 1)


def pass_at_k(n: int, c: int, k: int) -> float | None:
    """Return the chance that at least one of k of the n answers is among the c that succeed.

    `None` where n < k.
    """
    return None if n < k else 1 - math.comb(n - c, k) / math.comb(n, k)


def pass_hat_k(n: int, c: int, k: int) -> float | None:
    """Return the chance that all k of the n answers are among the c that succeed, `None` where n < k."""
    return None if n < k else math.comb(c, k) / math.comb(n, k)


def reduction_name(case: Case) -> str:
    """Name how the repeats of a case are reduced: `mean`, `median`, `pass@5`, `pass^3`."""
    sign: Mapping[Reduction, str] = {"pass_at_k": "pass@", "pass_hat_k": "pass^"}
    return f"{sign[case.reduce]}{case.k or 1}" if case.reduce in sign else case.reduce


def _reduced(
    outcomes: Sequence[Outcome],
    value_of: Callable[[Outcome], float | None],
    succeeds: Callable[[Outcome], bool | None],
    *,
    by: Reduction | None = None,
) -> float | None:
    if not outcomes:
        return None
    case = outcomes[0].trial.cell.case
    by = by or case.reduce
    found: list[Repeat] = []
    for outcome in outcomes:
        value = None if outcome.failure else value_of(outcome)
        success = succeeds(outcome) if by in _OF_SUCCESSES else False
        if value is None or success is None:
            return None
        found.append(Repeat(value=value, succeeds=success, answer=_answer(outcome)))
    return reduced(found, by=by, k=case.k)


def _is_over_repeats(outcomes: Sequence[Outcome], place: int) -> bool:
    checks = outcomes[0].trial.cell.case.checks if outcomes else ()
    return place < len(checks) and checks[place].over_repeats


def _scorers(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Return the scorers of the checks of a case in their order, as its scores name them if there are any."""
    scored = next((outcome.scores for outcome in outcomes if outcome.scores), ())
    if scored or not outcomes:
        return tuple(each.scorer for each in scored)
    return tuple(each.name for each in outcomes[0].trial.cell.case.checks)


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _succeeds(outcome: Outcome) -> bool | None:
    """Return whether an answer succeeds, `None` where what decides that could not be judged."""
    judged = [_is_met(score) for score in outcome.scores if score.passed is not None or score.weight > 0]
    if any(met is False for met in judged):
        return False
    return None if not judged or any(met is None for met in judged) else True


def _passes(outcome: Outcome, place: int) -> bool | None:
    return _is_met(outcome.scores[place]) if place < len(outcome.scores) else None


def _is_met(score: Score) -> bool | None:
    if score.value is None:
        return None
    return score.value >= 1 if score.passed is None else score.passed


def _value(outcome: Outcome, place: int) -> float | None:
    return outcome.scores[place].value if place < len(outcome.scores) else None


def _answer(outcome: Outcome) -> str:
    return outcome.scores[0].answer if outcome.scores else ""


def _of_k(repeats: Sequence[Repeat], *, by: Reduction, k: int) -> float | None:
    of = pass_at_k if by == "pass_at_k" else pass_hat_k
    return of(len(repeats), sum(each.succeeds for each in repeats), k)


def _mean(values: Iterable[float]) -> float:
    return mean(list(values)) or 0.0


def _mode(repeats: Sequence[Repeat]) -> float:
    """Return the most frequent value, the mean of them where there are several."""
    groups = _largest((round(each.value, _DIGITS), each.value) for each in repeats)
    return _mean(_mean(group) for group in groups)


def _majority(repeats: Sequence[Repeat]) -> float:
    groups = _largest((each.answer, each.value) for each in repeats)
    return _mean(_mean(group) for group in groups)


def _largest(keyed: Iterable[tuple[float | str, float]]) -> list[list[float]]:
    """Return the values of each key that has the most of them."""
    groups: dict[float | str, list[float]] = defaultdict(list)
    for key, value in keyed:
        groups[key].append(value)
    most = max(map(len, groups.values()))
    return [group for group in groups.values() if len(group) == most]


_REDUCTIONS: Mapping[Reduction, Callable[[Sequence[Repeat]], float]] = {
    "mean": lambda repeats: _mean(each.value for each in repeats),
    "median": lambda repeats: float(statistics.median(each.value for each in repeats)),
    "mode": _mode,
    "max": lambda repeats: max(each.value for each in repeats),
    "majority": _majority,
    "all": lambda repeats: float(all(each.succeeds for each in repeats)),
}
