"""The hooks that only pytest-xdist calls: what workers are told, and which worker gets which item."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gemma_eval.pytest_plugin.evaluation import Evaluation
from gemma_eval.pytest_plugin.ids import model_of
from gemma_eval.pytest_plugin.logged import WORKER_RUN, told_run
from gemma_eval.pytest_plugin.pins import WORKER_PINNED, of_session

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling
    from xdist.workermanage import WorkerController

WORKER_INPUT = "gemma_eval_resumed"
"""What a worker is told: the id of the run that is gone on with, or `None`."""


class Workers:
    """Hooks of the process that has workers; nothing calls them when pytest-xdist is not in use."""

    def __init__(self, evaluation: Evaluation) -> None:
        """Distribute the items of this evaluation."""
        self._evaluation = evaluation

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        """Tell a worker which run is gone on with, and what it is planned with."""
        node.workerinput[WORKER_INPUT] = self._evaluation.resumed
        node.workerinput[WORKER_RUN] = told_run()
        node.workerinput[WORKER_PINNED] = of_session(self._evaluation)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
        """Keep each model on one worker."""
        from gemma_eval.executors.xdist import scheduler

        return scheduler(config, log, scope_of=model_of)
