"""What gemma_eval adds to an engine in this process: trials whose engine takes no time, short and long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from gemma_eval.plugins import Registry
from gemma_eval.protocols import Backend, Clock
from gemma_eval.records import (
    Case,
    Cell,
    Check,
    Message,
    ModelSpec,
    Retrieval,
    SamplingProfile,
    Source,
    Template,
    Trial,
)
from gemma_eval.run import run_trial
from gemma_eval.selftest.null_engine import NullEngine
from gemma_eval.stages import Stages, stages

SHORT, LONG = 16, 272
"""The tokens of two answers, whose times differ by that of the tokens between.

Both end well within the time that a busy machine lets a process run at a stretch.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Overhead:
    """What gemma_eval adds for each token and for each request: the prompt, watching, measuring, scoring.

    `None` is a cost that other programs hid: the time of tokens, or of a request, came out as none at all.
    """

    us_per_token: float | None
    ms_per_request: float | None


def overhead(
    registry: Registry, *, clock: Clock, rounds: int = 31, engine: Backend | None = None
) -> Overhead:
    """Measure trials of two lengths in turns, `rounds` of them.

    The first round is left out: it imports, compiles templates and fills caches.
    """
    stage = stages(registry, engine or NullEngine(clock=clock))
    short, long = trial(SHORT), trial(LONG)
    pairs = [(_spent_ns(short, stage, clock), _spent_ns(long, stage, clock)) for _ in range(rounds + 1)]
    return of_pairs(pairs[1:])


def of_pairs(pairs: Sequence[tuple[int, int]]) -> Overhead:
    """Return the overhead that makes answers of `SHORT` and of `LONG` tokens take these nanoseconds.

    Each pair is solved for both costs, since what slows a machine for a while slows both of its trials. The
    median of all pairs is what a run pays; the least would be what it pays at its luckiest.
    """
    per_token_ns = [(long_ns - short_ns) / (LONG - SHORT) for short_ns, long_ns in pairs]
    per_request_ns = [
        short_ns - SHORT * each for (short_ns, _), each in zip(pairs, per_token_ns, strict=True)
    ]
    return Overhead(
        us_per_token=_cost(median(per_token_ns) / 1e3), ms_per_request=_cost(median(per_request_ns) / 1e6)
    )


def trial(tokens: int) -> Trial:
    """Return a trial of the null engine with a question, a template and a check, as any other has them."""
    case = Case(
        id="null",
        kind="benchmark",
        messages=(Message(role="user", content="Where does Finn live?"),),
        checks=(Check(scorer="contains", options={"text": "word"}),),
        models=("null",),
        profiles=("null",),
        templates=("plain",),
        source=Source(path="selftest", line=1),
    )
    cell = Cell(
        suite="selftest",
        case=case,
        model=ModelSpec(name="null", backend="null", location="-"),
        profile=SamplingProfile(name="null", max_tokens=tokens),
        template=Template(name="plain", text="{{ query }}"),
        retrieval=Retrieval(),
        seed=0,
    )
    return Trial(cell=cell, repeat=0, seed=0)


def _cost(found: float) -> float | None:
    return found if found > 0 else None


def _spent_ns(planned: Trial, stage: Stages, clock: Clock) -> int:
    before = clock()
    run_trial(planned, stage)
    return clock() - before
