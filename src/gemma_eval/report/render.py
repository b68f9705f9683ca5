"""Writes the files of a report: all of them whole, or none of them changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from gemma_eval.errors import PluginError, UsageError
from gemma_eval.files import writing
from gemma_eval.files.writing import WriteError
from gemma_eval.logs.redact import current
from gemma_eval.protocols import Reporter
from gemma_eval.records import Report

LATEST = "latest"


def write(report: Report, *, reporters: Sequence[Reporter], folder: Path) -> tuple[Path, ...]:
    """Write `folder/<run id>/<file name>` for each reporter, point `folder/latest` at it, return the paths.

    Everything is rendered before anything is written, and a file is replaced in one step, so that a reader
    sees the old text or the new. Raises UsageError when the folder cannot be written or the run's id is not
    a folder's name, PluginError when a reporter's file name is not a file's name.
    """
    name = _run_folder(report)
    clear = current().answer
    texts = {_file_name(reporter): clear(reporter.render(report)) for reporter in reporters}
    target = folder / name
    try:
        _keep_clear(folder / LATEST)
        target.mkdir(parents=True, exist_ok=True)
        for file_name, text in texts.items():
            _replace(target / file_name, text)
        _point(folder, name)
    except WriteError as error:
        what = f"cannot write the report: {error.reason}; choose a folder that can be written"
        raise UsageError(f"{target}: {what}") from error
    except OSError as error:
        what = f"cannot write the report: {error.strerror}; choose a folder that can be written"
        raise UsageError(f"{error.filename or target}: {what}") from error
    return tuple(target / file_name for file_name in texts)


def _keep_clear(link: Path) -> None:
    if link.is_dir() and not link.is_symlink():
        raise UsageError(f"{link}: a folder stands where the link to the latest report goes; move it away")


def _run_folder(report: Report) -> str:
    name = report.run.id
    if name == LATEST or not _is_plain(name):
        raise UsageError(f'run "{name}": its id names a folder, so it may be neither "{LATEST}" nor a path')
    return name


def _file_name(reporter: Reporter) -> str:
    if not _is_plain(reporter.file_name):
        name = type(reporter).__name__
        raise PluginError(f'{name}: file_name "{reporter.file_name}" is a path; a plain name would be right')
    return reporter.file_name


def _is_plain(name: str) -> bool:
    """Tell whether a name stays in its folder on every system."""
    return name not in {"", ".", ".."} and not set(name) & set("/\\:\0") and name.isprintable()


def _replace(path: Path, text: str) -> None:
    """Write a file in one step; what UTF-8 cannot hold is written as `\\udc80`."""
    writing.write(path, text.encode("utf-8", "backslashreplace"), durable=False)


def _point(folder: Path, name: str, *, link: Callable[[str, Path], None] = os.symlink) -> None:
    """Make `latest` a relative link to the report, or `latest.txt` hold its name where there are no links."""
    beside = folder / f".{LATEST}.{name}"
    try:
        beside.unlink(missing_ok=True)
        link(name, beside)
    except (OSError, NotImplementedError):
        _replace(folder / f"{LATEST}.txt", f"{name}\n")
        return
    beside.replace(folder / LATEST)
