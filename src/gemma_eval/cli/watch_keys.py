"""Single keys of a terminal, heard without Enter, or lines of what is given to a command instead of one."""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import termios
import threading
import tty
from contextlib import AbstractContextManager, suppress
from types import FrameType
from typing import Any

END = "q"
"""What is heard at the end of the input: nobody is there any more."""

_ENDINGS = (signal.SIGTERM, signal.SIGHUP)
"""What asks a program to end; after the latter its terminal may be gone."""
_END_OF_INPUT = b"\x04"
_LONG_KEY = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.)")
"""What a terminal sends of a key that is no letter, as an arrow, in which there may be letters."""


class Keys(AbstractContextManager["Keys"]):
    """Hears keys while the context lasts; however that ends, the terminal is as it was before.

    A process that was stopped and goes on hears them again, and one that is asked to end leaves in order.
    """

    def __init__(self, fd: int | None = None) -> None:
        """Listen to the standard input, or to another file."""
        is_closed = fd is None and sys.stdin is None
        self._fd = -1 if is_closed else sys.stdin.fileno() if fd is None else fd
        self._is_terminal = not is_closed and os.isatty(self._fd)
        self._before: list[Any] | None = None
        self._signals: dict[signal.Signals, Any] = {}
        self._pending = b""
        self._has_ended = is_closed

    def __enter__(self) -> Keys:
        """Have each key sent as it is pressed, and not shown."""
        if self._is_terminal:
            self._before = termios.tcgetattr(self._fd)
            self._hear_again()
        if threading.current_thread() is threading.main_thread():
            for number in _ENDINGS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                    self._signals[number] = signal.signal(number, _end)
            self._signals[signal.SIGCONT] = signal.signal(signal.SIGCONT, self._hear_again)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the terminal and the signals back."""
        for number, before in self._signals.items():
            signal.signal(number, before)
        self._signals = {}
        if self._before is not None:
            with suppress(termios.error):  # of a terminal that is gone
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
            self._before = None

    @property
    def is_terminal(self) -> bool:
        """Whether somebody sits there."""
        return self._is_terminal

    def wait(self, seconds: float) -> str | None:
        """Return the next key, or the first letter of the next line; `None` when none comes in that time."""
        while True:
            if (key := self._next()) is not None:
                return key
            if self._has_ended:
                return END
            ready, _, _ = select.select([self._fd], [], [], seconds)
            if not ready:
                return None
            self._read()

    def are_to_end(self) -> bool:
        """Whether somebody at a terminal has asked to end; no other key is lost by asking."""
        if self._is_terminal and select.select([self._fd], [], [], 0)[0]:
            self._read()
        return self._is_terminal and (self._has_ended or END.encode() in self._pending.lower())

    def _read(self) -> None:
        """Take what has come, and of a terminal letters alone; one that is gone has ended."""
        try:
            read = os.read(self._fd, 1024)
        except OSError:
            read = b""
        self._has_ended = not read
        if self._is_terminal:
            read = _LONG_KEY.sub(b"\x1b", read).replace(_END_OF_INPUT, END.encode())
        self._pending += read

    def _next(self) -> str | None:
        """Take a key of those that have come; without a terminal, a whole line or the last one."""
        if self._is_terminal:
            key, self._pending = self._pending[:1], self._pending[1:]
            return key.decode(errors="replace").lower() if key else None
        line, newline, rest = self._pending.partition(b"\n")
        if not newline and not (self._has_ended and line):
            return None
        self._pending = rest
        return line.strip()[:1].decode(errors="replace").lower()

    def _hear_again(self, number: int = 0, frame: FrameType | None = None) -> None:
        del number, frame
        if self._before is not None:
            tty.setcbreak(self._fd)


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)
