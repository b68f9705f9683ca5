"""What profile and template do, in sentences: each says whether it is shown, and by which figures."""

from __future__ import annotations

from collections.abc import Iterator

from gemma_eval.report import numbers
from gemma_eval.report.effects import Change, Effects, Factor, Ranked, Together
from gemma_eval.report.findings import Finding
from gemma_eval.report.grid import Grid, Pair
from gemma_eval.report.trends import some
from gemma_eval.stats.intervals import ALPHA
from gemma_eval.stats.layout import FTest
from gemma_eval.stats.selection import HALVINGS, Best

FEW = 10
"""Below so many data an F test leans on their being spread as it takes them to be."""


def sentences(grid: Grid, found: Effects | None) -> Iterator[Finding]:
    """Say what a grid shows: the best pair, the luck in choosing it, each effect, and both together."""
    if found is None:
        yield Finding(topic=f"Profile and {grid.across}", text=_nothing(grid), tone="open")
        return
    yield _best(grid, found)
    if found.best is not None:
        yield _luck(grid, found.best, len(_tied(found)))
    for factor in found.factors:
        yield _factor(factor)
    if found.together is not None:
        yield _together(grid, found.together)


def notes(grid: Grid, found: Effects | None) -> Iterator[str]:
    """Say what the figures rest on, and what is left out."""
    if grid.absent:
        names = some([grid.label(pair) for pair in grid.absent])
        text = f"{names} ran no case with checks, so the effects of profile and {grid.across} are not told "
        yield f"{text}apart."
    if grid.left_out:
        are = "case is" if grid.left_out == 1 else "cases are"
        text = f"{numbers.count(grid.left_out)} {are} left out, for not every {noun(grid)} has a score of "
        text += f"{'it' if grid.left_out == 1 else 'them'}; "
        yield text + "what one could not answer may be what it cannot answer."
    if found is None:
        return
    if grid.data < grid.cases:
        text = f"The {numbers.count(grid.cases)} cases are in {numbers.count(grid.data)} clusters, which n "
        text += (
            "counts: cases of one, as questions about one document, are one datum. The summary takes each "
        )
        yield text + "case for a datum of its own, and so its intervals are mostly narrower."
    if grid.data < FEW and found.factors:
        yield f"With {numbers.count(grid.data)} data, F tests say little; the intervals allow for so few."
    if any(each is not None and each.detectable and each.at_least for each in changes(found)):
        text = (
            f"“>”: fewer than {numbers.count(FEW)} of the data differ, and others may differ by more, so the "
        )
        yield text + "smallest difference that would be found is larger than that."


def changes(found: Effects) -> Iterator[Change | None]:
    """Yield every change of the tables, `None` for what the others are held against."""
    yield from (level.change for factor in found.factors for level in factor.levels)
    yield from (each.change for each in found.ranking)
    if found.together is not None:
        yield found.together.change


def noun(grid: Grid) -> str:
    """Name what is chosen: a pair, or the one of both that varies."""
    if len(grid.profiles) > 1 and len(grid.templates) > 1:
        return "pair"
    return "profile" if len(grid.profiles) > 1 else grid.across


def points(value: float | None) -> str:
    """Write a change of a score: `+0.053`."""
    return numbers.MISSING if value is None else f"{round(value, 3) + 0.0:+.3f}"


def ends(change: Change) -> str:
    """Write the bounds of a change: `[-0.021, +0.127]`; empty where the data give none."""
    if change.low is None and change.high is None:
        return ""
    return f"[{points(change.low)}, {points(change.high)}]"


def least(change: Change | None) -> str:
    """Write the smallest difference that would be found: `0.042`, `> 0.042` where that is a lower limit."""
    if change is None or change.detectable is None:
        return numbers.MISSING
    return f"{'> ' if change.at_least else ''}{change.detectable:.3f}"


def tested(test: FTest) -> str:
    """Write an F test with its corrected degrees of freedom: `F(1.5, 12) = 18.2, p < 0.001`."""
    df = (f"{test.epsilon * each:.1f}".removesuffix(".0") for each in (test.df_effect, test.df_error))
    p = "p < 0.001" if test.p < 0.001 else f"p = {test.p:.3f}"
    return f"F({', '.join(df)}) = {numbers.number(test.f)}, {p}"


def _nothing(grid: Grid) -> str:
    if not grid.cases:
        return f"no case has a score with every {noun(grid)}: nothing to compare."
    if grid.cases == 1:
        return "only one case has a score everywhere: nothing tells how others would differ."
    text = f"all {numbers.count(grid.cases)} cases are of one cluster, and so one datum: "
    return text + "nothing tells how others would differ."


def _tied(found: Effects) -> tuple[Ranked, ...]:
    """Return the pairs that have the highest score."""
    return tuple(each for each in found.ranking if each.mean == found.ranking[0].mean)


def _best(grid: Grid, found: Effects) -> Finding:
    top, *others = found.ranking
    tied = [grid.label(each.pair) for each in _tied(found)]
    value = numbers.score(top.mean)
    if top.interval.low is not None:
        value += f" {numbers.interval(top.interval.low, top.interval.high)}"
    has = f"{some(tied)} {'has' if len(tied) == 1 else 'have'} the highest score, {value}"
    rivals = [each for each in others if each.change is None or each.change.shown != "lower"]
    lower, count = len(others) - len(rivals), numbers.count(len(others))
    if not rivals:
        rest = "the other is" if len(others) == 1 else f"each of the {count} others is"
        return Finding(topic="Best", text=f"{has}; {rest} proved to be lower.", tone="shown")
    if not lower:
        text = f"no {noun(grid)} is proved to be best or lower than the best: {has}."
        return Finding(topic="Best", text=text, tone="open")
    behind = [grid.label(each.pair) for each in rivals if each.mean != top.mean]
    may = f"; {some(behind)} may be as good" if behind else ""
    rest = "the other is" if lower == 1 else f"the other {numbers.count(lower)} are"
    return Finding(topic="Best", text=f"{has}{may}; {rest} proved to be lower.", tone="open")


def _luck(grid: Grid, of: Best[Pair], tied: int) -> Finding:
    """Say how far the highest score flatters; of tied ones always the first is chosen, which says nothing."""
    loss = round(of.flattery, 3)
    text = (
        f"the highest score is partly owed to these very cases: a {noun(grid)} chosen by half of them scores "
    )
    text += f"{loss:.3f} less on the other half" if loss > 0 else "no less on the other half"
    if tied == 1:
        text += (
            f", and {numbers.share(of.again)} of {HALVINGS} such halves choose the same one as all cases do"
        )
    return Finding(topic="Luck of the choice", text=f"{text}.", tone="open")


def _factor(factor: Factor) -> Finding:
    topic = factor.axis.capitalize()
    first, *others = factor.levels
    told = [(each.name, each.change) for each in others if each.change is not None and each.change.shown]
    test = "" if factor.test is None else f" ({tested(factor.test)})"
    if told:
        parts = [f"{name} is {of.shown} by {abs(of.value):.3f} {ends(of)}" for name, of in told]
        return Finding(topic=topic, text=f"than {first.name}, {'; '.join(parts)}{test}.", tone="shown")
    if factor.test is None:
        if all(each.change is not None and round(each.change.value, 3) == 0 for each in others):
            return Finding(
                topic=topic, text=f"every {factor.axis} has the same score in every case.", tone="open"
            )
        text = "every case changes alike, so there is no spread to test the difference by."
        return Finding(topic=topic, text=text, tone="open")
    if factor.test.p <= ALPHA:
        most = max(others, key=lambda each: 0.0 if each.change is None else abs(each.change.value))
        by = "" if most.change is None else f", {most.name} by {points(most.change.value)}"
        text = f"an F test finds a difference{test}{by}, but the bounds do not prove one from {first.name}."
        return Finding(topic=topic, text=text, tone="open")
    return Finding(topic=topic, text=f"no difference is shown{test}.", tone="open")


def _together(grid: Grid, of: Together) -> Finding:
    topic = "Together"
    if of.test is None:
        text = f"in every case a {grid.across} does the same with every profile."
        if round(of.change.value, 3):
            text = "in every case both do the same together, so there is no spread to test it by."
        return Finding(topic=topic, text=text, tone="open")
    if of.test.p <= ALPHA:
        text = f"what a {grid.across} does depends on the profile ({tested(of.test)}): choose the pair, not "
        text += f"each by itself. Furthest from the sum of both is {grid.label(of.pair)}, by "
        text += f"{points(of.change.value)} "
        return Finding(topic=topic, text=f"{text}{ends(of.change)}.".replace(" .", "."), tone="shown")
    text = f"no interaction is shown ({tested(of.test)}): as far as {numbers.count(grid.data)} data tell, a "
    text += f"{grid.across} does the same with every profile, and each may be chosen by itself."
    return Finding(topic=topic, text=text, tone="open")
