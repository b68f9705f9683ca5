"""A server that is asked for numbers about texts: one question in JSON, one whole answer, a few attempts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path

from gemma_eval.backends.openai_http import address as http_address
from gemma_eval.backends.openai_http import options as openai_options
from gemma_eval.backends.openai_http.errors import Question, pause_s, refusal
from gemma_eval.backends.openai_http.events import NoSuchEvent, parsed
from gemma_eval.backends.openai_http.line import ASIDE, Line, key_of
from gemma_eval.backends.openai_http.options import HttpOptions
from gemma_eval.backends.openai_http.reply import Reply
from gemma_eval.backends.openai_http.server import Server, names, recognise
from gemma_eval.backends.openai_http.transport import Limits, Transport
from gemma_eval.errors import BackendError, GenerationTimeout, ServerError, UnknownName
from gemma_eval.records import ModelSpec

Json = Mapping[str, object]

OPTIONS = (
    *("model", "dialect", "api_key_env", "retries"),
    *(limit.name for limit in fields(Limits) if limit.name != "first_token_timeout_s"),
)
"""The options of `openai_http` that mean something where no answer is written."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Asking:
    """A server and the model that is asked of it; any number of threads may ask at once."""

    line: Line
    options: HttpOptions
    server: Server
    sleep: Callable[[float], None]

    @property
    def model(self) -> str:
        """The server's name of its model; of one that is a file there, the name of that."""
        name = self.server.model
        return Path(name).name if Path(name).is_absolute() else name

    @property
    def where(self) -> str:
        """The address, as in messages."""
        return f"{self.line.address.origin}{self.line.address.path}"

    def post(self, path: str, body: Json) -> Json:
        """Return what the server answers at `path`. Raises BackendError after the last attempt."""
        request = self.line.request(self.line.address.path + path, {"model": self.server.model, **body})
        attempts = 0
        while True:
            reply = self.line.transport.send(request, limits=self.options.limits)
            attempts += 1
            flaw = self._flaw(reply, path, attempts=attempts)
            if flaw is None:
                return self._told(reply, path)
            pause = pause_s(reply, attempts=attempts - 1)
            if pause is None or attempts > self.options.retries:
                raise flaw
            self.sleep(pause)

    def _flaw(self, reply: Reply, path: str, *, attempts: int) -> BackendError | None:
        """Return the error that a reply is, also one that broke off in the middle."""
        question = Question(
            url=self.where + path,
            model=self.server.model,
            api_key_env=self.options.api_key_env,
            excerpt=self.line.excerpt,
            models=lambda: names(self.line.ask, self.line.address),
            attempts=attempts,
        )
        if flaw := refusal(reply, question):
            return flaw
        if reply.broken is None:
            return None
        kind = GenerationTimeout if reply.broken.kind == "timeout" else ServerError
        return kind(f"{question.url}: {reply.broken.what}")

    def _told(self, reply: Reply, path: str) -> Json:
        try:
            return parsed(reply.body.decode(errors="replace"))
        except NoSuchEvent as error:
            shown = self.line.excerpt(reply.body[:1000].decode(errors="replace"))
            raise ServerError(f"{self.where}{path}: {error}: {shown}") from error


def connect(
    spec: ModelSpec,
    *,
    environment: Mapping[str, str],
    own: Sequence[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> Asking:
    """Ask the server at `spec.location` what it is; `own` are options that are read elsewhere.

    Raises UnknownName, WrongSetting, and BackendError for a server that cannot be reached or a missing key.
    """
    for option in spec.options:
        if option not in (*OPTIONS, *own):
            noun = f"option of the model {spec.name} (backend {spec.backend})"
            raise UnknownName(noun, option, (*OPTIONS, *own))
    given = {option: value for option, value in spec.options.items() if option not in own}
    options = openai_options.read(replace(spec, options=given))
    whole = replace(options.limits, first_token_timeout_s=options.limits.timeout_s)
    options = replace(options, limits=whole)
    address = http_address.parse(spec.location, model=spec.name)
    line = Line(
        address=address,
        transport=Transport(address, clock=time.perf_counter_ns),
        key=key_of(spec, options.api_key_env, environment),
        api_key_env=options.api_key_env,
        limits=replace(ASIDE, connect_timeout_s=options.limits.connect_timeout_s),
    )
    with ExitStack() as stack:
        stack.callback(line.transport.close)
        server = recognise(line.ask, options, address=address, name=spec.name, excerpt=line.excerpt)
        stack.pop_all()
    return Asking(line=line, options=options, server=server, sleep=sleep)


def placed(rows: object, texts: int, *, where: str) -> tuple[Json, ...]:
    """Return what is told of each text, in their order, by the `index` of each row.

    Servers answer in any order. Raises ServerError unless each text has one row.
    """
    told = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    by_index = {row.get("index"): row for row in told if type(row.get("index")) is int}
    if len(told) != texts or set(by_index) != set(range(texts)):
        indexes = sorted(by_index, key=str)
        shown = f"{indexes[:10]}{' and more' if len(indexes) > 10 else ''}"
        raise ServerError(
            f"{where}: of {texts} texts it told {len(told)} rows, of the indexes {shown}; one of each from 0 "
            f"to {texts - 1} is needed"
        )
    return tuple(by_index[at] for at in range(texts))


def sendable(texts: Sequence[str]) -> list[str]:
    """Return the texts as servers take them: for an empty one a space, and no half of a surrogate pair."""
    return [text.encode(errors="replace").decode() or " " for text in texts]
