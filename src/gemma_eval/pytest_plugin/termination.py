"""A run that is asked to end (SIGTERM, as a cancelled job sends it) ends as after Ctrl-C, with its report."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import pytest

EXIT_CODE = 128 + signal.SIGTERM


class Termination:
    """Hooks that stop a run in order; the outcome that was in the making is not recorded."""

    def __init__(self) -> None:
        """Take over the signal, which only the main thread can."""
        self._asked = False
        main = threading.current_thread() is threading.main_thread()
        self._before = signal.signal(signal.SIGTERM, self._stop) if main else None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Exit with the code by which a shell knows a terminated process."""
        if self._asked:
            session.exitstatus = EXIT_CODE

    def pytest_unconfigure(self) -> None:
        """Give the signal back."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Stop once: a second signal is not to disturb the writing of the report."""
        del number, frame
        if not self._asked:
            self._asked = True
            pytest.exit("terminated")
