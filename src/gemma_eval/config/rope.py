"""The `rope_scaling` of a model, from TOML: `{ rope_type = "yarn", factor = 4.0 }`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from gemma_eval.files import rows
from gemma_eval.records import RopeScaling, RopeType

Positive = Annotated[FiniteFloat, Field(gt=0)]
Factors = Annotated[list[Positive], Field(min_length=1, max_length=4096)]

_EVERYWHERE = ("rope_type", "factor", "original_max_position_embeddings", "apply_to")
TAKES: Mapping[RopeType, Collection[str]] = {
    "default": ("rope_type",),
    "linear": _EVERYWHERE,
    "ntk": _EVERYWHERE,
    "dynamic": _EVERYWHERE,
    "yarn": (
        *_EVERYWHERE,
        *("beta_fast", "beta_slow", "attention_factor", "mscale", "mscale_all_dim", "truncate"),
    ),
    "llama3": (*_EVERYWHERE, "low_freq_factor", "high_freq_factor"),
    "longrope": (*_EVERYWHERE, "short_factor", "long_factor", "attention_factor"),
}
"""The keys that have an effect with each type."""


class RopeRow(rows.Row):
    """A scaling; the keys are those of `records.RopeScaling`, in the names of Hugging Face configs."""

    rope_type: RopeType | None = None
    factor: Annotated[FiniteFloat, Field(ge=1, le=10_000)] | None = None
    original_max_position_embeddings: Annotated[int, Field(ge=2, le=100_000_000)] | None = None
    beta_fast: Positive | None = None
    beta_slow: Positive | None = None
    attention_factor: Positive | None = None
    mscale: Positive | None = None
    mscale_all_dim: Positive | None = None
    truncate: bool | None = None
    low_freq_factor: Positive | None = None
    high_freq_factor: Positive | None = None
    short_factor: Factors | None = None
    long_factor: Factors | None = None
    apply_to: Literal["global", "all"] | None = None


def contradictions(row: RopeRow, given: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the key and what is wrong with it beside the others; `given` are the keys of the file."""
    kind = row.rope_type
    if kind is None:
        if "rope_type" not in given:
            yield "", f"needs a rope_type: {', '.join(TAKES)}"
        return
    for key in RopeRow.model_fields:
        if key in given and key not in TAKES[kind]:
            takes = ", ".join(other for other in TAKES if key in TAKES[other])
            yield key, f"{key} has no effect with {kind}; remove it, or choose {takes}"
    if kind != "default" and "factor" not in given:
        yield "", f"{kind} needs a factor, as factor = 4.0 for four times the original length"
    if kind in _OF_TYPE:
        yield from _OF_TYPE[kind](row, given)


def record(row: RopeRow) -> RopeScaling:
    """Return the record of a row."""
    given = row.model_dump(exclude_none=True)
    for key in ("short_factor", "long_factor"):
        given[key] = tuple(given.get(key, ()))
    return RopeScaling(**given)


def _longrope(row: RopeRow, given: Collection[str]) -> Iterator[tuple[str, str]]:
    for key in ("short_factor", "long_factor"):
        if key not in given:
            yield "", f"longrope needs a {key}, a list with a number for each pair of a head"
    short, long = len(row.short_factor or ()), len(row.long_factor or ())
    if short and long and short != long:
        yield "long_factor", f"long_factor has {long} numbers, short_factor {short}; give as many of both"


def _yarn(row: RopeRow, given: Collection[str]) -> Iterator[tuple[str, str]]:
    for key, other in (("mscale", "mscale_all_dim"), ("mscale_all_dim", "mscale")):
        if key in given and other not in given:
            yield key, f"{key} has no effect without {other}; give both or none"
    if {"attention_factor", "mscale", "mscale_all_dim"} <= set(given):
        what = "attention_factor replaces what mscale and mscale_all_dim give; remove one of the two"
        yield "attention_factor", what
    yield from _reversed(row, low="beta_slow", high="beta_fast")


def _llama3(row: RopeRow, _: Collection[str]) -> Iterator[tuple[str, str]]:
    yield from _reversed(row, low="low_freq_factor", high="high_freq_factor")


def _reversed(row: RopeRow, *, low: str, high: str) -> Iterator[tuple[str, str]]:
    """Compare two limits, the one that is not given with its default."""
    usual = RopeScaling()
    below, above = (getattr(row, key) or getattr(usual, key) for key in (low, high))
    if below >= above:
        key = high if getattr(row, high) is not None else low
        yield key, f"{high} is {above} and {low} {below}; {high} should be the larger"


_OF_TYPE: Mapping[RopeType, Callable[[RopeRow, Collection[str]], Iterator[tuple[str, str]]]] = {
    "yarn": _yarn,
    "llama3": _llama3,
    "longrope": _longrope,
}
