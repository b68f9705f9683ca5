"""A process that records a run and acknowledges each trial on a pipe: what the fault tests kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

from gemma_eval.records import Outcome, Run
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome

Acknowledge = Callable[[str], None]


def planned(n: int) -> tuple[Run, tuple[Outcome, ...]]:
    """Return a run of `n` trials and their outcomes: the same ones in every process."""
    return a_run(planned=n), tuple(an_outcome(f"case-{i // 5}", repeat=i % 5) for i in range(n))


def record_all(path: Path, n: int, pipe: Connection) -> None:
    """Resume or begin the run, record what is missing and acknowledge each trial after `record` returned."""
    _go(path, n, pipe, early=0)


def record_all_acknowledging_early(path: Path, n: int, pipe: Connection) -> None:
    """Do the same with a planted fault: five trials at a time are acknowledged before they are recorded."""
    _go(path, n, pipe, early=5)


def _go(path: Path, n: int, pipe: Connection, *, early: int) -> None:
    run, outcomes = planned(n)
    pipe.send("ready")
    with closing(open_store(path)) as store:
        store.begin(run, [outcome.trial for outcome in outcomes])
        recorded = store.recorded(run.id)
        missing = [outcome for outcome in outcomes if outcome.trial.key not in recorded]
        while missing:
            batch, missing = missing[: early or 1], missing[early or 1 :]
            if early:
                _acknowledge(pipe, batch)
                time.sleep(0.01)
            for outcome in batch:
                store.record(run.id, outcome)
            if not early:
                _acknowledge(pipe, batch)
        store.finish(run.id, "done")
    pipe.send("done")


def _acknowledge(pipe: Connection, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        pipe.send(outcome.trial.key)
