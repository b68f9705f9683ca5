"""What is drawn has the distribution that the chain left; what adapts arrives at its target."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize

from gemma_eval.sampling.candidates import Candidates
from gemma_eval.sampling.mirostat import Mirostat
from tests.sampling.chance import fits, happens, power
from tests.sampling.differential import exact, ours
from tests.sampling.differential.shapes import Drawn, drawn

Floats = NDArray[np.float32]
EIGHT = np.log(np.array([0.4, 0.2, 0.15, 0.1, 0.07, 0.05, 0.02, 0.01], dtype=np.float32))
ZIPF = (-1.2 * np.log(np.arange(1, 2001))).astype(np.float32)
SHARE = st.floats(0.01, 0.99)
FEWER = settings(max_examples=50)


def counts(parameters: ours.Parameters, logits: Floats, *, draws: int, seed: int = 7) -> list[int]:
    """Return how often each token was drawn from the same logits, over and over."""
    sampler = ours.sampler(parameters, vocabulary=ours.Wordless(len(logits)), seed=seed)
    found = [sampler.draw(logits) for _ in range(draws)]
    return [found.count(token) for token in range(len(logits))]


# --- laws --------------------------------------------------------------------------------------------

WHOLE: ours.Parameters = {
    "top_n_sigma": 2.5,
    "top_k": 50,
    "typical_p": 0.95,
    "top_p": 0.98,
    "min_p": 0.01,
    "base_p": 0.99,
    "xtc_probability": 0.5,
    "xtc_threshold": 0.2,
    "epsilon_cutoff": 1e-4,
    "eta_cutoff": 1e-4,
    "repeat_penalty": 1.2,
    "presence_penalty": 0.2,
    "dry_multiplier": 0.8,
    "dynatemp_range": 0.5,
}
STEPS = (
    *("logit_bias", "penalties", "dry", "top_n_sigma", "top_k", "typical_p"),
    *("top_p", "min_p", "xtc", "temperature", "epsilon_cutoff", "eta_cutoff"),
)


@FEWER
@given(drawn(800), st.permutations(STEPS), st.lists(st.integers(0, 800), max_size=20), st.integers(0, 99))
def test_no_chain_raises_a_token_that_was_removed(
    recipe: Drawn, order: list[str], seen: list[int], seed: int
) -> None:
    """In any order of all twelve steps, a masked token stays out and something is always left."""
    logits = recipe.logits()
    candidates = ours.left(logits, {**WHOLE, "order": order}, seen=seen, seed=seed)
    assert len(candidates) >= 1
    assert (logits[candidates.ids] > -np.inf).all()
    assert np.isfinite(candidates.probabilities()).all()


@pytest.mark.parametrize("alone", [name for name in STEPS if name not in {"logit_bias", "penalties", "dry"}])
def test_a_step_only_ever_removes(alone: str) -> None:
    """What a second chain with one step more leaves is a subset of what the first leaves."""

    @FEWER
    @given(drawn(800), st.sampled_from(sorted(set(STEPS) - {"penalties", "dry", alone})))
    def check(recipe: Drawn, first: str) -> None:
        logits = recipe.logits()
        before = ours.kept(ours.left(logits, {**WHOLE, "order": [first]}))
        after = ours.kept(ours.left(logits, {**WHOLE, "order": [first, alone]}))
        assert not (after & ~before).any()

    check()


@FEWER
@given(drawn(800), st.integers(0, 2**32 - 1))
def test_one_candidate_is_greedy_whatever_draws(recipe: Drawn, seed: int) -> None:
    """top_k = 1, a min_p of 1 without ties, a top_p of nothing: the best token at every seed."""
    logits = recipe.logits()
    assume(np.count_nonzero(logits == logits.max()) == 1)
    words = ours.Wordless(len(logits))
    chosen = {
        ours.sampler(parameters, vocabulary=words, seed=seed).draw(logits)
        for parameters in ({"temperature": 0.0}, {"top_k": 1}, {"min_p": 1.0}, {"top_p": 0.0})
    }
    assert chosen == {int(logits.argmax())}


@FEWER
@given(drawn(800), SHARE, st.integers(2, 700))
def test_min_p_is_free_of_scale(recipe: Drawn, share: float, k: int) -> None:
    """It reads ratios to the best: what else is removed before it, or after it, changes nothing."""
    logits = recipe.logits()
    parameters = {"min_p": share, "top_k": k}
    first = ours.left(logits, {**parameters, "order": ["min_p", "top_k"]})
    last = ours.left(logits, {**parameters, "order": ["top_k", "min_p"]})
    assert np.array_equal(ours.kept(first), ours.kept(last))


def test_top_p_is_not_free_of_scale() -> None:
    """The law tells strategies apart: removing the tail first leaves top-p fewer tokens."""
    parameters = {"top_p": 0.75, "top_k": 4}
    first = ours.left(EIGHT, {**parameters, "order": ["top_p", "top_k"]})
    last = ours.left(EIGHT, {**parameters, "order": ["top_k", "top_p"]})
    assert (len(first), len(last)) == (3, 3)
    parameters = {"top_p": 0.84, "top_k": 4}
    first = ours.left(EIGHT, {**parameters, "order": ["top_p", "top_k"]})
    last = ours.left(EIGHT, {**parameters, "order": ["top_k", "top_p"]})
    assert (len(first), len(last)) == (4, 3)


# --- draws -------------------------------------------------------------------------------------------

PROFILES: Mapping[str, ours.Parameters] = {
    "plain": {},
    "temperature": {"temperature": 0.6},
    "hot": {"temperature": 2.0},
    "top_k": {"top_k": 4},
    "top_p": {"top_p": 0.8},
    "min_p": {"min_p": 0.2},
    "typical_p": {"typical_p": 0.6},
    "top_n_sigma": {"top_n_sigma": 1.0},
    "dynatemp": {"dynatemp_range": 0.5},
    "default chain": {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05},
    "xtc": {"xtc_probability": 1.0, "xtc_threshold": 0.12},
    "bias": {"logit_bias": {"7": 4.0}},
}


@pytest.mark.parametrize("name", PROFILES)
def test_draws_have_the_distribution_that_the_chain_leaves(name: str) -> None:
    """3000 draws by chi-square, at a family-wise error rate of 0.1 % over all the checks of chance."""
    expected = ours.probabilities(ours.left(EIGHT, PROFILES[name]))
    assert fits(counts(PROFILES[name], EIGHT, draws=3000), expected.tolist())


def test_draws_of_the_plain_chain_have_the_probabilities_that_were_given() -> None:
    """Not only what our own chain says of itself: 8000 draws against the numbers written above."""
    assert fits(counts({}, EIGHT, draws=8000), [0.4, 0.2, 0.15, 0.1, 0.07, 0.05, 0.02, 0.01])


def test_the_first_draws_of_consecutive_seeds_are_independent() -> None:
    """Repeats of a case differ in nothing but their seed: 3000 seeds in a row give the distribution, too."""
    words = ours.Wordless(8)
    first = [ours.sampler({}, vocabulary=words, seed=seed).draw(EIGHT) for seed in range(3000)]
    assert fits(np.bincount(first, minlength=8).tolist(), np.exp(EIGHT.astype(np.float64)).tolist())
    pairs = np.zeros((8, 8), dtype=np.int64)
    np.add.at(pairs, (first[:-1], first[1:]), 1)
    together = np.outer(np.exp(EIGHT.astype(np.float64)), np.exp(EIGHT.astype(np.float64)))
    assert fits(pairs.ravel().tolist(), (together / together.sum()).ravel().tolist())


def test_a_draw_that_favours_one_token_by_six_in_a_hundred_is_found() -> None:
    """The planted error is one that 3000 draws find with more than 99.9 % probability, and they do."""
    biased = np.array([0.34, 0.26, 0.15, 0.1, 0.07, 0.05, 0.02, 0.01])
    supposed = np.exp(EIGHT.astype(np.float64))
    assert power(biased.tolist(), supposed.tolist(), 3000) > 0.999
    planted = np.log(biased.astype(np.float32))
    assert not fits(counts({}, planted, draws=3000), supposed.tolist())


def test_a_draw_of_what_was_removed_is_found() -> None:
    """One draw of a token of probability 0 is enough."""
    assert not fits([3999, 1, 0], [1.0, 0.0, 0.0])


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_xtc_falls_as_often_as_its_probability_says(probability: float) -> None:
    """4000 tokens, by the exact binomial test; a coin of 0.05 more or less is told apart."""
    parameters = {"xtc_probability": probability, "xtc_threshold": 0.12}
    sampler = ours.sampler(parameters, vocabulary=ours.Wordless(8), seed=3)
    fallen = sum(len(sampler.narrow(EIGHT)) < 8 for _ in range(4000))
    assert happens(fallen, 4000, probability)
    assert not happens(fallen, 4000, probability + 0.05)
    assert not happens(fallen, 4000, probability - 0.05)


# --- what adapts -------------------------------------------------------------------------------------


def surprises(parameters: ours.Parameters, logits: Floats, draws: int) -> tuple[float, float, float]:
    """Return the mean surprise in bits after the cut and before it, and how far μ moved, over `draws`."""
    sampler = ours.sampler(parameters, vocabulary=ours.Wordless(len(logits)), seed=5)
    before = -exact.log_softmax(logits.astype(np.float64)) / np.log(2)
    after: list[float] = []
    original: list[float] = []
    start = _mirostat(sampler._last).mu
    for _ in range(draws):
        cut = _mirostat(sampler._last).cut(Candidates.of(logits))
        share = ours.probabilities(cut)
        token = sampler.draw(logits)
        after.append(-float(np.log2(share[token])))
        original.append(float(before[token]))
    return float(np.mean(after)), float(np.mean(original)), start - _mirostat(sampler._last).mu


def _mirostat(last: object) -> Mirostat:
    assert isinstance(last, Mirostat)
    return last


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("tau", [1.5, 3.0, 4.5])
def test_mirostat_settles_at_its_target(version: int, tau: float) -> None:
    """On a Zipf distribution of 7.1 bits: the mean surprise after the cut is tau, within 0.1 bit.

    It is what llama.cpp steers. The model's own surprise of the same tokens is more, for a cut makes every
    token likelier.
    """
    parameters = {"mirostat": version, "mirostat_tau": tau, "mirostat_eta": 0.2}
    after, original, moved = surprises(parameters, ZIPF, 1000)
    assert after == pytest.approx(tau, abs=0.1)
    assert original > after + 0.2
    assert after - tau == pytest.approx(moved / (0.2 * 1000), abs=1e-3)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("tau", [3.0, 4.5])
def test_mirostat_settles_at_its_target_in_the_original_surprise(version: int, tau: float) -> None:
    """Told so, it steers the model's own surprise, as the paper has it; that after the cut is then less."""
    parameters = {"mirostat": version, "mirostat_tau": tau, "mirostat_eta": 0.2}
    after, original, moved = surprises({**parameters, "mirostat_surprise": "original"}, ZIPF, 1000)
    assert original == pytest.approx(tau, abs=0.1)
    assert after < original - 0.2
    assert original - tau == pytest.approx(moved / (0.2 * 1000), abs=1e-3)


@pytest.mark.parametrize("version", [1, 2])
def test_mirostat_cannot_reach_less_original_surprise_than_the_best_token_has(version: int) -> None:
    """A target of 1.5 bits, and a best token of 2.2: nothing else is drawn, and mu falls on and on."""
    parameters = {"mirostat": version, "mirostat_tau": 1.5, "mirostat_surprise": "original"}
    after, original, moved = surprises(parameters, ZIPF, 500)
    assert original == pytest.approx(-exact.log_softmax(ZIPF.astype(np.float64))[0] / np.log(2), abs=0.05)
    assert after < 0.05
    assert moved > 20


def test_mirostat_cannot_reach_more_surprise_than_there_is() -> None:
    """A target above the entropy cuts nothing: the mean surprise is the entropy, and mu rises on and on."""
    parameters = {"mirostat": 2, "mirostat_tau": 5.0, "mirostat_eta": 0.2}
    after, original, moved = surprises(parameters, EIGHT, 1500)
    bits = exact.entropy(EIGHT.astype(np.float64)) / np.log(2)
    assert after == pytest.approx(bits, abs=0.1)
    assert original == pytest.approx(after, abs=1e-3)
    assert moved < -50


def test_the_check_of_mirostat_fails_on_a_wrong_target() -> None:
    """0.3 bit off is told from the target."""
    after, _, _ = surprises({"mirostat": 2, "mirostat_tau": 3.3, "mirostat_eta": 0.2}, ZIPF, 1000)
    assert after != pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("target", [0.1, 0.2, 0.3])
def test_adaptive_p_comes_to_rest_where_its_rule_does(target: float) -> None:
    """The mean probability of what is drawn is the one that the rule, aim = 2·target - mean, leaves alone.

    That lies nearer to the target than draws that favour the target without looking back.
    """
    exactly = np.exp(EIGHT.astype(np.float64))

    def drawn_at(aim: float) -> float:
        favoured = exact.adaptive(EIGHT.astype(np.float64), float(np.clip(aim, 0, 1)))
        return float(favoured.probabilities @ exactly)

    rest = float(optimize.brentq(lambda mean: drawn_at(2 * target - mean) - mean, 0.0, 0.4))
    found = np.array(counts({"adaptive_target": target, "adaptive_decay": 0.99}, EIGHT, draws=3000))
    assert float(found @ exactly) / 3000 == pytest.approx(rest, abs=0.01)
    assert abs(rest - target) <= abs(drawn_at(target) - target)


def test_the_check_of_adaptive_p_fails_on_plain_draws() -> None:
    """Their mean is Σp², 0.25, wherever the target is."""
    exactly = np.exp(EIGHT.astype(np.float64))
    plain = float(np.array(counts({}, EIGHT, draws=3000)) @ exactly) / 3000
    assert plain == pytest.approx(float(exactly @ exactly), abs=0.01)
    assert abs(plain - 0.1) > 0.1
