"""The gates that are written for the suites of a session, in their files and in one of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gemma_eval.cases.gates import load_gates
from gemma_eval.errors import UsageError
from gemma_eval.pytest_plugin.evaluation import Evaluation
from gemma_eval.pytest_plugin.gate_options import GateSettings
from gemma_eval.pytest_plugin.problems import relative
from gemma_eval.records import Gate, Source


def gates_of(evaluation: Evaluation, settings: GateSettings) -> tuple[Gate, ...]:
    """Return the gates of the file of gates and those of the suites, with paths as seen from the root folder.

    Raises SuiteError for what is wrong in the file.
    """
    root = evaluation.config.rootpath
    own = load_gates(settings.gates) if settings.gates is not None else ()
    found = [_at(gate, settings.gates, root) for gate in own if settings.gates is not None]
    for path, loaded in evaluation.suites.items():
        found += [_at(gate, path, root) for gate in loaded.suite.gates]
    return tuple(found)


def refuse_equal_ids(gates: Sequence[Gate]) -> None:
    """Raise UsageError for two gates of one id, which nobody could tell apart."""
    first: dict[str, Gate] = {}
    for gate in gates:
        other = first.setdefault(gate.id, gate)
        if other is not gate:
            raise UsageError(
                f'{_place(gate)}: gate "{gate.id}" has the id of that in {_place(other)}; rename it'
            )


def _at(gate: Gate, path: Path, root: Path) -> Gate:
    """Return the gate with where it was written."""
    line = gate.source.line if gate.source is not None else 1
    return replace(gate, source=Source(path=relative(path, root).as_posix(), line=line))


def _place(gate: Gate) -> str:
    return "the usual gates" if gate.source is None else f"{gate.source.path}:{gate.source.line}"
