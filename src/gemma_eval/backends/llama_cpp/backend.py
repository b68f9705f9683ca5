"""Drives llama.cpp in this process, through xllamacpp: a GGUF file, sampled by the engine itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from gemma_eval.backends import llama_request
from gemma_eval.backends.beginning import begun
from gemma_eval.backends.capabilities import lack
from gemma_eval.backends.extras import lacking
from gemma_eval.backends.llama_cpp import reply as llama_cpp_reply
from gemma_eval.backends.llama_cpp.engine import Engine, Stream, package
from gemma_eval.backends.llama_cpp.file import GgufFile, read
from gemma_eval.backends.llama_cpp.reply import Reply
from gemma_eval.backends.llama_cpp.settings import Settings, check, parallel, rope_refusal, settings
from gemma_eval.backends.llama_reading import read_beside
from gemma_eval.backends.model_files import sha256
from gemma_eval.backends.reading import Reader
from gemma_eval.errors import BackendError, ContextOverflow
from gemma_eval.protocols import Clock, Tell, TransformFactory
from gemma_eval.records import EngineInfo, Generation, ModelSpec, Options, Prompt, SamplingProfile

CAPABILITIES = frozenset(
    (
        *("temperature", "top_k", "top_p", "min_p", "typical_p", "top_n_sigma", "xtc", "dry"),
        *("repeat_penalty", "presence_penalty", "frequency_penalty", "logit_bias", "dynatemp"),
        *("mirostat", "adaptive_p", "order", "seed", "stop", "ignore_eos"),
        *("rope_scaling", "logprobs", "concurrent"),
    )
)
"""What llama.cpp does as it is meant here; its mirostat takes the surprise after the cut, `renormalized`."""


class Load:
    """Loads a GGUF file into llama.cpp."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What llama.cpp does as it is meant here, in the words of `backends.capabilities`."""
        return CAPABILITIES

    def check(self, spec: ModelSpec) -> None:
        """Look at the options of a model. Raises UnknownName, BackendError."""
        check(spec)

    def refusal(self, spec: ModelSpec, profile: SamplingProfile) -> str | None:
        """Say what llama.cpp lacks for the profile, or for the RoPE scaling of the model."""
        missing = lacking("xllamacpp", extra="llama-cpp")
        return missing or _refusal(profile) or rope_refusal(spec.rope_scaling)

    @property
    def in_flight_option(self) -> str:
        """The option that says how many answers are made at once."""
        return "parallel"

    def max_in_flight(self, spec: ModelSpec) -> int | None:
        """Return how many answers the engine will make at once; `None` when loading it will be an error."""
        return parallel(spec)

    def __call__(
        self, spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]
    ) -> LlamaCpp:
        """Load the GGUF file at `spec.location`; `@pocket` is the F32 export of the model that ships.

        Options: `threads`, `parallel` (answers at once), `flash_attn` (`auto`, `on`, `off`) and `cache_type`
        (of keys and values, `f16` by default). Raises MissingDependency, ModelNotFound, UnknownName for an
        unknown option, and BackendError: a value, a `rope_scaling` or a `context_tokens` that cannot be, or
        a model that llama.cpp refuses.
        """
        del transforms
        package()
        file = read(spec.location)
        started = settings(spec, file)
        return LlamaCpp(file=file, settings=started, engine=Engine(started, clock=clock), clock=clock)


load = Load()


@dataclass(kw_only=True, eq=False)
class LlamaCpp:
    """A running engine; `generate` may be called from several threads, each answer is made for itself."""

    file: GgufFile
    settings: Settings
    engine: Engine
    clock: Clock

    @property
    def chat_template(self) -> str | None:
        """The Jinja2 chat template in the file."""
        return self.file.chat_template

    @property
    def max_in_flight(self) -> int:
        """How many answers the engine makes at once: the option `parallel`."""
        return self.settings.parallel

    def info(self) -> EngineInfo:
        """Say what is driven; `model_sha256` is of the file, of its parts one after the other."""
        return self._info

    def count_tokens(self, text: str) -> int:
        """Count the tokens of `text` as the engine does; no `<bos>` is added to it. Raises BackendError."""
        return len(self.engine.tokenize(text))

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Answer `prompt.text` as it stands, chat markup and `<bos>` included.

        The engine is given the ids, and called once they are known. The end-of-turn token is no output token.
        Raises BackendError, with what had come of an answer that broke off, ContextOverflow, UsageError.
        """
        return self._generate(prompt, profile=profile, seed=seed, held={})

    def generate_streaming(
        self, prompt: Prompt, *, profile: SamplingProfile, seed: int, tell: Tell
    ) -> Generation:
        """Answer as `generate` does, and `tell` the text of each piece, in the engine's thread."""

        def hear(piece: bytes) -> None:
            if text := llama_cpp_reply.heard(piece):
                tell(text)

        return self._generate(prompt, profile=profile, seed=seed, held={}, hear=hear)

    def generate_constrained(
        self, prompt: Prompt, *, profile: SamplingProfile, seed: int, json_schema: str
    ) -> Generation:
        """Answer with JSON that satisfies `json_schema`: the engine draws by a grammar that it makes of it.

        Raises as `generate` does, and BackendError for a schema that is no JSON or that the engine refuses.
        """
        try:
            held = {"json_schema": json.loads(json_schema)}
        except ValueError as error:
            raise BackendError(f"the JSON Schema is no JSON: {error}") from error
        return self._generate(prompt, profile=profile, seed=seed, held=held)

    def _generate(
        self,
        prompt: Prompt,
        *,
        profile: SamplingProfile,
        seed: int,
        held: Mapping[str, object],
        hear: Callable[[bytes], None] | None = None,
    ) -> Generation:
        if refusal := _refusal(profile):
            raise BackendError(f'profile "{profile.name}": llama.cpp {refusal}')
        ids = self._prompt_ids(prompt)
        self._demand_room(len(ids) + profile.max_tokens)
        vocabulary = _Vocabulary(size=self.file.vocabulary, engine=self.engine)
        asked = llama_request.request(profile, ids=ids, seed=seed, vocabulary=vocabulary)
        request = {**asked, **held}
        stream = self.engine.stream(request, hear=hear)
        reply = llama_cpp_reply.read(stream.pieces, text_of=self.engine.detokenize, silent=self.file.silent)
        if reply.error is not None:
            partial = _generation(stream, reply, prompt_tokens=len(ids))
            raise BackendError(f"llama.cpp broke off: {reply.error}", partial=partial)
        effective = llama_request.effective(profile, asked=request, told=reply.settings)
        return _generation(stream, reply, prompt_tokens=reply.prompt_tokens, effective=effective)

    def read(self, prompt: Prompt, *, continuation: str) -> Generation:
        """Read `continuation` after `prompt.text` and say how probable each of its tokens is.

        Raises BackendError, ContextOverflow.
        """
        return self._reader.read(prompt, continuation=continuation)

    def read_choices(self, prompt: Prompt, *, choices: Sequence[str], unconditional: bool) -> Generation:
        """Read each of `choices` after `prompt.text`. Raises as `read` does."""
        return self._reader.read_choices(prompt, choices=choices, unconditional=unconditional)

    def close(self) -> None:
        """Wait for what is being answered, and free the engine."""
        self.engine.close()

    @cached_property
    def _reader(self) -> Reader:
        return Reader(
            encode=self.engine.tokenize,
            beginning=lambda: self.file.beginning,
            added=lambda: self.engine.added,
            demand=lambda ids: self._demand_room(len(ids)),
            read_beside=partial(read_beside, self.engine),
            clock=self.clock,
            most_tokens=self.settings.context_tokens,
        )

    @cached_property
    def _info(self) -> EngineInfo:
        module, file, started = package(), self.file, self.settings
        build = module.BUILD_INFO
        return EngineInfo(
            engine="llama.cpp",
            version=f"xllamacpp {module.__version__}, build {build['build_number'] or 'unknown'}",
            model_sha256=sha256(file.parts),
            tokenizer_sha256=file.tokenizer_sha256,
            chat_template_sha256=file.chat_template_sha256,
            quantisation=file.quantisation,
            parameters=file.parameters,
            context_tokens=started.context_tokens,
            threads=started.threads,
            details={
                "family": file.architecture,
                "rope": str(started.rope) if started.rope else "as in the file",
                "parallel": started.parallel,
                "flash_attn": started.flash_attn,
                "cache_type": started.cache_type,
                "commit": build["commit"],
                "compiler": build["compiler"],
                "system": module.get_system_info().strip(" |"),
            },
        )

    def _prompt_ids(self, prompt: Prompt) -> tuple[int, ...]:
        if prompt.text is None:
            raise BackendError(
                "the prompt has no text; llama_cpp needs the messages rendered with its chat_template"
            )
        ids = begun(self.engine.tokenize(prompt.text), self.engine.added)
        if not ids:
            raise BackendError("the prompt is empty; at least one token is needed")
        return ids

    def _demand_room(self, needed: int) -> None:
        limit = self.settings.context_tokens
        if needed > limit:
            raise ContextOverflow(needed_tokens=needed, limit_tokens=limit)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Vocabulary:
    """The tokens of the model, as the engine knows them."""

    size: int
    engine: Engine

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids of `text`, none added."""
        return self.engine.tokenize(text)

    def piece(self, token: int) -> str:
        """Return the text of one token."""
        return self.engine.detokenize((token,))


def _refusal(profile: SamplingProfile) -> str | None:
    return lack(profile, CAPABILITIES) or llama_request.refusal(profile)


def _generation(
    stream: Stream, reply: Reply, *, prompt_tokens: int | None, effective: Options | None = None
) -> Generation:
    return Generation(
        text="".join(delta.text for delta in reply.deltas),
        deltas=reply.deltas,
        prompt_tokens=prompt_tokens,
        cached_tokens=reply.cached_tokens,
        output_tokens=sum(delta.n_tokens or 0 for delta in reply.deltas),
        count_source="engine",
        finish_reason=reply.finish_reason,
        requested_ns=stream.requested_ns,
        ended_ns=stream.ended_ns,
        effective=effective or {},
        engine_timings=reply.timings,
    )
