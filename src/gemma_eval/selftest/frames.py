"""The bytes of a scripted reply: events of an OpenAI-compatible server, made before they are due."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gemma_eval.selftest.script import Script

Api = Literal["chat", "completions"]
Plain = Mapping[str, object]

_WIDTH = 20
"""The characters that a stamp takes, so that the length of a frame is known before its stamp."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event in one chunk of an HTTP body, but for the time of its sending."""

    before: bytes
    after: bytes

    def stamped(self, now_ns: int) -> bytes:
        """Return the bytes, with the time of their sending as `sent_ns`."""
        return b"%b%20d%b" % (self.before, now_ns, self.after)


@dataclass(frozen=True, kw_only=True, slots=True)
class Frames:
    """The events of one reply: a role or nothing, the pieces, and what ends it."""

    role: bytes
    pieces: tuple[Frame, ...]
    end: bytes


def frames(script: Script, *, api: Api, wants_usage: bool) -> Frames:
    """Return the events of `script`; counts are sent only to a client that wants them."""
    usage = script.usage if wants_usage else "never"
    pieces, total = [], 0
    for text, tokens in script.contents():
        total += tokens
        counts = {"usage": _usage(script, total)} if usage == "each" else {}
        pieces.append(_frame({**_piece(api, text), **counts}))
    end = [_event(_last(api))]
    if usage != "never":
        end.append(_event({"choices": [], "usage": _usage(script, total)}))
    role = _chunk(_event(_role())) if script.role and api == "chat" else b""
    return Frames(role=role, pieces=tuple(pieces), end=b"".join(map(_chunk, [*end, _DONE])) + b"0\r\n\r\n")


_DONE = b"data: [DONE]\n\n"


def _role() -> Plain:
    return {"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}, "finish_reason": None}]}


def _piece(api: Api, text: str) -> Plain:
    said: Plain = {"delta": {"content": text}} if api == "chat" else {"text": text}
    return {"choices": [{"index": 0, **said, "finish_reason": None}]}


def _last(api: Api) -> Plain:
    said: Plain = {"delta": {}} if api == "chat" else {"text": ""}
    return {"choices": [{"index": 0, **said, "finish_reason": "stop"}]}


def _usage(script: Script, output_tokens: int) -> Plain:
    return {
        "prompt_tokens": script.prompt_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": script.prompt_tokens + output_tokens,
    }


def _event(said: Plain) -> bytes:
    return b"data: " + json.dumps({"id": "selftest", "model": "selftest", **said}).encode() + b"\n\n"


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def _frame(said: Plain) -> Frame:
    event = _event(said).removesuffix(b"}\n\n") + b', "sent_ns": '
    ending = b"}\n\n"
    size = len(event) + _WIDTH + len(ending)
    return Frame(b"%x\r\n%b" % (size, event), ending + b"\r\n")
