"""The steps of retrievals as a waterfall of text: when each mostly ran, and what of the way it is."""

from __future__ import annotations

from collections.abc import Iterator

from gemma_eval.report import numbers
from gemma_eval.report.columns import columns
from gemma_eval.stats.critical_path import BETWEEN, GENERATE, Profile, StepProfile

WIDTH = 20
"""So many characters are the time to the prompt."""
_HEADER = ("step", "p50", "p95", "of the way", "of the whole", "when")
_FULL, _THIN = "█", "▏"


def waterfall(of: Profile) -> Iterator[str]:
    """Yield a line for each step, drawn from when it mostly began to when it ended, and what takes longest.

    The way is that to the prompt; the model's own time is told and not drawn.
    """
    rows = [_row(step, of.before_p50_s or 0.0) for step in of.steps]
    yield from columns([_HEADER, *rows])
    if (said := bottleneck(of)) is not None:
        yield said


def bottleneck(of: Profile) -> str | None:
    """Say what takes most of the way, and whether the model takes most of all; `None` of no step."""
    before = next((step for step in of.steps if step.name == of.before_bottleneck), None)
    whole = next((step for step in of.steps if step.name == of.bottleneck), None)
    if before is None or whole is None:
        return None
    text = f"bottleneck: {before.name}, {numbers.share(before.share_before)} of the way"
    if whole.name != GENERATE:
        return text
    return f"{text}; {GENERATE} is {numbers.share(whole.share)} of the whole"


def _row(step: StepProfile, span_s: float) -> tuple[str, ...]:
    return (
        step.name,
        numbers.seconds(step.p50_s),
        numbers.seconds(step.p95_s),
        numbers.MISSING if step.share_before is None else numbers.share(step.share_before),
        numbers.share(step.share),
        _bar(step, span_s),
    )


def _bar(step: StepProfile, span_s: float) -> str:
    """Draw when a step mostly ran; a step off the critical path is drawn, too, and its share is 0."""
    if step.name in (GENERATE, BETWEEN) or step.p50_s is None or step.began_p50_s is None or span_s <= 0:
        return ""
    begin = min(round(WIDTH * step.began_p50_s / span_s), WIDTH - 1)
    length = min(round(WIDTH * step.p50_s / span_s), WIDTH - begin)
    return " " * begin + (_FULL * length or _THIN)
