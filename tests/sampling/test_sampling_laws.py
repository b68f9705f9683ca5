"""What holds for every logit vector: laws of the transforms, and agreement with an independent sampler."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gemma_eval.sampling.candidates import Candidates, Floats
from gemma_eval.sampling.chain import build_chain
from gemma_eval.sampling.transforms import MinP, TopK, TopP, TypicalP
from tests.sampling import oracle
from tests.sampling.vectors import BUILT_IN, Letters, left, profile, sampler, step

# Multiples of 1/64 stay exact in float32 when a whole number is added to them.
_LOGIT = st.integers(-640, 640).map(lambda step: step / 64)
LOGITS = st.lists(_LOGIT, min_size=1, max_size=40).map(lambda values: np.array(values, dtype=np.float32))
SHARE = st.floats(0.001, 0.999)


def by_id(logits: Floats) -> dict[int, float]:
    """Return logits per token id."""
    return {token: float(logit) for token, logit in enumerate(logits)}


@given(LOGITS, st.integers(0, 2**40))
def test_top_k_of_one_is_greedy_at_every_seed(logits: Floats, seed: int) -> None:
    """Both take the first of the highest logits."""
    first = sampler(profile(top_k=1), seed=seed)
    greedy = sampler(profile(temperature=0.0), seed=seed)
    assert first.draw(logits) == greedy.draw(logits) == int(logits.argmax())


@given(LOGITS, SHARE, SHARE, st.integers(0, 50))
def test_greedy_is_not_moved_by_the_cuts_that_keep_the_best(
    logits: Floats, mass: float, share: float, k: int
) -> None:
    """top_k, top_p and min_p never remove the most probable token."""
    greedy = sampler(profile(temperature=0.0, top_k=k, top_p=mass, min_p=share))
    assert logits[greedy.draw(logits)] == logits.max()


@given(LOGITS, st.floats(1.0, 50.0))
def test_min_p_keeps_the_top_token_at_any_threshold(logits: Floats, share: float) -> None:
    """Even above 1, where no token can reach the cut."""
    kept = MinP(share).apply(Candidates.of(logits), ())
    assert logits[kept.ids].max() == logits.max()
    assert len(kept) == 1 or share == 1.0


@given(LOGITS, SHARE, st.integers(-100, 100))
def test_every_cut_depends_on_differences_of_logits_only(logits: Floats, share: float, shift: int) -> None:
    """Adding one number to all logits changes no probability, so it may change no choice."""
    for cut in (TopK(5), TopP(share), MinP(share), TypicalP(share)):
        before = cut.apply(Candidates.of(logits), ())
        after = cut.apply(Candidates.of(logits + np.float32(shift)), ())
        assert list(before.ids) == list(after.ids)


@given(LOGITS, SHARE, st.floats(0.25, 4.0))
def test_min_p_before_temperature_is_its_power_after_it(logits: Floats, share: float, heat: float) -> None:
    """Cutting at p and heating equals heating and cutting at p^(1/T): p is relative, not absolute."""
    _, margin = oracle.min_p(oracle.softmax(by_id(logits)), share)
    assume(margin > 1e-3)
    before = left(logits, {"min_p": share, "temperature": heat})
    after = left(
        logits, {"min_p": share ** (1 / heat), "temperature": heat, "order": ("temperature", "min_p")}
    )
    assert list(before.ids) == list(after.ids)


@given(
    LOGITS,
    st.permutations(tuple(BUILT_IN)),
    st.lists(st.integers(0, 45), max_size=10),
    SHARE,
)
def test_what_was_removed_stays_removed(
    logits: Floats, order: list[str], seen: list[int], share: float
) -> None:
    """In any order each step leaves a subset of what it was given, never nothing, all of it finite."""
    used = profile(
        order=tuple(order),
        top_k=7,
        top_p=share,
        min_p=share / 10,
        typical_p=share,
        base_p=0.99,
        top_n_sigma=4 * share,
        xtc_probability=share,
        xtc_threshold=share / 2,
        epsilon_cutoff=share / 10,
        eta_cutoff=share / 5,
        dry_multiplier=0.8,
        dry_sequence_breakers=("cd",),
        logit_bias={"a": 1.0},
        repeat_penalty=1.3,
        dynatemp_range=0.5,
    )
    candidates = Candidates.of(logits)
    for link in build_chain(used, BUILT_IN, vocabulary=Letters(len(logits)), seed=0):
        following = link.apply(candidates, seen)
        assert len(following) >= 1
        assert np.isfinite(following.logits).all()
        assert set(following.ids) <= set(candidates.ids)
        assert len(set(following.ids)) == len(following)
        candidates = following


@given(LOGITS, st.integers(1, 50))
def test_top_k_keeps_exactly_k(logits: Floats, k: int) -> None:
    """Ties do not make it more; of equal logits the lower ids stay."""
    kept, _ = oracle.top_k(by_id(logits), k)
    assert set(TopK(k).apply(Candidates.of(logits), ()).ids) == kept


@pytest.mark.parametrize(
    ("cut", "reference"), [(TopP, oracle.top_p), (MinP, oracle.min_p), (TypicalP, oracle.typical_p)]
)
def test_a_cut_keeps_what_the_independent_sampler_keeps(
    cut: Callable[[float], TopP | MinP | TypicalP],
    reference: Callable[[oracle.Probabilities, float], oracle.Decision],
) -> None:
    """Wherever the decision is not one of rounding."""

    @given(LOGITS, SHARE)
    def check(logits: Floats, share: float) -> None:
        kept, margin = reference(oracle.softmax(by_id(logits)), share)
        assume(margin > 1e-5)
        assert set(cut(share).apply(Candidates.of(logits), ()).ids) == kept

    check()


@given(LOGITS, st.floats(0.0, 2.0), st.floats(0.01, 2.0), st.floats(0.25, 4.0))
def test_dynatemp_heats_as_the_independent_sampler_does(
    logits: Floats, base: float, spread: float, exponent: float
) -> None:
    """The probabilities agree; and the temperature lies between its ends, at the upper one when flat."""
    assume(len(logits) > 1)
    heat = oracle.dynamic_temperature(oracle.softmax(by_id(logits)), base, spread, exponent)
    assume(heat > 1e-3)
    expected = oracle.softmax({token: logit / heat for token, logit in by_id(logits).items()})
    candidates = left(logits, {"temperature": base, "dynatemp_range": spread, "dynatemp_exponent": exponent})
    found = dict(zip(candidates.ids.tolist(), candidates.probabilities().tolist(), strict=True))
    # A float32 logit of size l/T is off by up to l/T·2^-24, and so is the logarithm of a probability.
    allowed = 1e-5 * (1 + 20 / heat)
    assert all(abs(found.get(token, 0.0) - p) <= allowed for token, p in expected.items())
    if len(set(logits)) == 1:
        assert heat == pytest.approx(base + spread)


@given(
    LOGITS,
    st.lists(st.integers(0, 45), max_size=20),
    st.tuples(st.floats(1.0, 2.0), st.floats(0.0, 2.0), st.floats(0.0, 2.0)),
    st.integers(-1, 25),
)
def test_penalties_lower_what_the_independent_sampler_lowers(
    logits: Floats, seen: list[int], rates: tuple[float, float, float], last_n: int
) -> None:
    """Over the last `last_n` tokens; -1 means all of them, ids outside of the vocabulary do nothing."""
    window = seen if last_n < 0 else seen[len(seen) - min(last_n, len(seen)) :]
    expected = oracle.penalised(by_id(logits), window, rates)
    parameters = dict(zip(("repeat_penalty", "frequency_penalty", "presence_penalty"), rates, strict=True))
    for early in (0, 9):
        order = ("top_k", "penalties") if early else ("penalties",)
        used = {**parameters, "penalty_last_n": last_n, "top_k": early, "order": order}
        found = left(logits, used, seen=tuple(seen))
        assert found.logits == pytest.approx([expected[token] for token in found.ids.tolist()], abs=1e-4)


@given(LOGITS, st.sampled_from((1e-30, 1e-300, 1e-6, 1e6, 1e30)))
def test_no_temperature_makes_a_logit_that_is_not_a_number(logits: Floats, heat: float) -> None:
    """A vanishing temperature acts greedily, a vast one makes all equal; nothing overflows."""
    heated = step("temperature", profile(temperature=heat))
    assert heated is not None
    kept = heated.apply(Candidates.of(logits), ())
    assert np.isfinite(kept.logits).all()
    assert int(logits.argmax()) in kept.ids
    if heat < 1e-20:
        assert set(kept.ids[kept.weights() > 0]) == set(np.flatnonzero(logits == logits.max()))


def test_typical_p_is_defined_where_probabilities_vanish() -> None:
    """A softmax that underflows to 0 would make the entropy NaN; its logarithm does not."""
    logits = np.array([0.0, -1.0, -2000.0], dtype=np.float32)
    kept = TypicalP(0.9).apply(Candidates.of(logits), ())
    assert list(kept.ids) == [0, 1]


def test_the_independent_sampler_catches_a_planted_error() -> None:
    """A min-p off by one in a thousand is told from the true one."""
    logits = np.log(np.array([0.5, 0.0501, 0.0499], dtype=np.float32))
    kept, margin = oracle.min_p(oracle.softmax(by_id(logits)), 0.1)
    assert margin > 1e-5
    assert set(MinP(0.1).apply(Candidates.of(logits), ()).ids) == kept
    assert set(MinP(0.1 * 1.003).apply(Candidates.of(logits), ()).ids) != kept
    assert math.isclose(sum(oracle.softmax(by_id(logits)).values()), 1.0)
