"""What is known of a run before its first generation: identity, machine, command line, commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gemma_eval.measure.host import commit, describe
from gemma_eval.measure.latency import DEFINITIONS_VERSION
from gemma_eval.records import Run


def run_id(started: datetime, token: str) -> str:
    """Return an id that sorts by time and differs for runs of one second: `20261120-191500-3f9a`."""
    return f"{started:%Y%m%d-%H%M%S}-{token}"


def describe_run(
    name: str,
    *,
    started: datetime,
    suites: Sequence[str],
    planned: int,
    arguments: Sequence[str],
    folder: Path,
) -> Run:
    """Return the record of a run that begins now, of the code in `folder`."""
    return Run(
        id=name,
        started_utc=started.isoformat(timespec="seconds"),
        state="running",
        suites=tuple(suites),
        planned=planned,
        host=describe(),
        arguments=tuple(arguments),
        commit=commit(folder),
        definitions_version=DEFINITIONS_VERSION,
    )
