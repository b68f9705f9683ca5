"""What engines can do, in one vocabulary: each backend declares its words, each profile needs some."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from gemma_eval.records import SamplingProfile

_DEFAULT = SamplingProfile(name="")


def _differs(*fields: str) -> Callable[[SamplingProfile], bool]:
    return lambda profile: any(getattr(profile, name) != getattr(_DEFAULT, name) for name in fields)


SAMPLING: Mapping[str, Callable[[SamplingProfile], bool]] = MappingProxyType(
    {
        "temperature": lambda profile: profile.temperature not in (0.0, 1.0),
        "top_k": _differs("top_k"),
        "top_p": _differs("top_p"),
        "min_p": _differs("min_p"),
        "base_p": _differs("base_p"),
        "typical_p": _differs("typical_p"),
        "top_n_sigma": _differs("top_n_sigma"),
        "xtc": _differs("xtc_probability"),
        "cutoffs": _differs("epsilon_cutoff", "eta_cutoff"),
        "repeat_penalty": _differs("repeat_penalty"),
        "presence_penalty": _differs("presence_penalty"),
        "frequency_penalty": _differs("frequency_penalty"),
        "dry": _differs("dry_multiplier"),
        "logit_bias": lambda profile: bool(profile.logit_bias),
        "dynatemp": lambda profile: profile.dynatemp_range > 0 and profile.dynatemp_mode == "llama",
        "dynatemp_modes": lambda profile: (
            profile.dynatemp_mode != "llama"
            and (profile.dynatemp_theta > 0 or profile.dynatemp_threshold > 0)
        ),
        "mirostat": lambda profile: profile.mirostat > 0,
        "mirostat_original": lambda profile: profile.mirostat > 0 and profile.mirostat_surprise == "original",
        "adaptive_p": lambda profile: profile.adaptive_target >= 0,
        "order": _differs("order"),
        "seed": lambda profile: profile.temperature > 0,
        "stop": lambda profile: bool(profile.stop),
        "ignore_eos": lambda profile: profile.ignore_eos,
    }
)
"""Each word about sampling, with whether a profile needs it."""

OTHERS = ("rope_scaling", "logprobs", "concurrent")
"""The words about everything else: stretching positions, reading a text, answering several at once."""

EVERY_SAMPLING = frozenset(SAMPLING)
"""What a backend can do that samples in this process, with our own transforms."""


def needs(profile: SamplingProfile) -> tuple[str, ...]:
    """Return the words about sampling that a profile needs, in their order here."""
    return tuple(word for word, needed in SAMPLING.items() if needed(profile))


def lack(profile: SamplingProfile, capabilities: Collection[str]) -> str | None:
    """Say what an engine lacks for a profile (`has no mirostat, min_p`); `None` when it has all."""
    lacking = [word for word in needs(profile) if word not in capabilities]
    return f"has no {', '.join(lacking)}" if lacking else None
