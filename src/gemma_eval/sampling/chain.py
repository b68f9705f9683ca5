"""The ordered chain of a profile, and the sampler that runs it over one generation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gemma_eval.errors import PluginError, UnknownName
from gemma_eval.protocols import Transform, TransformFactory
from gemma_eval.records import Option, Options, SamplingProfile
from gemma_eval.sampling.candidates import Candidates, CandidateTransform, Floats, check_finite
from gemma_eval.sampling.dynatemp import Temperature
from gemma_eval.sampling.mirostat import MirostatV2
from gemma_eval.sampling.stream import draw, uniform_stream


class Sampler:
    """Chooses the tokens of one generation; equal arguments and logits give equal tokens.

    `temperature = 0` without dynatemp takes the best token that the chain left. With `mirostat = 2` the
    chain is the temperature alone, as in llama.cpp, and mirostat cuts and draws.
    """

    def __init__(
        self,
        profile: SamplingProfile,
        *,
        transforms: Mapping[str, TransformFactory],
        seed: int,
        prompt_ids: Sequence[int],
    ) -> None:
        """`transforms` are the factories by name; `prompt_ids` count as seen. Raises UnknownName."""
        self._seen = list(prompt_ids)
        self._uniform = uniform_stream(seed)
        self._greedy = is_greedy(profile)
        self._mirostat: MirostatV2 | None = None
        self._steps: tuple[CandidateTransform, ...]
        if profile.mirostat:
            self._steps = (Temperature(profile.temperature),)
            self._mirostat = MirostatV2(
                tau=profile.mirostat_tau, eta=profile.mirostat_eta, uniform=self._uniform
            )
        else:
            self._steps = build_chain(profile, transforms)

    def draw(self, logits: Floats) -> int:
        """Return the id chosen from `logits` [V] and remember it. Raises NonFiniteLogits, PluginError."""
        token = self._choose(self.narrow(logits))
        self._seen.append(token)
        return token

    def narrow(self, logits: Floats) -> Candidates:
        """Return the candidates that the chain leaves of `logits` [V], before anything is drawn."""
        candidates = Candidates.of(logits)
        for step in self._steps:
            candidates = step.apply(candidates, self._seen)
            if not len(candidates):
                raise PluginError(
                    f"the transform {step!r} left no token to choose; it must leave at least one"
                )
        check_finite(float(candidates.logits.max()))
        return candidates

    @property
    def mirostat_mu(self) -> float | None:
        """The surprise in bits above which mirostat cuts the next token; `None` without mirostat."""
        return self._mirostat.mu if self._mirostat else None

    def _choose(self, candidates: Candidates) -> int:
        if self._mirostat is not None:
            return self._mirostat.draw(candidates)
        if self._greedy:
            return int(candidates.ids[candidates.logits.argmax()])
        return int(candidates.ids[draw(candidates, self._uniform)])


def build_chain(
    profile: SamplingProfile, transforms: Mapping[str, TransformFactory]
) -> tuple[CandidateTransform, ...]:
    """Return the transforms that the profile has on, in the order it names. Raises UnknownName."""
    for name in profile.order:
        if name not in transforms:
            raise UnknownName("sampling transform", name, transforms)
    built = ((name, transforms[name](profile)) for name in profile.order)
    return tuple(_on_candidates(name, transform) for name, transform in built if transform is not None)


def is_greedy(profile: SamplingProfile) -> bool:
    """Say whether the profile always takes the best token."""
    return profile.temperature <= 0 and (profile.dynatemp_range <= 0 or bool(profile.mirostat))


def effective(profile: SamplingProfile) -> Options:
    """Return the parameters that decide a draw under `profile`; what is off or overruled is left out.

    The temperature is 1 where it is no step of the order, unless it is 0, which is greedy without a step.
    """
    applied = profile.mirostat or is_greedy(profile) or "temperature" in profile.order
    used: dict[str, Option] = {"temperature": profile.temperature if applied else _NEUTRAL.temperature}
    if profile.mirostat:
        return used | {name: _value(profile, name) for name in _MIROSTAT}
    used["order"] = profile.order
    for step in profile.order:
        names = _PARAMETERS.get(step, ())
        if any(_value(profile, name) != _value(_NEUTRAL, name) for name in names):
            used |= {name: _value(profile, name) for name in names}
    if "penalties" in profile.order and profile.penalty_last_n == 0:
        used = {name: value for name, value in used.items() if name not in _PARAMETERS["penalties"]}
    elif "repeat_penalty" in used:
        used["penalty_last_n"] = profile.penalty_last_n
    return used


_NEUTRAL = SamplingProfile(name="neutral")
_MIROSTAT = ("mirostat", "mirostat_tau", "mirostat_eta")
_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "penalties": ("repeat_penalty", "frequency_penalty", "presence_penalty"),
    "top_k": ("top_k",),
    "typical_p": ("typical_p",),
    "top_p": ("top_p",),
    "min_p": ("min_p",),
    "temperature": ("dynatemp_range", "dynatemp_exponent"),
}


def _value(profile: SamplingProfile, name: str) -> Option:
    value: Option = getattr(profile, name)
    return value


def _on_candidates(name: str, transform: Transform) -> CandidateTransform:
    return transform if isinstance(transform, CandidateTransform) else _OverVocabulary(name, transform)


class _OverVocabulary(CandidateTransform):
    """Lets a plugin's transform, which sees logits [V], take its place among those that see candidates."""

    def __init__(self, name: str, transform: Transform) -> None:
        """`name` is used in messages."""
        self._name = name
        self._transform = transform

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return the candidates that the plugin left, in the order they had. Raises PluginError."""
        logits = candidates.over_vocabulary()
        result = np.asarray(self._transform(logits, seen), dtype=np.float32)
        if result.shape != logits.shape:
            raise PluginError(
                f'transform "{self._name}" returned logits of shape {result.shape}, not {logits.shape}'
            )
        return self._left(candidates, result[candidates.ids])

    def _left(self, candidates: Candidates, logits: NDArray[np.float32]) -> Candidates:
        if np.isnan(logits).any() or not np.isfinite(logits.max()):
            raise PluginError(
                f'transform "{self._name}" returned NaN or +inf, or removed every token; '
                "it must leave at least one finite logit"
            )
        return candidates.with_logits(logits).take(logits > -np.inf)
