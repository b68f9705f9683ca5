"""What is known of a run before its first generation: identity, machine, command line, commit."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gemma_eval.logs.redact import clear
from gemma_eval.measure.clock import clock
from gemma_eval.measure.host import commit, describe
from gemma_eval.measure.latency import DEFINITIONS_VERSION
from gemma_eval.records import Run


def run_id(started: datetime, token: str) -> str:
    """Return an id that sorts by time and differs for runs of one second: `20261120-191500-3f9a`."""
    return f"{started:%Y%m%d-%H%M%S}-{token}"


def utc(moment: datetime) -> str:
    """Return a time as it is recorded: `2026-11-20T19:15:00+00:00`."""
    return moment.isoformat(timespec="seconds")


def describe_run(  # noqa: PLR0913 - one parameter per thing that is known
    name: str,
    *,
    started: datetime,
    suites: Sequence[str],
    planned: int,
    arguments: Sequence[str],
    folder: Path,
    written: Sequence[Path] = (),
) -> Run:
    """Return the record of a run that begins now, of the code in `folder`.

    Files that are not committed count as part of it, except for what the session itself has `written`.
    """
    return Run(
        id=name,
        started_utc=utc(started),
        clock_offset_ns=time.time_ns() - clock(),
        state="running",
        suites=tuple(suites),
        planned=planned,
        host=describe(),
        arguments=tuple(map(clear, arguments)),
        commit=commit(folder, ignoring=(*written, Path(sys.prefix))),
        definitions_version=DEFINITIONS_VERSION,
    )
