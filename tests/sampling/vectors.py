"""Golden vectors of llama.cpp and Hugging Face, and the checks that compare a chain with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import TypeAdapter

from gemma_eval import plugins
from gemma_eval.protocols import TransformFactory
from gemma_eval.records import SamplingProfile
from gemma_eval.sampling.adaptive import AdaptiveP
from gemma_eval.sampling.candidates import Candidates, CandidateTransform, Floats
from gemma_eval.sampling.chain import Sampler
from gemma_eval.sampling.mirostat import Mirostat, MirostatV1, MirostatV2
from gemma_eval.sampling.stream import uniform_stream

BUILT_IN: Mapping[str, TransformFactory] = plugins.load().transforms
Value = float | int | str | tuple[str, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Letters:
    """A vocabulary for tests: token 0 is "a", 1 is "b" … 25 is "z", and others have names of their own."""

    size: int

    def encode(self, text: str) -> tuple[int, ...]:
        """Return an id per letter."""
        return tuple(ord(letter) - ord("a") for letter in text)

    def piece(self, token: int) -> str:
        """Return the letter."""
        return chr(ord("a") + token) if token < 26 else f"<{token}>"


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Probabilities [V] that a chain must leave, and the order of the ids where it is fixed.

    Not `scaled`, they are those of before the chain where it removed no token, and 0 where it did.
    """

    name: str
    given: tuple[float, ...]
    profile: Mapping[str, Value]
    seen: tuple[int, ...]
    expected: tuple[float, ...]
    order: tuple[int, ...] | None = None
    tolerance: float
    scaled: bool = True


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The ids that a chain must leave, in this order or in any."""

    name: str
    given: tuple[float, ...]
    profile: Mapping[str, Value]
    kept: tuple[int, ...]
    ordered: bool


@dataclass(frozen=True, kw_only=True)
class Queue:
    """What transforms in some order must leave of 10 000 tokens with the logits ln(id)."""

    order: tuple[str, ...]
    profile: Mapping[str, Value]
    size: int
    smallest: int


@dataclass(frozen=True, kw_only=True)
class Draws:
    """The ids that a seed must draw."""

    given: tuple[float, ...]
    seed: int
    ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class MirostatRun:
    """The ids and candidate counts of consecutive tokens, and mu after the last where it is recorded."""

    version: int

    given: tuple[float, ...]
    tau: float
    eta: float
    seed: int
    ids: tuple[int, ...]
    sizes: tuple[int, ...]
    mu: float | None


@dataclass(frozen=True, kw_only=True)
class AdaptiveRun:
    """The ids of consecutive tokens under adaptive-p."""

    given: tuple[float, ...]
    target: float
    decay: float
    seed: int
    ids: tuple[int, ...]


def vectors(part: str, key: str, kind: type[T]) -> tuple[T, ...]:
    """Return the vectors under `part` and `key` of the fixture."""
    return tuple(TypeAdapter(kind).validate_python(row) for row in FIXTURE[part][key])


FIXTURE = json.loads((Path(__file__).parent / "golden" / "llama_cpp.json").read_text(encoding="utf-8"))
DISTRIBUTIONS = (
    *vectors("published", "distributions", Distribution),
    *vectors("recorded", "distributions", Distribution),
)
KEPT = (*vectors("recorded", "kept", Kept), *vectors("huggingface", "kept", Kept))
QUEUES = vectors("queues", "queues", Queue)
DRAWS = vectors("recorded", "draws", Draws)
MIROSTAT = vectors("recorded", "mirostat", MirostatRun)
ADAPTIVE = vectors("recorded", "adaptive", AdaptiveRun)


def logarithms(probabilities: tuple[float, ...]) -> Floats:
    """Return float32 logits [V] with these probabilities; 0 is -inf."""
    with np.errstate(divide="ignore"):
        return np.log(np.array(probabilities, dtype=np.float32)).astype(np.float32)


def profile(**parameters: object) -> SamplingProfile:
    """Return a profile with everything off but `parameters`."""
    built: SamplingProfile = TypeAdapter(SamplingProfile).validate_python({"name": "test", **parameters})
    return built


def sampler(
    used: SamplingProfile,
    *,
    transforms: Mapping[str, TransformFactory] = BUILT_IN,
    seed: int = 0,
    seen: tuple[int, ...] = (),
    size: int = 26,
) -> Sampler:
    """Return a sampler over a vocabulary of `size` letters."""
    return Sampler(used, transforms=transforms, vocabulary=Letters(size), seed=seed, prompt_ids=seen)


def step(name: str, used: SamplingProfile) -> CandidateTransform | None:
    """Return what the built-in factory `name` makes of a profile."""
    built = BUILT_IN[name](used, vocabulary=Letters(26), seed=0)
    assert built is None or isinstance(built, CandidateTransform)
    return built


def left(
    given: Floats,
    parameters: Mapping[str, object],
    *,
    seen: tuple[int, ...] = (),
    transforms: Mapping[str, TransformFactory] = BUILT_IN,
) -> Candidates:
    """Return what the chain of a profile leaves of `given`."""
    used = profile(**parameters)
    return sampler(used, transforms=transforms, seen=seen, size=len(given)).narrow(given)


def distribution_holds(vector: Distribution, transforms: Mapping[str, TransformFactory] = BUILT_IN) -> bool:
    """Say whether a chain leaves the probabilities, and the order, of `vector`."""
    candidates = left(logarithms(vector.given), vector.profile, seen=vector.seen, transforms=transforms)
    probabilities = np.zeros(len(vector.given))
    found = candidates.probabilities() if vector.scaled else np.exp(candidates.logits)
    probabilities[candidates.ids] = found
    in_order = vector.order is None or tuple(candidates.ids) == vector.order
    return in_order and bool(np.all(np.abs(probabilities - vector.expected) <= vector.tolerance))


def kept_holds(vector: Kept, transforms: Mapping[str, TransformFactory] = BUILT_IN) -> bool:
    """Say whether a chain leaves the ids of `vector`."""
    ids = tuple(left(logarithms(vector.given), vector.profile, transforms=transforms).ids)
    return ids == vector.kept if vector.ordered else set(ids) == set(vector.kept)


def queue_holds(vector: Queue, transforms: Mapping[str, TransformFactory] = BUILT_IN) -> bool:
    """Say whether a queue leaves as many tokens as llama.cpp, down to the same one.

    Token 0 has the logit ln 0: a candidate of probability 0 there, no candidate here.
    """
    with np.errstate(divide="ignore"):
        logits = np.log(np.arange(10_000, dtype=np.float32))
    ids = left(logits, {**vector.profile, "order": vector.order}, transforms=transforms).ids
    zero = vector.smallest == 0
    return (len(ids), int(ids.min()), int(ids.max())) == (vector.size - zero, vector.smallest + zero, 9999)


def draws_hold(vector: Draws, draw: Callable[[Floats, int, int], list[int]] | None = None) -> bool:
    """Say whether `draw(logits, seed, how_many)`, the sampler unless given, draws the ids of `vector`."""
    ids = (draw or _sampled)(logarithms(vector.given), vector.seed, len(vector.ids))
    return tuple(ids) == vector.ids


def mirostat_holds(vector: MirostatRun, kind: type[Mirostat] | None = None) -> bool:
    """Say whether mirostat cuts and draws like `vector` and ends at its mu."""
    state = (kind or VERSIONS[vector.version])(
        tau=vector.tau, eta=vector.eta, uniform=uniform_stream(vector.seed)
    )
    candidates = Candidates.of(logarithms(vector.given))
    ids, sizes = [], []
    for _ in vector.ids:
        sizes.append(len(state.cut(candidates)))
        ids.append(state.draw(candidates))
    agrees = tuple(ids) == vector.ids and tuple(sizes) == vector.sizes
    return agrees and (vector.mu is None or abs(state.mu - vector.mu) < 1e-5)


def adaptive_holds(vector: AdaptiveRun, kind: type[AdaptiveP] = AdaptiveP) -> bool:
    """Say whether adaptive-p draws the ids of `vector`."""
    state = kind(target=vector.target, decay=vector.decay, uniform=uniform_stream(vector.seed))
    candidates = Candidates.of(logarithms(vector.given))
    return tuple(state.draw(candidates) for _ in vector.ids) == vector.ids


VERSIONS: Mapping[int, type[Mirostat]] = {1: MirostatV1, 2: MirostatV2}


def _sampled(logits: Floats, seed: int, how_many: int) -> list[int]:
    drawn = sampler(profile(), seed=seed)
    return [drawn.draw(logits) for _ in range(how_many)]
