"""A real llama.cpp in this process, for tests that compare with it: `with serve(path) as engine: …`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from tests import required

Json = Any  # what the server answers; each method narrows what it reads
Prompt = str | Sequence[int]
Floats = NDArray[np.float32]

NEUTRAL: Mapping[str, object] = {
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repeat_penalty": 1.0,
    "samplers": ["temperature"],
    "cache_prompt": False,
    "seed": 0,
}
"""A request with every sampler off, where llama-server's own defaults would have some on."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One token that llama.cpp drew and the values [V] it had per id, 0 or -inf where it listed none."""

    token: int
    values: Floats


@contextmanager
def serve(
    path: Path, *, context_tokens: int = 2048, threads: int = 1, **settings: object
) -> Iterator[LlamaCpp]:
    """Serve the GGUF file at `path` on a free loopback port, exact and repeatable, until the block ends.

    Float32 cache, no flash attention, one slot, nothing cached between requests. `settings` are
    attributes of xllamacpp's CommonParams (`rope_freq_scale=0.25, yarn_orig_ctx=512`); an enumeration's
    value is given by the end of its name (`rope_scaling_type="YARN"`). Skips the test without xllamacpp.
    """
    module = required.module("xllamacpp", extra="llama-cpp")
    params = module.CommonParams()
    params.model.path = str(path)
    params.n_ctx = context_tokens
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.warmup = False
    params.verbosity = 0
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.cache_ram_mib = 0
    params.cache_type_k = params.cache_type_v = module.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = module.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    for name, value in settings.items():
        is_text = isinstance(getattr(params, name), str)
        setattr(
            params, name, _member(module, name, value) if isinstance(value, str) and not is_text else value
        )
    params.endpoint_metrics = True
    server = module.Server(params)
    server.handle_metrics()  # waits for the server's loop: one that was asked nothing may hang at its end
    try:
        yield LlamaCpp(address=server.listening_address, version=module.__version__)
    finally:
        del server  # the last reference: the destructor stops the threads and closes the port


@dataclass(frozen=True, kw_only=True)
class LlamaCpp:
    """A running llama-server; prompts are texts, special tokens in them read as such, or ids."""

    address: str
    version: str

    @cached_property
    def vocabulary(self) -> int:
        """The number of ids."""
        return int(self._ask("GET", "/v1/models")["data"][0]["meta"]["n_vocab"])

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """The text of each id; control tokens have none."""
        answer = self.complete((1,), n_predict=1, n_probs=self.vocabulary)
        [row] = answer["completion_probabilities"]
        texts = {entry["id"]: str(entry["token"]) for entry in row["top_logprobs"]}
        return tuple(texts[token] for token in range(self.vocabulary))

    def complete(self, prompt: Prompt, **request: object) -> Mapping[str, Json]:
        """Answer `prompt`; `request` are fields of `/completion`, every sampler off by default."""
        given = prompt if isinstance(prompt, str) else [int(token) for token in prompt]
        body = {**NEUTRAL, "return_tokens": True, **request, "prompt": given}
        answer: Mapping[str, Json] = self._ask("POST", "/completion", body)
        return answer

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the ids of `text`, none added."""
        body = {"content": text, "add_special": False, "parse_special": True}
        return tuple(self._ask("POST", "/tokenize", body)["tokens"])

    def applied(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Return the prompt that the engine makes of turns."""
        return str(self._ask("POST", "/apply-template", {"messages": list(messages)})["prompt"])

    def greedy(self, prompt: Prompt, n: int) -> tuple[int, ...]:
        """Return at most `n` ids of the most probable answer."""
        return tuple(self.complete(prompt, n_predict=n, temperature=0.0)["tokens"])

    def log_probabilities(self, prompt: Prompt) -> Floats:
        """Return the log-probabilities [V] of what follows, of the model alone."""
        return self.drawn(prompt, n_predict=1)[0].values

    def drawn(self, prompt: Prompt, **request: object) -> tuple[Step, ...]:
        """Return each drawn token with the model's own log-probabilities [V] before any sampler.

        The server withholds a last token that ends within a character; so does `sampled`.
        """
        answer = self.complete(prompt, n_probs=self.vocabulary, **request)
        return tuple(
            self._step(row, listed="top_logprobs", key="logprob", absent=-np.inf)
            for row in answer.get("completion_probabilities", ())
        )

    def sampled(self, prompt: Prompt, **request: object) -> tuple[Step, ...]:
        """Return each drawn token with the probabilities [V] it was drawn from, after all samplers."""
        answer = self.complete(prompt, n_probs=self.vocabulary, post_sampling_probs=True, **request)
        return tuple(
            self._step(row, listed="top_probs", key="prob", absent=0.0)
            for row in answer.get("completion_probabilities", ())
        )

    def _step(self, row: Mapping[str, Json], *, listed: str, key: str, absent: float) -> Step:
        values = np.full(self.vocabulary, absent, dtype=np.float32)
        for entry in row[listed]:
            values[entry["id"]] = entry[key]
        values[values < _LOWEST] = -np.inf  # what the server writes for ln 0
        return Step(token=row["id"], values=values)

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Json:
        with closing(HTTPConnection(urlsplit(self.address).netloc, timeout=120)) as connection:
            connection.request(
                method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"}
            )
            response = connection.getresponse()
            text = response.read()
        if response.status != 200:
            raise RuntimeError(f"llama-server answered {response.status}: {text.decode(errors='replace')}")
        return json.loads(text)


_LOWEST = -1e38


def _member(module: Json, name: str, value: str) -> object:
    """Return the member of the enumeration `llama_<name>` or `ggml_type` that ends in `value`."""
    enumeration = getattr(module, "ggml_type" if name.startswith("cache_type") else f"llama_{name}")
    return next(member for member in enumeration if member.name.upper().endswith(f"_{value.upper()}"))
