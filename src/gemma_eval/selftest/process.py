"""The test server as a process of its own: `with running() as server: …`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from threading import Timer

from gemma_eval.errors import BackendError
from gemma_eval.selftest.ledger import Truth

PATIENCE_S = 20.0
"""How long a server may take to start, to end, or to tell what it served, on a machine that is busy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningServer:
    """A server that listens on a loopback port."""

    port: int
    process_id: int
    patience_s: float = PATIENCE_S

    @property
    def url(self) -> str:
        """The location of a model that is served here."""
        return f"http://127.0.0.1:{self.port}/v1"

    def truth(self) -> Truth:
        """Return what was served since this was last asked. Raises BackendError when it is not told."""
        try:
            with closing(HTTPConnection("127.0.0.1", self.port, timeout=self.patience_s)) as connection:
                connection.request("GET", "/served")
                return Truth.read(connection.getresponse().read().decode())
        except (OSError, HTTPException) as error:
            raise BackendError(f"the test server did not tell what it had served: {error}") from error


@contextmanager
def running(
    *,
    program: Sequence[str] = ("-m", "gemma_eval.selftest.server"),
    start_within_s: float = PATIENCE_S,
    end_within_s: float = PATIENCE_S,
) -> Iterator[RunningServer]:
    """Start a server and end it with the block. Raises BackendError when it does not start.

    `program` are the arguments of Python; one that takes longer than it may to start or to end is killed.
    """
    command = [sys.executable, *program]
    # In a session of its own, an interrupt from the keyboard is for its parent alone.
    with subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield RunningServer(port=_port(process, start_within_s), process_id=process.pid)
        finally:
            _end(process, end_within_s)


def _port(process: subprocess.Popen[str], within_s: float) -> int:
    overdue = Timer(within_s, process.kill)
    overdue.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
    finally:
        overdue.cancel()
    if not (line.endswith("\n") and line.strip().isdigit()):
        raise BackendError(f"the test server did not start: it printed {line!r}, not the port it listens on")
    return int(line)


def _end(process: subprocess.Popen[str], within_s: float) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.kill()
