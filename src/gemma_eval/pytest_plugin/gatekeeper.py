"""What a run is held against: found before it, measured in turn with it, and judged when it has ended."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from gemma_eval.cases.gates import DEFAULT_GATES
from gemma_eval.config.accepted import load_accepted
from gemma_eval.errors import UsageError
from gemma_eval.gating import baseline
from gemma_eval.gating.files import append_summary, write
from gemma_eval.gating.hold import Held, hold, of_base_run, read_earlier
from gemma_eval.pytest_plugin.evaluation import Evaluation
from gemma_eval.pytest_plugin.gate_options import GateSettings
from gemma_eval.pytest_plugin.gates_in_force import gates_of, refuse_equal_ids
from gemma_eval.pytest_plugin.interleaving import Interleaving, base_id, prepare, run_blocks
from gemma_eval.pytest_plugin.recorder import Recorder
from gemma_eval.records import MICROBENCHMARK, SHARES, Acceptance, Cell, Gate, Gating, Report, Run
from gemma_eval.store.read import open_reader
from gemma_eval.verdict.gates import looks_of, undecided
from gemma_eval.verdict.history import Earlier


class Gatekeeper:
    """Knows what the run is held against, measures what that needs, and says what became of the gates."""

    def __init__(self, evaluation: Evaluation, settings: GateSettings) -> None:
        """Do nothing yet: there may be nothing to run."""
        self._evaluation = evaluation
        self.settings = settings
        self._keep = ExitStack()
        self._sides: Interleaving | None = None
        self._gates: tuple[Gate, ...] = ()
        self._acceptances: tuple[Acceptance, ...] = ()
        nothing = "no base was asked for, and limits need none"
        self._baseline = baseline.Baseline(run=None, database=evaluation.settings.database, found=nothing)
        self._earlier: tuple[Earlier, ...] | None = None
        self.gating: Gating | None = None
        self.is_whole = True
        self._spoiled = ""
        evaluation.config.add_cleanup(self._keep.close)

    def prepare(self, run: Run, cells: Sequence[Cell]) -> tuple[Run, Run | None]:
        """Return the run that is to be begun and that of its base. Raises GemmaEvalError.

        What is wrong with the gates, the acceptances or the base is said here, before anything is measured.
        """
        settings, evaluation = self.settings, self._evaluation
        if settings.mode != "off":
            self._gates = gates_of(evaluation, settings)
            refuse_equal_ids(self._in_force())
        if settings.accepted is not None and settings.accepted.exists():
            self._acceptances = load_accepted(settings.accepted)
        if settings.baseline is not None:
            self._baseline = baseline.find(
                settings.baseline, run, database=evaluation.settings.database, folder=evaluation.here
            )
        if settings.ab is None and settings.blocks is None:
            return run, None
        self.is_whole = False
        self._sides = prepare(evaluation, cells, ab=settings.ab, keep=self._keep)
        base = self._sides.base_run(run)
        return (run if base is None else replace(run, base=base_id(run.id))), base

    def measure(self, recorder: Recorder) -> None:
        """Run the blocks that the gates need. Raises GemmaEvalError."""
        if self._sides is None:
            return
        self._evaluation.close()
        looks = {look for gate in self._in_force() for look in looks_of(gate, self.settings.blocks)}
        self._spoiled = run_blocks(
            self._sides,
            recorder,
            most=self._most_blocks(),
            goes_on=lambda number: number not in looks or self._goes_on(recorder),
            say=self._say,
        )
        self.is_whole = True

    def judge(self, recorder: Recorder) -> Gating | None:
        """Return what became of the gates of a run that has ended, `None` where there are none."""
        if self.settings.mode == "off" or not self._in_force():
            return None
        self.gating = self._hold(recorder, state=None)
        recorder.gate(self.gating)
        return self.gating

    @property
    def measures_blocks(self) -> bool:
        """Whether this run is more than its items, so that it cannot be gone on with."""
        return self._sides is not None

    def write_files(self, report: Report) -> None:
        """Write what was asked for beside the reports, and the summary of a workflow's step.

        Raises UsageError with a line for each file that could not be written, when the others are.
        """
        writing = [partial(write, name, path, report) for name, path in self.settings.files]
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary and report.gating is not None:
            writing.append(partial(append_summary, Path(summary), report.gating))
        problems = []
        for each in writing:
            try:
                each()
            except UsageError as error:
                problems.append(str(error))
        if problems:
            raise UsageError("\n".join(problems))

    def _in_force(self) -> tuple[Gate, ...]:
        """Return the gates: against a base those that are written, else the usual ones; alone only limits."""
        if self.settings.ab is not None or self.settings.baseline is not None:
            return self._gates or DEFAULT_GATES
        return tuple(gate for gate in self._gates if gate.limit is not None)

    def _most_blocks(self) -> int:
        """Return how many blocks are measured at most: those asked for, or what gates of speed need."""
        if self.settings.blocks is not None:
            return self.settings.blocks
        if self.settings.mode == "off":
            return 0
        of_speed = [gate for gate in self._in_force() if gate.metric not in (*SHARES, MICROBENCHMARK)]
        asked = (gate.min_blocks if gate.tier == "advisory" else gate.max_blocks for gate in of_speed)
        return max(asked, default=0)

    def _goes_on(self, recorder: Recorder) -> bool:
        """Whether another block may decide something: all gates of speed but the advisory ones."""
        if self.settings.ab is None:
            return True
        return bool(undecided(self._hold(recorder, state="done").gated))

    def _hold(self, recorder: Recorder, *, state: str | None) -> Gating:
        database = recorder.database
        with closing(open_reader(database)) as reader:
            run = reader.run(recorder.run.id)
            outcomes = reader.outcomes(run.id)
            together = run.base is not None
            base = of_base_run(reader, run, database, found=self._found) if together else self._baseline
        if state == "done":
            run, base = _done(run), replace(base, run=None if base.run is None else _done(base.run))
        if self._earlier is None:
            self._earlier = read_earlier(database, run, together=together)
        held = Held(
            run=run,
            outcomes=outcomes,
            base=base,
            gates=self._in_force(),
            together=together,
            blocks=self.settings.blocks,
            spoiled=self._spoiled,
            acceptances=self._acceptances,
            today=datetime.now(UTC).date().isoformat(),
        )
        return hold(held, earlier=self._earlier)

    @property
    def _found(self) -> str:
        return "" if self._sides is None else self._sides.found

    def _say(self, what: str) -> None:
        shown = self._evaluation.config.pluginmanager.get_plugin("terminalreporter")
        if isinstance(shown, pytest.TerminalReporter) and shown.verbosity >= 0:
            shown.ensure_newline()
            shown.write_line(f"gemma_eval: {what}")


def _done(run: Run) -> Run:
    """Return a run that goes on as it is when it has ended, so that what there is can be judged."""
    return replace(run, state="done")
