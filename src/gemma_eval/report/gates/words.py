"""What a verdict means and what to do next, which verdicts are worse, and what a gate's verdict rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from gemma_eval.records import Gate, Gated, Gating, Tier, Verdict
from gemma_eval.report import comparisons, numbers
from gemma_eval.report.visible import visible

Level = Literal["error", "warning", "note"]
"""How loudly a verdict is told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What is known where a verdict stands, and what to do next."""

    known: str
    to_do: str

    @property
    def sentence(self) -> str:
        """Both in one sentence."""
        return f"{self.known}: {self.to_do}."


WORDS: Mapping[Verdict, Words] = {
    "REGRESSED": Words(
        known="it is proved to be worse than the gate allows",
        to_do="mend what made it worse, or accept it for a while and say why",
    ),
    "MISSING": Words(
        known="the base has it, and the candidate, though all was run, has not",
        to_do="find out why it was not measured, or take the gate away together with the case",
    ),
    "INVALID": Words(
        known="the machine was busy or stopped, so what was measured is not of the engine alone",
        to_do="run again on a quiet machine",
    ),
    "INCOMPLETE": Words(
        known="not all was run",
        to_do="run again to the end, and without choosing a part",
    ),
    "INCOMPARABLE": Words(
        known="what was asked, or the machine, is not what it was for the base",
        to_do="make a base with these cases on this machine, or measure both in turns",
    ),
    "INCONCLUSIVE": Words(
        known="neither that it is worse than allowed nor that it is not is proved",
        to_do="take more data, or allow more if you can afford to lose it",
    ),
    "ACCEPTED": Words(
        known="it is proved to be worse, and a person has accepted that for a while",
        to_do="mend it before the acceptance expires",
    ),
    "NEW": Words(
        known="there is nothing to hold it against",
        to_do="let this run become a base",
    ),
    "PASS": Words(
        known="it is proved not to be worse than the gate allows",
        to_do="go on",
    ),
}
"""Every verdict, the worst first."""

_ORDER: Mapping[Verdict, int] = {verdict: place for place, verdict in enumerate(WORDS)}
_TIERS: tuple[Tier, ...] = get_args(Tier)


def worst_first(gated: Sequence[Gated]) -> tuple[Gated, ...]:
    """Order gates by verdict, the worst first, then by tier; equal ones stay in their order."""
    return tuple(
        sorted(gated, key=lambda each: (_ORDER[each.comparison.verdict], _TIERS.index(each.gate.tier)))
    )


def present(gated: Iterable[Gated]) -> tuple[Verdict, ...]:
    """Return the verdicts that occur, the worst first."""
    found = {each.comparison.verdict for each in gated}
    return tuple(verdict for verdict in WORDS if verdict in found)


def tally(gated: Iterable[Gated]) -> str:
    """Count the verdicts, the worst first: `1 REGRESSED, 12 PASS`."""
    counts = Counter(each.comparison.verdict for each in gated)
    return ", ".join(f"{numbers.count(counts[each])} {each}" for each in WORDS if each in counts)


def level(gated: Gated) -> Level | None:
    """Say how loudly a verdict is told, `None` where nothing is amiss.

    What is proved (REGRESSED, MISSING) is an error of a critical gate and a warning of a supporting one; what
    cannot be told is a warning of both. An advisory gate, NEW and ACCEPTED are notes.
    """
    verdict, tier = gated.comparison.verdict, gated.gate.tier
    if verdict == "PASS":
        return None
    if verdict in ("NEW", "ACCEPTED") or tier == "advisory":
        return "note"
    return "error" if verdict in ("REGRESSED", "MISSING") and tier == "critical" else "warning"


def compared(gating: Gating) -> Iterator[str]:
    """Say what was compared: both runs, how the base was found, how they were measured, what differs."""
    candidate = _run(gating.candidate, gating.commits.get("candidate"))
    if gating.base is None:
        yield one_line(f"Candidate {candidate}; {gating.found}.")
    else:
        base = _run(gating.base, gating.commits.get("base"))
        how = gating.found.removeprefix(f"run {gating.base}").removeprefix(", ")
        yield one_line(f"Candidate {candidate} against base {base}{f': {how}' if how else ''}.")
    if gating.base is not None:
        yield _measured(gating.blocks)
    if gating.changes:
        yield one_line(f"What sets them apart: {', '.join(gating.changes)}.")
    yield from map(one_line, gating.notes)


def _measured(blocks: int | None) -> str:
    """Say how both sides were measured."""
    if blocks is None:
        return "Each was measured in a run of its own."
    if not blocks:
        return "Both were measured in one session, and nothing was timed."
    pairs = "1 block" if blocks == 1 else f"{numbers.count(blocks)} blocks"
    return f"Both were measured in turns, {pairs}."


def notes(gated: Gated) -> tuple[str, ...]:
    """Say what the verdict of a gate rests on, and what a person has accepted of it."""
    return tuple(map(one_line, _notes(gated)))


def metric_of(gate: Gate) -> str:
    """Name what a gate is about: `ttft_s`, `ttft_s p95`."""
    return one_line(gate.metric if gate.percentile is None else f"{gate.metric} p{gate.percentile}")


def gate_of(gated: Gated) -> str:
    """Return the id of a gate in one line, with nothing in it that a terminal obeys."""
    return one_line(gated.gate.id)


def group_of(gated: Gated) -> str:
    """Return the short name of a group in the same way."""
    return one_line(gated.label)


def account(gated: Gated) -> str:
    """Tell everything of a gate in one line: verdict, metric and group, values, change, notes, what to do."""
    each = gated.comparison
    base, candidate, change, bounds, n, verdict = comparisons.figures(each)
    of = f" of {group_of(gated)}" if gated.label else ""
    figures = (
        f"{base} → {candidate}, {change} {bounds}, {n}"
        if each.difference is not None
        else f"base {base}, candidate {candidate}"
    )
    told = (f"{metric_of(gated.gate)}{of}: {figures}", *notes(gated), WORDS[each.verdict].sentence)
    return f"{verdict}: {'; '.join(told)}"


def _notes(gated: Gated) -> Iterator[str]:
    each = gated.comparison
    if each.reason:
        yield each.reason
    yield from comparisons.notes(each)
    if gated.gate.limit is not None:
        yield f"{allowed(gated)} is allowed, which stands as the base"
    elif each.verdict in ("REGRESSED", "ACCEPTED"):
        yield f"{allowed(gated)} is allowed"
    if is_held_back(gated):
        yield f"p {_p(each.p)} by itself, {_p(gated.p_adjusted)} among the gates of its tier"
    yield from _acceptance(gated)


def allowed(gated: Gated) -> str:
    """Write what a gate allows: how much worse its metric may be, or how bad (`at most 2.00 s`)."""
    metric, limit = gated.comparison.metric, gated.gate.limit
    if limit is None:
        return comparisons.change(metric)(gated.comparison.margin)
    words = "at least" if comparisons.more_is_better(metric) else "at most"
    return f"{words} {comparisons.value(metric)(limit)}"


def is_held_back(gated: Gated) -> bool:
    """Tell whether a regression is not called one only because several gates were looked at."""
    each = gated.comparison
    is_proved_alone = each.low is not None and each.low > each.margin
    return each.verdict == "INCONCLUSIVE" and is_proved_alone and gated.p_adjusted is not None


def _acceptance(gated: Gated) -> Iterator[str]:
    found = gated.acceptance
    if found is None:
        return
    was = comparisons.change(gated.comparison.metric)(found.difference)
    said = f"{found.reason} ({found.author}, {found.accepted})"
    if gated.comparison.verdict == "ACCEPTED":
        yield f"accepted until {found.expires} at {was}: {said}"
    else:
        yield f"it was accepted at {was} until {found.expires}, which does not cover it: {said}"


def _p(value: float | None) -> str:
    if value is None:
        return numbers.MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _run(run: str, commit: str | None) -> str:
    if commit is None:
        return run
    sha, dash, dirty = commit.partition("-")
    return f"{run} (commit {sha[:12]}{dash}{dirty})"


def one_line(text: str) -> str:
    """Put a text on one line, with every character that a terminal obeys made visible."""
    return " ".join(visible(text).split())
