"""Gates of micro-benchmarks: what pytest-benchmark measured in a session, held against that of another.

The datum is the session. Its rounds are of one process, and what differs between two processes is the same
in all of them; so they tell nothing of how far two sessions are apart where nothing was changed. Sessions of
before do: the variance of a difference is that of log medians of consecutive ones (`stats.prior`), and half
of it that of one session by itself, which is what a limit is held against.
Source: Kalibera and Jones 2013, ISMM (repeat at the level at which the variance arises).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from gemma_eval.records import MICROBENCHMARK, Comparison, Gate, Gated, Group, Run, Verdict
from gemma_eval.stats.bounds import UNKNOWN
from gemma_eval.stats.looks import ALPHA
from gemma_eval.stats.paired import Prior, bounds, p_worse, paired
from gemma_eval.stats.power import detectable, log_margin
from gemma_eval.stats.prior import of_series
from gemma_eval.verdict.comparable import speed_differs
from gemma_eval.verdict.decide import decide

UNKNOWN_NOISE = (
    "a session is one datum, and how much two differ is not known: six sessions before this one, on this "
    "machine and with this benchmark, would tell"
)
IN_TURN = (
    "blocks in turn do not run the micro-benchmarks of a session; hold them against a recorded run, with "
    "--gemma-baseline"
)
NONE_MEASURED = (
    "this session measured no micro-benchmark: their tests were not collected, or pytest-benchmark was off, "
    "as with --benchmark-disable and pytest-xdist"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sessions:
    """A run, the base that it is held against, and runs of before on its machine, newest first.

    Of sides that were measured `together` the base has no session of its own.
    """

    candidate: Run
    base: Run | None
    earlier: Sequence[Run] = ()
    together: bool = False


def group_of(name: str) -> Group:
    """Return the group of a micro-benchmark: it has no model and no profile, and its name."""
    return Group(model="", profile="", template=name)


def medians(run: Run) -> Mapping[str, float]:
    """Return the median of each micro-benchmark of a run, by its full name, in seconds."""
    return {each.name: each.median_s for each in run.microbenchmarks}


def gated(gate: Gate, sessions: Sessions) -> Iterator[Gated]:
    """Yield what became of a gate in each micro-benchmark of the candidate, and in those that it has lost."""
    ours = {} if sessions.base is None else medians(sessions.base)
    theirs = medians(sessions.candidate)
    names = [name for name in dict.fromkeys((*theirs, *ours)) if fnmatchcase(name, gate.where.case or "*")]
    for name in names:
        found = _compared(gate, name, sessions, base=ours.get(name), candidate=theirs.get(name))
        if found is not None:
            yield Gated(gate=gate, group=group_of(name), label=name, comparison=found)


def _compared(
    gate: Gate, name: str, sessions: Sessions, *, base: float | None, candidate: float | None
) -> Comparison | None:
    """Return the comparison of one micro-benchmark, `None` where a part was run and this is not of it."""
    known = _known(gate, name, base=base if gate.limit is None else gate.limit, candidate=candidate)
    if candidate is None:
        return _lost(known, sessions.candidate)
    if known.base is None:
        return _with(known, "NEW", _why_new(sessions))
    known = replace(known, difference=math.log(candidate / known.base))
    runs = [sessions.candidate]
    if gate.limit is None and sessions.base is not None:
        runs.append(sessions.base)
        if differs := _differs(sessions.base, sessions.candidate):
            return _with(known, "INCOMPARABLE", differs)
    prior = _prior(name, sessions.earlier)
    if prior is not None and gate.limit is not None:
        prior = replace(prior, variance=prior.variance / 2)
    found = _decided(known, prior, is_limit=gate.limit is not None)
    noisy = [run.id for run in runs if run.noise is not None and run.noise.reasons]
    # What others take makes a test slower, so what keeps a limit beside them would keep it alone.
    is_kept = gate.limit is not None and found.verdict == "PASS"
    if not noisy or is_kept or (found.low is None and found.high is None):
        return found
    reason = f"made on a busy machine: run {' and run '.join(noisy)}"
    return replace(_with(found, "INVALID", reason), lean=None)


def _lost(known: Comparison, candidate: Run) -> Comparison | None:
    """Return what is known where only the base has it."""
    if candidate.selection != "all":
        return None
    if not candidate.microbenchmarks:
        return _with(known, "INCOMPLETE", NONE_MEASURED)
    return _with(known, "MISSING", "the base has it, and the candidate was run whole and has it not")


def _why_new(sessions: Sessions) -> str:
    if sessions.base is None:
        return "no base was found"
    return IN_TURN if sessions.together else "the base has nothing of this"


def _differs(base: Run, candidate: Run) -> str:
    """Say what keeps two machines from being the same; formulas of ours are no part of these times."""
    return "; ".join(
        speed_differs(replace(base, definitions_version=candidate.definitions_version), candidate)
    )


def _prior(name: str, earlier: Sequence[Run]) -> Prior | None:
    """Return the variance of the difference of two sessions, `None` where too few are known."""
    fair = (run for run in reversed(earlier) if run.noise is None or not run.noise.reasons)
    known = (medians(run).get(name) for run in fair)
    return of_series([math.log(median) for median in known if median is not None])


def _decided(known: Comparison, prior: Prior | None, *, is_limit: bool) -> Comparison:
    """Return what one difference proves where sessions of before tell how much they differ."""
    of = None if prior is None or known.difference is None else paired([known.difference], prior=prior)
    if of is None or of.sd is None:
        _, lean = decide(UNKNOWN, difference=known.difference, margin=known.margin)
        return replace(known, lean=lean, reason=UNKNOWN_NOISE)
    found = bounds(of, level=ALPHA)
    verdict, lean = decide(found, difference=of.mean, margin=known.margin)
    return replace(
        known,
        low=found.low,
        high=found.high,
        detectable=detectable(of.sd, of.data, level=ALPHA, margin=known.margin, df=of.df),
        verdict=verdict,
        lean=None if is_limit and verdict == "PASS" else lean,
        p=p_worse(of, known.margin),
    )


def _with(known: Comparison, verdict: Verdict, reason: str) -> Comparison:
    return replace(known, verdict=verdict, reason=reason)


def _known(gate: Gate, name: str, *, base: float | None, candidate: float | None) -> Comparison:
    """Return a comparison of which nothing is known yet but both values."""
    return Comparison(
        metric=MICROBENCHMARK,
        shared=name,
        unit="run",
        n=0 if base is None or candidate is None else 1,
        base=base,
        candidate=candidate,
        difference=None,
        low=None,
        high=None,
        level=ALPHA,
        margin=log_margin(gate.tolerance or 0.0),
        detectable=None,
        needed=None,
        verdict="INCONCLUSIVE",
    )
