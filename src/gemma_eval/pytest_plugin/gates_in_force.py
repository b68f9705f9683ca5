"""The gates that are written for the suites of a session, in their files and in one of their own."""

from __future__ import annotations

from gemma_eval.cases.gates import load_gates
from gemma_eval.errors import UsageError
from gemma_eval.pytest_plugin.evaluation import Evaluation
from gemma_eval.pytest_plugin.gate_options import GateSettings
from gemma_eval.records import Gate


def gates_of(evaluation: Evaluation, settings: GateSettings) -> tuple[Gate, ...]:
    """Return the gates of the file of gates and those of the suites.

    Raises SuiteError for what is wrong in the file, UsageError for two gates of one id.
    """
    own = load_gates(settings.gates) if settings.gates is not None else ()
    gates = (*own, *(gate for loaded in evaluation.suites.values() for gate in loaded.suite.gates))
    first: dict[str, Gate] = {}
    for gate in gates:
        other = first.setdefault(gate.id, gate)
        if other is not gate:
            raise UsageError(
                f'{_place(gate)}: gate "{gate.id}" has the id of that in {_place(other)}; rename it'
            )
    return gates


def _place(gate: Gate) -> str:
    return "the usual gates" if gate.source is None else f"{gate.source.path}:{gate.source.line}"
