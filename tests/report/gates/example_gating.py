"""Gates with every verdict there is, to test what writes them and to look at."""

from __future__ import annotations

from dataclasses import replace
from math import log, log1p

from gemma_eval.records import (
    Acceptance,
    Comparison,
    Gate,
    Gated,
    Gating,
    Group,
    Source,
    Tier,
    Verdict,
    Where,
)

HOSTILE = (
    "a|b <script>alert(1)</script> [x](http://e) ![i](http://e/i) `code` *bold* @everyone ::error::x "
    "%0A::error::y \x1b[31mred\x1b[0m \u202e # h\n\n::error file=x::z\r\n| c | d |\n"
)

SCORE = Comparison(
    metric="score",
    shared="greedy · rag",
    unit="case",
    n=120,
    base=0.91,
    candidate=0.83,
    difference=0.08,
    low=0.041,
    high=0.119,
    level=0.05,
    margin=0.02,
    detectable=0.061,
    needed=None,
    verdict="REGRESSED",
    p=0.004,
)
TTFT = Comparison(
    metric="ttft_s",
    shared="greedy · rag",
    unit="block",
    n=12,
    base=0.0123,
    candidate=0.0141,
    difference=log(0.0141 / 0.0123),
    low=log1p(0.091),
    high=log1p(0.204),
    level=0.017,
    margin=log1p(0.05),
    detectable=log1p(0.094),
    needed=None,
    verdict="REGRESSED",
    p=0.0002,
)
RATE = replace(
    TTFT,
    metric="output_tokens_per_s",
    base=1234.5,
    candidate=1296.2,
    difference=-log(1296.2 / 1234.5),
    low=-log1p(0.071),
    high=-log1p(0.029),
    margin=log1p(0.03),
    verdict="PASS",
    lean="improved",
    p=0.99,
)
MEMORY = replace(
    TTFT,
    metric="peak_memory_bytes",
    base=184e6,
    candidate=187e6,
    difference=log(187 / 184),
    low=log1p(0.011),
    high=log1p(0.022),
    margin=log1p(0.1),
    verdict="PASS",
    lean="drift",
    p=1.0,
)
ACCEPTANCE = Acceptance(
    gate="e2e",
    group="pocket/greedy/rag",
    difference=log1p(0.12),
    low=log1p(0.08),
    reason="citations make the prompt longer",
    author="Mia",
    run="20261101T101010-0a1b2c3",
    commit="0a1b2c3d4e5f",
    accepted="2026-11-01",
    expires="2026-12-24",
)


def gate(name: str, metric: str, *, line: int, tier: Tier = "critical") -> Gate:
    """Return a gate that was written in a file."""
    is_score = metric == "score"
    return Gate(
        id=name,
        metric=metric,
        margin=0.02 if is_score else None,
        tolerance=None if is_score else 0.05,
        tier=tier,
        where=Where(suite="standard"),
        source=Source(path="suites/standard.toml", line=line),
    )


def without_data(comparison: Comparison, verdict: Verdict, reason: str) -> Comparison:
    """Return a comparison of which nothing is known but its verdict and the reason."""
    return replace(
        comparison,
        n=0,
        base=None,
        candidate=None,
        difference=None,
        low=None,
        high=None,
        detectable=None,
        needed=None,
        verdict=verdict,
        lean=None,
        reason=reason,
        p=None,
    )


def gated(of: Gate, comparison: Comparison, *, template: str = "rag") -> Gated:
    """Return what became of a gate in the group of a template."""
    group = Group(model="pocket", profile="greedy", template=template)
    return Gated(gate=of, group=group, label=f"greedy · {template}", comparison=comparison)


def every() -> tuple[Gated, ...]:
    """Return every verdict, and a PASS with every lean, the best first."""
    quality, ttft = gate("quality", "score", line=14), gate("ttft-p50", "ttft_s", line=19)
    p95 = replace(gate("ttft-p95", "ttft_s", line=24, tier="supporting"), percentile=95)
    rate = replace(gate("rate", "output_tokens_per_s", line=29, tier="advisory"), tolerance=0.03)
    memory = replace(gate("memory", "peak_memory_bytes", line=34), source=None, tolerance=0.1)
    e2e = gate("e2e", "e2e_s", line=39)
    limit = replace(
        gate("limit", "e2e_s", line=44, tier="supporting"), tolerance=None, limit=2.0, percentile=99
    )
    e2e_data = replace(TTFT, metric="e2e_s", base=1.02, candidate=1.14, difference=log(1.14 / 1.02))
    same = replace(SCORE, candidate=0.91, difference=0.0, low=0.0, high=0.0, p=1.0)
    new = replace(without_data(TTFT, "NEW", "the base has no such case"), candidate=0.0135)
    missing = replace(without_data(TTFT, "MISSING", "no answer was timed"), base=0.0123)
    return (
        gated(quality, replace(same, verdict="PASS", lean="identical", detectable=None), template="plain"),
        gated(rate, RATE),
        gated(memory, MEMORY),
        gated(
            limit,
            replace(e2e_data, base=2.0, difference=log(1.14 / 2), low=-0.62, high=-0.5, margin=0.0,
                    verdict="PASS"),
        ),
        gated(ttft, new, template="new"),
        replace(gated(e2e, replace(e2e_data, verdict="ACCEPTED")), acceptance=ACCEPTANCE),
        gated(
            quality,
            replace(SCORE, candidate=0.9, difference=0.01, low=-0.031, high=0.052, needed=410, p=0.66,
                    verdict="INCONCLUSIVE", lean="worse", left_out=("2 cases that ask something else",)),
            template="cited",
        ),
        replace(
            gated(p95, replace(TTFT, low=log1p(0.061), p=0.031, verdict="INCONCLUSIVE", lean="worse",
                               reason="by itself it would be proved to be worse; as one of 4 it is not")),
            p_adjusted=0.124,
        ),
        gated(rate, without_data(RATE, "INCOMPARABLE", "the base was measured on another machine"),
              template="plain"),
        gated(ttft, missing, template="lost"),
        gated(ttft, without_data(TTFT, "INCOMPLETE", "the run was interrupted"), template="half"),
        gated(ttft, replace(TTFT, verdict="INVALID", reason="others took 31 % of the processor time"),
              template="busy"),
        replace(gated(e2e, replace(e2e_data, reason="it is worse than what was accepted"), template="plain"),
                acceptance=replace(ACCEPTANCE, group="pocket/greedy/plain", difference=log1p(0.02))),
        gated(quality, SCORE),
        gated(ttft, TTFT),
    )  # fmt: skip


def gating(*given: Gated) -> Gating:
    """Return the gates of a run that was measured in turns with its base: those given, or all."""
    return Gating(
        candidate="20261129T040000-b8797bf",
        base="20261129T035900-51ed33a",
        found="the checkout of origin/main, measured in turns",
        blocks=12,
        gated=given or every(),
        changes=("template rag: 212 → 260 characters",),
        notes=("3 of 15 gates are of a base on another machine",),
        commits={"base": "51ed33a6a3efc7b6722298c4811890e7711e7bce", "candidate": None},
    )


def many(n: int, *, name: str = "quality") -> Gating:
    """Return a gating of `n` gates of which every fourth has regressed and every other is not proved."""
    unproved = replace(SCORE, verdict="INCONCLUSIVE", lean="worse")
    kinds = (SCORE, unproved, replace(SCORE, verdict="PASS"), unproved)
    of = gate(name, "score", line=14)
    return gating(
        *(gated(of, kinds[number % len(kinds)], template=f"template-{number}") for number in range(n))
    )


def tainted(text: str = HOSTILE) -> Gating:
    """Return every verdict with `text` wherever a person or a file gives a name or a reason."""
    return Gating(
        candidate=f"run {text}",
        base=f"base {text}",
        found=f"found {text}",
        blocks=None,
        gated=tuple(_tainted(each, text) for each in every()),
        changes=(f"change {text}",),
        notes=(f"note {text}",),
        commits={"base": f"commit {text}", "candidate": text},
    )


def _tainted(each: Gated, text: str) -> Gated:
    of, group = each.gate, each.group
    source = None if of.source is None else replace(of.source, path=f"path {text}")
    metric = f"{text} {of.metric}"
    accepted = each.acceptance
    return replace(
        each,
        gate=replace(of, id=f"{of.id} {text}", metric=metric, source=source),
        group=Group(model=f"model {text}", profile=f"profile {text}", template=f"{group.template} {text}"),
        label=f"label {text}",
        comparison=replace(
            each.comparison, metric=metric, reason=f"reason {text}", left_out=(f"left {text}",)
        ),
        acceptance=None if accepted is None else replace(accepted, reason=text, author=text, expires=text),
    )
