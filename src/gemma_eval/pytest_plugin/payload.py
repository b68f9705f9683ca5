"""The outcomes of an item on its way from the process that ran it to the one that records them.

They travel on the report of the item's call, as builtin values: that is what pytest-xdist can carry, and
it arrives item by item, so a worker that dies later takes nothing with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from gemma_eval.executors.in_process import CellResult
from gemma_eval.records import EngineInfo, Outcome
from gemma_eval.wire import Plain, dump, dump_outcome, load, load_outcome

ATTRIBUTE = "gemma_eval"


@dataclass(frozen=True, kw_only=True, slots=True)
class Payload:
    """What an item brings: its new outcomes, the engine that made them, and those of models it asked."""

    outcomes: tuple[Outcome, ...]
    engine: EngineInfo | None
    judges: Mapping[str, EngineInfo] = field(default_factory=dict)


def attach(report: pytest.TestReport, result: CellResult, *, mendable: bool) -> None:
    """Put a result on a report."""
    plain: dict[str, Plain] = {
        "outcomes": [dump_outcome(outcome) for outcome in result.fresh],
        "engine": None if result.engine is None else dump(result.engine),
        "judges": {model: dump(info) for model, info in result.judges.items()},
        "recorded": not result.fresh and result.engine is None and result.raised is None,
        "mendable": mendable,
    }
    setattr(report, ATTRIBUTE, plain)


def of(report: pytest.TestReport) -> Payload | None:
    """Return what a report brings, `None` when it is not one of ours. Raises StoreError when damaged."""
    plain = cast("dict[str, Plain] | None", getattr(report, ATTRIBUTE, None))
    if plain is None:
        return None
    engine = plain["engine"]
    outcomes = cast("Sequence[dict[str, Plain]]", plain["outcomes"])
    judges = cast("dict[str, Plain]", plain["judges"])
    return Payload(
        outcomes=tuple(load_outcome(outcome) for outcome in outcomes),
        engine=None if engine is None else load(EngineInfo, engine),
        judges={model: load(EngineInfo, info) for model, info in judges.items()},
    )


def is_ours(report: pytest.TestReport) -> bool:
    """Whether a report brings something."""
    return hasattr(report, ATTRIBUTE)


def was_recorded(report: pytest.TestReport) -> bool:
    """Whether the item was not run because all its trials were recorded before."""
    return _says(report, "recorded")


def is_mendable(report: pytest.TestReport) -> bool:
    """Whether something that a person wrote kept the item's trials from being run."""
    return _says(report, "mendable")


def _says(report: pytest.TestReport, what: str) -> bool:
    plain = getattr(report, ATTRIBUTE, None)
    return isinstance(plain, dict) and plain[what] is True
