"""A client as plain as can be: a blocking socket, a stamp for each line, JSON when all is over."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

from gemma_eval.errors import BackendError
from gemma_eval.protocols import Clock, TransformFactory
from gemma_eval.records import Delta, EngineInfo, Generation, ModelSpec, Prompt, SamplingProfile


def load(spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]) -> PlainClient:
    """Return a client of the server and model of `spec`."""
    del transforms
    return PlainClient(address=urlsplit(spec.location).netloc, model=str(spec.options["model"]), clock=clock)


@dataclass(frozen=True, kw_only=True)
class PlainClient:
    """Asks for streams, one connection each."""

    address: str
    model: str
    clock: Clock

    @property
    def chat_template(self) -> None:
        """The server's own."""
        return

    def info(self) -> EngineInfo:
        """Say that this is a test."""
        return EngineInfo(
            engine="plain", version="1", model_sha256=None, parameters=None, context_tokens=None, threads=None
        )

    def count_tokens(self, text: str) -> None:
        """Say that tokens cannot be counted here."""
        del text

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Read the stream to its end. Raises BackendError for anything but a stream."""
        body = {
            "model": self.model,
            "messages": [{"role": turn.role, "content": turn.content} for turn in prompt.messages],
            "max_tokens": profile.max_tokens,
            "seed": seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        with closing(HTTPConnection(self.address, timeout=30)) as connection:
            connection.connect()
            connection.request("POST", "/v1/chat/completions", json.dumps(body))
            requested_ns = self.clock()
            response = connection.getresponse()
            if response.status != 200:
                raise BackendError(response.read().decode())
            lines = []
            while line := response.readline():
                lines.append((self.clock(), line))
        return _generation(lines, requested_ns=requested_ns, ended_ns=self.clock())

    def close(self) -> None:
        """Do nothing: no connection is kept."""


def _generation(lines: list[tuple[int, bytes]], *, requested_ns: int, ended_ns: int) -> Generation:
    deltas: list[Delta] = []
    usage: Mapping[str, int] = {}
    for at_ns, line in lines:
        data = line.strip().removeprefix(b"data: ")
        if not data or data == b"[DONE]":
            continue
        event = json.loads(data)
        usage = event.get("usage") or usage
        for choice in event["choices"]:
            text = choice["delta"].get("content") or ""
            deltas.append(Delta(text=text, n_tokens=None if text else 0, at_ns=at_ns))
    return Generation(
        text="".join(delta.text for delta in deltas),
        deltas=tuple(deltas),
        prompt_tokens=usage.get("prompt_tokens"),
        output_tokens=usage.get("completion_tokens"),
        count_source="server_usage",
        finish_reason="stop",
        requested_ns=requested_ns,
        ended_ns=ended_ns,
    )


NOW: Clock = time.perf_counter_ns
