"""The ordered chain of a profile, and the sampler that runs it over one generation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields

from gemma_eval.errors import PluginError, UnknownName, UsageError
from gemma_eval.protocols import TransformFactory, Vocabulary
from gemma_eval.records import SamplingProfile
from gemma_eval.sampling.adaptive import AdaptiveP
from gemma_eval.sampling.candidates import Candidates, CandidateTransform, Floats, check_finite
from gemma_eval.sampling.draws import Best, ByProbability, Draw
from gemma_eval.sampling.effective import is_greedy, steps
from gemma_eval.sampling.mirostat import Mirostat, MirostatV1, MirostatV2
from gemma_eval.sampling.over_vocabulary import on_candidates
from gemma_eval.sampling.stream import uniform_stream


class Sampler:
    """Chooses the tokens of one generation; equal arguments and logits give equal tokens.

    `temperature = 0` without dynatemp takes the best token that the chain left. With a `mirostat` the chain
    is logit bias and plain temperature alone, as in llama.cpp, and mirostat cuts and draws. With an
    `adaptive_target` adaptive-p draws from what the chain left.
    """

    def __init__(
        self,
        profile: SamplingProfile,
        *,
        transforms: Mapping[str, TransformFactory],
        vocabulary: Vocabulary,
        seed: int,
        prompt_ids: Sequence[int],
    ) -> None:
        """`transforms` are the factories by name; `prompt_ids` count as seen.

        Raises UnknownName, and UsageError for a profile that no engine can follow.
        """
        _check(profile)
        self._seen = list(prompt_ids)
        self._steps = build_chain(profile, transforms, vocabulary=vocabulary, seed=seed)
        self._last = _draw(profile, seed)

    def draw(self, logits: Floats) -> int:
        """Return the id chosen from `logits` [V] and remember it. Raises NonFiniteLogits, PluginError."""
        token = self._last.draw(self.narrow(logits))
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
        check_finite(float(candidates.bag.highest))
        return candidates

    @property
    def mirostat_mu(self) -> float | None:
        """The surprise in bits above which mirostat cuts the next token; `None` without mirostat."""
        return self._last.mu if isinstance(self._last, Mirostat) else None


def build_chain(
    profile: SamplingProfile,
    transforms: Mapping[str, TransformFactory],
    *,
    vocabulary: Vocabulary,
    seed: int,
) -> tuple[CandidateTransform, ...]:
    """Return the transforms that a profile has on, as they run. Raises UnknownName, UsageError."""
    for name in profile.order:
        if name not in transforms:
            raise UnknownName("sampling transform", name, transforms)
    plain = steps(profile)
    built = ((name, transforms[name](plain, vocabulary=vocabulary, seed=seed)) for name in plain.order)
    return tuple(on_candidates(name, transform) for name, transform in built if transform is not None)


def _draw(profile: SamplingProfile, seed: int) -> Draw:
    uniform = uniform_stream(seed)
    if profile.mirostat:
        kind = MirostatV1 if profile.mirostat == 1 else MirostatV2
        return kind(
            tau=profile.mirostat_tau,
            eta=profile.mirostat_eta,
            uniform=uniform,
            surprise=profile.mirostat_surprise,
        )
    if is_greedy(profile):
        return Best()
    if profile.adaptive_target >= 0:
        return AdaptiveP(target=profile.adaptive_target, decay=profile.adaptive_decay, uniform=uniform)
    return ByProbability(uniform)


def _check(profile: SamplingProfile) -> None:
    """Refuse what a profiles file cannot say but code can: a number that is none, a negative temperature."""
    for field in fields(profile):
        value = getattr(profile, field.name)
        numbers = value.values() if isinstance(value, Mapping) else (value,)
        if any(isinstance(number, float) and math.isnan(number) for number in numbers):
            raise UsageError(f'profile "{profile.name}": {field.name} is not a number')
    if not 0 <= profile.temperature < math.inf:
        raise UsageError(
            f'profile "{profile.name}": temperature is {profile.temperature}; '
            "it should be a finite number of at least 0"
        )
    if profile.dynatemp_exponent < 0:
        raise UsageError(
            f'profile "{profile.name}": dynatemp_exponent is {profile.dynatemp_exponent}; '
            "it should be at least 0"
        )
