"""What of a profile decides a draw: what is on, and not overruled by something else in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

from gemma_eval.records import Option, Options, SamplingProfile
from gemma_eval.sampling.dynatemp import is_dynamic


def is_greedy(profile: SamplingProfile) -> bool:
    """Say whether the profile always takes the best token that its chain leaves."""
    rises = profile.dynatemp_mode == "llama" and is_dynamic(profile) and not profile.mirostat
    return profile.temperature <= 0 and not rises


def steps(profile: SamplingProfile) -> SamplingProfile:
    """Return the profile whose `order` is what runs: a mirostat leaves logit bias and a plain temperature."""
    if not profile.mirostat:
        return profile
    return replace(
        profile,
        order=("logit_bias", "temperature"),
        dynatemp_mode="llama",
        dynatemp_range=0.0,
    )


def effective(profile: SamplingProfile) -> Options:
    """Return the parameters that decide a draw under `profile`; what is off or overruled is left out.

    The temperature is 1 where it is no step of the order, unless it is 0, which is greedy without a step.
    A logit bias is written `token=bias`.
    """
    applied = profile.mirostat or is_greedy(profile) or "temperature" in profile.order
    used: dict[str, Option] = {"temperature": profile.temperature if applied else 1.0}
    if not profile.mirostat:
        used["order"] = profile.order
    names = [name for step in steps(profile).order for name in _read_by(step, steps(profile))]
    return used | {name: _option(profile, name) for name in (*names, *_read_by_draw(profile))}


def _read_by(step: str, profile: SamplingProfile) -> tuple[str, ...]:
    """Return the parameters that a built-in step reads when it is on, none of a plugin's."""
    is_on, names = _STEPS.get(step, (_never, ()))
    if step == "temperature" and is_dynamic(profile):
        return ("dynatemp_mode", *_MODES[profile.dynatemp_mode])
    return names if is_on(profile) else ()


def _read_by_draw(profile: SamplingProfile) -> tuple[str, ...]:
    if profile.mirostat:
        return ("mirostat", "mirostat_tau", "mirostat_eta", "mirostat_surprise")
    adapts = profile.adaptive_target >= 0 and not is_greedy(profile)
    return ("adaptive_target", "adaptive_decay") if adapts else ()


def _option(profile: SamplingProfile, name: str) -> Option:
    if name == "logit_bias":
        return tuple(f"{token}={bias:g}" for token, bias in profile.logit_bias.items())
    return cast(Option, getattr(profile, name))


def _never(profile: SamplingProfile) -> bool:
    return False


def _penalises(profile: SamplingProfile) -> bool:
    rates = (profile.repeat_penalty, profile.frequency_penalty, profile.presence_penalty)
    return rates != (1.0, 0.0, 0.0) and profile.penalty_last_n != 0


def _dries(profile: SamplingProfile) -> bool:
    return profile.dry_multiplier != 0 and profile.dry_base >= 1 and profile.dry_penalty_last_n != 0


_PENALTIES = ("repeat_penalty", "frequency_penalty", "presence_penalty", "penalty_last_n")
_DRY = ("dry_multiplier", "dry_base", "dry_allowed_length", "dry_penalty_last_n", "dry_sequence_breakers")
_STEPS: Mapping[str, tuple[Callable[[SamplingProfile], bool], tuple[str, ...]]] = {
    "logit_bias": (lambda profile: bool(profile.logit_bias), ("logit_bias",)),
    "penalties": (_penalises, _PENALTIES),
    "dry": (_dries, _DRY),
    "top_n_sigma": (lambda profile: profile.top_n_sigma > 0, ("top_n_sigma",)),
    "top_k": (lambda profile: profile.top_k > 0, ("top_k",)),
    "typical_p": (lambda profile: profile.typical_p < 1, ("typical_p",)),
    "top_p": (lambda profile: profile.top_p < 1, ("top_p",)),
    "min_p": (lambda profile: profile.min_p > 0 or profile.base_p < 1, ("min_p", "base_p")),
    "xtc": (
        lambda profile: profile.xtc_probability > 0 and profile.xtc_threshold <= 0.5,
        ("xtc_probability", "xtc_threshold"),
    ),
    "epsilon_cutoff": (lambda profile: profile.epsilon_cutoff > 0, ("epsilon_cutoff",)),
    "eta_cutoff": (lambda profile: profile.eta_cutoff > 0, ("eta_cutoff",)),
}
_MODES: Mapping[str, tuple[str, ...]] = {
    "llama": ("dynatemp_range", "dynatemp_exponent"),
    "edt": ("dynatemp_theta", "dynatemp_base"),
    "threshold": ("dynatemp_threshold",),
}
