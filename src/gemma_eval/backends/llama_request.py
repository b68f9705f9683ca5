"""A sampling profile as a request to llama-server, here or over HTTP: what is off is sent as off."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import cast

from gemma_eval.errors import BackendError, UsageError
from gemma_eval.protocols import Vocabulary
from gemma_eval.records import Option, Options, SamplingProfile
from gemma_eval.sampling.bias import token_of
from gemma_eval.sampling.effective import effective as in_effect
from gemma_eval.sampling.effective import is_greedy, steps

STEPS: Mapping[str, tuple[str, str]] = {
    "penalties": ("penalties", "penalty_last_n"),
    "dry": ("dry", "dry_multiplier"),
    "top_n_sigma": ("top_n_sigma", "top_n_sigma"),
    "top_k": ("top_k", "top_k"),
    "typical_p": ("typ_p", "typical_p"),
    "top_p": ("top_p", "top_p"),
    "min_p": ("min_p", "min_p"),
    "xtc": ("xtc", "xtc_probability"),
    "temperature": ("temperature", "temperature"),
}
"""llama.cpp's name for each step that it has, and the parameter that is in effect when the step is on."""

NOT_SAMPLERS = ("logit_bias", "epsilon_cutoff", "eta_cutoff")
"""Steps that are none of its samplers: its logit bias always comes first, the cutoffs it lacks."""

FIELDS: Mapping[str, str] = {
    **{name: name for name in ("temperature", "dynatemp_range", "dynatemp_exponent", "top_n_sigma", "top_k")},
    **{name: name for name in ("typical_p", "top_p", "min_p", "xtc_probability", "xtc_threshold")},
    **{name: name for name in ("repeat_penalty", "presence_penalty", "frequency_penalty")},
    **{name: name for name in ("dry_multiplier", "dry_base", "dry_allowed_length", "dry_penalty_last_n")},
    **{name: name for name in ("mirostat", "mirostat_tau", "mirostat_eta")},
    **{name: name for name in ("adaptive_target", "adaptive_decay")},
    "penalty_last_n": "repeat_last_n",
}
"""The field of a request that each parameter of a profile is sent in, where its value is a number."""

ANY_SEED = 0xFFFFFFFF
"""What llama.cpp takes for *choose a seed*."""


def refusal(profile: SamplingProfile) -> str | None:
    """Say which order of steps llama.cpp cannot follow, `None` when it can.

    Its typical_p takes the logarithm of probabilities that were masked or cooled down to 0, and then keeps
    what it should not. Source: ggml-org/llama.cpp:src/llama-sampler.cpp, `llama_sampler_typical_apply`.
    """
    before: list[str] = []
    for step in steps(profile).order:
        if step not in STEPS and step not in NOT_SAMPLERS:
            return f'has no step "{step}"'
        if step == "logit_bias" and profile.logit_bias and before:
            return f"has logit_bias as its first step alone, not after {before[-1]}"
        zeroes = [other for other in before if _may_leave_zeroes(other, profile)]
        if step == "typical_p" and zeroes and _is_on(step, profile):
            return f"has no working typical_p after {zeroes[0]}"
        if _is_on(step, profile):
            before.append(step)
    return None


def request(
    profile: SamplingProfile, *, ids: Sequence[int], seed: int, vocabulary: Vocabulary
) -> Mapping[str, object]:
    """Return the request for an answer to the prompt `ids`, streamed, with the engine's own account of it.

    A window of -1 becomes the length of prompt and answer, for llama.cpp wants a number. Nothing that was
    read before is used. Raises UsageError: a number that is none, a logit bias on no token of the model.
    """
    _demand_numbers(profile)
    on = _nothing_else(profile)
    whole = len(ids) + profile.max_tokens
    numbers = {field: getattr(on, name) for name, field in FIELDS.items()}
    for window in ("repeat_last_n", "dry_penalty_last_n"):
        numbers[window] = whole if numbers[window] < 0 else numbers[window]
    return {
        **numbers,
        "dry_sequence_breakers": list(on.dry_sequence_breakers) or [""],  # it refuses an empty list
        "logit_bias": [list(pair) for pair in _biases(on, vocabulary)],
        "samplers": list(_samplers(profile)),
        "ignore_eos": profile.ignore_eos,
        "seed": _seed(seed),
        "stop": list(_stops(profile.stop)),
        "n_predict": profile.max_tokens,
        "prompt": list(ids),
        "cache_prompt": False,
        "stream": True,
        "verbose": True,
    }


def effective(
    profile: SamplingProfile, *, asked: Mapping[str, object], told: Mapping[str, object]
) -> Options:
    """Return the parameters that decided the draws, as they were sent and as the engine says it took them.

    Raises BackendError when it took another value: it ignores a field that it does not know.
    """
    used: dict[str, Option] = {}
    besides = {"seed": cast(Option, asked["seed"])}
    if profile.ignore_eos:
        besides["ignore_eos"] = True
    for name, value in {**in_effect(profile), **besides}.items():
        field = "samplers" if name == "order" else FIELDS.get(name, name)
        if field not in asked:  # llama.cpp has no word for it, for it knows one way: mirostat_surprise
            used[name] = value
            continue
        taken = told.get(field)
        if field == "logit_bias":
            taken = _told_biases(taken, number=len(profile.logit_bias))
        if not _same(asked[field], taken):
            raise BackendError(
                f"llama.cpp took {field} = {taken!r}, {asked[field]!r} was asked for; "
                "this version of xllamacpp may not know it"
            )
        used[name] = _option(asked[field])
    return used


def _demand_numbers(profile: SamplingProfile) -> None:
    """Raise UsageError for a number that is none, which JSON cannot say and no comparison finds."""
    for field in fields(profile):
        value = getattr(profile, field.name)
        numbers = value.values() if isinstance(value, Mapping) else (value,)
        if any(isinstance(number, float) and math.isnan(number) for number in numbers):
            raise UsageError(f'profile "{profile.name}": {field.name} is not a number')


def _is_on(step: str, profile: SamplingProfile) -> bool:
    """Say whether a step changes anything, and is one of llama.cpp's samplers."""
    on = in_effect(profile)
    if step == "temperature":
        return profile.temperature != 1 or "dynatemp_range" in on
    return step in STEPS and STEPS[step][1] in on


def _may_leave_zeroes(step: str, profile: SamplingProfile) -> bool:
    cools = profile.temperature < 1 or profile.dynatemp_range > 0
    return step == "top_n_sigma" or (step == "temperature" and cools and not is_greedy(profile))


def _nothing_else(profile: SamplingProfile) -> SamplingProfile:
    """Return a profile of which nothing is set but what decides a draw."""
    on = in_effect(profile)
    names = (*FIELDS, "dry_sequence_breakers", "logit_bias")
    known = {name: getattr(profile, name) for name in names if name in on}
    known["temperature"] = on["temperature"]  # 1 where it is no step of the order
    if is_greedy(profile):
        known["mirostat"] = 0  # one token is left, and a mirostat would draw it, too
    return replace(SamplingProfile(name=profile.name), **known)


def _samplers(profile: SamplingProfile) -> Iterator[str]:
    """Yield llama.cpp's names of the steps that are on, in order; a greedy chain ends with temperature 0."""
    greedy = is_greedy(profile)
    for step in steps(profile).order:
        if _is_on(step, profile):
            yield STEPS[step][0]
        if greedy and step == "temperature":
            return
    if greedy:
        yield "temperature"
    elif profile.adaptive_target >= 0 and not profile.mirostat:
        yield "adaptive_p"


def _biases(profile: SamplingProfile, vocabulary: Vocabulary) -> Iterator[tuple[int, float | bool]]:
    """Yield ids and biases, `False` for -inf, which JSON does not have. Raises UsageError."""
    where = f'profile "{profile.name}": logit_bias'
    seen: set[int] = set()
    for key, bias in profile.logit_bias.items():
        try:
            token = token_of(key, vocabulary)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
        if token in seen:
            raise UsageError(f"{where} names the token {token} twice; keep one")
        seen.add(token)
        yield token, False if bias == -math.inf else bias


def _seed(seed: int) -> int:
    """Return the low 32 bits; 0 where they would leave the choice to llama.cpp."""
    low = seed & 0xFFFFFFFF
    return 0 if low == ANY_SEED else low


def _stops(stops: Sequence[str]) -> Iterator[str]:
    """Yield the stop strings but for those within which another one is complete before they are.

    Of several that one token completes llama.cpp takes the one that began first; here it is the one that was
    complete first. Without those that are never complete first the two are the same.
    """
    for stop in stops:
        if stop and not any(other and other in stop[:-1] for other in stops):
            yield stop


def _same(asked: object, told: object) -> bool:
    """Say whether a value came back as it was sent, to the accuracy of float32."""
    if isinstance(asked, list) and isinstance(told, list):
        return len(asked) == len(told) and all(map(_same, asked, told))
    if isinstance(asked, int | float) and isinstance(told, int | float):
        return math.isclose(asked, told, rel_tol=1e-6, abs_tol=1e-9)
    return asked == told


def _told_biases(told: object, *, number: int) -> object:
    """Return the first biases that the server tells, in the form of a request; it tells -inf as null.

    Those on the ends of an answer, which `ignore_eos` adds, come after them.
    """
    if not isinstance(told, list):
        return told
    return [[row["token"], False if row["bias"] is None else row["bias"]] for row in told[:number]]


def _option(value: object) -> Option:
    """Return a sent value as results hold it: a bias as `token=bias`."""
    if not isinstance(value, list):
        return cast(Option, value)
    return tuple(_bias_text(*entry) if isinstance(entry, list) else entry for entry in value)


def _bias_text(token: int, bias: float | bool) -> str:  # noqa: FBT001 - false is how JSON has -inf here
    return f"{token}={-math.inf if bias is False else bias:g}"
