"""Drives a model of Hugging Face transformers on PyTorch: a local folder, sampled in this process.

    [model.pocket-transformers]
    backend = "hf_transformers"
    location = "@pocket"
    options = { dtype = "float32", device = "cpu", threads = 1 }

Ids, texts and draws are made by what `numpy_gemma` makes them with: the tokenizer.json of the folder and the
sampling transforms of gemma_eval. So the same profile means the same, and the logits alone are the library's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gemma_eval.backends.capabilities import EVERY_SAMPLING, lack
from gemma_eval.backends.extras import lacking
from gemma_eval.backends.hf_transformers import model as hf_transformers_model
from gemma_eval.backends.hf_transformers.folder import find, special_tokens
from gemma_eval.backends.hf_transformers.model import Decoding, TorchModel, read_beside
from gemma_eval.backends.hf_transformers.options import Settings, settings
from gemma_eval.backends.local import Local
from gemma_eval.backends.model_files import sha256
from gemma_eval.backends.threads import default_threads
from gemma_eval.errors import BackendError, ModelNotFound
from gemma_eval.gemma import tensors, tokenizer
from gemma_eval.gemma.folder import read_json
from gemma_eval.gemma.reading import Reading
from gemma_eval.gemma.tokenizer import Tokenizer
from gemma_eval.protocols import Clock, Tell, TransformFactory
from gemma_eval.records import EngineInfo, Generation, ModelSpec, Prompt, SamplingProfile

CAPABILITIES = EVERY_SAMPLING | {"logprobs"}


class Load:
    """Loads a folder into PyTorch."""

    @property
    def capabilities(self) -> frozenset[str]:
        """Every way of sampling, for that is done here, and reading a text."""
        return CAPABILITIES

    def check(self, spec: ModelSpec) -> None:
        """Look at the options of a model. Raises UnknownName, BackendError."""
        settings(spec)

    def refusal(self, spec: ModelSpec, profile: SamplingProfile) -> str | None:
        """Say what cannot be done: positions are stretched as the folder's own config.json says."""
        if spec.rope_scaling is not None:
            return "has no rope_scaling; write it into the config.json of the folder"
        return lacking("torch", "transformers", extra="transformers") or lack(profile, CAPABILITIES)

    def __call__(
        self, spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]
    ) -> HfTransformers:
        """Load the model at `spec.location`, a folder or `@pocket`.

        Options: `dtype` (`float32` by default, `bfloat16`, or `auto`, that of the files), `device` (`cpu` by
        default, `cuda`, `mps`) and `threads`, by default one below 50 million parameters and all but one of
        what PyTorch would take above. Raises MissingDependency, ModelNotFound, UnknownName for an unknown
        option, and BackendError: a value, a device or a `context_tokens` that cannot be.
        """
        chosen = settings(spec)
        if spec.rope_scaling is not None:
            raise BackendError(f"model {spec.name}: hf_transformers has no rope_scaling")
        loaded = hf_transformers_model.libraries()
        folder = find(spec.location)
        words = tokenizer.load(folder)
        model = hf_transformers_model.load(folder, dtype=chosen.dtype, device=chosen.device, loaded=loaded)
        if words.largest_id >= model.vocab_size:
            raise ModelNotFound(
                f"{folder}: tokenizer.json has the id {words.largest_id}, the weights a vocabulary of "
                f"{model.vocab_size}; they are of different models"
            )
        return HfTransformers(
            folder=folder,
            model=model,
            tokenizer=words,
            context_tokens=_context(spec, model),
            clock=clock,
            transforms=transforms,
            threads=_threads(chosen, model),
        )


load = Load()


@dataclass(kw_only=True, eq=False)
class HfTransformers:
    """A loaded model, `None` once closed; generations follow one another, each with its own cache."""

    folder: Path
    model: TorchModel | None
    tokenizer: Tokenizer
    context_tokens: int | None
    clock: Clock
    transforms: Mapping[str, TransformFactory]
    threads: int

    @cached_property
    def chat_template(self) -> str | None:
        """The Jinja2 chat template of the folder, told first how this model writes its special tokens."""
        template = self.tokenizer.chat_template
        return None if template is None else special_tokens(self.folder) + template

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
        return self._generate(prompt, profile, seed=seed)

    def generate_streaming(
        self, prompt: Prompt, *, profile: SamplingProfile, seed: int, tell: Tell
    ) -> Generation:
        """Answer as `generate` does, and `tell` the text of each delta. Raises as `generate` does."""
        return self._generate(prompt, profile, seed=seed, tell=tell)

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

    def _generate(
        self, prompt: Prompt, profile: SamplingProfile, *, seed: int, tell: Tell | None = None
    ) -> Generation:
        ids = self._local.prompt_ids(prompt)
        self._local.demand_room(len(ids) + profile.max_tokens)
        writing = self._local.writing(profile, seed=seed, prompt_ids=ids, tell=tell)
        decoding = Decoding(self._loaded)
        requested_ns = self.clock()
        with self._computing():
            logits = decoding.read(ids)[0]
            read_ns = self.clock()
            while (token := writing.write(logits)) is not None:
                logits = decoding.read((token,))[0]
        return self._local.written(
            writing, profile, prompt_tokens=len(ids), requested_ns=requested_ns, read_ns=read_ns
        )

    @property
    def _loaded(self) -> TorchModel:
        if self.model is None:
            raise BackendError(f"{self.folder}: the model was closed and can generate no more")
        return self.model

    @cached_property
    def _local(self) -> Local:
        return Local(
            where=self.folder,
            tokenizer=self.tokenizer,
            vocab_size=self._loaded.vocab_size,
            context_tokens=self.context_tokens,
            transforms=self.transforms,
            clock=self.clock,
        )

    @cached_property
    def _info(self) -> EngineInfo:
        model, template = self._loaded, self.tokenizer.chat_template
        return EngineInfo(
            engine="transformers",
            version=model.libraries.transformers.__version__,
            model_sha256=sha256(tensors.weight_files(self.folder)),
            tokenizer_sha256=sha256((self.folder / "tokenizer.json",)),
            chat_template_sha256=None if template is None else hashlib.sha256(template.encode()).hexdigest(),
            quantisation=model.dtype,
            parameters=model.parameters,
            context_tokens=self.context_tokens,
            threads=self.threads,
            details={
                "family": str(read_json(self.folder / "config.json").get("model_type", "")),
                "device": model.device,
                "attention": model.attention,
                "torch": str(model.libraries.torch.__version__),
                "config_sha256": sha256((self.folder / "config.json",)),
            },
        )

    def _read_beside(self, before: Sequence[int], texts: Sequence[Sequence[int]]) -> tuple[Reading, ...]:
        with self._computing():
            return read_beside(self._loaded, before, texts)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Set the threads of PyTorch and keep the libraries quiet; afterwards both are as they were."""
        loaded = self._loaded.libraries
        before = loaded.torch.get_num_threads()
        loaded.torch.set_num_threads(self.threads)
        try:
            with loaded.quiet():
                yield
        finally:
            loaded.torch.set_num_threads(before)


def _context(spec: ModelSpec, model: TorchModel) -> int | None:
    asked, most = spec.context_tokens, model.context_tokens
    if asked is not None and most is not None and asked > most:
        raise BackendError(
            f"model {spec.name}: context_tokens = {asked} is more than the {most} that the model can hold"
        )
    return most if asked is None else asked


def _threads(chosen: Settings, model: TorchModel) -> int:
    if chosen.threads is not None:
        return chosen.threads
    available: int = model.libraries.torch.get_num_threads()
    return default_threads(model.parameters, available=available)
