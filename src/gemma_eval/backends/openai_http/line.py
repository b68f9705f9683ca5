"""The line to one server: requests that carry the key, and what is asked of it beside answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gemma_eval import __version__
from gemma_eval.backends.openai_http.address import Address
from gemma_eval.backends.openai_http.errors import Excerpt, Question, Secret, refusal
from gemma_eval.backends.openai_http.events import NoSuchEvent, has_token, parsed
from gemma_eval.backends.openai_http.transport import Limits, Request, Transport
from gemma_eval.errors import BackendError, GenerationTimeout, ServerError
from gemma_eval.logs import redact
from gemma_eval.records import ModelSpec

Json = Mapping[str, object]

ASIDE = Limits(first_token_timeout_s=30.0, idle_timeout_s=30.0, timeout_s=30.0, max_response_bytes=16 << 20)
"""How long and how large the reply to a question beside answers may be; no option sets it."""
_HAS_NOT = (400, 404, 405, 422, 501)
"""The statuses by which a server says that it has no such path."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """A server's address, the way to it, and the key, which is shown nowhere."""

    address: Address
    transport: Transport
    key: Secret | None = field(repr=False)
    api_key_env: str | None
    limits: Limits = ASIDE

    @cached_property
    def excerpt(self) -> Excerpt:
        """What makes texts of the server fit to show."""
        return Excerpt(key=self.key)

    def request(self, path: str, body: Json | None) -> Request:
        """Return the request of `path`, with `body` as JSON where there is one."""
        headers = {"User-Agent": f"gemma_eval/{__version__}"}
        if self.key is not None:
            headers["Authorization"] = Secret(f"Bearer {self.key!s}")
        if body is None:
            return Request(method="GET", path=path, headers=headers)
        data = json.dumps(body, allow_nan=False).encode()
        typed = {**headers, "Content-Type": "application/json"}
        return Request(method="POST", path=path, body=data, headers=typed, has_begun=has_token)

    def ask(self, path: str, body: Json | None, *, limits: Limits | None = None) -> Json | None:
        """Return what the server tells at `path`, `None` when it has no such path. Raises BackendError."""
        limits = limits or self.limits
        reply = self.transport.send(self.request(path, body), limits=limits)
        if reply.status in _HAS_NOT:
            return None
        url = self.address.origin + path
        question = Question(
            url=url, api_key_env=self.api_key_env, excerpt=self.excerpt, is_first=body is None
        )
        broken = reply.broken
        if broken is not None and broken.kind == "timeout":
            what = f"no whole answer within {limits.timeout_s:g} s"
            raise GenerationTimeout(f"{url}: {what}; is the server still loading its model?")
        if flaw := refusal(reply, question):
            raise flaw
        if broken is not None:
            raise ServerError(f"{url}: {broken.what}")
        try:
            return parsed(self.excerpt.without_key(reply.body.decode(errors="replace")))
        except NoSuchEvent:
            return None


def key_of(spec: ModelSpec, variable: str | None, environment: Mapping[str, str]) -> Secret | None:
    """Return the key that the environment holds in `variable`. Raises BackendError, without the key."""
    if variable is None:
        return None
    key = environment.get(variable, "").strip()
    where = f"model {spec.name}: api_key_env: the environment variable {variable}"
    if not key:
        raise BackendError(f"{where} is not set; put the key of the server into it")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise BackendError(
            f"{where} holds what no key is: spaces, control characters or letters beyond ASCII"
        )
    redact.hide(key)
    return Secret(key)
