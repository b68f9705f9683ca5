"""The built-in observer: tells the log of outcomes, of the end of a run, of its gates and of reloads."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from gemma_eval.logs import events
from gemma_eval.logs.context import About
from gemma_eval.records import Choice, Gating, Outcome, Reloaded, Report

hookimpl = pluggy.HookimplMarker("gemma_eval")


@hookimpl(tryfirst=True)
def outcome_recorded(outcome: Outcome) -> None:
    """Tell what an answer cost and how good it was, or why there is none."""
    if not events.is_on():
        return
    measured, made, failure = outcome.measurement, outcome.generation, outcome.failure
    with About(outcome.trial):
        if outcome.trace is not None and outcome.trace.degraded is not None:
            events.emit("retrieval_degraded", reason=outcome.trace.degraded)
        events.emit(
            "outcome_recorded",
            level="info" if failure is None else "warning",
            duration_s=None if measured is None else measured.e2e_s,
            ttft_s=None if measured is None else measured.ttft_s,
            prompt_tokens=None if made is None else made.prompt_tokens,
            output_tokens=None if made is None else made.output_tokens,
            output_tokens_per_s=None if measured is None else measured.output_tokens_per_s,
            finish_reason=None if made is None else made.finish_reason,
            cached=None if outcome.cached is None else outcome.cached.use,
            score=outcome.score,
            passed=outcome.passed,
            failure_kind=None if failure is None else failure.kind,
            failure_message=None if failure is None else failure.message,
        )


@hookimpl(tryfirst=True)
def run_finished(report: Report) -> None:
    """Tell how a run ended, and what became of its gates."""
    if not events.is_on():
        return
    run, noise = report.run, report.run.noise
    events.emit(
        "run_finished",
        state=run.state,
        planned=run.planned,
        recorded=len(report.outcomes),
        failed=sum(outcome.failure is not None for outcome in report.outcomes),
        noisy="; ".join(noise.reasons) or None if noise is not None else None,
    )
    if report.gating is not None:
        _gates(report.gating)


@hookimpl(tryfirst=True)
def config_reloaded(reloaded: Reloaded) -> None:
    """Tell which choices of files are others now."""
    events.emit(
        "config_reloaded",
        generation=reloaded.generation,
        digest=reloaded.digest,
        added=_shown(reloaded.added),
        changed=_shown(reloaded.changed),
        removed=_shown(reloaded.removed),
    )


def _shown(choices: Sequence[Choice]) -> list[str] | None:
    return [" ".join(choice) for choice in choices] or None


def _gates(gating: Gating) -> None:
    for each in gating.gated:
        events.emit(
            "gate_decided",
            gate=each.id,
            metric=each.gate.metric,
            verdict=each.comparison.verdict,
            tier=each.gate.tier,
            baseline=gating.base,
        )
