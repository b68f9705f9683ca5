"""One run of a program: its two outputs as they come, each read stamped, and no process left behind."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Literal, Self, cast

from gemma_eval.protocols import Clock

Stream = Literal["stdout", "stderr"]

MOST_BYTES_AT_ONCE = 1 << 16
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""The variables of the environment that a program gets: those it may need to start, and no key of an API."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Bytes of one output, stamped when they had been read."""

    stream: Stream
    data: bytes
    at_ns: int


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of the environment that a program gets."""
    return {name: environment[name] for name in PASSED_ON if name in environment}


class Child:
    """A program that was started; leaving the `with` block kills it and all that it has started.

    It has no terminal and no input. On Linux the kernel kills it when this process, or the thread that
    started it, is gone, however that ended.
    """

    def __init__(self, arguments: Sequence[str], *, clock: Clock, environment: Mapping[str, str]) -> None:
        """Start the program `arguments[0]`. Raises OSError, and ValueError for an argument with a NUL."""
        self._clock = clock
        self.started_ns = clock()
        self._process = subprocess.Popen(  # noqa: S603 - a list of arguments, never a shell
            [*_tie(), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=passed_on(environment),
            start_new_session=True,
        )
        self._selector = selectors.DefaultSelector()
        for pipe, stream in ((self._process.stderr, "stderr"), (self._process.stdout, "stdout")):
            self._selector.register(cast("IO[bytes]", pipe), selectors.EVENT_READ, stream)

    @property
    def pid(self) -> int:
        """The process id, which is also that of its group."""
        return self._process.pid

    def read(self, *, within_s: float) -> tuple[Piece, ...]:
        """Wait for output and return it; nothing once both are closed.

        What was ready at once has one stamp, stderr before stdout: which of the two was written first is not
        known. Raises TimeoutError when nothing comes within that time, or when the time is already over.
        """
        found: list[tuple[Stream, bytes]] = []
        while not found and self._selector.get_map():
            ready = self._selector.select(within_s) if within_s > 0 else []
            if not ready:
                raise TimeoutError
            for key, _ in sorted(ready, key=lambda event: cast(str, event[0].data)):
                if data := os.read(key.fd, MOST_BYTES_AT_ONCE):
                    found.append((cast(Stream, key.data), data))
                else:
                    self._selector.unregister(key.fileobj)
        at_ns = self._clock()
        return tuple(Piece(stream=stream, data=data, at_ns=at_ns) for stream, data in found)

    def wait(self, *, within_s: float) -> int:
        """Return the exit status, the negative number of a signal. Raises TimeoutError."""
        try:
            return self._process.wait(max(within_s, 0))
        except subprocess.TimeoutExpired:
            raise TimeoutError from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS refuses to signal a group of zombies
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._selector.close()
        for pipe in (self._process.stdout, self._process.stderr):
            cast("IO[bytes]", pipe).close()


_TIED = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"{sys.argv[2]}: cannot be started: {error.strerror}")
"""


def _tie() -> tuple[str, ...]:
    """Return what starts a program so that it ends with us; it takes the place of this start, id and all.

    A function between fork and exec could do it, too, but not safely where there are threads.
    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform != "linux" or not sys.executable:
        return ()
    return (sys.executable, "-I", "-S", "-c", _TIED, str(os.getpid()))
