"""Switches the plugin on in a process that has a suite to run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest

from gemma_eval.errors import GemmaEvalError
from gemma_eval.executors.arm import INSIDE
from gemma_eval.executors.worker import end_with_parent, has_lost
from gemma_eval.pytest_plugin import logged, options
from gemma_eval.pytest_plugin.evaluation import EVALUATION, Evaluation
from gemma_eval.pytest_plugin.every_process import EveryProcess
from gemma_eval.pytest_plugin.exit_code import ExitCode
from gemma_eval.pytest_plugin.plan import Plan
from gemma_eval.pytest_plugin.problems import usage_error
from gemma_eval.pytest_plugin.suites import collect_nothing_else
from gemma_eval.pytest_plugin.termination import Termination
from gemma_eval.pytest_plugin.workers import WORKER_INPUT, Workers
from gemma_eval.store.read import open_reader

if TYPE_CHECKING:
    from gemma_eval.pytest_plugin.recording import Recording

_RECORDING: pytest.StashKey[Recording] = pytest.StashKey()


def start(config: pytest.Config) -> Evaluation:
    """Return the evaluation of this process; the first call makes it and registers its hooks.

    A pytest-xdist worker runs cells and sends their outcomes; the one other process records them.
    Raises pytest.UsageError.
    """
    evaluation = config.stash.get(EVALUATION, None)
    if evaluation is not None:
        return evaluation
    told = cast("Mapping[str, str | None] | None", getattr(config, "workerinput", None))
    evaluation = Evaluation(config, resumed=_resumed(config) if told is None else told.get(WORKER_INPUT))
    config.stash[EVALUATION] = evaluation
    if evaluation.asked:
        collect_nothing_else(config)
    config.pluginmanager.register(EveryProcess(evaluation), "gemma_eval_process")
    if told is None:
        _register_for_one_process(config, evaluation)
    else:
        logged.start(config, run=told.get(logged.WORKER_RUN), worker=os.environ.get("PYTEST_XDIST_WORKER"))
    if told is not None or INSIDE in os.environ:
        end_with_parent()
    if has_lost(os.environ.get(INSIDE, "")):
        pytest.exit("the session that this block is of has ended", returncode=1)
    return evaluation


def begin(config: pytest.Config, ids: Sequence[str]) -> None:
    """Begin the run of the items that pytest-xdist workers have collected. Raises pytest.UsageError."""
    evaluation = start(config)
    try:
        cells = [cell for nodeid in ids if (cell := evaluation.cell(nodeid)) is not None]
    except GemmaEvalError as error:
        raise usage_error(error, here=evaluation.here) from error
    config.stash[_RECORDING].begin(cells)


def _register_for_one_process(config: pytest.Config, evaluation: Evaluation) -> None:
    if config.getoption("gemma_plan"):
        config.pluginmanager.register(Plan(evaluation), "gemma_eval_plan")
        return
    from gemma_eval.pytest_plugin import gate_options  # here, so that plans and workers do not pay
    from gemma_eval.pytest_plugin.gate_hooks import GateHooks
    from gemma_eval.pytest_plugin.gatekeeper import Gatekeeper
    from gemma_eval.pytest_plugin.recording import Recording
    from gemma_eval.pytest_plugin.row_reports import RowReports

    keeper = Gatekeeper(evaluation, gate_options.read(config))
    recording = Recording(evaluation, keeper)
    config.stash[_RECORDING] = recording
    logged.start(config, run=recording.run_id, worker=None)
    config.pluginmanager.register(recording, "gemma_eval_recording")
    config.pluginmanager.register(RowReports(config), "gemma_eval_row_reports")
    config.pluginmanager.register(GateHooks(keeper, recording), "gemma_eval_gates")
    config.pluginmanager.register(Workers(evaluation), "gemma_eval_workers")
    config.pluginmanager.register(ExitCode(evaluation), "gemma_eval_exit_code")
    config.pluginmanager.register(Termination(), "gemma_eval_termination")
    _register_what_is_seen(config, evaluation, recording)


def _register_what_is_seen(config: pytest.Config, evaluation: Evaluation, recording: Recording) -> None:
    """Register the panel of progress and the opening of the report, when they are asked for."""
    if config.getoption("gemma_panel"):
        from gemma_eval.pytest_plugin import panel

        if panel.can_be_shown(config):
            workers = partial(config.pluginmanager.hasplugin, "dsession")
            shown = panel.Panel(evaluation.cell, has_workers=workers)
            config.pluginmanager.register(shown, panel.NAME)
    if config.getoption("gemma_open") and INSIDE not in os.environ:
        from gemma_eval.pytest_plugin.opening import Opening

        config.pluginmanager.register(Opening(evaluation, recording), "gemma_eval_opening")


def _resumed(config: pytest.Config) -> str | None:
    """Return the id of the run to go on with; `latest` is looked up once, for all processes."""
    settings = options.read(config)
    if settings.resume is None:
        return None
    try:
        with closing(open_reader(settings.database)) as reader:
            return reader.run(settings.resume).id
    except GemmaEvalError as error:
        raise usage_error(error, here=config.invocation_params.dir) from error
