"""Shows on a terminal how many rows of a dataset are done, and leaves no trace of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext

import pytest

EVERY_S = 0.2
"""It is written no more often: what is read by eye need not be newer."""
BEGIN, END = "\x1b7\x1b[?7l", "\x1b[K\x1b[?7h\x1b8"
"""The place of the cursor is kept, and what is written does not go on in the next line."""


class Counter:
    """Writes `37/5,000` after what stands there, and over what it wrote before."""

    def __init__(
        self, write: Callable[[str], object], *, of: int, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Count up to that many; `write` sends letters to a terminal."""
        self._write = write
        self._of = of
        self._clock_s = clock_s
        self._next_s = clock_s()

    def show(self, done: int) -> None:
        """Show that many, unless a number was shown a moment ago."""
        now_s = self._clock_s()
        if now_s >= self._next_s:
            self._next_s = now_s + EVERY_S
            self._write(f"{BEGIN} {done:,}/{self._of:,}{END}")

    def clear(self) -> None:
        """Take away what was shown."""
        self._write(f"{BEGIN}{END}")


def counter(config: pytest.Config, *, of: int) -> Counter:
    """Return a counter that writes to the terminal of a session, or nowhere when it has none."""
    shown = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    has_workers = hasattr(config, "workerinput")
    if not isinstance(shown, pytest.TerminalReporter) or not shown.isatty or has_workers:
        return Counter(lambda text: None, of=of)

    def write(text: str) -> None:
        with nullcontext() if capture is None else capture.global_and_fixture_disabled():
            shown.write(text, flush=True)

    return Counter(write, of=of)
