"""Shows on a terminal how many rows of a dataset are done, and leaves no trace of it."""

from __future__ import annotations

import time
from contextlib import nullcontext

import pytest

_EVERY_S = 0.2
_BEGIN, _END = "\x1b7\x1b[?7l", "\x1b[K\x1b[?7h\x1b8"
"""The place of the cursor is kept, and what is written does not go on in the next line."""


class Counter:
    """Writes `37/5,000` after what stands there; nothing where there is no terminal to write over."""

    def __init__(self, config: pytest.Config, *, of: int) -> None:
        """Count up to that many."""
        self._of = of
        self._capture = config.pluginmanager.get_plugin("capturemanager")
        shown = config.pluginmanager.get_plugin("terminalreporter")
        can = (
            isinstance(shown, pytest.TerminalReporter) and shown.isatty and not hasattr(config, "workerinput")
        )
        self._shown = shown if can else None
        self._next_s = 0.0

    def show(self, done: int) -> None:
        """Show that many, unless the last number was shown a moment ago."""
        now = time.monotonic()
        if now >= self._next_s:
            self._next_s = now + _EVERY_S
            self._write(f" {done:,}/{self._of:,}")

    def clear(self) -> None:
        """Take away what was shown."""
        self._write("")

    def _write(self, text: str) -> None:
        if self._shown is None:
            return
        with nullcontext() if self._capture is None else self._capture.global_and_fixture_disabled():
            self._shown.write(f"{_BEGIN}{text}{_END}", flush=True)
