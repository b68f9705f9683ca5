"""What is chosen: the model and its context, how tokens are drawn, and what the prompt is made with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gemma_eval.records.cases import Option, Options

RopeType = Literal["default", "linear", "ntk", "dynamic", "yarn", "llama3", "longrope"]
DynatempMode = Literal["llama", "edt", "threshold"]
Surprise = Literal["renormalized", "original"]

CHAT_FORMATS = ("chatml", "gemma3", "generic")
"""What a model may name as its chat template with `@`, as `@gemma3`, where its files bring none."""
BRINGS_ITS_OWN: Mapping[str, str] = {
    "gemma4": "Gemma 4 brings its own chat template in its files; leave chat_template out to use it"
}
"""Formats that are not among them, and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RopeScaling:
    """How rotary positions are stretched beyond the trained length, in the names of Hugging Face configs.

    `original_max_position_embeddings` is the trained length, `None` the one that the model names. `apply_to`
    says which layers turn so: those that see the whole context, or also those that see a window.
    `ntk` is the static NTK-aware base, which Hugging Face does not have.
    Source: huggingface/transformers:src/transformers/modeling_rope_utils.py.
    """

    rope_type: RopeType = "default"
    factor: float = 1.0
    original_max_position_embeddings: int | None = None
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    attention_factor: float | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None
    truncate: bool = True
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    short_factor: tuple[float, ...] = ()
    long_factor: tuple[float, ...] = ()
    apply_to: Literal["global", "all"] = "global"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSpec:
    """A model and the backend that drives it; `location` is a folder, a file or a URL.

    `chat_template` and `rope_scaling` take the place of what the model's own files say; `None` leaves that
    alone. The former is Jinja2, or `@` and one of `CHAT_FORMATS`.
    """

    name: str
    backend: str
    location: str
    context_tokens: int | None = None
    chat_template: str | None = None
    rope_scaling: RopeScaling | None = None
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingProfile:
    """How tokens are chosen, in llama.cpp's names and meanings; every default is *off*.

    `temperature = 0` is greedy. `order` names the transforms in the order they run; the default is
    llama.cpp's, with temperature last. `base_p` is a nucleus cap that `min_p` takes first. `dynatemp_mode`
    chooses which parameters make the temperature follow the entropy: `dynatemp_range` and
    `dynatemp_exponent` (llama), `dynatemp_theta` and `dynatemp_base` (edt), `dynatemp_threshold` (threshold).
    A `mirostat` leaves only the plain temperature before it. `epsilon_cutoff` and `eta_cutoff` are
    Hugging Face's. `logit_bias` is by token id (`"15"`) or by the text of one token.
    `ignore_eos` goes on where the model would end its answer, up to `max_tokens`: with it benchmarks hold
    lengths fixed. `seed = None` derives the seed of each trial from the suite's seed; a number fixes it.
    Source: ggml-org/llama.cpp:common/common.h; huggingface/transformers:src/transformers/generation.
    """

    name: str
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    base_p: float = 1.0
    typical_p: float = 1.0
    top_n_sigma: float = 0.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    epsilon_cutoff: float = 0.0
    eta_cutoff: float = 0.0
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    penalty_last_n: int = 64
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = 64
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    logit_bias: Mapping[str, float] = field(default_factory=dict)
    dynatemp_mode: DynatempMode = "llama"
    dynatemp_range: float = 0.0
    dynatemp_exponent: float = 1.0
    dynatemp_theta: float = 0.0
    dynatemp_base: float = 0.8
    dynatemp_threshold: float = 0.0
    mirostat: Literal[0, 1, 2] = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    mirostat_surprise: Surprise = "renormalized"
    adaptive_target: float = -1.0
    adaptive_decay: float = 0.9
    order: tuple[str, ...] = (
        "logit_bias",
        "penalties",
        "dry",
        "top_n_sigma",
        "top_k",
        "typical_p",
        "top_p",
        "min_p",
        "xtc",
        "temperature",
    )
    max_tokens: int = 64
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    seed: int | None = None


PROMPT_VARIABLES = ("query", "rag_context", "rag_recent", "passages", "history", "now", "model")
"""What every template has, besides its own variables and those of the case."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A prompt template: a Jinja2 text, and what its front matter says.

    `variables` are the defaults of names that a case may set, `None` for one that it has to, `models` globs
    of the names of the models that it is for (none: every model). `parts` are the texts that it includes or
    extends, by their names in its folder. `first_lines` says on which line of its file a text begins where
    that is not the first, by the name of the part, "" for the template itself.
    """

    name: str
    text: str
    version: str = ""
    description: str = ""
    variables: Mapping[str, Option | None] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    first_lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """The hash of all that a prompt comes of, so that an edit is seen: of the text where that is all."""
        if not self.variables and not self.parts:
            return hashlib.sha256(self.text.encode()).hexdigest()
        whole = json.dumps([self.text, dict(self.variables), dict(self.parts)], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()
