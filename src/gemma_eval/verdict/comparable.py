"""Why two runs cannot be held together: another machine, engine or formula for times, a judge for scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gemma_eval.records import EngineInfo, Host, ModelSpec, Run
from gemma_eval.verdict.sides import Pair

_SOFT = ("kernel", "libc", "microcode", "clock_source", "huge_pages")
"""What an update changes on one and the same machine; it is part of what a comparison is about."""

_GIB = 2**30

_CONFIGURED = ("engine", "quantisation", "context_tokens", "threads")
"""What of an engine must be equal where the model is declared alike on both sides."""


def speed_differs(base: Run, candidate: Run) -> Iterator[str]:
    """Say what keeps the times of two runs from being compared, as `cpu: "A" against "B"`."""
    if base.definitions_version != candidate.definitions_version:
        yield _told("version of the formulas", base.definitions_version, candidate.definitions_version)
    ours, theirs = _fingerprint(base.host), _fingerprint(candidate.host)
    for name in dict.fromkeys((*ours, *theirs)):
        if ours.get(name) != theirs.get(name):
            yield _told(name, ours.get(name), theirs.get(name))


def engine_differs(
    base: EngineInfo | None, candidate: EngineInfo | None, *, declared: tuple[ModelSpec, ModelSpec]
) -> Iterator[str]:
    """Say what an engine runs with that nobody has declared to be different."""
    ours, theirs = declared
    if base is None or candidate is None or ours != theirs:
        return
    for name in _CONFIGURED:
        if getattr(base, name) != getattr(candidate, name):
            yield _told(f"{name} of {ours.name}", getattr(base, name), getattr(candidate, name))


def judges_differ(runs: Sequence[Run], pair: Pair) -> Iterator[str]:
    """Say which judges have other weights in one of two runs than in the other, under the same name."""
    outcomes = (*pair.base, *pair.candidate)
    for name in dict.fromkeys(spec.name for outcome in outcomes for spec in outcome.trial.cell.judges):
        known = [run.engines[name].model_sha256 for run in runs if name in run.engines]
        if len(known) == 2 and None not in known and known[0] != known[1]:
            yield _told(f"weights of the judge {name}", str(known[0])[:12], str(known[1])[:12])


def is_engine_alike(one: EngineInfo | None, other: EngineInfo | None) -> bool:
    """Whether the noise of one engine is that of the other: configured alike and of as many weights.

    Which weights they are does not matter. Of one that is not known it is taken to be so.
    """
    names = (*_CONFIGURED, "parameters")
    return one is None or other is None or all(getattr(one, at) == getattr(other, at) for at in names)


def is_same_machine(one: Host, other: Host) -> bool:
    """Whether times of one host may be held against those of the other."""
    return _fingerprint(one) == _fingerprint(other)


def _fingerprint(host: Host) -> Mapping[str, object]:
    """Return what decides the speed of a machine, by name."""
    hard = {name: value for name, value in host.details.items() if name not in _SOFT}
    memory = round(host.memory_bytes / _GIB)
    return {"cpu": host.cpu, "logical_cores": host.logical_cores, "memory_gib": memory, **hard}


def _told(name: str, ours: object, theirs: object) -> str:
    return f"{name}: {_shown(ours)} against {_shown(theirs)}"


def _shown(value: object) -> str:
    return "nothing" if value is None else f'"{value}"' if isinstance(value, str) else str(value)
