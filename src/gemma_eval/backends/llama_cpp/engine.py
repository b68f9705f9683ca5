"""llama-server in this process: it tokenises over loopback, and streams answers through a callback."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import cached_property
from http.client import HTTPConnection, HTTPException
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from gemma_eval.backends.llama_cpp.settings import Rope, Settings
from gemma_eval.errors import BackendError, MissingDependency
from gemma_eval.protocols import Clock

Json = Any  # what the server answers; each reader narrows it


def package(name: str = "xllamacpp") -> Any:  # noqa: ANN401 - a package of an extra, without types
    """Return the package that holds llama.cpp. Raises MissingDependency."""
    try:
        return import_module(name)
    except ImportError:
        raise MissingDependency("the backend llama_cpp", extra="llama-cpp") from None


_PATIENCE_S = 60.0


@dataclass(kw_only=True, slots=True)
class Stream:
    """What came of one request: when it was made, each piece as it came with its stamp, and when it ended."""

    requested_ns: int = 0
    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    ended_ns: int = 0
    cancelled: bool = False


class Engine:
    """A server that runs until it is closed, forgotten, or the interpreter ends."""

    def __init__(self, settings: Settings, *, clock: Clock) -> None:
        """Load the model. Raises MissingDependency, and BackendError with what llama.cpp says against it.

        It is loaded in another thread, so that what interrupts the waiting comes between no two steps of it.
        """
        module = package()
        key = secrets.token_hex(16)
        given = parameters(module, settings, key=key, verbosity=_SILENT)
        loading = ThreadPoolExecutor(1, thread_name_prefix="llama_cpp")
        try:
            server = loading.submit(_served, module, given).result()
        except (RuntimeError, MemoryError):
            raise BackendError(f"{settings.path}: llama.cpp cannot run it: {reason(settings)}") from None
        finally:
            loading.shutdown(wait=False)
        self._clock = clock
        self._key = key
        self._address = urlsplit(server.listening_address).netloc
        self._servers = [server]
        self._pool = ThreadPoolExecutor(settings.parallel, thread_name_prefix="llama_cpp")
        self.close = weakref.finalize(self, _close, self._pool, self._servers)

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the ids of `text`, markup read as control tokens and none added. Raises BackendError."""
        fields = {"content": text, "add_special": False, "parse_special": True}
        return tuple(self._ask("/tokenize", fields)["tokens"])

    @cached_property
    def added(self) -> int | None:
        """The token that the engine puts before a text by its own rules, `None` where it puts none.

        Raises BackendError.
        """
        own, bare = (
            self._ask("/tokenize", {"content": "a", "add_special": special, "parse_special": True})["tokens"]
            for special in (True, False)
        )
        return own[0] if own[1 : 1 + len(bare)] == bare else None

    def detokenize(self, ids: Sequence[int]) -> str:
        """Return the joined texts of tokens, control tokens as their markup. Raises BackendError."""
        if not ids:
            return ""
        return str(self._ask("/detokenize", {"tokens": list(ids)})["content"])

    def complete(self, request: Mapping[str, object]) -> Json:
        """Have `request` answered as a whole, however long it takes. Raises BackendError."""
        return self._ask("/completion", request, patience_s=None)

    def stream(self, request: Mapping[str, object], *, hear: Callable[[bytes], None] | None = None) -> Stream:
        """Have `request` answered; nothing is parsed. Raises BackendError, and what interrupts the waiting.

        `hear` is given each piece when it has come, in the engine's thread.

        The engine is called in another thread. Python looks at signals in its main thread alone and when it
        runs Python code there, which it would do in the callback, where an exception is swallowed.
        """
        stream = Stream()
        try:
            self._send(json.dumps(request, allow_nan=False).encode(), stream, hear=hear).result()
        except (RuntimeError, ValueError) as error:
            raise BackendError(f"llama.cpp refuses the request: {error}") from error
        except BaseException:
            stream.cancelled = True
            raise
        return stream

    def _send(
        self, body: bytes, stream: Stream, *, hear: Callable[[bytes], None] | None = None
    ) -> Future[None]:
        server, clock = self._server, self._clock

        def take(data: bytes) -> bool:
            stream.pieces.append((clock(), data))
            if hear is not None:
                hear(data)
            return stream.cancelled  # true ends the answer

        def send() -> None:
            stream.requested_ns = clock()
            server.handle_completions(body, take)
            stream.ended_ns = clock()

        return self._pool.submit(send)

    @property
    def _server(self) -> Json:
        if not self._servers:
            raise BackendError("the model was closed and can generate no more")
        return self._servers[0]

    def _ask(
        self, path: str, fields: Mapping[str, object], *, patience_s: float | None = _PATIENCE_S
    ) -> Json:
        """Return what the server answers. Raises BackendError."""
        self._server  # noqa: B018 - raises when there is none
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        try:
            with closing(HTTPConnection(self._address, timeout=patience_s)) as connection:
                connection.request("POST", path, json.dumps(fields), headers)
                response = connection.getresponse()
                text = response.read()
        except (OSError, HTTPException) as error:
            raise BackendError(f"llama.cpp's server does not answer {path}: {error}") from error
        if response.status != 200:
            shown = text.decode(errors="replace")[:300]
            raise BackendError(f"llama.cpp's server answers {path} with {response.status}: {shown}")
        return json.loads(text)


_SILENT, _ERRORS = 0, 1


def parameters(module: Json, settings: Settings, *, key: str, verbosity: int = 0) -> Json:
    """Return xllamacpp's parameters: nothing is kept from one request to the next, and the port is ours."""
    given = module.CommonParams()
    given.model.path = str(settings.path)
    given.n_ctx = settings.context_tokens * settings.parallel
    given.n_parallel = settings.parallel
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = settings.threads
    cache_type = getattr(module.ggml_type, f"GGML_TYPE_{settings.cache_type.upper()}")
    given.cache_type_k = given.cache_type_v = cache_type
    given.flash_attn_type = getattr(module.llama_flash_attn_type, _FLASH[settings.flash_attn])
    if settings.rope is not None:
        _turn(given, settings.rope, kinds=module.llama_rope_scaling_type)
    given.check_tensors = True
    given.cache_prompt = given.cache_idle_slots = False
    given.cache_ram_mib = given.n_ctx_checkpoints = 0
    given.hostnames, given.port, given.api_keys, given.ui = ["127.0.0.1"], 0, [key], False
    given.n_threads_http, given.endpoint_metrics = 2, True
    given.model_alias = {"model"}
    given.verbosity = verbosity
    return given


def _turn(given: Json, rope: Rope, *, kinds: Json) -> None:
    """Have the global layers turn as `rope` says."""
    given.rope_scaling_type = getattr(kinds, f"LLAMA_ROPE_SCALING_TYPE_{rope.type}")
    given.rope_freq_scale = 1 / rope.factor
    given.yarn_orig_ctx = rope.original_tokens
    given.yarn_beta_fast, given.yarn_beta_slow = rope.beta_fast, rope.beta_slow


_FLASH: Mapping[str, str] = {
    "auto": "LLAMA_FLASH_ATTN_TYPE_AUTO",
    "on": "LLAMA_FLASH_ATTN_TYPE_ENABLED",
    "off": "LLAMA_FLASH_ATTN_TYPE_DISABLED",
}


def _served(module: Json, given: Json) -> Json:
    """Return a server whose loop runs: the destructor of one that is let go of before waits for ever."""
    server = module.Server(given)
    server.handle_metrics()  # waits for the loop
    return server


def _close(pool: ThreadPoolExecutor, servers: list[Json]) -> None:
    """Wait for what is being answered, then let go of the server: its destructor ends its threads."""
    pool.shutdown(wait=True)
    servers.clear()


def reason(settings: Settings) -> str:
    """Return why llama.cpp does not load a model: it says so on stderr alone, so a child tries again."""
    given = json.dumps(asdict(settings), default=str)
    command = [sys.executable, "-c", f"from {__name__} import fail; fail()", given]
    try:
        child = subprocess.run(  # noqa: S603 - this Python, a constant program, arguments as a list
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return _UNKNOWN
    return said_against(child.stderr.decode(errors="replace"))


def fail() -> None:
    """Load the model of the settings in the last argument, and let llama.cpp say on stderr what is wrong."""
    given = json.loads(sys.argv[-1])
    rope = given.pop("rope")
    settings = Settings(**given, rope=rope and Rope(**rope))
    module = package()
    module.Server(parameters(module, settings, key="", verbosity=_ERRORS))


def said_against(log: str) -> str:
    """Return the first error of a log of llama.cpp that says more than that it failed."""
    lines = (line.partition(" E ")[2].strip() for line in log.splitlines())
    said = [line.rpartition("error loading model: ")[2] for line in lines if line]
    telling = (line for line in said if "failed to load model" not in line and "exiting" not in line)
    return next(telling, said[0] if said else _UNKNOWN)[:300]


_UNKNOWN = "it does not say why; is there memory for the model and its context?"
