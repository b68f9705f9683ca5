"""The rotary positions that a config.json names, with the keys of before and after transformers 5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, cast, get_args

from gemma_eval.gemma.config_table import ConfigTable
from gemma_eval.records import RopeScaling, RopeType

LayerKind = Literal["local", "global"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rope:
    """Rotary positions of one kind of layer: the base, and how it is stretched beyond the trained length."""

    theta: float
    scaling: RopeScaling = field(default_factory=RopeScaling)

    @property
    def original_tokens(self) -> int:
        """The length that the scaling stretches; it is set when a model is read, if the type needs it."""
        tokens = self.scaling.original_max_position_embeddings
        if tokens is None:
            raise ValueError(f"{self.scaling.rope_type} needs an original_max_position_embeddings")
        return tokens

    def __str__(self) -> str:
        """Return the base and whatever the scaling sets, on one line, as results record it."""
        usual, chosen = asdict(RopeScaling()), asdict(self.scaling)
        given = {key: chosen[key] for key in chosen if chosen[key] != usual[key]}
        settings = [f"{key} {given[key]}" for key in given if key not in ("rope_type", "apply_to")]
        return ", ".join([self.scaling.rope_type, f"theta {self.theta}", *settings])


def gemma3_rope(config: ConfigTable, *, trained_tokens: int) -> Mapping[LayerKind, Rope]:
    """Return a base per kind of layer; the older `rope_scaling` is for the global layers alone.

    `trained_tokens` is the original length where a scaling needs one and names none. Raises ModelNotFound.
    """
    both = config.table("rope_parameters")
    if both.content.get("rope_type", "default") != "default":
        both.fail("needs full_attention and sliding_attention, for Gemma 3 has a base for each")
    wide, near = both.table("full_attention"), both.table("sliding_attention")
    theta = config.number("rope_theta", 1_000_000.0)
    near_theta = config.number("rope_local_base_freq", 10_000.0)
    scaling = config.table("rope_scaling") if config.content.get("rope_scaling") else wide
    return {
        "global": Rope(theta=wide.number("rope_theta", theta), scaling=_scaling(scaling, trained_tokens)),
        "local": Rope(theta=near.number("rope_theta", near_theta), scaling=_scaling(near, trained_tokens)),
    }


def gemma2_rope(config: ConfigTable, *, trained_tokens: int) -> Mapping[LayerKind, Rope]:
    """Return the one base and the one scaling that all layers share. Raises ModelNotFound."""
    parameters = config.table("rope_parameters")
    theta = config.number("rope_theta", 10_000.0)
    scaling = config.table("rope_scaling") if config.content.get("rope_scaling") else parameters
    read = _scaling(scaling, trained_tokens)
    shared = read if read.rope_type == "default" else replace(read, apply_to="all")
    rope = Rope(theta=parameters.number("rope_theta", theta), scaling=shared)
    return {"global": rope, "local": rope}


def extended_tokens(scaling: RopeScaling, *, own_tokens: int) -> int:
    """Return how many tokens a scaled model holds: its own limit, or original length times factor if more.

    A model that scales linearly and names no original length, as Gemma 3, says its stretched length already.
    """
    original = scaling.original_max_position_embeddings
    return own_tokens if original is None else max(own_tokens, int(original * scaling.factor))


def _scaling(table: ConfigTable, trained_tokens: int) -> RopeScaling:
    """Read a scaling; a length that the config does not name is the model's own, as in transformers."""
    kind = table.content.get("rope_type", table.content.get("type", "default"))
    if kind not in get_args(RopeType):
        table.fail(
            f'rope_type "{kind}" is not supported by numpy_gemma; known: {", ".join(get_args(RopeType))}'
        )
    if table.content.get("partial_rotary_factor", 1.0) != 1.0:
        table.fail("partial_rotary_factor is not supported by numpy_gemma, which turns whole heads")
    if kind == "default":
        return RopeScaling()
    named = table.content.get("original_max_position_embeddings") is not None
    original = table.count("original_max_position_embeddings", 0) if named else None
    if original is None and kind not in ("linear", "ntk"):
        original = trained_tokens
    usual = RopeScaling()
    return RopeScaling(
        rope_type=cast(RopeType, kind),
        factor=_factor(table, trained_tokens / original if named and original else None),
        original_max_position_embeddings=original,
        beta_fast=table.optional_number("beta_fast") or usual.beta_fast,
        beta_slow=table.optional_number("beta_slow") or usual.beta_slow,
        attention_factor=table.optional_number("attention_factor"),
        mscale=table.optional_number("mscale"),
        mscale_all_dim=table.optional_number("mscale_all_dim"),
        truncate=table.flag("truncate", default=True),
        low_freq_factor=table.number("low_freq_factor", usual.low_freq_factor),
        high_freq_factor=table.number("high_freq_factor", usual.high_freq_factor),
        short_factor=table.numbers("short_factor"),
        long_factor=table.numbers("long_factor"),
    )


def _factor(table: ConfigTable, ratio: float | None) -> float:
    """Return the factor; without one it is how often the original length goes into the model's own."""
    factor = table.optional_number("factor") or ratio
    if factor is None:
        table.fail("needs a factor")
    return factor
