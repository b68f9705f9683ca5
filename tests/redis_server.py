"""A real Redis server on a free loopback port, for tests that use one: `with running(folder) as server: …`.

Debian's package redis-server, or the program that GEMMA_EVAL_REDIS_SERVER names. Each test has a namespace
of its own, so one server serves all tests of a process; a test that changes a server starts one.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gemma_eval.executors.worker import end_with_parent
from tests import required

START_S = 20.0
PATIENT_S = "30"
PASSWORD = "s3cret-Pa55/word"  # noqa: S105 - of a server that lives as long as a test
TRIES = 5
"""A port that is free now may be taken when the server binds it; another is tried."""


@dataclass(kw_only=True)
class RedisServer:
    """A running server; its data outlive `kill` and `start_again`, as far as it had saved them."""

    program: str
    folder: Path
    port: int
    settings: Mapping[str, str]
    process: subprocess.Popen[bytes]
    username: str | None = None
    password: str | None = None

    @property
    def is_encrypted(self) -> bool:
        """Whether it speaks TLS only."""
        return "tls-port" in self.settings

    def url(self, namespace: str = "test", **settings: str) -> str:
        """Return the location of a store in it, which waits longer than a busy machine stalls."""
        user = f"{self.username or ''}:{self.password.replace('/', '%2F')}@" if self.password else ""
        tls = {"cacert": str(self.folder / "ca.pem")} if self.is_encrypted else {}
        query = "".join(
            f"&{name}={value}" for name, value in {"timeout": PATIENT_S, **tls, **settings}.items()
        )
        scheme = "rediss" if self.is_encrypted else "redis"
        return f"{scheme}://{user}localhost:{self.port}/0?namespace={namespace}{query}"

    def client(self) -> Any:  # noqa: ANN401 - of an optional package
        """Return a client of the library, to look behind the store."""
        redis = required.module("redis", extra="redis")
        return redis.Redis(
            host="localhost",
            port=self.port,
            username=self.username,
            password=self.password,
            ssl=self.is_encrypted,
            ssl_ca_certs=str(self.folder / "ca.pem") if self.is_encrypted else None,
            protocol=2,
            socket_timeout=30,
        )

    def stop(self) -> None:
        """Let the server hang: it has the connection and never answers."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def start_again(self, *, load_us: int | None = None) -> None:
        """Start it at the same port with what it had saved; with `load_us` it takes so long for each key."""
        slow = {"key-load-delay": str(load_us), "loading-process-events-interval-bytes": "1024"}
        settings = self.settings if load_us is None else {**self.settings, **slow}
        self.process = _started(self.program, self.folder, self.port, settings)
        self.await_answer(b"-LOADING" if load_us is not None else b"")

    def await_answer(self, wanted: bytes = b"") -> None:
        """Wait until it answers, and not that it is loading unless that is `wanted`.

        Raises TimeoutError, or ChildProcessError where it has ended.
        """
        until_s = time.monotonic() + START_S
        while time.monotonic() < until_s:
            if self.process.poll() is not None:
                raise ChildProcessError((self.folder / "log").read_text(errors="replace")[-2000:])
            said = self._said()
            if said and (said.startswith(wanted) if wanted else not said.startswith(b"-LOADING")):
                return
            time.sleep(0.01)
        raise TimeoutError(f"redis-server does not answer at port {self.port}")

    def _said(self) -> bytes:
        """Return what it answers to a ping, `+` where only TLS is spoken, nothing where it is not there."""
        with closing(socket.socket()) as probe:
            probe.settimeout(START_S)
            try:
                probe.connect(("127.0.0.1", self.port))
                if self.is_encrypted:
                    return b"+"
                probe.sendall(b"PING\r\n")
                return probe.recv(100)
            except OSError:
                return b""


@contextmanager
def running(
    folder: Path, *, username: str | None = None, password: str | None = None, **settings: str
) -> Iterator[RedisServer]:
    """Start a server until the block ends, with `settings` of redis.conf (`maxmemory="4mb"`, `_` for `-`).

    Nothing is saved to disk unless the settings ask for it. Skips the test where there is no server.
    """
    program = _program()
    given = {name.replace("_", "-"): value for name, value in settings.items()}
    if password is not None and username is None:
        given["requirepass"] = password
    process = None
    for attempt in range(TRIES):
        port = _free_port()
        process = _started(program, folder, port, given)
        server = RedisServer(
            program=program,
            folder=folder,
            port=port,
            settings=given,
            process=process,
            username=username,
            password=password,
        )
        try:
            server.await_answer()
            break
        except ChildProcessError as error:
            if "connection type tls" in str(error):
                required.missing("redis-server", f"{program} was built without TLS")
            if attempt == TRIES - 1:
                raise
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def make_certificates(folder: Path) -> None:
    """Write ca.pem, which signed server.pem for localhost, and server.key."""
    if shutil.which("openssl") is None:
        required.missing("redis-server", "needs openssl for a certificate")
    extension = folder / "server.ext"
    extension.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    new = ("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    for command in (
        (*new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority"),
        (*new[:-2], "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"),
        (
            *("openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-days", "2", "-out", "server.pem", "-extfile", extension.name),
        ),
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for all tests of this process that only need a namespace."""
    with running(tmp_path_factory.mktemp("redis")) as server:
        yield server


def _program() -> str:
    required.module("redis", extra="redis")
    program = shutil.which(os.environ.get("GEMMA_EVAL_REDIS_SERVER", "redis-server"))
    if program is None:
        required.missing("redis-server", "needs the program redis-server (Debian: apt install redis-server)")
    return program


def _started(program: str, folder: Path, port: int, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
    lines = {
        "port": "0" if "tls-port" in settings else str(port),
        "bind": "127.0.0.1",
        "dir": str(folder),
        "logfile": str(folder / "log"),
        "save": '""',
        "daemonize": "no",
        **settings,
    }
    if "tls-port" in lines:
        lines["tls-port"] = str(port)
    (folder / "redis.conf").write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
    return subprocess.Popen(
        [program, str(folder / "redis.conf")],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        preexec_fn=end_with_parent,  # noqa: PLW1509 - it asks the kernel for one thing
    )


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
