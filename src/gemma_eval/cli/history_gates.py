"""What `gemma-eval history --gates` prints: a row for each metric, and whether the gates themselves err."""

from __future__ import annotations

from collections.abc import Iterator

from gemma_eval.report import numbers
from gemma_eval.report.columns import columns
from gemma_eval.report.comparisons import wrapped
from gemma_eval.verdict.audit import MOST_UNDECIDED, Audit, OfMetric

_HEAD = ("metric", "gates", "REGRESSED", "PASS", "INCONCLUSIVE", "other", "blocks", "A/A")
_TOO_MANY = 0.05
"""So unlikely a number of errors is taken for more than chance."""


def lines(found: Audit) -> Iterator[str]:
    """Write how the gates fared in a table, and below it what is wrong."""
    yield f"{_counted(found.runs, 'run')} with gates"
    yield from columns([_HEAD, *map(_row, found.metrics)])
    yield from wrapped(f"A/A: {_errors(found)}")
    for each in found.metrics:
        if each.is_undecided:
            yield from wrapped(_undecided(each))


def _row(each: OfMetric) -> tuple[str, ...]:
    of = (each.regressed, each.passed, each.inconclusive, each.other)
    return (
        each.metric,
        numbers.count(each.gates),
        *(_share(count, each.gates) for count in of),
        numbers.MISSING if each.blocks is None else f"{each.blocks:g}",
        f"{each.alike_regressed} of {each.alike}" if each.alike else numbers.MISSING,
    )


def _errors(found: Audit) -> str:
    """Say how often a critical gate called the same worse than itself."""
    allowed = f"{100 * found.allowed:g} %"
    if found.p is None:
        return (
            "no run was held against one of the same commit and names, with everything committed; run the "
            f"same twice, as with --gemma-ab and the same model, to see whether more than {allowed} err"
        )
    were = "was" if found.alike == 1 else "were"
    held = f"{_counted(found.alike, 'run')} {were} held against the same commit and names"
    erred = f"in {found.alike_regressed} of these ({_share(found.alike_regressed, found.alike)})"
    said = f"{held}; {erred} a critical gate said REGRESSED, which may be in {allowed}"
    share = found.alike_regressed / found.alike
    if share <= found.allowed:
        return said
    if found.p > _TOO_MANY:
        return f"{said}; so many may be chance (p = {found.p:.2g})"
    return f"{said}; so many are no chance (p = {found.p:.2g}): blocks are not alike, or not independent"


def _undecided(each: OfMetric) -> str:
    share = _share(each.inconclusive, each.gates)
    return (
        f"{each.metric}: {share} of its gates prove nothing, more than {100 * MOST_UNDECIDED:g} %: its "
        "margin is too narrow for the noise here, or its budget of blocks, cases or runs too small"
    )


def _share(count: int, of: int) -> str:
    return f"{100 * count / of:.0f} %"


def _counted(count: int, what: str) -> str:
    return f"{numbers.count(count)} {what}" if count == 1 else f"{numbers.count(count)} {what}s"
