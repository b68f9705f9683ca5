"""Writes a log as JSON: one object a line, and each line in one write, so that processes can share a file."""

from __future__ import annotations

import errno
import logging
import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pythonjsonlogger.core import merge_record_extra
from pythonjsonlogger.json import JsonFormatter

from gemma_eval.errors import UsageError
from gemma_eval.logs import context
from gemma_eval.logs.events import LOGGER, sink
from gemma_eval.logs.redact import current

LONGEST = 8192
"""The letters of a text that are kept: a line is written in one step, and no answer is in it."""


def start(path: Path, *, run: str | None = None, worker: str | None = None) -> None:
    """Begin to write a log to the end of a file, which is made. Raises UsageError where it cannot be.

    A log that is being written already goes on.
    """
    context.process.run, context.process.worker = run or context.process.run, worker
    if sink.handler is not None:
        return
    logger = logging.getLogger(LOGGER)
    sink.handler = JsonFile(_open(path))
    logger.addHandler(sink.handler)
    logger.setLevel(logging.INFO)


def stop() -> None:
    """End the log; without one nothing happens."""
    handler, sink.handler = sink.handler, None
    context.process.run = context.process.worker = None
    if isinstance(handler, JsonFile):
        logger = logging.getLogger(LOGGER)
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        handler.close()


def flaw() -> str | None:
    """Return why the log is not whole, `None` where it is."""
    return sink.handler.flaw if isinstance(sink.handler, JsonFile) else None


class JsonFile(logging.Handler):
    """Appends a line for each record; when that fails it writes no more, and says so when asked."""

    def __init__(self, descriptor: int) -> None:
        """Take over an open file."""
        super().__init__(logging.INFO)
        self.setFormatter(_Lines())
        self._descriptor = descriptor
        self.flaw: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, in one step."""
        if self.flaw is not None:
            return
        try:
            line = self.format(record).encode() + b"\n"
            if os.write(self._descriptor, line) < len(line):
                self.flaw = "the disk is full"
        except OSError as error:
            self.flaw = error.strerror or str(error)
        except Exception:  # noqa: BLE001 - what cannot be told must cost nothing that is measured
            self.handleError(record)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
        super().close()


class _Lines(JsonFormatter):
    """Formats a record with the fields of the moment and of its event; what is not known is left out."""

    def __init__(self) -> None:
        super().__init__()

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Fill in the object of one line; an event of ours has its fields, anything else is a message."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data["time"] = f"{at[:-6]}Z"
        log_data["level"] = record.levelname.lower()
        told: Mapping[str, object] | None = getattr(record, "fields", None)
        log_data["event"] = "message" if told is None else record.msg
        found = {**context.known(), **(self._of_message(record, message_dict) if told is None else told)}
        for name, value in found.items():
            if value is not None and name not in log_data:
                log_data[name] = _plain(value)

    def _of_message(self, record: logging.LogRecord, told: Mapping[str, Any]) -> dict[str, object]:
        """Return what was told to the logger, with the fields that the caller added."""
        extra: dict[str, object] = {}
        merge_record_extra(record, extra, reserved=self.reserved_attrs)
        return {"logger": record.name, "message": record.getMessage(), **told, **extra}


def _plain(value: object) -> object:
    """Return what JSON has for a value: no secret and no long text in it, so that a line stays one.

    A secret is taken out before a text is cut, lest half of it is left. What is no number is a text.
    """
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {_text(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return None if value is None else _text(value)


def _text(value: object) -> str:
    text = current()(str(value))
    return f"{text[:LONGEST]}…" if len(text) > LONGEST else text


def _open(path: Path) -> int:
    """Open a file to append to, or a pipe that is read. Raises UsageError."""
    try:
        path.parent.mkdir(exist_ok=True)
        # One that nobody reads would be waited for without a word.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        why = "nobody reads the pipe" if error.errno == errno.ENXIO else error.strerror
        raise UsageError(
            f"{path}: the log cannot be written there: {why}; give a file that can be written"
        ) from error
    os.set_blocking(descriptor, True)
    return descriptor
