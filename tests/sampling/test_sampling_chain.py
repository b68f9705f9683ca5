"""The chain of a profile: its order, its errors, what a plugin may do in it, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from gemma_eval.errors import BackendError, NonFiniteLogits, PluginError, UnknownName, UsageError
from gemma_eval.protocols import TransformFactory
from gemma_eval.records import Options, SamplingProfile
from gemma_eval.sampling.candidates import Candidates, CandidateTransform, Floats
from gemma_eval.sampling.chain import Sampler, build_chain
from gemma_eval.sampling.effective import effective, is_greedy
from tests.sampling import vectors
from tests.sampling.vectors import BUILT_IN, Letters, left, logarithms, profile, step

FOUR = logarithms((0.1, 0.2, 0.3, 0.4))


def sampler(**parameters: object) -> Sampler:
    """Return a sampler of the built-in transforms with a fixed seed."""
    return vectors.sampler(profile(**parameters), seed=1)


def chain(used: SamplingProfile) -> tuple[CandidateTransform, ...]:
    """Return the built-in chain of a profile."""
    return build_chain(used, BUILT_IN, vocabulary=Letters(4), seed=0)


def test_the_order_of_a_profile_is_the_order_of_its_chain() -> None:
    """Temperature before min-p spreads the probabilities, so that more of them reach the cut."""
    parameters = {"temperature": 3.0, "min_p": 0.55}
    assert list(left(FOUR, {**parameters, "order": ("min_p", "temperature")}).ids) == [2, 3]
    assert list(left(FOUR, {**parameters, "order": ("temperature", "min_p")}).ids) == [0, 1, 2, 3]


def test_a_name_in_the_order_that_nobody_registered_is_an_error_with_a_suggestion() -> None:
    """The message names the nearest transform."""
    with pytest.raises(UnknownName, match='no sampling transform named "topk"; did you mean "top_k"'):
        sampler(order=("topk", "temperature"))


def test_a_neutral_profile_has_an_empty_chain() -> None:
    """Every default is off; 0 and 1 are off where llama.cpp has them off."""
    assert chain(SamplingProfile(name="neutral")) == ()
    assert chain(profile(penalty_last_n=0, repeat_penalty=2.0, top_k=-1, min_p=-0.5)) == ()
    assert chain(profile(dry_multiplier=1.0, dry_penalty_last_n=0, top_n_sigma=-1.0)) == ()
    assert chain(profile(dry_multiplier=1.0, dry_base=0.9, xtc_probability=1.0, xtc_threshold=0.51)) == ()


def test_temperature_zero_with_dynatemp_is_not_greedy() -> None:
    """The range then goes from 0 to dynatemp_range, by the entropy."""
    assert is_greedy(profile(temperature=0.0))
    assert not is_greedy(profile(temperature=0.0, dynatemp_range=1.0))
    assert is_greedy(profile(temperature=0.0, dynatemp_range=1.0, mirostat=2))
    drawn = sampler(temperature=0.0, dynatemp_range=1.0)
    assert {drawn.draw(np.zeros(4, dtype=np.float32)) for _ in range(50)} == {0, 1, 2, 3}


def test_greedy_holds_where_the_order_leaves_temperature_out() -> None:
    """`temperature = 0` is greedy whatever the order says."""
    greedy = sampler(temperature=0.0, order=("top_k",))
    assert {greedy.draw(FOUR) for _ in range(20)} == {3}


def test_penalties_see_the_prompt_and_the_answer() -> None:
    """The best token of the prompt is penalised at once, the next best after it was drawn."""
    used = profile(temperature=0.0, presence_penalty=5.0)
    greedy = vectors.sampler(used, seen=(3,))
    assert [greedy.draw(FOUR) for _ in range(4)] == [2, 1, 0, 3]


def test_mirostat_replaces_the_chain_but_for_the_temperature() -> None:
    """As in llama.cpp: a top_k of 1 would make every token the best one."""
    drawn = sampler(mirostat=2, mirostat_tau=10.0, top_k=1)
    assert len({drawn.draw(FOUR) for _ in range(50)}) > 1
    greedy = sampler(mirostat=2, mirostat_tau=10.0, temperature=0.0)
    assert {greedy.draw(FOUR) for _ in range(20)} == {3}
    assert sampler().mirostat_mu is None


def test_mirostat_keeps_its_state_per_generation() -> None:
    """Another sampler starts at twice tau again."""
    first = sampler(mirostat=2, mirostat_tau=1.0, mirostat_eta=0.5)
    for _ in range(5):
        first.draw(FOUR)
    assert first.mirostat_mu != 2.0
    assert sampler(mirostat=2, mirostat_tau=1.0, mirostat_eta=0.5).mirostat_mu == 2.0


# --- numbers that are none ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"temperature": 0.0},
        {"mirostat": 2},
        {"mirostat": 1},
        {"adaptive_target": 0.5},
        {"top_p": 0.5, "dynatemp_range": 0.5},
        {"top_n_sigma": 1.0, "xtc_probability": 1.0, "dry_multiplier": 1.0, "logit_bias": {"a": 1.0}},
        {"order": ("epsilon_cutoff", "eta_cutoff"), "epsilon_cutoff": 0.1, "eta_cutoff": 0.1},
    ],
)
@pytest.mark.parametrize(
    "logits",
    [[np.nan, 0.0], [0.0, np.nan], [np.inf, 0.0], [-np.inf, -np.inf], [np.nan, np.nan], []],
    ids=str,
)
def test_logits_that_are_no_numbers_raise_and_never_draw(
    logits: list[float], parameters: Mapping[str, object]
) -> None:
    """NaN, +inf, nothing but -inf and no logits at all are errors of the kind `nonfinite`."""
    with pytest.raises(NonFiniteLogits) as raised:
        sampler(**parameters).draw(np.array(logits, dtype=np.float32))
    assert raised.value.kind == "nonfinite"
    assert isinstance(raised.value, BackendError)


def test_logits_of_more_than_one_position_raise() -> None:
    """A whole [L, V] where one row was meant."""
    with pytest.raises(NonFiniteLogits, match=r"shape \(2, 3\)"):
        sampler().draw(np.zeros((2, 3), dtype=np.float32))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"temperature": 0.0},
        {"mirostat": 2},
        {"mirostat": 1},
        {"mirostat": 1, "mirostat_surprise": "original"},
        {"adaptive_target": 0.0, "adaptive_decay": 0.99},
        {"dynatemp_range": 1.0, "top_p": 0.1, "min_p": 1.0, "typical_p": 0.1, "top_k": 3},
        {"dynatemp_mode": "edt", "dynatemp_theta": 1.0, "top_n_sigma": 0.1, "xtc_probability": 1.0},
        {"dynatemp_mode": "threshold", "dynatemp_threshold": 1.0, "dry_multiplier": 5.0},
        {"order": ("epsilon_cutoff", "eta_cutoff"), "epsilon_cutoff": 0.9, "eta_cutoff": 0.9},
        {"logit_bias": {"a": -1e30}, "repeat_penalty": 2.0},
    ],
)
def test_a_vocabulary_of_one_token_always_draws_it(parameters: Mapping[str, object]) -> None:
    """No entropy is divided by ln 1."""
    drawn = sampler(**parameters)
    assert [drawn.draw(np.array([-3.0], dtype=np.float32)) for _ in range(3)] == [0, 0, 0]


def test_a_masked_token_is_never_drawn() -> None:
    """-inf means that it may not be; the others keep their ids."""
    logits = np.array([-np.inf, 0.0, -np.inf, 0.0], dtype=np.float32)
    assert {sampler_.draw(logits) for sampler_ in [sampler()] for _ in range(50)} == {1, 3}


def test_extreme_logits_are_drawn_from_without_overflow() -> None:
    """Float32 reaches 3.4e38; a sharp temperature on it acts greedily."""
    logits = np.array([3e38, 2.9e38, -3e38], dtype=np.float32)
    for parameters in (
        {},
        {"temperature": 0.1},
        {"dynatemp_range": 0.5},
        {"dynatemp_mode": "edt", "dynatemp_theta": 1.0},
        {"dynatemp_mode": "threshold", "dynatemp_threshold": 1.0},
        {"mirostat": 2},
        {"mirostat": 1},
        {"adaptive_target": 0.9},
        {"min_p": 0.1},
        {"top_n_sigma": 0.1},
        {"xtc_probability": 1.0},
        {"logit_bias": {"a": 1e30}},
        {"epsilon_cutoff": 0.1, "eta_cutoff": 0.1, "order": ("epsilon_cutoff", "eta_cutoff")},
    ):
        assert sampler(**parameters).draw(logits) == 0
    penalised = vectors.sampler(profile(repeat_penalty=0.5), seen=(0, 2))
    assert penalised.draw(logits) == 0
    hot = {"temperature": 1e-3, "order": ("temperature", "typical_p"), "typical_p": 0.5}
    assert sampler(**hot).draw(logits / np.float32(1e3)) == 0


def test_a_penalty_that_makes_no_number_raises() -> None:
    """Infinity times 0: no token is drawn from that, not even greedily."""
    used = profile(temperature=0.0, repeat_penalty=np.inf)
    broken = vectors.sampler(used, seen=(0,))
    with pytest.raises(NonFiniteLogits):
        broken.draw(np.zeros(2, dtype=np.float32))


def test_a_built_in_transform_is_a_transform_of_whole_logits_too() -> None:
    """Logits [V] in, logits [V] out, the removed at -inf and the input untouched."""
    top_k = step("top_k", profile(top_k=2))
    assert top_k is not None
    given = FOUR.copy()
    assert list(top_k(given, ())) == [-np.inf, -np.inf, FOUR[2], FOUR[3]]
    assert list(given) == list(FOUR)


def test_a_seed_counts_by_its_low_32_bits() -> None:
    """Seeds of any size are accepted, as llama.cpp takes 32 bits."""
    draws = [[vectors.sampler(profile(), seed=seed).draw(FOUR)] for seed in (5, 5 + 2**32, -1)]
    assert draws[0] == draws[1]


# --- a plugin in the chain ---------------------------------------------------------------------------


class _Only:
    """A plugin's transform: returns the same logits whatever it is given."""

    def __init__(self, *logits: float) -> None:
        self._logits = np.array(logits, dtype=np.float32)
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, logits: Floats, seen: Sequence[int]) -> Floats:
        """Return the fixed logits."""
        self.shapes.append(logits.shape)
        return self._logits


def with_plugin(transform: _Only, **parameters: object) -> Sampler:
    """Return a sampler that has the built-in transforms and one called `only`."""
    transforms: Mapping[str, TransformFactory] = {**BUILT_IN, "only": lambda *_, **__: transform}
    return vectors.sampler(profile(**parameters), transforms=transforms, seed=1)


def test_a_plugin_sees_the_whole_vocabulary_and_cannot_bring_a_token_back() -> None:
    """After top_k it is given logits [V]; what top_k removed stays removed."""
    plugin = _Only(9.0, -np.inf, 1.0, 0.0)
    drawn = with_plugin(plugin, order=("top_k", "only"), top_k=2)
    candidates = drawn.narrow(FOUR)
    assert plugin.shapes == [(4,)]
    assert sorted(candidates.ids) == [2, 3]
    assert sorted(candidates.logits) == [0.0, 1.0]


def test_what_a_plugin_removed_is_no_candidate() -> None:
    """It counts in no later step, as among the n of a dynamic temperature."""
    drawn = with_plugin(_Only(0.0, -np.inf, 1.0, -np.inf), order=("only",))
    assert list(drawn.narrow(FOUR).ids) == [0, 2]


@pytest.mark.parametrize(
    "logits",
    [(np.nan, 0.0, 0.0, 0.0), (np.inf, 0.0, 0.0, 0.0), (-np.inf,) * 4, (0.0, 0.0)],
    ids=str,
)
def test_a_plugin_that_breaks_the_contract_is_named(logits: tuple[float, ...]) -> None:
    """NaN, +inf, nothing left, or a wrong shape."""
    with pytest.raises(PluginError, match='transform "only" returned'):
        with_plugin(_Only(*logits), order=("only",)).draw(FOUR)


def test_a_transform_of_candidates_that_leaves_none_is_named() -> None:
    """A plugin may work on candidates too, and may break the contract there."""

    class Nothing(CandidateTransform):
        def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
            return candidates.take(np.zeros(len(candidates), dtype=np.bool_))

    transforms: Mapping[str, TransformFactory] = {**BUILT_IN, "none": lambda *_, **__: Nothing()}
    broken = vectors.sampler(profile(order=("none",)), transforms=transforms)
    with pytest.raises(PluginError, match=r"Nothing.* left no token"):
        broken.draw(FOUR)


# --- what a generation records of it -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"order": ("temperature",)}, {"temperature": 1.0, "order": ("temperature",)}),
        (
            {"order": ("top_k", "min_p"), "top_k": 40, "top_p": 0.5},
            {"temperature": 1.0, "order": ("top_k", "min_p"), "top_k": 40},
        ),
        (
            {"mirostat": 2, "top_k": 40, "temperature": 0.7},
            {
                "temperature": 0.7,
                "mirostat": 2,
                "mirostat_tau": 5.0,
                "mirostat_eta": 0.1,
                "mirostat_surprise": "renormalized",
            },
        ),
        (
            {"order": ("temperature",), "dynatemp_range": 0.5},
            {
                "temperature": 1.0,
                "order": ("temperature",),
                "dynatemp_mode": "llama",
                "dynatemp_range": 0.5,
                "dynatemp_exponent": 1.0,
            },
        ),
        (
            {"order": ("temperature",), "dynatemp_mode": "edt", "dynatemp_theta": 1.5, "dynatemp_range": 0.5},
            {
                "temperature": 1.0,
                "order": ("temperature",),
                "dynatemp_mode": "edt",
                "dynatemp_theta": 1.5,
                "dynatemp_base": 0.8,
            },
        ),
        (
            {"order": ("temperature",), "dynatemp_mode": "threshold", "dynatemp_threshold": 2.0},
            {
                "temperature": 1.0,
                "order": ("temperature",),
                "dynatemp_mode": "threshold",
                "dynatemp_threshold": 2.0,
            },
        ),
        (
            {"order": ("temperature",), "dynatemp_mode": "threshold", "dynatemp_range": 0.5},
            {"temperature": 1.0, "order": ("temperature",)},
        ),
        (
            {"order": ("logit_bias",), "logit_bias": {"15": -1.5, "Ada": 2.0}},
            {"temperature": 1.0, "order": ("logit_bias",), "logit_bias": ("15=-1.5", "Ada=2")},
        ),
        (
            {"mirostat": 1, "logit_bias": {"a": 1.0}, "mirostat_surprise": "original"},
            {
                "temperature": 1.0,
                "logit_bias": ("a=1",),
                "mirostat": 1,
                "mirostat_tau": 5.0,
                "mirostat_eta": 0.1,
                "mirostat_surprise": "original",
            },
        ),
        (
            {"order": ("min_p", "xtc"), "min_p": 0.1, "xtc_probability": 0.5, "adaptive_target": 0.4},
            {
                "temperature": 1.0,
                "order": ("min_p", "xtc"),
                "min_p": 0.1,
                "base_p": 1.0,
                "xtc_probability": 0.5,
                "xtc_threshold": 0.1,
                "adaptive_target": 0.4,
                "adaptive_decay": 0.9,
            },
        ),
        (
            {"order": ("dry",), "dry_multiplier": 0.8, "temperature": 0.0, "adaptive_target": 0.4},
            {
                "temperature": 0.0,
                "order": ("dry",),
                "dry_multiplier": 0.8,
                "dry_base": 1.75,
                "dry_allowed_length": 2,
                "dry_penalty_last_n": 64,
                "dry_sequence_breakers": ("\n", ":", '"', "*"),
            },
        ),
        ({"order": ("top_k",), "temperature": 0.5}, {"temperature": 1.0, "order": ("top_k",)}),
        ({"order": ("top_k",), "temperature": 0.0}, {"temperature": 0.0, "order": ("top_k",)}),
        (
            {"order": ("penalties",), "repeat_penalty": 1.1, "penalty_last_n": 0},
            {"temperature": 1.0, "order": ("penalties",)},
        ),
        (
            {"order": ("penalties",), "repeat_penalty": 1.1},
            {
                "temperature": 1.0,
                "order": ("penalties",),
                "repeat_penalty": 1.1,
                "frequency_penalty": 0.0,
                "presence_penalty": 0.0,
                "penalty_last_n": 64,
            },
        ),
    ],
)
def test_effective_says_what_decides_and_nothing_else(
    parameters: Mapping[str, object], expected: Options
) -> None:
    """What is off, out of the order or overruled by mirostat is left out."""
    assert effective(profile(**parameters)) == expected


@pytest.mark.parametrize(
    ("name", "on", "off"),
    [
        ("logit_bias", {"logit_bias": {"a": 1.0}}, {}),
        ("penalties", {"presence_penalty": 1.0}, {"presence_penalty": 1.0, "penalty_last_n": 0}),
        ("dry", {"dry_multiplier": 1.0}, {"dry_multiplier": 1.0, "dry_penalty_last_n": 0}),
        ("dry", {"dry_multiplier": 1.0, "dry_base": 1.0}, {"dry_multiplier": 1.0, "dry_base": 0.5}),
        ("top_n_sigma", {"top_n_sigma": 0.1}, {"top_n_sigma": -1.0}),
        ("top_k", {"top_k": 1}, {"top_k": -1}),
        ("typical_p", {"typical_p": 0.0}, {"typical_p": 1.5}),
        ("top_p", {"top_p": 0.0}, {"top_p": 1.5}),
        ("min_p", {"min_p": 0.1}, {"min_p": -0.1}),
        ("min_p", {"base_p": 0.5}, {"base_p": 1.0}),
        ("xtc", {"xtc_probability": 0.1}, {"xtc_probability": 0.1, "xtc_threshold": 0.6}),
        ("epsilon_cutoff", {"epsilon_cutoff": 0.1}, {"epsilon_cutoff": -0.1}),
        ("eta_cutoff", {"eta_cutoff": 0.1}, {"eta_cutoff": 0.0}),
        ("temperature", {"dynatemp_range": 0.1}, {"dynatemp_range": 0.1, "dynatemp_mode": "edt"}),
    ],
)
def test_effective_names_a_step_exactly_when_it_runs(
    name: str, on: Mapping[str, object], off: Mapping[str, object]
) -> None:
    """What a factory takes for off is left out, what it takes for on is told."""
    assert step(name, profile(**on)) is not None
    assert step(name, profile(**off)) is None
    assert set(effective(profile(order=(name,), **on))) > {"temperature", "order"}
    assert set(effective(profile(order=(name,), **off))) == {"temperature", "order"}


# --- profiles that no file can hold ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"temperature": -0.1}, "temperature is -0.1; it should be a finite number of at least 0"),
        ({"temperature": np.inf}, "temperature is inf; it should be a finite number of at least 0"),
        ({"temperature": np.nan}, "temperature is not a number"),
        ({"top_p": np.nan}, "top_p is not a number"),
        ({"min_p": np.nan, "mirostat": 2}, "min_p is not a number"),
        ({"logit_bias": {"a": np.nan}}, "logit_bias is not a number"),
    ],
)
def test_a_profile_that_nobody_can_follow_is_refused(parameters: Mapping[str, object], what: str) -> None:
    """A profile made in code passes no file's checks; the sampler has its own."""
    with pytest.raises(UsageError) as raised:
        vectors.sampler(replace(SamplingProfile(name="p"), **parameters))  # type: ignore[arg-type]
    assert str(raised.value) == f'profile "p": {what}'


def test_candidates_keep_their_order_through_a_mask() -> None:
    """The order decides which token a seed draws."""
    candidates = Candidates.of(FOUR).take(np.array([3, 0, 2]))
    assert list(candidates.take(np.array([True, False, True])).ids) == [3, 2]
