"""What the machine is like: databases, folders and disks, processors, how busy they are, and the terminal."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from gemma_eval.cli import chosen
from gemma_eval.cli.doctor_findings import Finding
from gemma_eval.report import numbers

_LOOK_S = 1.0
_NARROW = 80
_LITTLE_BYTES = 1_000_000_000
_FIXED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
"""The versions of SQLite from which on two connections may write to one database in WAL mode."""


def sqlite() -> Iterator[Finding]:
    """Say whether the SQLite of this Python can keep results and search passages."""
    from gemma_eval.store.connection import OLDEST_SQLITE

    found = sqlite3.sqlite_version_info
    if found < OLDEST_SQLITE:
        advice = "install a Python with SQLite 3.37 or newer"
        yield Finding(what="SQLite", told=sqlite3.sqlite_version, state="FAIL", advice=advice)
        return
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
            searches = ", FTS5"
        except sqlite3.OperationalError:
            searches = ""
    if not searches:
        advice = "a memory in SQLite needs a Python whose SQLite has FTS5"
        yield Finding(
            what="SQLite", told=f"{sqlite3.sqlite_version} without FTS5", state="note", advice=advice
        )
    elif not has_wal_fix(found):
        advice = "let no other program write to these databases; gemma_eval writes one at a time"
        told = f"{sqlite3.sqlite_version}{searches}; before 3.51.3 two writers at once can damage a database"
        yield Finding(what="SQLite", told=told, state="note", advice=advice)
    else:
        yield Finding(what="SQLite", told=f"{sqlite3.sqlite_version}{searches}")


def has_wal_fix(found: tuple[int, ...]) -> bool:
    """Whether a version of SQLite is one in which two may write in WAL mode, also of an older series."""
    newest, *series = _FIXED
    return found >= newest or any(found[:2] == fixed[:2] and found >= fixed for fixed in series)


def folders() -> Iterator[Finding]:
    """Say whether results, caches and what a person chooses can be written, and how much disk is free."""
    from gemma_eval.backends.model_files import cache_folder
    from gemma_eval.config import settings
    from gemma_eval.config.places import user_folder

    found = settings.load(chosen.places(), environment=os.environ)
    for what, folder, is_needed in (
        ("database in", found.database.parent, True),
        ("reports in", found.reports, True),
        ("cache in", cache_folder(os.environ), False),
        ("config in", user_folder(os.environ), False),
    ):
        yield _folder(what, folder.absolute(), needed=is_needed)


def _folder(what: str, folder: Path, *, needed: bool) -> Finding:
    nearest = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        advice = f"give another folder, or the right to write to {nearest}"
        told = f"{folder} cannot be written"
        return Finding(what=what, told=told, state="FAIL" if needed else "note", advice=advice)
    free = shutil.disk_usage(nearest).free
    told = f"{folder}, {numbers.bytes_(free)} free"
    if free < _LITTLE_BYTES:
        return Finding(
            what=what, told=told, state="note", advice="free some space; a run stops on a full disk"
        )
    return Finding(what=what, told=told)


def processors() -> Iterator[Finding]:
    """Say how many processors there are, how many may be used, and what changes their speed."""
    from gemma_eval.measure.host import describe

    host = describe()
    told = [
        f"{host.cpu}, {host.logical_cores} logical processors, {numbers.bytes_(host.memory_bytes)} of memory"
    ]
    details = host.details
    if (cpus := details.get("cpu_limit")) is not None:
        told.append(f"the control group allows {cpus} processors")
    if (limit := details.get("memory_limit_bytes")) is not None:
        told.append(f"it allows {numbers.bytes_(int(limit))} of memory")
    if details.get("affinity") not in (None, "", str(host.logical_cores)):
        told.append(f"this process may use {details['affinity']}")
    yield Finding(what="machine", told="; ".join(told))
    governor = details.get("governor", "")
    if governor and governor != "performance":
        advice = "sudo cpupower frequency-set -g performance"
        yield Finding(what="governor", told=f"{governor}: clocks change", state="note", advice=advice)
    if details.get("virtual_machine"):
        advice = "compare runs that were made in turn: --gemma-ab"
        yield Finding(what="virtual", told="others may share the processors", state="note", advice=advice)
    if details.get("battery") == "Discharging":
        yield Finding(what="battery", told="it is in use", state="note", advice="plug the machine in")


def noise() -> Iterator[Finding]:
    """Say how busy the machine is with other things, as seen for a second."""
    from gemma_eval.measure.noise import begin

    watch = begin()
    time.sleep(_LOOK_S)
    reasons = watch.end().reasons
    if not reasons:
        yield Finding(what="noise", told="the machine is quiet")
    for reason in reasons:
        advice = "end other programs before something is timed"
        yield Finding(what="noise", told=reason, state="note", advice=advice)


def gpu() -> Iterator[Finding]:
    """Say which GPUs NVIDIA's library knows."""
    from gemma_eval.measure.gpu import installed

    found = installed()
    if found is None:
        yield Finding(what="GPU", told="none that NVIDIA's library knows")
    else:
        told = found.describe()
        driver = f", driver {told['gpu_driver']}" if "gpu_driver" in told else ""
        yield Finding(what="GPU", told=f"{told.get('gpu', 'of no name')}{driver}")


def terminal() -> Iterator[Finding]:
    """Say what can be shown."""
    is_seen = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns
    has_colour = is_seen and "NO_COLOR" not in os.environ and os.environ.get("TERM", "dumb") != "dumb"
    colour = "in colour" if has_colour else "without colour"
    told = f"{width} columns, {colour}" if is_seen else "no terminal: what is printed is plain"
    if is_seen and width < _NARROW:
        yield Finding(what="terminal", told=told, state="note", advice="tables want 80 columns")
    else:
        yield Finding(what="terminal", told=told)
