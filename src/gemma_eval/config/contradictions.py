"""What in a sampling profile could have no effect, because something else in it replaces it or is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gemma_eval.records import SamplingProfile

STEPS = {
    "logit_bias": "logit_bias",
    "repeat_penalty": "penalties",
    "presence_penalty": "penalties",
    "frequency_penalty": "penalties",
    "penalty_last_n": "penalties",
    "dry_multiplier": "dry",
    "dry_base": "dry",
    "dry_allowed_length": "dry",
    "dry_penalty_last_n": "dry",
    "dry_sequence_breakers": "dry",
    "top_n_sigma": "top_n_sigma",
    "top_k": "top_k",
    "typical_p": "typical_p",
    "top_p": "top_p",
    "min_p": "min_p",
    "base_p": "min_p",
    "xtc_probability": "xtc",
    "xtc_threshold": "xtc",
    "epsilon_cutoff": "epsilon_cutoff",
    "eta_cutoff": "eta_cutoff",
    "temperature": "temperature",
    "dynatemp_mode": "temperature",
    "dynatemp_range": "temperature",
    "dynatemp_exponent": "temperature",
    "dynatemp_theta": "temperature",
    "dynatemp_base": "temperature",
    "dynatemp_threshold": "temperature",
}
"""The step of `order` that each key sets."""

REPLACED_BY_MIROSTAT = (
    *(key for key in STEPS if key not in ("temperature", "logit_bias")),
    "order",
    "adaptive_target",
    "adaptive_decay",
)
"""What has no effect beside a mirostat, which chooses the candidates by itself."""

_MODES = {
    "llama": ("dynatemp_range", "dynatemp_exponent"),
    "edt": ("dynatemp_theta", "dynatemp_base"),
    "threshold": ("dynatemp_threshold",),
}
"""The keys of each dynatemp_mode; the first switches it on."""

_NEEDS = {
    "mirostat_tau": "mirostat",
    "mirostat_eta": "mirostat",
    "mirostat_surprise": "mirostat",
    "xtc_threshold": "xtc_probability",
    "dry_base": "dry_multiplier",
    "dry_allowed_length": "dry_multiplier",
    "dry_penalty_last_n": "dry_multiplier",
    "dry_sequence_breakers": "dry_multiplier",
    "dynatemp_exponent": "dynatemp_range",
    "dynatemp_base": "dynatemp_theta",
}
"""What each key does nothing without; above 0 that is on."""


def contradictions(profile: SamplingProfile, given: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield each of the `given` keys that cannot have an effect, with why and what would be right."""
    if profile.mirostat:
        yield from _beside_mirostat(profile, given)
        return
    yield from _without_what_they_need(profile, given)
    yield from _of_another_mode(profile, given)
    if profile.temperature == 0:
        yield from _when_greedy(profile)
    if profile.adaptive_target < 0 and "adaptive_decay" in given:
        yield "adaptive_decay", "adaptive_decay has no effect without an adaptive_target of at least 0"
    if "penalty_last_n" in given and "penalties" in profile.order and not _penalises(profile):
        what = "without a repeat_penalty, presence_penalty or frequency_penalty"
        yield "penalty_last_n", f"penalty_last_n has no effect {what}"
    for key in _left_out(profile, given):
        what = f"{key} has no effect, because order does not name {STEPS[key]}; add that or remove {key}"
        yield key, what


def _beside_mirostat(profile: SamplingProfile, given: Collection[str]) -> Iterator[tuple[str, str]]:
    why = f"mirostat {profile.mirostat} chooses the candidates by itself and replaces"
    for key in REPLACED_BY_MIROSTAT:
        if key in given:
            yield key, f"{why} {key}; remove one of the two"
    if profile.temperature == 0:
        yield (
            "temperature",
            f"mirostat {profile.mirostat} draws at random, temperature 0 does not; remove one of the two",
        )


def _without_what_they_need(profile: SamplingProfile, given: Collection[str]) -> Iterator[tuple[str, str]]:
    for key, needed in _NEEDS.items():
        if key not in given or getattr(profile, needed) > 0:
            continue
        if needed == "mirostat":
            yield key, f'{key} has no effect without mirostat; add "mirostat": 2 or remove it'
        elif needed not in _off_in(profile.dynatemp_mode):
            yield key, f"{key} has no effect unless {needed} is above 0"


def _of_another_mode(profile: SamplingProfile, given: Collection[str]) -> Iterator[tuple[str, str]]:
    mode = profile.dynatemp_mode
    for key in _off_in(mode):
        if key in given:
            right = next(other for other, keys in _MODES.items() if key in keys)
            yield key, f'{key} has no effect without "dynatemp_mode": "{right}"; set that or remove {key}'
    switch = _MODES[mode][0]
    if "dynatemp_mode" in given and not getattr(profile, switch) > 0:
        yield "dynatemp_mode", f'dynatemp_mode "{mode}" has no effect unless {switch} is above 0'


def _when_greedy(profile: SamplingProfile) -> Iterator[tuple[str, str]]:
    for switch in (keys[0] for keys in _MODES.values()):
        if getattr(profile, switch) > 0:
            yield switch, f"temperature 0 is greedy and leaves no room for {switch}; remove one of the two"
    if profile.adaptive_target >= 0:
        yield (
            "adaptive_target",
            "temperature 0 is greedy and leaves nothing for adaptive_target to draw; remove one of the two",
        )


def _penalises(profile: SamplingProfile) -> bool:
    return (profile.repeat_penalty, profile.presence_penalty, profile.frequency_penalty) != (1.0, 0.0, 0.0)


def _off_in(mode: str) -> tuple[str, ...]:
    """Return the keys of the other modes."""
    return tuple(key for other, keys in _MODES.items() if other != mode for key in keys)


def _left_out(profile: SamplingProfile, given: Collection[str]) -> list[str]:
    """Return the keys whose step is not in the order.

    A step that a plugin brought may read any key. Temperature 0 is greedy without a step.
    """
    if not set(profile.order) <= set(STEPS.values()):
        return []
    idle = [key for key, step in STEPS.items() if key in given and step not in profile.order]
    return [key for key in idle if not (key == "temperature" and profile.temperature == 0)]
