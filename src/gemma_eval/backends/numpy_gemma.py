"""Drives the NumPy Gemma: a Hugging Face folder or a GGUF file, sampled in this process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from gemma_eval import __version__
from gemma_eval.backends.capabilities import EVERY_SAMPLING
from gemma_eval.backends.model_files import locate, sha256
from gemma_eval.backends.vocabulary import TokenizerVocabulary
from gemma_eval.backends.writing import Writing
from gemma_eval.errors import BackendError, ContextOverflow, NonFiniteLogits, UnknownName
from gemma_eval.gemma import checkpoint
from gemma_eval.gemma.architecture import extended
from gemma_eval.gemma.decode import Decoding, log_probabilities
from gemma_eval.gemma.products import MOST_ROWS
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.tokenizer import Tokenizer
from gemma_eval.gemma.transformer import Transformer
from gemma_eval.protocols import Clock, TransformFactory
from gemma_eval.records import Delta, EngineInfo, Generation, ModelSpec, Prompt, SamplingProfile
from gemma_eval.sampling.chain import Sampler
from gemma_eval.sampling.effective import effective

OPTIONS = ("threads",)
SMALL_PARAMETERS = 50_000_000
"""Below this size a second BLAS thread costs more in waiting than it gives."""


CAPABILITIES = EVERY_SAMPLING | {"rope_scaling", "logprobs", "batch", "cached_tokens"}


class Load:
    """Loads the Gemma 2 or Gemma 3 at a location: a Hugging Face folder, a GGUF file or `@pocket`.

    The option `threads` sets the BLAS threads; by default one below 50 million parameters and all but one of
    what BLAS would take above.
    """

    capabilities = CAPABILITIES

    def __call__(
        self, spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]
    ) -> NumpyGemma:
        """Return the backend.

        Raises ModelNotFound, UnknownName for an unknown option, BackendError for a `rope_scaling` or a
        `context_tokens` that the model cannot take.
        """
        for option in spec.options:
            if option not in OPTIONS:
                raise UnknownName(f"option of the model {spec.name} (backend numpy_gemma)", option, OPTIONS)
        path = locate(spec.location)
        loaded = checkpoint.load(path)
        try:
            shape = extended(loaded.architecture, spec.rope_scaling, context_tokens=spec.context_tokens)
        except BackendError as error:
            raise BackendError(f"model {spec.name}: {error}") from error
        blas = ThreadpoolController().select(user_api="blas")
        threads = _threads(spec, loaded.weights.parameters, blas)
        with blas.limit(limits=threads):  # how products are made is tried out with the threads that make them
            model = Transformer(architecture=shape, weights=loaded.weights)
        return NumpyGemma(
            path=path,
            files=loaded.files,
            model=model,
            tokenizer=loaded.tokenizer,
            context_tokens=shape.context_tokens,
            clock=clock,
            transforms=transforms,
            blas=blas,
            threads=threads,
        )


load = Load()


@dataclass(kw_only=True, eq=False)
class NumpyGemma:
    """A loaded model, `None` once closed; generations follow one another, each with its own cache."""

    path: Path
    files: Mapping[str, tuple[Path, ...]]
    model: Transformer | None
    tokenizer: Tokenizer
    context_tokens: int
    clock: Clock
    transforms: Mapping[str, TransformFactory]
    blas: ThreadpoolController
    threads: int

    @property
    def chat_template(self) -> str | None:
        """The Jinja2 chat template that came with the model."""
        return self.tokenizer.chat_template

    def info(self) -> EngineInfo:
        """Say what is driven; `model_sha256` is of the weights, one file after the other."""
        return self._info

    def count_tokens(self, text: str) -> int:
        """Count the tokens of `text`; no `<bos>` is added to it."""
        return len(self.tokenizer.encode(text))

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Answer `prompt.text` as it stands, chat markup and `<bos>` included.

        The end-of-turn token is no output token. Raises BackendError, ContextOverflow, NonFiniteLogits,
        UnknownName.
        """
        return self.generate_batch(prompt, profile=profile, seeds=(seed,))[0]

    def generate_batch(
        self, prompt: Prompt, *, profile: SamplingProfile, seeds: Sequence[int]
    ) -> tuple[Generation, ...]:
        """Answer `prompt` once per seed, each as if it were alone. Raises as `generate` does.

        The prompt is read once for sixteen answers, which then go on together; the time of that reading is in
        the stamps of each, and so is that of the others' tokens.
        """
        groups = (seeds[start : start + MOST_ROWS] for start in range(0, len(seeds), MOST_ROWS))
        return tuple(made for group in groups for made in self._generate_together(prompt, profile, group))

    def read(self, prompt: Prompt, *, continuation: str) -> Generation:
        """Read `continuation` after `prompt.text` and say how probable each of its tokens is.

        It is tokenised by itself, as an answer is: its tokens follow those of the prompt, and no token spans
        both. Raises BackendError, ContextOverflow, NonFiniteLogits.
        """
        requested_ns = self.clock()
        before, ids = self._prompt_ids(prompt), self._ids(continuation, "the continuation")
        self._demand_room(len(before) + len(ids))
        with self._computing():
            known = log_probabilities(self._loaded, before + ids, first=len(before))
        if not np.isfinite(known).all():
            raise NonFiniteLogits(
                "a logit of the continuation is not finite (weights or arithmetic are broken)"
            )
        ended_ns = self.clock()
        return Generation(
            text=continuation,
            deltas=(Delta(text=continuation, n_tokens=len(ids), at_ns=ended_ns),),
            prompt_tokens=len(before),
            cached_tokens=0,
            output_tokens=len(ids),
            count_source="engine",
            finish_reason="stop",
            requested_ns=requested_ns,
            ended_ns=ended_ns,
            engine_timings={"prompt_ms": (ended_ns - requested_ns) / 1e6},
            log_probabilities=known,
        )

    def close(self) -> None:
        """Let go of the weights."""
        self.model = None

    @property
    def _loaded(self) -> Transformer:
        if self.model is None:
            raise BackendError(f"{self.path}: the model was closed and can generate no more")
        return self.model

    @cached_property
    def _vocabulary(self) -> TokenizerVocabulary:
        return TokenizerVocabulary(self._loaded.architecture.vocab_size, self.tokenizer)

    @cached_property
    def _info(self) -> EngineInfo:
        model = self._loaded
        return EngineInfo(
            engine="numpy_gemma",
            version=__version__,
            model_sha256=sha256(self.files["model"]),
            tokenizer_sha256=self._file_sha256("tokenizer"),
            chat_template_sha256=_text_sha256(self.chat_template),
            quantisation=model.weights.stored_dtype,
            parameters=model.weights.parameters,
            context_tokens=self.context_tokens,
            threads=self.threads,
            details={
                "family": model.architecture.family,
                **{
                    f"{part}_sha256": sha256(files)
                    for part, files in self.files.items()
                    if part not in ("model", "tokenizer")
                },
                "rope": tuple(f"{kind}: {rope}" for kind, rope in model.architecture.rope.items()),
                "numpy": np.__version__,
                "blas": ", ".join(f"{pool['internal_api']} {pool['version']}" for pool in self.blas.info()),
            },
        )

    def _file_sha256(self, part: str) -> str | None:
        """Return the hash of a file of its own; what is in the file of the weights is hashed with them."""
        return sha256(self.files[part]) if part in self.files else None

    def _generate_together(
        self, prompt: Prompt, profile: SamplingProfile, seeds: Sequence[int]
    ) -> tuple[Generation, ...]:
        requested_ns = self.clock()
        ids = self._prompt_ids(prompt)
        capacity = len(ids) + profile.max_tokens
        self._demand_room(capacity)
        writings = [self._writing(profile, seed, ids) for seed in seeds]
        decoding = Decoding(self._loaded, capacity=capacity, answers=len(seeds))
        with self._computing():
            logits = decoding.prefill(ids)
            read_ns = self.clock()
            _write_all(writings, decoding, [logits] * len(seeds))
        return tuple(
            Generation(
                text=writing.answer.text,
                deltas=writing.answer.deltas,
                prompt_tokens=len(ids),
                cached_tokens=0,
                output_tokens=writing.answer.n_tokens,
                count_source="engine",
                finish_reason=writing.finish_reason,
                requested_ns=requested_ns,
                ended_ns=writing.ended_ns,
                effective=effective(profile),
                engine_timings={
                    "prompt_ms": (read_ns - requested_ns) / 1e6,
                    "decode_ms": (writing.ended_ns - read_ns) / 1e6,
                },
                batch_size=len(seeds),
            )
            for writing in writings
        )

    def _writing(self, profile: SamplingProfile, seed: int, prompt_ids: Sequence[int]) -> Writing:
        sampler = Sampler(
            profile,
            transforms=self.transforms,
            vocabulary=self._vocabulary,
            seed=seed,
            prompt_ids=prompt_ids,
        )
        tokenizer = self.tokenizer
        return Writing(
            profile,
            sampler=sampler,
            stream=tokenizer.stream(),
            stop_ids=tokenizer.stop_ids,
            clock=self.clock,
        )

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Set the threads; what overflows ends as a logit that is not finite, an error with a message."""
        with self.blas.limit(limits=self.threads), np.errstate(over="ignore", invalid="ignore"):
            yield

    def _prompt_ids(self, prompt: Prompt) -> tuple[int, ...]:
        if prompt.text is None:
            raise BackendError(
                "the prompt has no text; numpy_gemma needs the messages rendered with its chat_template"
            )
        return self._ids(prompt.text, "the prompt")

    def _ids(self, text: str, what: str) -> tuple[int, ...]:
        """Return the ids of `text`, of which there must be one at least and an embedding for each."""
        ids = self.tokenizer.encode(text)
        if not ids:
            raise BackendError(f"{what} is empty; at least one token is needed")
        if max(ids) >= self._loaded.architecture.vocab_size:
            raise BackendError(f"{what} has a token that {self.path} has no embedding for: id {max(ids)}")
        return ids

    def _demand_room(self, needed: int) -> None:
        if needed > self.context_tokens:
            raise ContextOverflow(needed_tokens=needed, limit_tokens=self.context_tokens)


def _write_all(writings: Sequence[Writing], decoding: Decoding, logits: Iterable[Array]) -> None:
    """Go on with all answers from the logits [V] of each; an answer that has ended leaves the others."""
    rows = list(writings)
    while True:
        drawn = [writing.write(row) for writing, row in zip(rows, logits, strict=True)]
        for row in reversed(range(len(rows))):
            if drawn[row] is None:
                decoding.drop(row)
                rows[row], drawn[row] = rows[-1], drawn[-1]
                del rows[-1], drawn[-1]
        if not rows:
            return
        logits = decoding.step([token for token in drawn if token is not None])


def _text_sha256(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def _threads(spec: ModelSpec, parameters: int, blas: ThreadpoolController) -> int:
    asked = spec.options.get("threads")
    if asked is None:
        available = max((int(pool["num_threads"]) for pool in blas.info()), default=1)
        return 1 if parameters < SMALL_PARAMETERS else max(1, available - 1)
    if not isinstance(asked, int) or isinstance(asked, bool) or asked < 1:
        raise BackendError(f"model {spec.name}: threads = {asked!r}; a whole number of at least 1 is needed")
    return asked
