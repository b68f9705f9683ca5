"""Each strategy does what an independent sampler says, at its extremes too; a slightly wrong one is found."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.errors import UsageError
from gemma_eval.sampling.adaptive import AdaptiveP
from gemma_eval.sampling.candidates import Candidates, Floats
from gemma_eval.sampling.dynatemp import EntropyTemperature, ThresholdTemperature
from gemma_eval.sampling.mirostat import MirostatV1, MirostatV2
from gemma_eval.sampling.stream import uniform_stream
from gemma_eval.sampling.xtc import Xtc, chances
from tests.sampling import oracle
from tests.sampling.vectors import left, logarithms, profile, sampler

Parameters = dict[str, object]
Expected = tuple[dict[int, float], float]
FOUR = logarithms((0.1, 0.2, 0.3, 0.4))
LOGITS = st.lists(st.integers(-640, 640).map(lambda step: step / 64), min_size=2, max_size=40).map(
    lambda values: np.array(values, dtype=np.float32)
)


# --- agreement with the independent sampler, and what would break it ---------------------------------


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """Parameters drawn at random, what must be left (and how far from a boundary), and wrong parameters."""

    name: str
    draw: Callable[[np.random.Generator], Parameters]
    expected: Callable[[dict[int, float], Parameters, tuple[int, ...]], Expected]
    wrong: Callable[[Parameters], Parameters]


def number(used: Parameters, key: str) -> float:
    """Return a parameter that is a number."""
    value = used[key]
    assert isinstance(value, int | float)
    return float(value)


def kept(decision: Callable[[dict[int, float], float], oracle.Decision], key: str) -> Callable[..., Expected]:
    """Return what is left of logits by a rule over probabilities with one parameter."""

    def expected(logits: dict[int, float], used: Parameters, seen: tuple[int, ...]) -> Expected:
        ids, margin = decision(oracle.softmax(logits), number(used, key))
        return {token: logits[token] for token in ids}, margin

    return expected


def heated(heat: Callable[[dict[int, float], Parameters], float]) -> Callable[..., Expected]:
    """Return logits divided by a temperature that follows the probabilities."""

    def expected(logits: dict[int, float], used: Parameters, seen: tuple[int, ...]) -> Expected:
        value = heat(oracle.softmax(logits), used)
        return {token: logit / value for token, logit in logits.items()}, value

    return expected


def _sigma(logits: dict[int, float], used: Parameters, seen: tuple[int, ...]) -> Expected:
    ids, margin = oracle.top_n_sigma(logits, number(used, "top_n_sigma"))
    return {token: logits[token] for token in ids}, margin


def _dry(logits: dict[int, float], used: Parameters, seen: tuple[int, ...]) -> Expected:
    multiplier, base = number(used, "dry_multiplier"), number(used, "dry_base")
    last_n, breakers = int(number(used, "dry_penalty_last_n")), used["dry_sequence_breakers"]
    assert isinstance(breakers, tuple)
    window = seen if last_n < 0 else seen[len(seen) - min(last_n, len(seen)) :]
    rule = (multiplier, base, int(number(used, "dry_allowed_length")))
    return oracle.dry(logits, window, rule, breakers), 1.0


def _bias(logits: dict[int, float], used: Parameters, seen: tuple[int, ...]) -> Expected:
    biases = used["logit_bias"]
    assert isinstance(biases, dict)
    by_id = {int(key) if key.isdigit() else ord(key) - ord("a"): bias for key, bias in biases.items()}
    return {token: logit + by_id.get(token, 0.0) for token, logit in logits.items()}, 1.0


def _edt(probabilities: dict[int, float], used: Parameters) -> float:
    base, theta, factor = (number(used, key) for key in ("temperature", "dynatemp_theta", "dynatemp_base"))
    return oracle.entropy_temperature(probabilities, base, theta, factor)


def _threshold(probabilities: dict[int, float], used: Parameters) -> float:
    return oracle.threshold_temperature(
        probabilities, number(used, "temperature"), number(used, "dynatemp_threshold")
    )


def _dry_parameters(rng: np.random.Generator) -> Parameters:
    return {
        "dry_multiplier": rng.uniform(0.1, 3),
        "dry_base": rng.uniform(1, 3),
        "dry_allowed_length": int(rng.integers(1, 4)),
        "dry_penalty_last_n": int(rng.choice([-1, 5, 12])),
        "dry_sequence_breakers": [(), ("c",), ("ab",), ("bca",), ("a", "b")][rng.integers(5)],
    }


STRATEGIES = (
    Strategy(
        name="top_n_sigma",
        draw=lambda rng: {"top_n_sigma": rng.uniform(0.1, 3)},
        expected=_sigma,
        wrong=lambda used: {"top_n_sigma": number(used, "top_n_sigma") * 1.1},
    ),
    Strategy(
        name="epsilon_cutoff",
        draw=lambda rng: {"order": ("epsilon_cutoff",), "epsilon_cutoff": rng.uniform(0.001, 0.5)},
        expected=kept(oracle.epsilon_cutoff, "epsilon_cutoff"),
        wrong=lambda used: {**used, "epsilon_cutoff": number(used, "epsilon_cutoff") * 1.2},
    ),
    Strategy(
        name="eta_cutoff",
        draw=lambda rng: {"order": ("eta_cutoff",), "eta_cutoff": rng.uniform(0.001, 0.5)},
        expected=kept(oracle.eta_cutoff, "eta_cutoff"),
        wrong=lambda used: {"order": ("epsilon_cutoff",), "epsilon_cutoff": used["eta_cutoff"]},
    ),
    Strategy(
        name="xtc",
        draw=lambda rng: {"xtc_probability": 1.0, "xtc_threshold": rng.uniform(0, 0.5)},
        expected=kept(oracle.xtc, "xtc_threshold"),
        wrong=lambda used: {**used, "xtc_threshold": min(0.5, number(used, "xtc_threshold") * 1.2)},
    ),
    Strategy(
        name="dry",
        draw=_dry_parameters,
        expected=_dry,
        wrong=lambda used: {**used, "dry_sequence_breakers": ("d",)},
    ),
    Strategy(
        name="logit_bias",
        draw=lambda rng: {"logit_bias": {"a": rng.normal(), "1": rng.normal(), "30": rng.normal()}},
        expected=_bias,
        wrong=lambda used: {"logit_bias": {"a": 0.1, "1": 0.2}},
    ),
    Strategy(
        name="edt",
        draw=lambda rng: {
            "dynatemp_mode": "edt",
            "temperature": rng.uniform(0.3, 2),
            "dynatemp_theta": rng.uniform(0.05, 2),
            "dynatemp_base": rng.uniform(0.5, 0.95),
        },
        expected=heated(_edt),
        wrong=lambda used: {**used, "dynatemp_theta": number(used, "dynatemp_theta") * math.log(2)},
    ),
    Strategy(
        name="threshold",
        draw=lambda rng: {
            "dynatemp_mode": "threshold",
            "temperature": rng.uniform(0.3, 2),
            "dynatemp_threshold": rng.uniform(0.5, 4),
        },
        expected=heated(_threshold),
        wrong=lambda used: {**used, "dynatemp_threshold": number(used, "dynatemp_threshold") * math.log(2)},
    ),
)


def agrees(strategy: Strategy, change: Callable[[Parameters], Parameters] = lambda used: used) -> bool:
    """Say whether ours, with changed parameters, leaves of 200 vectors what the independent sampler does."""
    rng = np.random.default_rng(20)
    judged = 0
    for _ in range(200):
        size = int(rng.integers(2, 33))
        logits = (rng.normal(size=size) * rng.uniform(0.2, 4)).round(2).astype(np.float32)
        seen = tuple(int(token) for token in rng.integers(0, min(3, size), rng.integers(0, 30)))
        used = strategy.draw(rng)
        if "logit_bias" in used and size <= 30:
            continue
        expected, margin = strategy.expected(dict(enumerate(logits.tolist())), used, seen)
        if margin < 1e-4:
            continue
        judged += 1
        found = left(logits, change(used), seen=seen)
        if set(found.ids.tolist()) != set(expected):
            return False
        if not np.allclose(
            found.logits, [expected[token] for token in found.ids.tolist()], rtol=1e-4, atol=1e-4
        ):
            return False
    assert judged > 5
    return True


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_a_strategy_leaves_what_the_independent_sampler_leaves(strategy: Strategy) -> None:
    """The same tokens, with the same logits, wherever rounding does not decide."""
    assert agrees(strategy)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_the_independent_sampler_finds_a_planted_error(strategy: Strategy) -> None:
    """A level a tenth too high, bits instead of nats, a breaker that is not looked at."""
    assert not agrees(strategy, strategy.wrong)


def _counts(kind: type[MirostatV1], vocabulary_error: int = 0) -> list[tuple[int, int]]:
    """Return, for random vectors, how many tokens mirostat v1 leaves, ours beside the independent count."""
    rng = np.random.default_rng(8)
    pairs = []
    for _ in range(200):
        size = int(rng.integers(2, 300))
        logits = (rng.normal(size=size) * rng.uniform(0.5, 4)).astype(np.float32)
        tau = float(rng.uniform(0.2, 4))
        candidates = Candidates.of(logits)
        ranked = sorted(oracle.softmax(dict(enumerate(logits.tolist()))).values(), reverse=True)
        exact = oracle.mirostat_one(ranked, 2 * tau, size + vocabulary_error)
        if abs(exact - round(exact)) > 1e-3:
            state = kind(tau=tau, eta=0.1, uniform=uniform_stream(0))
            pairs.append((len(state.cut(candidates)), min(size, max(1, int(exact)))))
    return pairs


def test_mirostat_v1_cuts_where_the_independent_sampler_does() -> None:
    """Zipf exponent and count by the paper's formulas, for vocabularies of 2 to 300."""
    pairs = _counts(MirostatV1)
    assert len(pairs) > 100
    assert all(ours == theirs for ours, theirs in pairs)
    assert any(ours != theirs for ours, theirs in _counts(MirostatV1, vocabulary_error=3))


def test_mirostat_v1_counts_masked_tokens_as_part_of_the_vocabulary() -> None:
    """V in its formula is the size of the vocabulary, as in llama.cpp, not the number of candidates."""
    zipf = -1.1 * np.log(np.arange(1, 31, dtype=np.float32))
    ranked = sorted(oracle.softmax(dict(enumerate(zipf.tolist()))).values(), reverse=True)
    kept = []
    for size in (30, 30_000):
        logits = np.full(size, -np.inf, dtype=np.float32)
        logits[:30] = zipf
        state = MirostatV1(tau=2.0, eta=0.1, uniform=uniform_stream(0))
        kept.append(len(state.cut(Candidates.of(logits))))
        assert kept[-1] == int(oracle.mirostat_one(ranked, 4.0, size))
    assert kept[0] > kept[1]


@pytest.mark.parametrize(
    "parameters",
    [
        {"presence_penalty": 1.0, "penalty_last_n": 3},
        {"dry_multiplier": 1.0, "dry_allowed_length": 1, "dry_penalty_last_n": 3},
    ],
    ids=["penalties", "dry"],
)
def test_a_window_holds_the_last_n_tokens_and_no_more(parameters: Parameters) -> None:
    """Token 1 is lowered when it is third from the end, and is not when it is fourth."""
    flat = np.zeros(4, dtype=np.float32)
    for seen, lowered in (((0, 1, 0), True), ((1, 0, 2, 0), False)):
        found = left(flat, parameters, seen=seen)
        after = dict(zip(found.ids.tolist(), found.logits.tolist(), strict=True))
        assert (after[1] < after[3]) == lowered


def test_xtc_removes_when_the_chance_is_the_probability() -> None:
    """And not when it is a float32 step above it. Source: llama.cpp's `chance > probability`."""
    half = np.float32(0.5)
    for chance, expected in ((half, 3), (np.nextafter(half, np.float32(1)), 4)):
        cut = Xtc(0.5, threshold=0.25, chance=partial(np.float32, chance))
        assert len(cut.apply(Candidates.of(FOUR), ())) == expected


def test_mirostat_v1_is_defined_for_a_flat_head_and_a_zipf_exponent_of_one() -> None:
    """Both make the published formula divide by zero."""
    flat = Candidates.of(np.zeros(50, dtype=np.float32))
    zipf = Candidates.of(-np.log(np.arange(1, 51, dtype=np.float32)))
    for tau in (0.01, 1.0, 20.0):
        state = MirostatV1(tau=tau, eta=0.1, uniform=uniform_stream(0))
        assert len(state.cut(flat)) in (1, 50)
        assert 1 <= len(state.cut(zipf)) <= 50
        assert 0 <= state.draw(flat) < 50


def test_adaptive_p_draws_what_the_independent_sampler_draws() -> None:
    """Over 200 tokens, from the words of an independent Mersenne Twister; another decay draws others."""
    probabilities = (0.4, 0.2, 0.15, 0.1, 0.07, 0.05, 0.02, 0.01)
    words = oracle.mt19937(9, 400)
    numbers = [(low + (high << 32)) / 2**64 for low, high in zip(words[::2], words[1::2], strict=True)]
    state = AdaptiveP(target=0.25, decay=0.9, uniform=uniform_stream(9))
    candidates = Candidates.of(logarithms(probabilities))
    drawn = [state.draw(candidates) for _ in numbers]
    assert drawn == oracle.adaptive(probabilities, (0.25, 0.9), numbers)
    assert drawn != oracle.adaptive(probabilities, (0.25, 0.8), numbers)


# --- extremes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        ({"top_n_sigma": 1e-9}, {3}),
        ({"top_n_sigma": 1e9}, {0, 1, 2, 3}),
        ({"xtc_probability": 1.0, "xtc_threshold": 0.0}, {0}),
        ({"xtc_probability": 1.0, "xtc_threshold": 0.5}, {0, 1, 2, 3}),
        ({"order": ("epsilon_cutoff",), "epsilon_cutoff": 0.999}, {3}),
        ({"order": ("epsilon_cutoff",), "epsilon_cutoff": 1e-12}, {0, 1, 2, 3}),
        ({"order": ("eta_cutoff",), "eta_cutoff": 0.999}, {2, 3}),
        ({"order": ("eta_cutoff",), "eta_cutoff": 1e-12}, {0, 1, 2, 3}),
        ({"dynatemp_mode": "edt", "dynatemp_theta": 1e9}, {3}),
        ({"dynatemp_mode": "edt", "dynatemp_theta": 1e-9}, {0, 1, 2, 3}),
        ({"dynatemp_mode": "threshold", "dynatemp_threshold": 1e-9}, {0, 1, 2, 3}),
        ({"base_p": 0.0}, {3}),
        ({"base_p": 0.5, "min_p": 1e-9}, {2, 3}),
        ({"min_p": 1.0, "base_p": 0.9}, {3}),
    ],
    ids=str,
)
def test_a_parameter_at_its_extreme_keeps_the_best_or_all(
    parameters: Mapping[str, object], ids: set[int]
) -> None:
    """Nothing overflows, and one token always stays."""
    assert set(left(FOUR, parameters).ids.tolist()) == ids


@pytest.mark.parametrize("bias", [-1e38, 1e38, 3e38])
def test_a_bias_of_any_size_leaves_numbers(bias: float) -> None:
    """A great negative one bans a token, a great positive one forces it."""
    found = left(FOUR, {"logit_bias": {"a": bias}})
    probabilities = dict(zip(found.ids.tolist(), found.probabilities().tolist(), strict=True))
    assert np.isfinite(found.logits).all()
    assert probabilities.get(0, 0.0) == (1.0 if bias > 0 else 0.0)


def test_a_bias_on_a_masked_token_does_not_bring_it_back() -> None:
    """-inf stays -inf."""
    logits = np.array([-np.inf, 0.0], dtype=np.float32)
    assert list(left(logits, {"logit_bias": {"a": 1e30}}).ids) == [1]


@pytest.mark.parametrize(
    ("biases", "what"),
    [
        ({"ab": 1.0}, 'logit_bias: "ab" is 2 tokens of this model ("a" | "b"), and a bias is on one; give'),
        ({"a\x1b[31m": 1.0}, 'logit_bias: "a\\x1b[31m" is 6 tokens of this model ("a" | '),
        ({"": 1.0}, 'logit_bias: "" is 0 tokens of this model'),
        ({"4": 1.0}, "logit_bias: there is no token 4; the ids of this model go up to 3"),
        ({"a": 1.0, "0": 2.0}, "logit_bias names the token 0 twice; keep one"),
    ],
)
def test_a_bias_on_what_is_not_one_token_is_refused(biases: Mapping[str, float], what: str) -> None:
    """A text of several tokens would bias words that merely begin so."""
    with pytest.raises(UsageError) as raised:
        sampler(profile(logit_bias=biases), size=4)
    assert str(raised.value).startswith(f'profile "test": {what}')


def test_adaptive_p_at_its_extremes() -> None:
    """A target of 1 draws the best, one of 0 the least likely; the aim stays a probability."""
    sure = logarithms((0.98, 0.01, 0.005, 0.005))
    for target, decay in ((1.0, 0.0), (0.0, 0.99), (0.0, 0.0), (1.0, 0.99)):
        state = AdaptiveP(target=target, decay=decay, uniform=uniform_stream(3))
        drawn = [state.draw(Candidates.of(sure)) for _ in range(50)]
        assert 0 <= state.aim <= 1
        assert (drawn.count(0) > 40) == (target == 1.0)


class _Fixed(AdaptiveP):
    """Aims at the target itself, whatever was drawn."""

    @property
    def aim(self) -> float:
        return self._target


def test_adaptive_p_comes_nearer_to_its_target_than_an_aim_that_does_not_move() -> None:
    """The mean probability of what was drawn: it follows the target, with a part of the offset left."""
    probabilities = np.array((0.4, 0.2, 0.15, 0.1, 0.07, 0.05, 0.02, 0.01))
    candidates = Candidates.of(logarithms(tuple(probabilities.tolist())))

    def mean(kind: type[AdaptiveP], target: float) -> float:
        state = kind(target=target, decay=0.95, uniform=uniform_stream(5))
        return float(probabilities[[state.draw(candidates) for _ in range(1500)]].mean())

    reached = [mean(AdaptiveP, target) for target in (0.1, 0.2, 0.3)]
    assert reached == sorted(reached)
    for target, found in zip((0.1, 0.2, 0.3), reached, strict=True):
        assert abs(found - target) < min(0.05, abs(mean(_Fixed, target) - target))


# --- laws --------------------------------------------------------------------------------------------


@given(LOGITS, LOGITS, st.floats(0.01, 3.0), st.floats(0.01, 6.0))
def test_the_threshold_temperature_is_monotone_and_clamped(
    one: Floats, other: Floats, base: float, threshold: float
) -> None:
    """More entropy never cools, and the temperature stays in [0, base]."""
    rule = ThresholdTemperature(base, threshold=threshold)
    surer, less_sure = sorted((Candidates.of(one), Candidates.of(other)), key=Candidates.entropy)
    assert 0 <= rule.value(surer) <= rule.value(less_sure) <= base
    if less_sure.entropy() >= threshold:
        assert rule.value(less_sure) == base


@given(LOGITS, LOGITS, st.floats(0.01, 3.0), st.floats(0.01, 3.0), st.floats(0.1, 0.99))
def test_the_edt_temperature_is_monotone_and_below_its_base(
    one: Floats, other: Floats, base: float, theta: float, factor: float
) -> None:
    """More entropy never cools, and the temperature stays in [0, base]."""
    rule = EntropyTemperature(base, theta=theta, factor=factor)
    surer, less_sure = sorted((Candidates.of(one), Candidates.of(other)), key=Candidates.entropy)
    assert 0 <= rule.value(surer) <= rule.value(less_sure) <= base


@pytest.mark.parametrize(
    "mode",
    [
        {"dynatemp_mode": "edt", "dynatemp_theta": 1.0},
        {"dynatemp_mode": "threshold", "dynatemp_threshold": 1.0},
    ],
)
def test_no_entropy_is_greedy(mode: Mapping[str, object]) -> None:
    """One token has all the probability that float32 can tell: T is 0, and the first of the best stays."""
    assert list(left(np.array([0.0, 500.0], dtype=np.float32), mode).ids) == [1]


@given(LOGITS, st.floats(0.1, 5.0), st.floats(0.25, 4.0))
def test_top_n_sigma_keeps_the_same_at_every_temperature(logits: Floats, n: float, heat: float) -> None:
    """Heating scales the logits and their deviation alike; only rounding at the very cut may differ."""
    ids, margin = oracle.top_n_sigma(dict(enumerate(logits.tolist())), n)
    if margin > 1e-3:
        used = {"top_n_sigma": n, "temperature": heat, "order": ("temperature", "top_n_sigma")}
        assert set(left(logits, used).ids.tolist()) == ids


@given(LOGITS, st.floats(0.0, 0.5))
def test_xtc_never_removes_the_last_good_choice(logits: Floats, threshold: float) -> None:
    """Some token of at least the threshold stays, if there was one; no token below it is touched."""
    before = Candidates.of(logits)
    probabilities = before.probabilities()
    after = set(left(logits, {"xtc_probability": 1.0, "xtc_threshold": threshold}).ids.tolist())
    good = set(before.ids[probabilities >= np.float32(threshold)].tolist())
    assert len(good & after) == min(1, len(good))
    assert set(before.ids.tolist()) - good <= after


def test_xtc_has_a_stream_of_its_own() -> None:
    """Its dice come from the seed of the draw, one 32-bit word each, and cost the draw no number."""
    words = oracle.mt19937(77, 50)
    dice = chances(77)
    assert [float(dice()) for _ in words] == pytest.approx([word / 2**32 for word in words], abs=1e-7)
    never = sampler(profile(xtc_probability=1e-12), seed=77)
    plain = sampler(profile(), seed=77)
    assert [never.draw(FOUR) for _ in range(100)] == [plain.draw(FOUR) for _ in range(100)]


@pytest.mark.parametrize("kind", [MirostatV1, MirostatV2])
@pytest.mark.parametrize("tau", [1e-9, 1e6])
def test_mirostat_at_its_extremes_keeps_the_best_or_all(
    kind: type[MirostatV1 | MirostatV2], tau: float
) -> None:
    """No target takes the best token, a vast one cuts nothing."""
    state = kind(tau=tau, eta=0.1, uniform=uniform_stream(0))
    assert len(state.cut(Candidates.of(FOUR))) == (1 if tau < 1 else 4)


@pytest.mark.parametrize("version", [1, 2])
def test_only_the_original_surprise_settles_the_model_s_own_at_the_target(version: int) -> None:
    """The mean of -log2 p before the cut is tau within 0.1 bit; fed back after the cut, it stays above."""
    weights = np.arange(1, 501) ** -1.1
    logits, bits = np.log(weights).astype(np.float32), -np.log2(weights / weights.sum())
    means = {}
    for surprise in ("original", "renormalized"):
        used = profile(mirostat=version, mirostat_tau=3.0, mirostat_eta=0.1, mirostat_surprise=surprise)
        drawn = sampler(used, seed=11)
        means[surprise] = float(np.mean([bits[drawn.draw(logits)] for _ in range(3000)]))
    assert means["original"] == pytest.approx(3.0, abs=0.1)
    assert means["renormalized"] > 3.3
