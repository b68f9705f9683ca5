"""How the repeats of cases became their scores, in words: nothing where it is their mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gemma_eval.records import Outcome
from gemma_eval.report import numbers
from gemma_eval.stats.reduction import reduction_name

MEAN = "mean"


def score_name(outcomes: Sequence[Outcome]) -> str:
    """Return what a table calls the score: `score`, or `score (pass@5)` where every case has that of it."""
    names = set(_reductions(outcomes))
    return f"score ({names.pop()})" if len(names) == 1 and names != {MEAN} else "score"


def told(outcomes: Sequence[Outcome]) -> str | None:
    """Say by what repeats are reduced and in how many cases, `None` where every score is their mean."""
    found = _reductions(outcomes)
    if set(found) <= {MEAN}:
        return None
    if len(found) == 1:
        return f"the repeats of each case are reduced by {next(iter(found))}."
    counts = [f"by {name} in {_cases(count)}" for name, count in found.most_common()]
    return f"the repeats of a case are reduced {', '.join(counts[:-1])} and {counts[-1]}."


def _reductions(outcomes: Sequence[Outcome]) -> Counter[str]:
    """Count the cases that have checks by how their repeats are reduced."""
    cells = (outcome.trial.cell for outcome in outcomes)
    cases = {(cell.suite, cell.case.id): cell.case for cell in cells if cell.case.checks}
    return Counter(map(reduction_name, cases.values()))


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{numbers.count(count)} cases"
