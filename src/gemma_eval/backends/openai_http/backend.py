"""Drives any server that speaks OpenAI's protocol, over HTTP: llama-server, vLLM, Ollama, LM Studio.

    [model.served]
    backend = "openai_http"
    location = "http://127.0.0.1:8080/v1"
    options = { dialect = "llama.cpp" }

Options: see docs/backends.md. The engine samples; what a profile has off is sent as off where the dialect of
the server has a word for it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property

from gemma_eval.backends.model_files import locate, sha256
from gemma_eval.backends.openai_http import address as http_address
from gemma_eval.backends.openai_http import dialects as openai_dialects
from gemma_eval.backends.openai_http import options as openai_options
from gemma_eval.backends.openai_http import reading as openai_reading
from gemma_eval.backends.openai_http import request as openai_request
from gemma_eval.backends.openai_http.errors import Question, pause_s, refusal
from gemma_eval.backends.openai_http.fit import fitting, misfit
from gemma_eval.backends.openai_http.hearing import Hear, hearing
from gemma_eval.backends.openai_http.identity import Seen, info, processes
from gemma_eval.backends.openai_http.line import ASIDE, Line, key_of
from gemma_eval.backends.openai_http.options import HttpOptions
from gemma_eval.backends.openai_http.reply import Reply
from gemma_eval.backends.openai_http.request import PATHS, Wanted
from gemma_eval.backends.openai_http.server import Server, names, recognise, tokens_of
from gemma_eval.backends.openai_http.stream import Asked, failed, generation, nothing
from gemma_eval.backends.openai_http.transport import Transport
from gemma_eval.backends.openai_http.vocabulary import ServedVocabulary, tokenizer_of
from gemma_eval.backends.reading import Reader
from gemma_eval.errors import BackendError, ContextOverflow, UnknownName
from gemma_eval.gemma.tokenizer import Tokenizer
from gemma_eval.protocols import Clock, Tell, TransformFactory
from gemma_eval.records import EngineInfo, Generation, ModelSpec, Prompt, SamplingProfile


@dataclass(frozen=True, kw_only=True)
class Load:
    """Connects to a server. `environment` holds the keys, `sleep` waits before another attempt."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    sleep: Callable[[float], None] = time.sleep

    @property
    def capabilities(self) -> frozenset[str]:
        """What every server of the protocol can do; the option `dialect` tells of more."""
        return openai_dialects.CAPABILITIES["openai"]

    def capabilities_of(self, spec: ModelSpec) -> frozenset[str]:
        """Return what the server of `spec` can do, by the dialect and the endpoint in its options."""
        try:
            return openai_reading.capabilities(openai_options.read(spec))
        except (BackendError, UnknownName):
            return self.capabilities  # loading says it

    def check(self, spec: ModelSpec) -> None:
        """Look at the options of a model, and for the folder of one. Raises UnknownName, WrongSetting."""
        openai_options.read(spec)
        openai_options.tokenizer_folder(spec)
        http_address.parse(spec.location, model=spec.name)

    def process_ids(self, spec: ModelSpec) -> Sequence[int]:
        """Return the processes of this machine that listen at the server's port."""
        return processes(http_address.parse(spec.location, model=spec.name))

    def refusal(self, spec: ModelSpec, profile: SamplingProfile) -> str | None:
        """Say what the server of `spec` lacks for `profile`, by the dialect in its options: nobody is asked.

        Without a dialect it is what OpenAI's own protocol lacks, whatever the server turns out to be.
        """
        try:
            options = openai_options.read(spec)
        except (BackendError, UnknownName):
            return None  # loading says it
        return misfit(spec, options) or openai_dialects.refusal(profile, options.dialect)

    def __call__(
        self, spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]
    ) -> OpenAiHttp:
        """Ask the server at `spec.location` what it is and which models it has.

        Raises UnknownName for an unknown option, and BackendError: a wrong value, a missing key, a server
        that cannot be reached or is of another kind, several models of which none was chosen, a tokenizer
        that is none.
        """
        del transforms
        options = openai_options.read(spec)
        if what := misfit(spec, options):
            raise BackendError(f"model {spec.name}: the backend openai_http {what}")
        address = http_address.parse(spec.location, model=spec.name)
        tokenizer = tokenizer_of(spec)
        line = Line(
            address=address,
            transport=Transport(address, clock=clock),
            key=key_of(spec, options.api_key_env, self.environment),
            api_key_env=options.api_key_env,
            limits=replace(ASIDE, connect_timeout_s=options.limits.connect_timeout_s),
        )
        with ExitStack() as stack:
            stack.callback(line.transport.close)
            server = recognise(line.ask, options, address=address, name=spec.name, excerpt=line.excerpt)
            wanted = fitting(spec, options, server)
            stack.pop_all()
        return OpenAiHttp(
            line=line,
            options=options,
            server=server,
            wanted=wanted,
            tokenizer=tokenizer,
            sleep=self.sleep,
        )


load = Load()


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenAiHttp:
    """A server that answers; any number of threads may ask at once."""

    line: Line
    options: HttpOptions
    server: Server
    wanted: Wanted
    tokenizer: Tokenizer | None
    sleep: Callable[[float], None]
    hear: Hear | None = None

    @property
    def chat_template(self) -> str | None:
        """The server's template where prompts are rendered here: for completions, if it tells its own."""
        return self.server.chat_template if self.options.endpoint == "completions" else None

    @property
    def max_in_flight(self) -> None:
        """Nothing on this side limits how many answers are asked for at once."""
        return

    @property
    def caches_prefixes(self) -> bool:
        """Whether the server may keep what it has read: llama-server is asked not to."""
        return self.server.dialect != "llama.cpp" or self.options.cache_prompt

    @property
    def process_ids(self) -> Sequence[int]:
        """The processes of this machine that listen at the server's port; looked for again when one ends."""
        return self._seen.pids()

    def info(self) -> EngineInfo:
        """Say what is driven, as the server tells it; weights that lie on this machine are hashed."""
        return self._info

    def count_tokens(self, text: str) -> int | None:
        """Count the tokens of `text` as the server does, none added; `None` when nobody can tell.

        Where the server does not tell, the tokenizer that was given does.
        """
        ids = self._tokens(text)
        return None if ids is None else len(ids)

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Have `prompt` answered: its messages at the endpoint *chat*, its text at *completions*.

        The server's count of tokens is taken over, with the one that ends a turn where it counts that. Raises
        BackendError with what had come, ContextOverflow, UsageError.
        """
        return self._generate(prompt, profile=profile, seed=seed, retries=self.options.retries)

    def generate_once(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Have `prompt` answered as `generate` does, in one attempt whatever the option `retries` says."""
        return self._generate(prompt, profile=profile, seed=seed, retries=0)

    def generate_streaming(
        self, prompt: Prompt, *, profile: SamplingProfile, seed: int, tell: Tell
    ) -> Generation:
        """Have `prompt` answered as `generate` does, and `tell` each text when it has come."""
        return replace(self, hear=hearing(tell)).generate(prompt, profile=profile, seed=seed)

    def generate_constrained(
        self, prompt: Prompt, *, profile: SamplingProfile, seed: int, json_schema: str
    ) -> Generation:
        """Have `prompt` answered with JSON that satisfies `json_schema`. Raises as `generate` does."""
        held = replace(self, wanted=replace(self.wanted, json_schema=json_schema))
        return held.generate(prompt, profile=profile, seed=seed)

    def read(self, prompt: Prompt, *, continuation: str) -> Generation:
        """Read `continuation` after `prompt.text`, with a server that tells how probable a text is.

        Raises BackendError, ContextOverflow.
        """
        return self._reader.read(prompt, continuation=continuation)

    def read_choices(self, prompt: Prompt, *, choices: Sequence[str], unconditional: bool) -> Generation:
        """Read each of `choices` after `prompt.text`. Raises as `read` does."""
        return self._reader.read_choices(prompt, choices=choices, unconditional=unconditional)

    def close(self) -> None:
        """Ask nothing more; the server runs on."""
        self.line.transport.close()

    def _generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int, retries: int) -> Generation:
        self._demand(prompt, profile)
        body = openai_request.body(
            prompt, wanted=self.wanted, profile=profile, seed=seed, vocabulary=ServedVocabulary(self._tokens)
        )
        path = self.line.address.path + PATHS[self.wanted.endpoint]
        request = replace(self.line.request(path, body), hear=self.hear)
        asked = Asked(
            where=self.line.address.origin + request.path,
            max_tokens=profile.max_tokens,
            effective=openai_request.effective(profile, self.server.dialect, seed=seed),
            excerpt=self.line.excerpt,
            count=self._count,
            checks_counts=self.options.cross_check,
        )
        while True:
            reply = self.line.transport.send(request, limits=self.options.limits)
            try:
                return self._answer(reply, asked)
            except BackendError as error:
                pause = pause_s(reply, attempts=len(asked.attempts))
                if pause is None or len(asked.attempts) >= retries:
                    raise
                asked = replace(asked, attempts=(*asked.attempts, failed(reply, error)))
            self.sleep(pause)

    @cached_property
    def _reader(self) -> Reader:
        return openai_reading.reader(
            self.line,
            self.server,
            limits=self.options.limits,
            context_tokens=self.wanted.context_tokens,
        )

    @cached_property
    def _info(self) -> EngineInfo:
        found = info(self.server, self.wanted, self.line.address)
        if self.options.tokenizer is None:
            return found
        return replace(found, tokenizer_sha256=sha256([locate(self.options.tokenizer) / "tokenizer.json"]))

    @cached_property
    def _seen(self) -> Seen:
        return Seen(look=lambda: processes(self.line.address), clock=self.line.transport.clock)

    def _tokens(self, text: str) -> tuple[int, ...] | None:
        told = tokens_of(text, server=self.server, ask=self.line.ask, address=self.line.address)
        return self.tokenizer.encode(text) if told is None and self.tokenizer is not None else told

    def _count(self, text: str) -> int | None:
        """Count as `count_tokens` does; an answer that has come is not lost because it cannot be counted."""
        try:
            return self.count_tokens(text)
        except BackendError:
            return None

    def _answer(self, reply: Reply, asked: Asked) -> Generation:
        question = Question(
            url=asked.where,
            model=self.server.model,
            api_key_env=self.options.api_key_env,
            max_tokens=asked.max_tokens,
            excerpt=self.line.excerpt,
            models=lambda: names(self.line.ask, self.line.address),
            attempts=len(asked.attempts) + 1,
        )
        if flaw := refusal(reply, question):
            flaw.partial = nothing(reply, asked)
            raise flaw
        return generation(reply, asked)

    def _demand(self, prompt: Prompt, profile: SamplingProfile) -> None:
        """Raise BackendError for a profile that the server cannot follow, ContextOverflow for the prompt."""
        server = self.server
        lacking = openai_dialects.refusal(profile, server.dialect) or openai_dialects.unknown(
            profile, server.knows
        )
        if lacking:
            origin = self.line.address.origin
            raise BackendError(f'profile "{profile.name}": the server at {origin} {lacking}')
        limit = self.wanted.context_tokens
        needed = (prompt.n_tokens or 0) + profile.max_tokens
        if limit is not None and prompt.n_tokens is not None and needed > limit:
            raise ContextOverflow(needed_tokens=needed, limit_tokens=limit)
