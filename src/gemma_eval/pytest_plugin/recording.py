"""The hooks of the one process that records: it begins the run, commits outcomes, ends and shows it."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gemma_eval.errors import GemmaEvalError
from gemma_eval.executors.arm import INSIDE
from gemma_eval.logs.events import emit
from gemma_eval.logs.redact import clear
from gemma_eval.measure.clock import clock
from gemma_eval.measure.noise import NoiseWatch
from gemma_eval.measure.noise import begin as begin_noise
from gemma_eval.pytest_plugin import logged, matrix, microbenchmarks, payload
from gemma_eval.pytest_plugin.begin import describe_run, run_id, utc
from gemma_eval.pytest_plugin.case_item import RESULT, CaseItem
from gemma_eval.pytest_plugin.evaluation import Evaluation
from gemma_eval.pytest_plugin.gatekeeper import Gatekeeper
from gemma_eval.pytest_plugin.pins import refuse_unplanned
from gemma_eval.pytest_plugin.problems import lines_of, relative, usage_error
from gemma_eval.pytest_plugin.recorder import Closed, Recorder
from gemma_eval.records import Cell, Harness, Run

_OVER_A_LINE = "\r\x1b[K"
"""Goes to the beginning of the line and clears it."""


class Recording:
    """Hooks of the process that has the results database; without pytest-xdist the only process."""

    def __init__(self, evaluation: Evaluation, keeper: Gatekeeper) -> None:
        """Record this evaluation; nothing is opened before there is something to run."""
        self._evaluation = evaluation
        self._keeper = keeper
        self._config = evaluation.config
        self._started = datetime.now(UTC)
        self._run_id = evaluation.resumed or run_id(self._started, secrets.token_hex(2))
        self.recorder: Recorder | None = None
        self._has_ended = False
        self._noise: NoiseWatch | None = None
        self._closed: Closed | None = None
        self._problems: list[str] = []

    def begin(self, cells: Sequence[Cell]) -> None:
        """Open the database and plan the run; a second call does nothing. Raises pytest.UsageError."""
        if self.recorder is not None:
            return
        evaluation, settings = self._evaluation, self._evaluation.settings
        matrix.check(tuple(evaluation.suites.values()), settings)
        if not cells:
            self._refuse_resuming_nothing()
            return
        planned = evaluation.planned(cells)
        try:
            run = replace(
                self._describe(cells, planned=len(planned)),
                skipped=matrix.left_out(evaluation.suites.values()),
                selection=matrix.selection(tuple(evaluation.suites.values()), cells, settings),
            )
            run, base = self._keeper.prepare(run, cells)
            run = replace(run, harness=self._harness(cells))
            where = {"database": settings.database, "reports": settings.reports}
            self.recorder = Recorder(run, planned, **where, base=base)
            self._name_run()
            logged.run_started(run, database=settings.database, resumed=evaluation.resumed)
            self._noise = begin_noise(pids=lambda: evaluation.server_processes(cells))
        except GemmaEvalError as error:
            raise usage_error(error, here=evaluation.here) from error

    @property
    def run_id(self) -> str:
        """The id of the run, which may not have begun."""
        return self._run_id

    def pytest_report_header(self) -> str:
        """Say where results go, and which run is gone on with; a new one is named when there is one."""
        resumed = f"goes on with run {self._run_id}, " if self._evaluation.resumed else ""
        gates = self._keeper.settings.gates
        written = f", gates {relative(gates, self._evaluation.here)}" if gates is not None else ""
        return f"gemma_eval: {resumed}database {self._database}{written}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Begin the run when the items are known; with pytest-xdist the workers tell them later."""
        distributed = self._config.pluginmanager.hasplugin("dsession")
        if session.testsfailed or distributed or self._config.getoption("collectonly"):
            return
        cells = [item.cell for item in session.items if isinstance(item, CaseItem) and item.refusal is None]
        lines = self._evaluation.engine_problems(cells)
        if lines:
            raise pytest.UsageError(*lines)
        self.begin(cells)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Commit what a cell had made when it was interrupted: pytest makes no report of that."""
        try:
            return (yield)
        except BaseException:
            if (result := item.stash.get(RESULT, None)) is not None:
                self._record(lambda: payload.Payload(outcomes=result.fresh, engine=result.engine))
            raise

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Commit the outcomes of an item before anything shows that it has ended."""
        self._record(lambda: payload.of(report), nodeid=report.nodeid)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Show an item that was not run, because its outcomes were recorded before, as such."""
        if report.when == "call" and report.passed and payload.was_recorded(report):
            return "recorded", "r", "RECORDED"
        return None

    def say_problem(self, error: GemmaEvalError) -> None:
        """Have it said at the end that something went wrong, which fails the run."""
        self._problems.extend(lines_of(error, here=self._evaluation.here))
        emit("error", failure_kind=error.kind, failure_message=str(error))

    def end(self, *, is_whole: bool = True) -> Recorder | None:
        """End the run, also when it was interrupted, and return who recorded it; `None` if that failed."""
        if self.recorder is None or self._has_ended:
            return None
        self._has_ended = True
        try:
            noise = None if self._noise is None else self._noise.end()
            self.recorder.note_microbenchmarks(microbenchmarks.of_session(self._config))
            self.recorder.end(noise=noise, ended_utc=utc(datetime.now(UTC)), is_whole=is_whole)
        except GemmaEvalError as error:
            self.say_problem(error)
            return None
        return self.recorder

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports of the run, which has ended."""
        if self.recorder is None:
            return
        try:
            self.recorder.close()
            if INSIDE not in os.environ:
                self._closed = self.recorder.report(self._evaluation.registry)
                self._problems.extend(self._closed.problems)
                self._keeper.write_files(self._closed.report)
        except GemmaEvalError as error:
            self.say_problem(error)
        if self._problems:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the table of the run, and where its database and reports are."""
        from gemma_eval.pytest_plugin import terminal  # here, so that nobody pays for it at the start

        notices = () if INSIDE in os.environ else tuple(self._evaluation.notices)
        if self._closed is None and not self._problems and not notices:
            return
        terminalreporter.section(f"gemma_eval: run {self._run_id}")
        lines = [*((line, "yellow") for line in notices), *((line, "red") for line in self._problems)]
        for line, colour in dict.fromkeys(lines):
            terminalreporter.write_line(clear(line), **{colour: True})
        if self._closed is None:
            return
        for each in terminal.closing(self._closed.report):
            terminalreporter.write_line(each.text, **each.markup)
        for command in terminal.commands(self._closed.report.gating):
            terminalreporter.write_line(command)
        if self._closed.report.run.state != "done" and not self._keeper.measures_blocks:
            terminalreporter.write_line(f"go on with it:  {self._resume_command()}")
        for name, path in (("database", self._evaluation.settings.database), *self._closed.named_files()):
            terminalreporter.write_line(f"{name:<14}  {relative(path, self._evaluation.here)}")

    def _record(self, brought: Callable[[], payload.Payload | None], nodeid: str | None = None) -> None:
        """Commit what an item has brought, and end the run when that cannot be done."""
        if self.recorder is None:
            return
        try:
            found = brought()
            if nodeid is not None:
                refuse_unplanned(found, nodeid, self._evaluation)
            if found is not None:
                self._problems.extend(self.recorder.record(found, self._evaluation.registry))
                if self._noise is not None:
                    self._noise.look()
        except GemmaEvalError as error:
            self.say_problem(error)
            pytest.exit("gemma_eval: an outcome could not be recorded")

    def _name_run(self) -> None:
        """Say which run has begun, unless nothing is to be said."""
        shown = self._config.pluginmanager.get_plugin("terminalreporter")
        if isinstance(shown, pytest.TerminalReporter) and shown.showheader:
            shown.write(_OVER_A_LINE if shown.isatty else "")  # pytest-xdist leaves one open on a terminal
            shown.write_line(f"gemma_eval: run {self._run_id}")

    @property
    def _database(self) -> str:
        return str(relative(self._evaluation.settings.database, self._evaluation.here))

    def _describe(self, cells: Sequence[Cell], *, planned: int) -> Run:
        settings, gate_files = self._evaluation.settings, self._keeper.settings.files
        return describe_run(
            self._run_id,
            started=self._started,
            suites=tuple(dict.fromkeys(cell.suite for cell in cells)),
            planned=planned,
            arguments=tuple(map(str, self._config.invocation_params.args)),
            folder=self._config.rootpath,
            written=(settings.database, settings.reports, *(path for _, path in gate_files)),
        )

    def _harness(self, cells: Sequence[Cell]) -> Harness | None:
        """Measure what measuring costs; a machine on which that cannot be done runs all the same."""
        if INSIDE in os.environ:
            return None
        from gemma_eval.selftest.check import calibrate  # here, so that a plan pays nothing for it

        served = any(cell.model.backend == "openai_http" for cell in cells)
        try:
            return calibrate(self._evaluation.registry, clock=clock, with_http=served)
        except Exception:  # noqa: BLE001 - whatever keeps the self-test from running, it keeps no run from it
            return None

    def _refuse_resuming_nothing(self) -> None:
        if self._evaluation.resumed is not None:
            raise pytest.UsageError(
                f"--gemma-resume {self._evaluation.resumed}: no case of its suite is selected; "
                "give the arguments that the run was begun with, as --gemma-suite NAME"
            )

    def _resume_command(self) -> str:
        given = [str(argument) for argument in self._config.invocation_params.args]
        resuming = () if self._evaluation.settings.resume else ("--gemma-resume", self._run_id)
        return shlex.join(["pytest", *given, *resuming])
