"""How llama.cpp is started for a model: threads, slots, context, cache and RoPE scaling."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from gemma_eval.backends.llama_cpp.file import GgufFile
from gemma_eval.backends.threads import default_threads
from gemma_eval.errors import BackendError, UnknownName, WrongSetting, suggestion
from gemma_eval.files.rows import show
from gemma_eval.gemma.rope_config import extended_tokens
from gemma_eval.gemma.rope_scaling import flaws
from gemma_eval.records import ModelSpec, RopeScaling

OPTIONS = ("threads", "parallel", "flash_attn", "cache_type")
FLASH_ATTENTION = ("auto", "on", "off")
CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
MOST_THREADS, MOST_PARALLEL = 512, 256
"""llama.cpp's GGML_MAX_N_THREADS and LLAMA_MAX_SEQ."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rope:
    """A scaling in llama.cpp's words: the type ends one of its `llama_rope_scaling_type`, as *YARN* does."""

    type: Literal["NONE", "LINEAR", "YARN"]
    factor: float = 1.0
    original_tokens: int = 0
    beta_fast: float = 32.0
    beta_slow: float = 1.0

    def __str__(self) -> str:
        """Return it on one line, as results record it."""
        if self.type == "NONE":
            return "default"
        betas = f", betas {self.beta_fast:g} {self.beta_slow:g}" if self.type == "YARN" else ""
        return f"{self.type.lower()}, factor {self.factor:g}, original {self.original_tokens}{betas}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What a server is started with; each of its `parallel` slots holds `context_tokens`.

    `rope` takes the place of the scaling that the file names, `None` leaves it alone. `cache_type` is that of
    keys and values in the cache.
    """

    path: Path
    context_tokens: int
    threads: int
    parallel: int
    flash_attn: str
    cache_type: str
    rope: Rope | None = None


def settings(spec: ModelSpec, file: GgufFile) -> Settings:
    """Return how `spec` wants the model in `file` to be run.

    Without the option `threads` a model of less than 50 million parameters gets one, a larger one all cores
    but one. Raises UnknownName for an unknown option, BackendError for a value, a `rope_scaling` or a
    `context_tokens` that cannot be.
    """
    check(spec)
    threads = default_threads(file.parameters, available=_cores())
    return Settings(
        path=file.path,
        context_tokens=_context(spec, file),
        threads=_count(spec, "threads", threads, most=MOST_THREADS),
        parallel=_count(spec, "parallel", 1, most=MOST_PARALLEL),
        flash_attn=_word(spec, "flash_attn", "auto", FLASH_ATTENTION),
        cache_type=_word(spec, "cache_type", "f16", CACHE_TYPES),
        rope=None if spec.rope_scaling is None else _rope(spec.rope_scaling, file),
    )


def check(spec: ModelSpec) -> None:
    """Look at the options of a model. Raises UnknownName, BackendError."""
    for option in spec.options:
        if option not in OPTIONS:
            raise UnknownName(f"option of the model {spec.name} (backend llama_cpp)", option, OPTIONS)
    _count(spec, "threads", 1, most=MOST_THREADS)
    _count(spec, "parallel", 1, most=MOST_PARALLEL)
    _word(spec, "flash_attn", "auto", FLASH_ATTENTION)
    _word(spec, "cache_type", "f16", CACHE_TYPES)


def parallel(spec: ModelSpec) -> int | None:
    """Return how many slots `spec` asks for, `None` when it asks for what cannot be."""
    try:
        return _count(spec, "parallel", 1, most=MOST_PARALLEL)
    except BackendError:
        return None


def rope_refusal(scaling: RopeScaling | None) -> str | None:
    """Say which scaling llama.cpp does not have for any model, `None` when it may have it."""
    if scaling is None:
        return None
    if scaling.rope_type not in _ROPE_TYPES:
        return f"has no rope_scaling of type {scaling.rope_type}; {', '.join(_ROPE_TYPES)} it has"
    usual = RopeScaling()
    for field in fields(scaling):
        if field.name not in _ROPE_KEYS and getattr(scaling, field.name) != getattr(usual, field.name):
            return f"has no rope_scaling.{field.name}"
    return None


_ROPE_TYPES = ("default", "linear", "yarn")
_ROPE_KEYS = (
    *("rope_type", "factor", "original_max_position_embeddings"),
    *("beta_fast", "beta_slow", "apply_to"),
)


def _context(spec: ModelSpec, file: GgufFile) -> int:
    """Return the tokens of a slot: what was asked for, or all that the model can hold."""
    scaling = spec.rope_scaling
    limit = file.trained_tokens
    if scaling is not None:
        _demand_possible(spec, scaling, file)
        if scaling.rope_type != "default":
            stretched = replace(scaling, original_max_position_embeddings=_original(scaling, file))
            limit = extended_tokens(stretched, own_tokens=limit)
    if spec.context_tokens is not None and spec.context_tokens > limit:
        raise BackendError(
            f"model {spec.name}: context_tokens = {spec.context_tokens} is more than the {limit} that the "
            "model can hold; lower context_tokens, or stretch the model with a rope_scaling"
        )
    return spec.context_tokens or limit


def _demand_possible(spec: ModelSpec, scaling: RopeScaling, file: GgufFile) -> None:
    """Raise BackendError unless llama.cpp turns this model as the scaling says."""
    where = f"model {spec.name}: rope_scaling of type {scaling.rope_type}"
    if refusal := rope_refusal(scaling):
        raise BackendError(f"model {spec.name}: llama.cpp {refusal}")
    found = flaws(scaling, head_dim=0, own_tokens=file.trained_tokens)
    if found:
        raise BackendError(f"{where}: {'; '.join(found)}")
    if file.window is None:
        return
    if scaling.apply_to == "all":
        raise BackendError(
            f'{where}: llama.cpp scales no local layers; apply_to = "global" is possible, or numpy_gemma'
        )
    if file.scaling and file.architecture != "gemma3":
        raise BackendError(
            f"{where}: the file has a scaling of its own, which llama.cpp would leave on the local layers"
        )


def _rope(scaling: RopeScaling, file: GgufFile) -> Rope:
    if scaling.rope_type == "default":
        return Rope(type="NONE")
    return Rope(
        type="YARN" if scaling.rope_type == "yarn" else "LINEAR",
        factor=scaling.factor,
        original_tokens=_original(scaling, file),
        beta_fast=scaling.beta_fast,
        beta_slow=scaling.beta_slow,
    )


def _original(scaling: RopeScaling, file: GgufFile) -> int:
    """Return the length that is stretched: the one given, the file's own, or the one it was trained on."""
    own = file.scaling.get("original_context_length")
    return scaling.original_max_position_embeddings or (
        own if isinstance(own, int) and own > 0 else file.trained_tokens
    )


def _count(spec: ModelSpec, option: str, default: int, *, most: int) -> int:
    value = spec.options.get(option, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        what = f"{option} = {show(value)}; a whole number from 1 to {most} is needed"
        raise WrongSetting(spec.name, "options", option, what=what)
    return value


def _word(spec: ModelSpec, option: str, default: str, known: Sequence[str]) -> str:
    value = spec.options.get(option, default)
    if value not in known:
        what = f"{option} = {show(value)}{suggestion(str(value), known)}"
        raise WrongSetting(spec.name, "options", option, what=what)
    return str(value)


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
