"""An answer from the reply of an OpenAI-compatible server: stamped bytes in, a Generation out, or what broke.

A stream has ended when it says so: with `[DONE]`, or with a reason to finish before it closes. One that
closes before is truncated, and an error in it is an error whatever follows. In all of these what had come is
kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

from gemma_eval.backends.openai_http import events as openai_events
from gemma_eval.backends.openai_http import sse
from gemma_eval.backends.openai_http.deltas import Piece, deltas
from gemma_eval.backends.openai_http.events import Json, NoSuchEvent, Said, Usage, numbers
from gemma_eval.backends.openai_http.reply import Broken, Read, Reply
from gemma_eval.errors import BackendError, GenerationTimeout, ServerError, TruncatedStream
from gemma_eval.records import Attempt, Channel, CountSource, Delta, FinishReason, Generation, Options

DONE = "[DONE]"
Parse = Callable[[Sequence[Read]], sse.EventStream]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked for and how the answer is told: what of a generation is not in the reply.

    `where` begins every message. `excerpt` makes a text of the server short and safe to show. `count` counts
    the tokens of a text, for servers that do not say; with `checks_counts` it counts every answer.
    """

    where: str
    max_tokens: int
    effective: Options = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()
    excerpt: Callable[[str], str] = repr
    count: Callable[[str], int | None] | None = None
    checks_counts: bool = False


_ONE_AT_A_TIME = Lock()
"""Answers that end together are parsed one after the other: threads that have to stamp need room."""


def generation(reply: Reply, asked: Asked, *, parse: Parse = sse.parse) -> Generation:
    """Return the answer in the body of `reply`. Raises ServerError, TruncatedStream, GenerationTimeout.

    A body of JSON is an answer that came whole.
    """
    answer = _Answer(reply, asked)
    if reply.content_type.endswith("json"):
        answer.take_whole()
    else:
        with _ONE_AT_A_TIME:
            answer.take_stream(parse(reply.reads))
    if answer.flaw is not None:
        raise answer.flaw
    return answer.made(answer.finish_reason)


def nothing(reply: Reply, asked: Asked) -> Generation:
    """Return the generation that a reply without an answer is: its stamps, and the attempts before it."""
    is_late = reply.broken is not None and reply.broken.kind == "timeout"
    return _Answer(reply, asked).made("timeout" if is_late else "error")


def failed(reply: Reply, error: BackendError) -> Attempt:
    """Return the attempt that a reply was which is not the last."""
    return Attempt(
        kind=error.kind,
        message=str(error),
        requested_ns=None if reply.connected_ns is None else reply.requested_ns,
        ended_ns=reply.ended_ns,
    )


class _Answer:
    """What the events of a reply have said so far; `flaw` is what broke it off."""

    def __init__(self, reply: Reply, asked: Asked) -> None:
        self.flaw: BackendError | None = None
        self._reply = reply
        self._asked = asked
        self._pieces: list[Piece] = []
        self._usage = Usage()
        self._usage_ns: int | None = None
        self._timings: Json = {}
        self._reason: FinishReason | None = None
        self._is_done = False
        self._is_streamed = True

    @property
    def finish_reason(self) -> FinishReason:
        """Why the answer ended; for a stream that only says that it has, what its length says."""
        if self._reason is not None:
            return self._reason
        return "length" if (self._output_tokens or 0) >= self._asked.max_tokens else "stop"

    def take_stream(self, stream: sse.EventStream) -> None:
        """Take the events up to the end, or to the first that breaks the answer off."""
        for number, event in enumerate(stream.events, 1):
            if event.data.strip() == DONE:
                self._is_done = True
                return
            if event.data:
                self._take_event(event, number)
            if self.flaw is not None:
                return
        if stream.flaw is not None:
            self._break(ServerError, f"the stream has {stream.flaw}, and it was not read further")
            return
        self._is_done = stream.rest.strip() in (b"data: [DONE]", b"data:[DONE]")
        if not self._is_done and self._reason is None:
            self._break_off(stream)

    def take_whole(self) -> None:
        """Take an answer that came in one piece."""
        self._is_streamed = False
        reply = self._reply
        try:
            said = openai_events.read(reply.body.decode())
        except (NoSuchEvent, UnicodeDecodeError) as error:
            if reply.broken is not None:
                self._break_with(reply.broken)
                return
            what = error if isinstance(error, NoSuchEvent) else "bytes that are no UTF-8"
            self._break(ServerError, f"the server answered with {what}: {self._shown(reply.body)}")
            return
        is_one = len(said.pieces) < 2
        self._take(said if is_one else replace(said, count=None), at_ns=reply.ended_ns)
        if self.flaw is None and not said.is_piece:
            self._break(ServerError, f"the answer of the server has no choices: {self._shown(reply.body)}")

    def made(self, reason: FinishReason) -> Generation:
        """Return the generation that has come."""
        reply, usage, asked = self._reply, self._usage, self._asked
        found = deltas(self._pieces, total=self._output_tokens)
        texts = {channel: _joined(found, channel) for channel in ("output", "reasoning", "tool_call")}
        counted = self._counted("".join(texts.values())) if reason not in ("error", "timeout") else None
        told = self._output_tokens
        return Generation(
            text=texts["output"],
            deltas=found,
            reasoning=texts["reasoning"],
            tool_calls=texts["tool_call"],
            prompt_tokens=self._prompt_tokens,
            cached_tokens=self._cached_tokens,
            output_tokens=counted if told is None else told,
            reasoning_tokens=usage.reasoning_tokens,
            client_tokens=None if told is None else counted,
            count_source=self._count_source(found, counted),
            finish_reason=reason,
            connected_ns=reply.connected_ns,
            requested_ns=reply.requested_ns,
            headers_ns=reply.headers_ns,
            usage_ns=self._usage_ns,
            ended_ns=reply.ended_ns,
            streamed=self._is_streamed,
            attempts=asked.attempts,
            effective=asked.effective,
            engine_timings=_engine_timings(numbers(self._timings)),
        )

    def _take_event(self, event: sse.Event, number: int) -> None:
        where = f"event {number} of the stream"
        if not event.is_utf8:
            self._break(
                ServerError, f"{where} has bytes that are no UTF-8: {self._asked.excerpt(event.data)}"
            )
            return
        try:
            said = openai_events.read(event.data, name=event.name)
        except NoSuchEvent as error:
            if event.is_whole:
                self._break(ServerError, f"{where} is {error}: {self._asked.excerpt(event.data)}")
            else:
                self._break(TruncatedStream, f"{where} is cut off: {self._asked.excerpt(event.data)}")
            return
        self._take(said, at_ns=event.at_ns)

    def _take(self, said: Said, *, at_ns: int) -> None:
        if said.error is not None:
            self._break(ServerError, f"the server broke the answer off: {self._asked.excerpt(said.error)}")
            return
        if said.usage is not None or said.timings:
            self._usage_ns = at_ns
        self._usage = said.usage or self._usage
        self._timings = said.timings or self._timings
        self._reason = said.finish_reason or self._reason
        if said.is_piece:
            ends = said.finish_reason is not None
            self._pieces.append(Piece(parts=said.pieces, at_ns=at_ns, count=said.count, ends=ends))

    def _break_off(self, stream: sse.EventStream) -> None:
        """Break off for a stream that did not come to its end."""
        reply = self._reply
        if reply.broken is not None:
            self._break_with(reply.broken)
        elif not stream.events and reply.body.strip():
            kind = reply.content_type or "something without a type"
            what = f"the server answered with {kind} and no stream of events: {self._shown(reply.body)}"
            self._break(ServerError, what)
        else:
            what = f"the stream ended {self._progress()}, without a finish_reason or {DONE}"
            self._break(TruncatedStream, what)

    def _break_with(self, broken: Broken) -> None:
        if broken.kind == "timeout":
            self._break(GenerationTimeout, broken.what)
        elif broken.kind in ("reset", "cut"):
            self._break(TruncatedStream, f"{broken.what} {self._progress()}")
        else:
            self._break(ServerError, broken.what)

    def _break(self, kind: type[BackendError], what: str) -> None:
        partial = self.made("timeout" if kind is GenerationTimeout else "error")
        self.flaw = kind(f"{self._asked.where}: {what}", partial=partial)

    def _progress(self) -> str:
        pieces = sum(bool(piece.parts) for piece in self._pieces)
        return f"after {pieces} piece{'' if pieces == 1 else 's'} of the answer"

    def _shown(self, body: bytes) -> str:
        return self._asked.excerpt(body.decode(errors="replace"))

    def _counted(self, text: str) -> int | None:
        asked = self._asked
        if asked.count is None or not (asked.checks_counts or self._output_tokens is None):
            return None
        return asked.count(text)

    def _count_source(self, found: Sequence[Delta], counted: int | None) -> CountSource:
        if self._output_tokens is None:
            return "server_usage" if counted is None else "client_tokenizer"
        each = self._is_streamed and any(delta.text and delta.n_tokens is not None for delta in found)
        return "server_per_chunk_usage" if each else "server_usage"

    @property
    def _output_tokens(self) -> int | None:
        told = self._usage.output_tokens
        return self._count("predicted_n") if told is None else told

    @property
    def _prompt_tokens(self) -> int | None:
        if self._usage.prompt_tokens is not None:
            return self._usage.prompt_tokens
        return self._count("prompt_n", "cache_n")

    @property
    def _cached_tokens(self) -> int | None:
        told = self._usage.cached_tokens
        return self._count("cache_n") if told is None else told

    def _count(self, *names: str) -> int | None:
        """Return the sum of counts among the engine's timings, `None` when the first is not there."""
        told = numbers(self._timings)
        return int(sum(told.get(name, 0) for name in names)) if names[0] in told else None


def _joined(found: Sequence[Delta], channel: Channel) -> str:
    return "".join(delta.text for delta in found if delta.channel == channel)


def _engine_timings(told: Mapping[str, float]) -> Mapping[str, float]:
    """Return llama-server's numbers, and under our names the time, the rate and the steps of writing."""
    ours = {}
    if "predicted_ms" in told:
        ours["decode_ms"] = told["predicted_ms"]
    if told.get("predicted_per_second", 0) > 0:
        ours["output_tokens_per_s"] = told["predicted_per_second"]
    written = told.get("predicted_n", 0)
    steps = written - told.get("draft_n_accepted", 0)
    if told.get("draft_n", 0) > 0 and 0 < steps <= written:
        ours["accept_length"] = written / steps
    return {**told, **ours}
