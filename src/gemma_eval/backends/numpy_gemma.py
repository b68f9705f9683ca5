"""Drives the NumPy Gemma: a Hugging Face folder or a GGUF file, sampled in this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from gemma_eval import __version__
from gemma_eval.backends.answer import Answer
from gemma_eval.backends.model_files import locate, sha256
from gemma_eval.backends.vocabulary import TokenizerVocabulary
from gemma_eval.errors import BackendError, ContextOverflow, NonFiniteLogits, UnknownName
from gemma_eval.gemma import checkpoint
from gemma_eval.gemma.architecture import extended
from gemma_eval.gemma.decode import Decoding
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.tokenizer import Tokenizer
from gemma_eval.gemma.transformer import Transformer
from gemma_eval.protocols import Clock, TransformFactory
from gemma_eval.records import EngineInfo, FinishReason, Generation, ModelSpec, Prompt, SamplingProfile
from gemma_eval.sampling.chain import Sampler
from gemma_eval.sampling.effective import effective

OPTIONS = ("threads",)
SMALL_PARAMETERS = 50_000_000
"""Below this size a second BLAS thread costs more in waiting than it gives."""


def load(spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]) -> NumpyGemma:
    """Load the Gemma 2 or Gemma 3 at `spec.location`: a Hugging Face folder, a GGUF file or `@pocket`.

    The option `threads` sets the BLAS threads; by default one below 50 million parameters and all but one of
    what BLAS would take above. Raises ModelNotFound, UnknownName for an unknown option, BackendError for a
    `rope_scaling` or a `context_tokens` that the model cannot take.
    """
    for option in spec.options:
        if option not in OPTIONS:
            raise UnknownName(f"option of the model {spec.name} (backend numpy_gemma)", option, OPTIONS)
    path = locate(spec.location)
    loaded = checkpoint.load(path)
    shape = extended(loaded.architecture, spec.rope_scaling, context_tokens=spec.context_tokens)
    model = Transformer(architecture=shape, weights=loaded.weights)
    blas = ThreadpoolController().select(user_api="blas")
    return NumpyGemma(
        path=path,
        files=loaded.files,
        model=model,
        tokenizer=loaded.tokenizer,
        context_tokens=shape.context_tokens,
        clock=clock,
        transforms=transforms,
        blas=blas,
        threads=_threads(spec, model, blas),
    )


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

        A token is stamped when it has been drawn, before its text is decoded. The end-of-turn token is no
        output token. Raises BackendError, ContextOverflow, NonFiniteLogits, UnknownName.
        """
        requested_ns = self.clock()
        ids = self._prompt_ids(prompt, profile)
        sampler = Sampler(
            profile,
            transforms=self.transforms,
            vocabulary=self._vocabulary,
            seed=seed,
            prompt_ids=ids,
        )
        decoding = Decoding(self._loaded, capacity=len(ids) + profile.max_tokens)
        answer = Answer(profile.stop)
        # what overflows ends as a logit that is not finite, and that is an error with a message
        with self.blas.limit(limits=self.threads), np.errstate(over="ignore", invalid="ignore"):
            logits = decoding.prefill(ids)
            read_ns = self.clock()
            reason = self._answer(logits, decoding, sampler, answer=answer, limit=profile.max_tokens)
        ended_ns = self.clock()
        return Generation(
            text=answer.text,
            deltas=answer.deltas,
            prompt_tokens=len(ids),
            cached_tokens=0,
            output_tokens=answer.n_tokens,
            count_source="engine",
            finish_reason=reason,
            requested_ns=requested_ns,
            ended_ns=ended_ns,
            effective=effective(profile),
            engine_timings={
                "prompt_ms": (read_ns - requested_ns) / 1e6,
                "decode_ms": (ended_ns - read_ns) / 1e6,
            },
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
            parameters=model.weights.parameters,
            context_tokens=self.context_tokens,
            threads=self.threads,
            details={
                "family": model.architecture.family,
                "rope": tuple(f"{kind}: {rope}" for kind, rope in model.architecture.rope.items()),
                "weights_dtype": model.weights.stored_dtype,
                **{f"{part}_sha256": sha256(files) for part, files in self.files.items() if part != "model"},
                "numpy": np.__version__,
                "blas": ", ".join(f"{pool['internal_api']} {pool['version']}" for pool in self.blas.info()),
            },
        )

    def _prompt_ids(self, prompt: Prompt, profile: SamplingProfile) -> tuple[int, ...]:
        if prompt.text is None:
            raise BackendError(
                "the prompt has no text; numpy_gemma needs the messages rendered with its chat_template"
            )
        ids = self.tokenizer.encode(prompt.text)
        if not ids:
            raise BackendError("the prompt is empty; at least one token is needed")
        if max(ids) >= self._loaded.architecture.vocab_size:
            raise BackendError(f"the prompt has a token that {self.path} has no embedding for: id {max(ids)}")
        needed = len(ids) + profile.max_tokens
        if needed > self.context_tokens:
            raise ContextOverflow(needed_tokens=needed, limit_tokens=self.context_tokens)
        return ids

    def _answer(
        self, logits: Array, decoding: Decoding, sampler: Sampler, *, answer: Answer, limit: int
    ) -> FinishReason:
        """Draw tokens into `answer` until it ends or has `limit` of them; say which."""
        stream = self.tokenizer.stream()
        reason: FinishReason = "length"
        for count in range(1, limit + 1):
            token = sampler.draw(_finite(logits))
            at_ns = self.clock()
            if token in self.tokenizer.stop_ids:
                reason = "stop"
                break
            answer.add(stream.push(token), at_ns=at_ns)
            if answer.stopped:
                return "stop"
            if count < limit:
                logits = decoding.step(token)
        answer.finish(stream.finish())
        return "stop" if answer.stopped else reason


def _finite(logits: Array) -> Array:
    if not np.isfinite(logits).all():
        bad = int(np.count_nonzero(~np.isfinite(logits)))
        raise NonFiniteLogits(f"{bad} of {len(logits)} logits are not finite; are the weights whole?")
    return logits


def _threads(spec: ModelSpec, model: Transformer, blas: ThreadpoolController) -> int:
    asked = spec.options.get("threads")
    if asked is None:
        available = max((int(pool["num_threads"]) for pool in blas.info()), default=1)
        return 1 if model.weights.parameters < SMALL_PARAMETERS else max(1, available - 1)
    if not isinstance(asked, int) or isinstance(asked, bool) or asked < 1:
        raise BackendError(f"model {spec.name}: threads = {asked!r}; a whole number of at least 1 is needed")
    return asked
