"""Holds each process of a run to what the run began with: an edit in the middle is refused, not measured.

The process that records tells its workers what it has read, and each block is given a file with that. A side
of a comparison that nobody knows beforehand, as the files of another commit, writes it in its first block.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from gemma_eval.errors import UsageError
from gemma_eval.executors.arm import PINNED
from gemma_eval.executors.pinned import Pinned, differing, pinned, refusal, touched, unlike
from gemma_eval.pytest_plugin.matrix import LoadedSuite, narrow
from gemma_eval.pytest_plugin.payload import Payload
from gemma_eval.records import Cell

if TYPE_CHECKING:
    from gemma_eval.pytest_plugin.evaluation import Evaluation
    from gemma_eval.verdict.sides import Axis

WORKER_PINNED = "gemma_eval_pinned"
"""What a worker is told: what the run is planned with, as far as that is known when it is started."""

_CHANGED: pytest.StashKey[dict[str, tuple[str, ...]]] = pytest.StashKey()


def of_session(evaluation: Evaluation) -> dict[str, str]:
    """Return what the suites of this session are made of, as far as it was asked for."""
    found: dict[str, str] = {}
    for loaded in evaluation.suites.values():
        within = [asked for asked in evaluation.asked if asked.path == loaded.path]
        kept = (cell for cell in loaded.cells if not within or any(a.selects(cell.label) for a in within))
        found |= pinned(loaded.suite, kept)
    return found


def of_counterpart(
    loaded: LoadedSuite, everything: tuple[Cell, ...], evaluation: Evaluation, instead: tuple[Axis, str]
) -> dict[str, str]:
    """Return what a side is made of that has another name on one axis; `everything` was read just now.

    Raises UsageError when what both sides have in common was edited since the suite was read.
    """
    axis, name = instead
    given = evaluation.settings
    settings = replace(
        given,
        models=(name,) if axis == "model" else given.models,
        profiles=(name,) if axis == "profile" else given.profiles,
        templates=(name,) if axis == "template" else given.templates,
        retrievals=(name,) if axis == "retrieval" else given.retrievals,
    )
    found = pinned(loaded.suite, narrow(everything, settings))
    ours = pinned(loaded.suite, loaded.cells)
    names = differing(ours, {each: sha256 for each, sha256 in found.items() if each in ours})
    if names:
        raise UsageError(refusal(names))
    return found


def hold(evaluation: Evaluation) -> None:
    """Hold a block to what it was told, or write that down for later ones. Raises pytest.UsageError."""
    path = os.environ.get(PINNED)
    if path is None or hasattr(evaluation.config, "workerinput"):
        return
    here, file = of_session(evaluation), Path(path)
    if not file.exists():
        file.write_text(json.dumps(here))
        return
    names = differing(cast(Pinned, json.loads(file.read_text())), here)
    if names:
        raise pytest.UsageError(refusal(names))


def refuse_changed(cell: Cell, evaluation: Evaluation) -> None:
    """Refuse a cell of a worker that has read other files than the run began with. Raises UsageError."""
    config = evaluation.config
    given = cast("Mapping[str, object]", getattr(config, "workerinput", {}))
    told = cast(Pinned, given.get(WORKER_PINNED) or {})
    if not any(name.startswith(f"{cell.suite}\t") for name in told):
        return
    known = config.stash.setdefault(_CHANGED, {})
    if cell.suite not in known:
        here = of_session(evaluation)
        ours = {name: sha256 for name, sha256 in here.items() if name.startswith(f"{cell.suite}\t")}
        known[cell.suite] = differing(told, ours)
    if names := touched(cell, known[cell.suite]):
        raise UsageError(refusal(names))


def refuse_unplanned(brought: Payload | None, nodeid: str, evaluation: Evaluation) -> None:
    """Refuse outcomes of a cell that was made of something else than is planned. Raises UsageError."""
    planned = evaluation.cell(nodeid) if brought is not None and brought.outcomes else None
    if brought is None or planned is None:
        return
    names = unlike(planned, brought.outcomes[0].trial.cell)
    if names:
        raise UsageError(refusal(names))
