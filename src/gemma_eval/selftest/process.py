"""The test server as a process of its own: `with running() as server: …`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection

from gemma_eval.errors import BackendError
from gemma_eval.selftest.ledger import Truth

PATIENCE_S = 20.0
"""How long a server may take to end, or to tell what it served, on a machine that is busy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningServer:
    """A server that listens on a loopback port."""

    port: int
    process_id: int

    @property
    def url(self) -> str:
        """The location of a model that is served here."""
        return f"http://127.0.0.1:{self.port}/v1"

    def truth(self) -> Truth:
        """Return what was served since this was last asked."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as connection:
            connection.request("GET", "/served")
            return Truth.read(connection.getresponse().read().decode())


@contextmanager
def running(
    *, program: Sequence[str] = ("-m", "gemma_eval.selftest.server"), patience_s: float = PATIENCE_S
) -> Iterator[RunningServer]:
    """Start a server and end it with the block. Raises BackendError when it does not start.

    `program` are the arguments of Python; one that does not end by itself in `patience_s` is killed.
    """
    command = [sys.executable, *program]
    # In a session of its own, an interrupt from the keyboard is for its parent alone.
    with subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield RunningServer(port=_port(process), process_id=process.pid)
        finally:
            _end(process, patience_s)


def _port(process: subprocess.Popen[str]) -> int:
    line = process.stdout.readline() if process.stdout else ""
    if not line.strip().isdigit():
        raise BackendError(f"the test server did not start: it printed {line!r}, not the port it listens on")
    return int(line)


def _end(process: subprocess.Popen[str], patience_s: float) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(timeout=patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
