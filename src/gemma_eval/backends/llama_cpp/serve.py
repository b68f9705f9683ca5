"""A GGUF file served over HTTP by llama.cpp in this process, as llama-server would, for who has no other."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

from gemma_eval.backends.llama_cpp.engine import package, parameters, reason
from gemma_eval.backends.llama_cpp.settings import Settings
from gemma_eval.errors import BackendError

HOST = "127.0.0.1"
"""Only this machine is served."""


@contextmanager
def served(settings: Settings, *, port: int) -> Iterator[str]:
    """Serve a model until the block ends; the result is the address that `openai_http` takes as location.

    With `port` 0 the system chooses one. Raises MissingDependency, and BackendError when the port is taken or
    llama.cpp refuses the model.
    """
    module = package()
    _refuse_taken(port)
    given = parameters(module, settings, key="")
    given.hostnames, given.port, given.api_keys = [HOST], port, []
    given.n_threads_http = settings.parallel + 2
    given.model_alias = {settings.path.stem}
    try:
        server = module.Server(given)
        server.handle_metrics()  # waits for its loop: one that is ended before it begins never ends
    except (RuntimeError, MemoryError):
        raise BackendError(f"{settings.path}: llama.cpp cannot serve it: {reason(settings)}") from None
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server  # the last reference: its destructor ends its threads and closes the port


def _refuse_taken(port: int) -> None:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            what = f"port {port} cannot be listened on: {error.strerror}"
            raise BackendError(f"{what}; give another --port") from error
