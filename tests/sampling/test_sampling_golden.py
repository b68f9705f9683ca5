"""The chain does what llama.cpp does: its published vectors, its recorded outputs, and planted errors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from gemma_eval.protocols import TransformFactory, Vocabulary
from gemma_eval.records import SamplingProfile
from gemma_eval.sampling.adaptive import AdaptiveP
from gemma_eval.sampling.candidates import Candidates, CandidateTransform, Floats
from gemma_eval.sampling.dynatemp import DynamicTemperature
from gemma_eval.sampling.mirostat import Mirostat, MirostatV1, MirostatV2
from gemma_eval.sampling.selection import largest
from gemma_eval.sampling.stream import uniform_stream
from tests.sampling.oracle import mt19937
from tests.sampling.vectors import (
    ADAPTIVE,
    BUILT_IN,
    DISTRIBUTIONS,
    DRAWS,
    FIXTURE,
    KEPT,
    MIROSTAT,
    QUEUES,
    AdaptiveRun,
    Distribution,
    Draws,
    Kept,
    MirostatRun,
    Queue,
    adaptive_holds,
    distribution_holds,
    draws_hold,
    kept_holds,
    mirostat_holds,
    queue_holds,
    step,
)


def test_the_fixture_is_whole() -> None:
    """As many vectors of each sampler as the sources have, each source with a commit or version."""
    names = [vector.name for vector in DISTRIBUTIONS] + [vector.name for vector in KEPT]
    named = Counter(name.split()[0] for name in names)
    assert named == {
        "temp": 2,
        "temp_ext": 2 + 15,
        "top_k": 4,
        "top_p": 4 + 2,
        "min_p": 9 + 3,
        "xtc": 4,
        "typical": 2 + 2 + 2,
        "repeat": 3,
        "frequency": 3,
        "dry": 5,
        "top_n_sigma": 3 + 1,
        "default": 1,
        "epsilon": 2,
        "eta": 2,
    }
    assert (len(QUEUES), len(DRAWS), len(ADAPTIVE)) == (24, 3, 1)
    assert Counter(vector.version for vector in MIROSTAT) == {1: 1, 2: 4}
    assert len(names) + len(QUEUES) + len(DRAWS) + len(ADAPTIVE) + len(MIROSTAT) == 104  # docs/sampling.md
    assert all(part["source"]["commit"] for name, part in FIXTURE.items() if name != "not_offered")
    assert all(vector["why"] and vector["source"] for vector in FIXTURE["not_offered"])


@pytest.mark.parametrize("vector", DISTRIBUTIONS, ids=lambda vector: vector.name)
def test_a_chain_leaves_the_distribution_that_llama_cpp_leaves(vector: Distribution) -> None:
    """Each vector names its chain, the tokens seen, the probabilities and, where fixed, the order."""
    assert distribution_holds(vector)


@pytest.mark.parametrize("vector", KEPT, ids=lambda vector: vector.name)
def test_a_cut_keeps_the_tokens_that_the_reference_keeps(vector: Kept) -> None:
    """llama.cpp's recorded order for typical; Hugging Face's published sets for the others."""
    assert kept_holds(vector)


@pytest.mark.parametrize("vector", QUEUES, ids=lambda vector: f"{'-'.join(vector.order)} {vector.size}")
def test_cuts_in_any_order_leave_as_many_tokens_as_in_llama_cpp(vector: Queue) -> None:
    """Ten thousand tokens, so the sorts that avoid the whole vocabulary are taken too."""
    assert queue_holds(vector)


@pytest.mark.parametrize("vector", DRAWS, ids=lambda vector: f"seed {vector.seed}")
def test_a_seed_draws_the_tokens_that_it_draws_in_llama_cpp(vector: Draws) -> None:
    """The generator, the number made of two outputs, and the walk over the candidates all agree."""
    assert draws_hold(vector)


@pytest.mark.parametrize(
    "vector", MIROSTAT, ids=lambda vector: f"v{vector.version} tau {vector.tau} eta {vector.eta}"
)
def test_mirostat_cuts_draws_and_adapts_as_in_llama_cpp(vector: MirostatRun) -> None:
    """Candidate counts and ids of twelve tokens, then mu."""
    assert mirostat_holds(vector)


@pytest.mark.parametrize("vector", ADAPTIVE, ids=lambda vector: f"target {vector.target}")
def test_adaptive_p_draws_and_adapts_as_in_llama_cpp(vector: AdaptiveRun) -> None:
    """The ids of eight tokens; each draw moves the aim of the next."""
    assert adaptive_holds(vector)


def test_the_random_stream_is_the_standard_mersenne_twister() -> None:
    """The 10 000th output for the seed 5489 is 4123659995, as the C++ standard demands ([rand.predef])."""
    uniform = uniform_stream(5489)
    numbers = [uniform() for _ in range(5000)]
    assert int(numbers[-1] * 2**32) == 4123659995
    words = mt19937(5489, 10_000)
    assert words[-1] == 4123659995
    pairs = zip(words[::2], words[1::2], strict=True)
    assert numbers == [(low + (high << 32)) / 2**64 for low, high in pairs]


# --- planted errors: the checks above must fail on them ------------------------------------------------


@dataclass(frozen=True)
class _MassAbove(CandidateTransform):
    """A top-p that stops above the mass where it should stop at it."""

    p: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        ranked = candidates.take(largest(candidates.logits, len(candidates)))
        sums = np.cumsum(ranked.probabilities(), dtype=np.float64).astype(np.float32)
        return ranked.take(
            np.arange(len(ranked))[: int(np.searchsorted(sums, np.float32(self.p), "right")) + 1]
        )


@dataclass(frozen=True)
class _AbsoluteCut(CandidateTransform):
    """A min-p that forgets the highest probability."""

    p: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        return candidates.take(candidates.probabilities() >= min(self.p, candidates.probabilities().max()))


@dataclass(frozen=True)
class _AlwaysDivides(CandidateTransform):
    """A repeat penalty that divides a negative logit and so rewards it."""

    repeat: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        logits = candidates.logits.copy()
        logits[list(set(seen))] /= np.float32(self.repeat)
        return candidates.with_logits(logits)


class _FullVocabulary(DynamicTemperature):
    """A dynatemp that takes the entropy relative to five tokens, however many are left."""

    def value(self, candidates: Candidates) -> float:
        low, high = max(0.0, self.base - self.spread), self.base + self.spread
        return low + (high - low) * math.pow(candidates.entropy() / math.log(5), self.exponent)


@dataclass(frozen=True)
class _DropsAll(CandidateTransform):
    """An XTC that spares none of the top choices."""

    threshold: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        keep = candidates.probabilities() < self.threshold
        return candidates.take(keep) if keep.any() else candidates


@dataclass(frozen=True)
class _SampleDeviation(CandidateTransform):
    """A top-n-sigma that divides by n - 1."""

    n: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        logits = candidates.logits
        return candidates.take(logits >= logits.max() - self.n * logits.std(ddof=1) - 0.1)


@dataclass(frozen=True)
class _OneTooMany(CandidateTransform):
    """A DRY whose power of the base counts the new token."""

    profile: SamplingProfile

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        fewer = replace(self.profile, dry_allowed_length=self.profile.dry_allowed_length - 1)
        built = step("dry", fewer)
        assert built is not None
        return built.apply(candidates, seen)


@dataclass(frozen=True)
class _TwiceTheLevel(CandidateTransform):
    """An epsilon that cuts one too deep: its level is twice what it should be."""

    level: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        probabilities = candidates.probabilities()
        return candidates.take(probabilities >= min(2 * self.level, probabilities.max()))


def _top_p(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    return _MassAbove(profile.top_p) if profile.top_p < 1 else None


def _min_p(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    return _AbsoluteCut(profile.min_p) if profile.min_p > 0 else None


def _penalties(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    return _AlwaysDivides(profile.repeat_penalty) if profile.repeat_penalty != 1 else None


def _temperature(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    if profile.dynatemp_range <= 0:
        return step("temperature", profile)
    return _FullVocabulary(
        profile.temperature, spread=profile.dynatemp_range, exponent=profile.dynatemp_exponent
    )


def _xtc(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    return _DropsAll(profile.xtc_threshold) if profile.xtc_probability > 0 else None


def _top_n_sigma(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    return _SampleDeviation(profile.top_n_sigma) if profile.top_n_sigma > 0 else None


def _dry(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    return _OneTooMany(profile) if profile.dry_multiplier > 0 else None


def _epsilon(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    return _TwiceTheLevel(profile.epsilon_cutoff) if profile.epsilon_cutoff > 0 else None


def _eta(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    return _TwiceTheLevel(profile.eta_cutoff) if profile.eta_cutoff > 0 else None


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("top_p", _top_p),
        ("min_p", _min_p),
        ("penalties", _penalties),
        ("temperature", _temperature),
        ("xtc", _xtc),
        ("top_n_sigma", _top_n_sigma),
        ("dry", _dry),
        ("epsilon_cutoff", _epsilon),
        ("eta_cutoff", _eta),
    ],
)
def test_the_vectors_catch_a_planted_error_in_a_transform(name: str, broken: TransformFactory) -> None:
    """Each of the transforms above is wrong in one way, and fails some vector."""
    transforms: Mapping[str, TransformFactory] = {**BUILT_IN, name: broken}
    holds = [distribution_holds(vector, transforms) for vector in DISTRIBUTIONS]
    holds += [kept_holds(vector, transforms) for vector in KEPT]
    assert not all(holds)


def test_the_queue_vectors_catch_an_off_by_one() -> None:
    """A top-k that keeps one token too few fails them."""

    def top_k(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
        return step("top_k", replace(profile, top_k=profile.top_k - 1))

    assert not all(queue_holds(vector, {**BUILT_IN, "top_k": top_k}) for vector in QUEUES)


def test_the_draw_vectors_catch_another_recipe_for_the_uniform_number() -> None:
    """NumPy makes its 53 bits of the same two outputs in another way; the ids differ."""

    def draw(logits: Floats, seed: int, how_many: int) -> list[int]:
        sums = np.cumsum(np.exp(logits), dtype=np.float64)
        random = np.random.RandomState(seed)
        return [int(np.searchsorted(sums, random.random_sample() * sums[-1])) for _ in range(how_many)]

    assert not all(draws_hold(vector, draw) for vector in DRAWS)


class _Nats(MirostatV2):
    """Counts surprise in nats where mu is in bits."""

    def cut(self, candidates: Candidates) -> Candidates:
        kept = candidates.take(-candidates.log_probabilities() <= self.mu)
        return kept if len(kept) else candidates.take(np.array([0]))


class _Untruncated(MirostatV2):
    """Feeds back the surprise from before the cut, as the paper's code does and llama.cpp does not."""

    def draw(self, candidates: Candidates) -> int:
        kept = self.cut(candidates)
        token = super().draw(candidates)
        position = int(np.flatnonzero(kept.ids == token)[0])
        after = float(np.log2(kept.probabilities()[position]))
        before = float(np.log2(candidates.probabilities()[token]))
        self.mu += self._eta * (before - after)
        return token


class _TwiceAsMany(MirostatV1):
    """Takes the head of the distribution to be twice as long as it is."""

    def cut(self, candidates: Candidates) -> Candidates:
        return candidates.take(largest(candidates.logits, 2 * len(super().cut(candidates))))


@pytest.mark.parametrize(("kind", "version"), [(_Nats, 2), (_Untruncated, 2), (_TwiceAsMany, 1)])
def test_the_mirostat_vectors_catch_a_planted_error(kind: type[Mirostat], version: int) -> None:
    """The wrong unit, the wrong surprise and the wrong k fail them."""
    assert not all(mirostat_holds(vector, kind) for vector in MIROSTAT if vector.version == version)


class _Stubborn(AdaptiveP):
    """Aims at the target itself, whatever was drawn."""

    @property
    def aim(self) -> float:
        return self._target


def test_the_adaptive_vector_catches_a_planted_error() -> None:
    """An aim that does not move draws other ids."""
    assert not all(adaptive_holds(vector, _Stubborn) for vector in ADAPTIVE)
