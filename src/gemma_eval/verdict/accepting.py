"""A regression that a person has accepted counts as accepted, for as long and as far as it was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from gemma_eval.records import SHARES, Acceptance, Gated


def accepted(gated: Gated, acceptances: Sequence[Acceptance], *, today: str) -> Gated:
    """Return the gate as ACCEPTED if it regressed and the newest acceptance of it that holds covers that.

    An acceptance covers what is not proved to be worse than the accepted difference by more than the margin.
    One that has expired, or that does not cover it, leaves it REGRESSED and says so. `today` is a day.
    """
    found = gated.comparison
    ours = [each for each in acceptances if each.gate == gated.gate.id and each.group == gated.group_id]
    if found.verdict != "REGRESSED" or not ours:
        return gated
    holding = [each for each in ours if today <= each.expires]
    if not holding:
        last = max(ours, key=lambda each: each.expires)
        return _still(gated, last, f"the acceptance of {last.accepted} expired on {last.expires}")
    last = holding[-1]
    low = found.difference if found.low is None else found.low
    if low is not None and low > last.difference + found.margin:
        write = _points if found.metric in SHARES else _percent
        worse = f"it is worse than the {write(last.difference)} that were accepted on {last.accepted}"
        return _still(gated, last, f"{worse} by more than the margin, proved: it fails again")
    return replace(gated, comparison=replace(found, verdict="ACCEPTED"), acceptance=last)


def _still(gated: Gated, acceptance: Acceptance, why: str) -> Gated:
    reason = f"{gated.comparison.reason}; {why}" if gated.comparison.reason else why
    return replace(gated, comparison=replace(gated.comparison, reason=reason), acceptance=acceptance)


def _points(difference: float) -> str:
    return f"{100 * difference:.1f} points"


def _percent(log_ratio: float) -> str:
    return f"{100 * math.expm1(log_ratio):.1f} %"
