"""llama.cpp's side of a comparison: a profile as a request, and what one request lets us see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gemma_eval.records import SamplingProfile
from tests.llama_cpp import Floats, LlamaCpp
from tests.sampling.differential import ours

SAME = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "typical_p",
    "top_n_sigma",
    "xtc_probability",
    "xtc_threshold",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
    "dry_multiplier",
    "dry_base",
    "dry_allowed_length",
    "dynatemp_range",
    "dynatemp_exponent",
    "mirostat",
    "mirostat_tau",
    "mirostat_eta",
    "adaptive_target",
    "adaptive_decay",
)
"""Fields of a profile that llama-server calls the same."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The tokens of one answer and, per token, what the model gave [V] and what was drawn from [V]."""

    tokens: tuple[int, ...]
    before: tuple[Floats, ...]
    after: tuple[Floats, ...]


def request(profile: SamplingProfile) -> Mapping[str, object]:
    """Return the profile in the fields of llama-server; epsilon and eta cutoffs have none."""
    samplers = ["typ_p" if name == "typical_p" else name for name in profile.order if name != "logit_bias"]
    if profile.adaptive_target >= 0:
        samplers.append("adaptive_p")
    return {
        **{name: getattr(profile, name) for name in SAME},
        "repeat_last_n": _window(profile.penalty_last_n),
        "dry_penalty_last_n": _window(profile.dry_penalty_last_n),
        "dry_sequence_breakers": list(profile.dry_sequence_breakers),
        "logit_bias": [[int(token), bias] for token, bias in profile.logit_bias.items()],
        "samplers": samplers,
    }


def trace(
    engine: LlamaCpp, prompt: Sequence[int], parameters: ours.Parameters, *, tokens: int = 1, seed: int = 0
) -> Trace:
    """Answer twice with one seed: the same tokens, once seen before the samplers and once after them."""
    fields = request(ours.profile(parameters))
    before = engine.drawn(prompt, n_predict=tokens, seed=seed, **fields)
    after = engine.sampled(prompt, n_predict=tokens, seed=seed, **fields)
    drawn = tuple(step.token for step in before)
    if drawn != tuple(step.token for step in after):
        raise AssertionError(f"llama.cpp drew other tokens with the same seed: {before} and {after}")
    return Trace(
        tokens=drawn,
        before=tuple(step.values for step in before),
        after=tuple(step.values for step in after),
    )


def raw_logits(engine: LlamaCpp, prompt: Sequence[int], log_probabilities: Floats) -> Floats:
    """Return logits [V] as the model gave them; a repeat penalty depends on their zero.

    The server tells log-probabilities only, which lack one number. An endless penalty divides a positive
    logit down to 0: how probable a seen token is then, next to an unseen one, tells where 0 lies.
    """
    [step] = engine.sampled(
        prompt, n_predict=1, samplers=["penalties"], repeat_penalty=1e9, repeat_last_n=len(prompt)
    )
    seen = np.isin(np.arange(engine.vocabulary), prompt)
    flattened = np.flatnonzero(seen & (step.values > 0))
    free = np.flatnonzero(~seen)[np.argmax(step.values[~seen])]
    if not len(flattened):
        raise AssertionError("no token of the prompt has a positive logit; take another prompt")
    gap = np.log(step.values[free].astype(np.float64) / step.values[flattened[0]])
    shifted: Floats = (log_probabilities.astype(np.float64) - log_probabilities[free] + gap).astype(
        np.float32
    )
    return shifted


def _window(last_n: int) -> int:
    """Return how many tokens are looked at: -1 is all of a context, which newer servers refuse to be told."""
    return 2048 if last_n < 0 else last_n
