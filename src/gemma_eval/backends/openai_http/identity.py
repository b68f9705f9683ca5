"""What a server is, for the record of a run: its engine, the hashes of its model, its processes here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from gemma_eval.backends.model_files import sha256
from gemma_eval.backends.openai_http.address import Address
from gemma_eval.backends.openai_http.request import Wanted
from gemma_eval.backends.openai_http.server import Server
from gemma_eval.files import read
from gemma_eval.protocols import Clock
from gemma_eval.records import EngineInfo, Option


def info(server: Server, wanted: Wanted, address: Address) -> EngineInfo:
    """Return what is driven; `model_sha256` is of the GGUF file that a server on this machine names."""
    details: dict[str, Option] = {
        "dialect": server.dialect,
        "endpoint": wanted.endpoint,
        "model": Path(server.model).name if Path(server.model).is_absolute() else server.model,
        **server.details,
    }
    if server.dialect == "llama.cpp":
        details["cache_prompt"] = wanted.cache_prompt
    template = server.chat_template
    return EngineInfo(
        engine=server.engine,
        version=server.version,
        model_sha256=_sha256(server.path) if address.is_loopback else None,
        chat_template_sha256=None if template is None else hashlib.sha256(template.encode()).hexdigest(),
        quantisation=server.quantisation,
        parameters=server.parameters,
        context_tokens=wanted.context_tokens,
        threads=None,
        details=details,
    )


_CONTAINERS = ("docker-proxy", "rootlessport", "rootlesskit", "slirp4netns", "pasta", "kubectl")
_FORWARDERS = frozenset((*_CONTAINERS, "ssh", "socat", "nginx", "haproxy", "caddy"))
"""Programs that listen for a server which runs in a container or on another machine."""


@dataclass(kw_only=True, slots=True)
class Seen:
    """What `look` found; it looks again when a process has ended, or after a while when there was none.

    It goes through all connections of the machine, which takes 10 ms and more.
    """

    look: Callable[[], tuple[int, ...]]
    clock: Clock
    _found: tuple[int, ...] = field(default=(), init=False)
    _looked_ns: int | None = field(default=None, init=False)

    def pids(self) -> tuple[int, ...]:
        """Return the processes."""
        if self._is_over():
            self._found = self.look()
            self._looked_ns = self.clock()
        return self._found

    def _is_over(self) -> bool:
        if self._looked_ns is None:
            return True
        if not self._found:
            return self.clock() - self._looked_ns >= _NONE_FOR_NS
        return not all(map(psutil.pid_exists, self._found))


_NONE_FOR_NS = 10_000_000_000


def processes(address: Address) -> tuple[int, ...]:
    """Return the processes that serve at an address, none when it is not one of this machine."""
    return listening(address.port) if address.is_loopback else ()


def listening(port: int) -> tuple[int, ...]:
    """Return the processes that listen at `port` of this machine.

    There are none where one of them may not be seen, or only hands on what it hears.
    """
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.AccessDenied, OSError):
        return ()
    found = {
        connection.pid
        for connection in connections
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
    }
    known = sorted(pid for pid in found if pid is not None)
    return tuple(known) if len(known) == len(found) and not any(map(_hands_on, known)) else ()


def _hands_on(pid: int) -> bool:
    try:
        return psutil.Process(pid).name() in _FORWARDERS
    except psutil.Error:
        return True


def _sha256(location: str | None) -> str | None:
    """Return the hash of a GGUF file, `None` when there is none of that name that can be read."""
    if location is None or not location.endswith(".gguf"):
        return None
    path = Path(location)
    try:
        return sha256([path]) if read.exists(path, "file") else None
    except OSError:
        return None
