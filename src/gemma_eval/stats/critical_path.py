"""Where the time from a question to its answer goes: the chain of steps that each waited for the one before.

Steps that ran beside each other do not add up: of several that a step waited for, the one that ended last
made it wait, and only that one is on the path. The time of a step on the path counts from when that other one
had ended; what then went by before it began is *between* steps.
Source: Kelley and Walker 1959, Critical-Path Planning and Scheduling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.records import Outcome, Step
from gemma_eval.stats.percentiles import percentile

BETWEEN = "between"
"""The name that time between steps goes by."""
GENERATE = "generate"
"""The step that is the model's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepProfile:
    """What one step took over `n` trials, in seconds from the beginning of the first step.

    `p50_s` and `p95_s` are of the whole step, whatever ran beside it. `share` is its part of the critical
    paths of all trials, `share_before` that of the paths as far as the prompt, `None` of what comes after.
    """

    name: str
    n: int
    began_p50_s: float | None
    p50_s: float | None
    p95_s: float | None
    share: float
    share_before: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """The steps of some trials in the order in which they mostly began; the time `before` is to the prompt.

    `bottleneck` is the step with the largest share of the critical path, `before_bottleneck` that with the
    largest as far as the prompt.
    """

    trials: int
    before_p50_s: float | None
    before_p95_s: float | None
    whole_p50_s: float | None
    whole_p95_s: float | None
    steps: tuple[StepProfile, ...]
    bottleneck: str | None
    before_bottleneck: str | None


def critical_path(steps: Sequence[Step]) -> Mapping[str, int]:
    """Return the nanoseconds of each step on the critical path, in its order; they add up to the whole.

    A step that is named in `after` and is not there, as one that failed, was waited for by nobody.
    """
    known = {step.name: step for step in steps}
    spent: dict[str, int] = {}
    step = max(steps, key=lambda each: each.ended_ns, default=None)
    while step is not None:
        before = max(
            (known[name] for name in step.after if name in known and name != step.name),
            key=lambda each: each.ended_ns,
            default=None,
        )
        since_ns = step.began_ns if before is None else max(step.began_ns, before.ended_ns)
        spent[step.name] = max(step.ended_ns - since_ns, 0)
        if before is not None:
            spent[BETWEEN] = spent.get(BETWEEN, 0) + max(step.began_ns - before.ended_ns, 0)
        del known[step.name]  # what waits for itself, in a damaged record, ends here
        step = before
    return {name: spent[name] for name in reversed(spent) if name != BETWEEN or spent[BETWEEN]}


def before_answer(outcome: Outcome) -> tuple[Step, ...]:
    """Return the steps that an answer waited for: all but that of the model itself."""
    return tuple(step for step in outcome.steps if step.name != GENERATE)


def span_s(steps: Sequence[Step]) -> float | None:
    """Return the seconds from the beginning of the first step to the end of the last, `None` without any."""
    if not steps:
        return None
    return (max(step.ended_ns for step in steps) - min(step.began_ns for step in steps)) / 1e9


def is_timed(outcome: Outcome) -> bool:
    """Whether an outcome has steps that tell what one takes: none of an answer that a cache gave."""
    return bool(outcome.steps) and not (outcome.cached is not None and outcome.cached.is_hit)


def profile(outcomes: Sequence[Outcome]) -> Profile:
    """Return the profile of the outcomes that have steps; answers of a cache are left out."""
    timed = [outcome for outcome in outcomes if is_timed(outcome)]
    before, whole = [before_answer(each) for each in timed], [each.steps for each in timed]
    shares, shares_before = _shares(whole), _shares(before)
    every = dict.fromkeys(step.name for steps in whole for step in steps)
    names = sorted(every, key=lambda name: _began(name, whole))
    found = [_step(name, whole, shares, shares_before) for name in names]
    found += [_between(shares, shares_before)] if BETWEEN in shares else []
    before_s, whole_s = _known(before), _known(whole)
    return Profile(
        trials=len(timed),
        before_p50_s=percentile(before_s, 50),
        before_p95_s=percentile(before_s, 95),
        whole_p50_s=percentile(whole_s, 50),
        whole_p95_s=percentile(whole_s, 95),
        steps=tuple(found),
        bottleneck=max(shares, key=lambda name: shares[name], default=None),
        before_bottleneck=max(shares_before, key=lambda name: shares_before[name], default=None),
    )


def _shares(trials: Sequence[Sequence[Step]]) -> Mapping[str, float]:
    """Return the share that each step has of the critical paths of all trials together."""
    spent: dict[str, int] = {}
    for steps in trials:
        for name, ns in critical_path(steps).items():
            spent[name] = spent.get(name, 0) + ns
    whole = sum(spent.values())
    return {name: ns / whole for name, ns in spent.items()} if whole else {}


def _step(
    name: str,
    trials: Sequence[Sequence[Step]],
    shares: Mapping[str, float],
    shares_before: Mapping[str, float],
) -> StepProfile:
    took = [(step.ended_ns - step.began_ns) / 1e9 for steps in trials for step in steps if step.name == name]
    return StepProfile(
        name=name,
        n=len(took),
        began_p50_s=_began(name, trials),
        p50_s=percentile(took, 50),
        p95_s=percentile(took, 95),
        share=shares.get(name, 0.0),
        share_before=None if name == GENERATE else shares_before.get(name, 0.0),
    )


def _between(shares: Mapping[str, float], shares_before: Mapping[str, float]) -> StepProfile:
    return StepProfile(
        name=BETWEEN,
        n=0,
        began_p50_s=None,
        p50_s=None,
        p95_s=None,
        share=shares[BETWEEN],
        share_before=shares_before.get(BETWEEN, 0.0),
    )


def _began(name: str, trials: Sequence[Sequence[Step]]) -> float:
    """Return the median of when a step began, in seconds from the first of its trial."""
    began = [
        (step.began_ns - min(each.began_ns for each in steps)) / 1e9
        for steps in trials
        for step in steps
        if step.name == name
    ]
    return percentile(began, 50) or 0.0


def _known(trials: Sequence[Sequence[Step]]) -> list[float]:
    return [taken for steps in trials if (taken := span_s(steps)) is not None]
