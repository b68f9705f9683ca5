"""How probable a server finds a text: llama-server is made to write it, vLLM tells it of every prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from gemma_eval.backends import llama_reading
from gemma_eval.backends.openai_http.dialects import CAPABILITIES
from gemma_eval.backends.openai_http.line import Line
from gemma_eval.backends.openai_http.options import HttpOptions
from gemma_eval.backends.openai_http.server import Server, tokens_of
from gemma_eval.backends.openai_http.transport import Limits
from gemma_eval.backends.reading import Reader
from gemma_eval.errors import BackendError, ContextOverflow
from gemma_eval.gemma.reading import Ids, Reading

Json = Any  # what a server answers; each method narrows what it reads


def capabilities(options: HttpOptions) -> frozenset[str]:
    """Return what a server can do, by its options: it reads texts only where prompts are rendered here."""
    known = CAPABILITIES[options.dialect or "openai"]
    return known if options.endpoint == "completions" else known - {"logprobs"}


def reader(line: Line, server: Server, *, limits: Limits, context_tokens: int | None) -> Reader:
    """Return what reads texts with a server. Raises BackendError for one that cannot tell."""
    if "logprobs" not in CAPABILITIES[server.dialect]:
        raise BackendError(f"the server at {line.address.origin} tells of no text how probable it is")

    def demand(ids: Ids) -> None:
        if context_tokens is not None and len(ids) > context_tokens:
            raise ContextOverflow(needed_tokens=len(ids), limit_tokens=context_tokens)

    asked: _LlamaServer | _Vllm
    if server.dialect == "llama.cpp":
        asked = _LlamaServer(line=line, server=server, limits=limits)
    else:
        asked = _Vllm(line=line, server=server, limits=limits)
    return Reader(
        encode=asked.tokenize,
        beginning=asked.beginning,
        demand=demand,
        read_beside=asked.read_beside,
        clock=line.transport.clock,
        most_tokens=None if context_tokens is None else context_tokens - asked.written,
        added=asked.added,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """A server, and how long it may take."""

    line: Line
    server: Server
    limits: Limits

    written: ClassVar[int] = 0
    """How many tokens must be written for a text to be read."""

    def added(self) -> int | None:
        """Return the token that the server puts before every completion, `None` where it puts none."""
        tokens = self.tokenize(self.server.added_bos) if self.server.added_bos else ()
        return tokens[0] if len(tokens) == 1 else None

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the ids of `text`, none added. Raises BackendError."""
        told = tokens_of(text, server=self.server, ask=self.line.ask, address=self.line.address)
        if told is None:
            raise BackendError(f"the server at {self.line.address.origin} does not tell the tokens of a text")
        return told

    def told(self, path: str, body: Mapping[str, object]) -> Json:
        """Return what is told at `path`. Raises BackendError."""
        answer = self.line.ask(path, body, limits=self.limits)
        if answer is None:
            raise BackendError(f"{self.line.address.origin}{path} refuses a text to be read")
        return answer


class _LlamaServer(_Asked):
    def beginning(self) -> int | None:
        """Return the token that begins a text, by its own account."""
        properties = self.line.ask(f"{self.line.address.root}/props", None) or {}
        tokens = self.tokenize(str(properties.get("bos_token") or properties.get("eos_token") or ""))
        return tokens[0] if len(tokens) == 1 else None

    def complete(self, request: Mapping[str, object]) -> Json:
        """Have a request of llama-server's own answered."""
        return self.told(f"{self.line.address.root}/completion", request)

    def read_beside(self, before: Ids, texts: Sequence[Ids]) -> tuple[Reading, ...]:
        """Read each of `texts` after what stands `before` all."""
        return llama_reading.read_beside(self, before, texts)


class _Vllm(_Asked):
    written = 1

    def beginning(self) -> int | None:
        """Return the token that is put before a text, if any is."""
        body = {"model": self.server.model, "prompt": "a", "add_special_tokens": True}
        tokens = self.told(f"{self.line.address.root}/tokenize", body).get("tokens")
        return int(tokens[0]) if isinstance(tokens, list) and len(tokens) > len(self.tokenize("a")) else None

    def read_beside(self, before: Ids, texts: Sequence[Ids]) -> tuple[Reading, ...]:
        """Read each of `texts` after what stands `before` all, in one request."""
        body = {
            "model": self.server.model,
            "prompt": [[*before, *text] for text in texts],
            "max_tokens": 1,
            "temperature": 0.0,
            "prompt_logprobs": 1,
        }
        answer = self.told(f"{self.line.address.path}/completions", body)
        try:
            made = sorted(answer["choices"], key=lambda choice: cast(int, choice["index"]))
            rows = [choice["prompt_logprobs"][len(before) :] for choice in made]
            return tuple(_reading(row, text) for row, text in zip(rows, texts, strict=True))
        except (LookupError, TypeError, ValueError) as error:
            raise BackendError(f"vLLM tells log-probabilities in an unknown form: {error!r}") from error


def _reading(rows: Sequence[Mapping[str, Json]], text: Ids) -> Reading:
    """Return what is told of each token; its row has the most probable one beside it."""
    told = [(row, row[str(token)]) for row, token in zip(rows, text, strict=True)]
    known = tuple(float(each["logprob"]) for _, each in told)
    if min(known) <= _NO_LOGARITHM:
        raise BackendError("vLLM finds a token of the text impossible")
    best = [max(float(other["logprob"]) for other in row.values()) for row, _ in told]
    return Reading(known, tuple(value >= most for value, most in zip(known, best, strict=True)))


_NO_LOGARITHM = -9999.0
"""vLLM tells this for minus infinity, which JSON does not have."""
