"""Drives the NumPy Gemma: a Hugging Face folder or a GGUF file, sampled in this process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from gemma_eval import __version__
from gemma_eval.backends.capabilities import EVERY_SAMPLING
from gemma_eval.backends.local import Local
from gemma_eval.backends.model_files import locate, sha256
from gemma_eval.backends.options import checked, count_needed
from gemma_eval.backends.threads import default_threads
from gemma_eval.backends.writing import Writing
from gemma_eval.errors import BackendError
from gemma_eval.gemma import checkpoint
from gemma_eval.gemma.architecture import extended
from gemma_eval.gemma.decode import Decoding
from gemma_eval.gemma.products import MOST_ROWS
from gemma_eval.gemma.reading import Reading, read_beside
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.tokenizer import Tokenizer
from gemma_eval.gemma.transformer import Transformer
from gemma_eval.protocols import Clock, Tell, TransformFactory
from gemma_eval.records import EngineInfo, Generation, ModelSpec, Prompt, SamplingProfile

CAPABILITIES = EVERY_SAMPLING | {"rope_scaling", "logprobs"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The options by their names; `threads` is `None` when the size of the model decides."""

    threads: int | None = None


class Load:
    """Loads the Gemma 2 or Gemma 3 at a location: a Hugging Face folder, a GGUF file or `@pocket`.

    The option `threads` sets the BLAS threads; by default one below 50 million parameters and all but one of
    what BLAS would take above.
    """

    capabilities = CAPABILITIES

    def check(self, spec: ModelSpec) -> None:
        """Look at the options of a model. Raises UnknownName, BackendError."""
        _settings(spec)

    def __call__(
        self, spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]
    ) -> NumpyGemma:
        """Return the backend.

        Raises ModelNotFound, UnknownName for an unknown option, BackendError for a `rope_scaling` or a
        `context_tokens` that the model cannot take.
        """
        asked = _settings(spec)
        path = locate(spec.location)
        loaded = checkpoint.load(path)
        try:
            shape = extended(loaded.architecture, spec.rope_scaling, context_tokens=spec.context_tokens)
        except BackendError as error:
            raise BackendError(f"model {spec.name}: {error}") from error
        blas = ThreadpoolController().select(user_api="blas")
        threads = asked.threads or _threads(loaded.weights.parameters, blas)
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

    def generate_streaming(
        self, prompt: Prompt, *, profile: SamplingProfile, seed: int, tell: Tell
    ) -> Generation:
        """Answer as `generate` does, and `tell` the text of each delta. Raises as `generate` does."""
        return self._generate_together(prompt, profile, (seed,), tell=tell)[0]

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

        Raises BackendError, ContextOverflow, NonFiniteLogits.
        """
        return self._local.reader(self._read_beside).read(prompt, continuation=continuation)

    def read_choices(self, prompt: Prompt, *, choices: Sequence[str], unconditional: bool) -> Generation:
        """Read each of `choices` after `prompt.text`, which is read once. Raises as `read` does."""
        reader = self._local.reader(self._read_beside)
        return reader.read_choices(prompt, choices=choices, unconditional=unconditional)

    def close(self) -> None:
        """Let go of the weights."""
        self.model = None

    @property
    def _loaded(self) -> Transformer:
        if self.model is None:
            raise BackendError(f"{self.path}: the model was closed and can generate no more")
        return self.model

    @cached_property
    def _local(self) -> Local:
        return Local(
            where=self.path,
            tokenizer=self.tokenizer,
            vocab_size=self._loaded.architecture.vocab_size,
            context_tokens=self.context_tokens,
            transforms=self.transforms,
            clock=self.clock,
        )

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
        self, prompt: Prompt, profile: SamplingProfile, seeds: Sequence[int], *, tell: Tell | None = None
    ) -> tuple[Generation, ...]:
        ids = self._local.prompt_ids(prompt)
        capacity = len(ids) + profile.max_tokens
        self._local.demand_room(capacity)
        writings = [self._local.writing(profile, seed=seed, prompt_ids=ids, tell=tell) for seed in seeds]
        decoding = Decoding(self._loaded, capacity=capacity, answers=len(seeds))
        requested_ns = self.clock()
        with self._computing():
            logits = decoding.prefill(ids)
            read_ns = self.clock()
            _write_all(writings, decoding, [logits] * len(seeds))
        answers = [
            self._local.written(
                writing, profile, prompt_tokens=len(ids), requested_ns=requested_ns, read_ns=read_ns
            )
            for writing in writings
        ]
        return tuple(replace(answer, batch_size=len(seeds)) for answer in answers)

    def _read_beside(self, before: Sequence[int], texts: Sequence[Sequence[int]]) -> tuple[Reading, ...]:
        with self._computing():
            return read_beside(self._loaded, before, texts)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Set the threads; what overflows ends as a logit that is not finite, an error with a message."""
        with self.blas.limit(limits=self.threads), np.errstate(over="ignore", invalid="ignore"):
            yield


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


def _settings(spec: ModelSpec) -> Settings:
    return checked(spec, Settings(), needed=lambda _, value: count_needed(value))


def _threads(parameters: int, blas: ThreadpoolController) -> int:
    available = max((int(pool["num_threads"]) for pool in blas.info()), default=1)
    return default_threads(parameters, available=available)
