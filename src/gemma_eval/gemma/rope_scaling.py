"""How fast each pair of a head turns per position, under every type of RoPE scaling."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemma_eval.gemma.rope_config import Rope
from gemma_eval.gemma.tensors import Array
from gemma_eval.records import RopeScaling, RopeType

LENGTH_DEPENDENT: frozenset[RopeType] = frozenset({"dynamic", "longrope"})
"""The types whose frequencies follow from how many tokens a generation holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Turning:
    """The angle per position of each pair [H/2], and what cosines and sines are multiplied by.

    The gain reaches queries and keys alike, so attention scores grow by its square.
    """

    frequencies: Array
    gain: float


def turning(rope: Rope, *, head_dim: int, tokens: int) -> Turning:
    """Return how a head of `head_dim` values turns in a generation of `tokens`, prompt and answer together.

    Only `dynamic` and `longrope` depend on `tokens`. Every key of a generation is turned alike: transformers
    turns new keys by a growing base and leaves the cached ones as they were.
    Source: huggingface/transformers:src/transformers/modeling_rope_utils.py, for `ntk` arXiv 2309.00071 §3.1.
    """
    values = _FREQUENCIES[rope.scaling.rope_type](rope, head_dim, tokens)
    return Turning(values.astype(np.float32), gain(rope))


def gain(rope: Rope) -> float:
    """Return the attention factor m on cosines and sines: 1 but for `yarn` and `longrope`.

    YaRN: 0.1·ln(factor) + 1, or the ratio of two such terms when `mscale` and `mscale_all_dim` are given.
    LongRoPE: √(1 + ln factor / ln original length). A given `attention_factor` replaces either.
    """
    scaling = rope.scaling
    if scaling.rope_type not in ("yarn", "longrope"):
        return 1.0
    if scaling.attention_factor is not None:
        return scaling.attention_factor
    if scaling.factor <= 1:
        return 1.0
    if scaling.rope_type == "longrope":
        return math.sqrt(1 + math.log(scaling.factor) / math.log(rope.original_tokens))
    if scaling.mscale and scaling.mscale_all_dim:
        return _mscale(scaling.factor, scaling.mscale) / _mscale(scaling.factor, scaling.mscale_all_dim)
    return _mscale(scaling.factor, 1.0)


def correction_dim(rotations: float, *, theta: float, head_dim: int, original_tokens: int) -> float:
    """Return the pair, as a fraction, that turns `rotations` times within the original length.

    Source: arXiv 2309.00071 §3.2.
    """
    return head_dim * math.log(original_tokens / (rotations * 2 * math.pi)) / (2 * math.log(theta))


def ntk_theta(theta: float, factor: float, *, head_dim: int) -> float:
    """Return the base θ·s^(H/(H-2)): the slowest pair turns s times slower, the fastest as before."""
    return float(theta * factor ** (head_dim / (head_dim - 2)))


def flaws(scaling: RopeScaling, *, head_dim: int, own_tokens: int) -> tuple[str, ...]:
    """Say why heads of `head_dim` values of a model of `own_tokens` positions cannot be turned so."""
    return () if scaling.rope_type == "default" else tuple(_flaws(scaling, head_dim // 2, own_tokens))


_Frequencies = NDArray[np.float64]


def _plain(theta: float, head_dim: int) -> _Frequencies:
    """Return θ^(-2i/H). Source: arXiv 2104.09864."""
    exponents = np.arange(0, head_dim, 2, dtype=np.float64) / head_dim
    return np.asarray(theta**-exponents, dtype=np.float64)


def _default(rope: Rope, head_dim: int, _: int) -> _Frequencies:
    return _plain(rope.theta, head_dim)


def _linear(rope: Rope, head_dim: int, _: int) -> _Frequencies:
    """Press all positions together. Source: arXiv 2306.15595."""
    return _plain(rope.theta, head_dim) / rope.scaling.factor


def _ntk(rope: Rope, head_dim: int, _: int) -> _Frequencies:
    """Raise the base so far that the slowest pair is interpolated and the fastest left alone."""
    return _plain(ntk_theta(rope.theta, rope.scaling.factor, head_dim=head_dim), head_dim)


def _dynamic(rope: Rope, head_dim: int, tokens: int) -> _Frequencies:
    """Raise the base with the length, and not at all within the original one."""
    factor, original = rope.scaling.factor, rope.original_tokens
    growth = factor * max(tokens, original) / original - (factor - 1)
    return _plain(ntk_theta(rope.theta, growth, head_dim=head_dim), head_dim)


def _yarn(rope: Rope, head_dim: int, _: int) -> _Frequencies:
    """Leave fast pairs alone, interpolate slow ones, and go from one to the other along a ramp."""
    scaling = rope.scaling
    low, high = (
        correction_dim(beta, theta=rope.theta, head_dim=head_dim, original_tokens=rope.original_tokens)
        for beta in (scaling.beta_fast, scaling.beta_slow)
    )
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)
    ramp = (np.arange(head_dim // 2) - low) / ((high - low) or 0.001)
    share = np.clip(ramp, 0.0, 1.0)
    plain = _plain(rope.theta, head_dim)
    return np.asarray((1 - share) * plain + share * plain / scaling.factor)


def _llama3(rope: Rope, head_dim: int, _: int) -> _Frequencies:
    """Interpolate what turns seldom within the original length, by how seldom it does."""
    scaling, plain = rope.scaling, _plain(rope.theta, head_dim)
    turns = rope.original_tokens * plain / (2 * math.pi)
    between = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    kept = np.clip(between, 0.0, 1.0)
    return np.asarray((1 - kept) * plain / scaling.factor + kept * plain)


def _longrope(rope: Rope, head_dim: int, tokens: int) -> _Frequencies:
    """Divide each pair by a factor of its own: one list within the original length, another beyond it."""
    scaling = rope.scaling
    longer = tokens > rope.original_tokens
    factors = scaling.long_factor if longer else scaling.short_factor
    return _plain(rope.theta, head_dim) / np.asarray(factors, dtype=np.float64)


_FREQUENCIES: Mapping[RopeType, Callable[[Rope, int, int], _Frequencies]] = {
    "default": _default,
    "linear": _linear,
    "ntk": _ntk,
    "dynamic": _dynamic,
    "yarn": _yarn,
    "llama3": _llama3,
    "longrope": _longrope,
}


def _mscale(factor: float, weight: float) -> float:
    return 0.1 * weight * math.log(factor) + 1.0


def _flaws(scaling: RopeScaling, pairs: int, own_tokens: int) -> Iterator[str]:
    kind, original = scaling.rope_type, scaling.original_max_position_embeddings
    if not 1 <= scaling.factor < math.inf:
        yield f"factor is {scaling.factor}, at least 1 is needed: a scaling makes the context longer"
    if original is not None and not 2 <= original <= own_tokens:
        yield (
            f"original_max_position_embeddings is {original}, the length that the model was trained at is "
            f"needed, at most its own {own_tokens}"
        )
    if kind in ("ntk", "dynamic") and pairs < 2:
        yield "a head of 2 values has one pair, and no base slows the last pair and leaves the first"
    if kind == "yarn" and not 0 < scaling.beta_slow < scaling.beta_fast:
        yield f"beta_fast is {scaling.beta_fast}, more than beta_slow ({scaling.beta_slow}) is needed"
    if kind == "llama3" and not 0 < scaling.low_freq_factor < scaling.high_freq_factor:
        low, high = scaling.low_freq_factor, scaling.high_freq_factor
        yield f"high_freq_factor is {high}, more than low_freq_factor ({low}) is needed"
    if kind == "longrope":
        yield from _list_flaws(scaling, pairs)


def _list_flaws(scaling: RopeScaling, pairs: int) -> Iterator[str]:
    for name, factors in (("short_factor", scaling.short_factor), ("long_factor", scaling.long_factor)):
        if len(factors) != pairs:
            yield f"{name} has {len(factors)} numbers, {pairs} are needed: one for each pair of a head"
