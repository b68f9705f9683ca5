"""Every strategy against the logits processors of transformers, and both against exact arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gemma_eval.sampling.candidates import Candidates
from tests import required
from tests.sampling.differential import exact, ours
from tests.sampling.differential.shapes import Drawn, drawn, whole_vocabularies
from tests.sampling.differential.verdict import SAME, Verdict, judge

torch: Any = required.module("torch", extra="train")
required.module("transformers", extra="train")
processors: Any = pytest.importorskip("transformers.generation.logits_process")

Logits = NDArray[np.float32]
Steps = Sequence[tuple[str, float]]
SHARE = st.floats(0.001, 0.999)


@cache
def theirs(name: str) -> Callable[[Any], Any]:
    """Return the class of transformers that does what our `name` does."""
    classes = {
        "temperature": "TemperatureLogitsWarper",
        "top_k": "TopKLogitsWarper",
        "top_p": "TopPLogitsWarper",
        "min_p": "MinPLogitsWarper",
        "typical_p": "TypicalLogitsWarper",
        "epsilon_cutoff": "EpsilonLogitsWarper",
        "eta_cutoff": "EtaLogitsWarper",
        "repeat_penalty": "RepetitionPenaltyLogitsProcessor",
    }
    made: Callable[[Any], Any] = getattr(processors, classes[name])
    return made


def processed(
    logits: NDArray[np.floating], steps: Steps, *, seen: Sequence[int] = ()
) -> NDArray[np.floating]:
    """Return what transformers' processors make of `logits` [V], one after the other, in their precision."""
    scores, ids = torch.from_numpy(logits.copy())[None], torch.tensor([list(seen)], dtype=torch.int64)
    for name, value in steps:
        scores = theirs(name)(value)(ids, scores)
    result: NDArray[np.floating] = scores[0].numpy()
    return result


def parameters(steps: Steps) -> Mapping[str, object]:
    """Return the profile that runs `steps` in their order."""
    order = ["penalties" if name == "repeat_penalty" else name for name, _ in steps]
    return {**dict(steps), "penalty_last_n": -1, "order": order}


def compare(recipe: Drawn, steps: Steps, *, seen: Sequence[int] = ()) -> Verdict:
    """Compare one chain on one vector."""
    logits = recipe.logits()
    candidates = ours.left(logits, parameters(steps), seen=seen)
    return compared(logits, steps, candidates, seen=seen)


def compared(
    logits: Logits, steps: Steps, candidates: Candidates, *, seen: Sequence[int] = (), theirs: Steps = ()
) -> Verdict:
    """Compare `candidates` with what transformers leaves, whose steps are `theirs` if those are given.

    Beyond 100,000 tokens transformers is given float64: its float32 sums are off by 2e-5 there.
    """
    wide = logits.astype(np.float64)
    given = wide if len(logits) > 100_000 else logits
    reference = exact.softmax(processed(given, theirs or steps, seen=seen).astype(np.float64))
    judged = exact.chain(wide, [exact_step(*step, seen=seen) for step in steps])
    return judge(judged, candidates, reference)


def exact_step(name: str, value: float, *, seen: Sequence[int]) -> Callable[[exact.Logits], exact.Left]:
    """Return the exact form of one step."""
    if name == "repeat_penalty":
        once = sorted(set(seen))
        return lambda logits: exact.penalties(logits, once, repeat=value, frequency=0, presence=0)
    return lambda logits: exact.CUTS[name](logits, value)


STRATEGIES: Mapping[str, st.SearchStrategy[float]] = {
    "top_k": st.integers(1, 400),
    "top_p": SHARE,
    "min_p": SHARE,
    "typical_p": SHARE,
    "epsilon_cutoff": st.floats(1e-6, 0.5),
    "eta_cutoff": st.floats(1e-6, 0.5),
    "temperature": st.floats(0.05, 5.0),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_keeps_what_transformers_keeps(name: str) -> None:
    """The same set and |Δp| ≤ 1e-5 on 60 vectors; rounding may decide fewer than one in five."""
    verdicts: list[Verdict] = []

    @settings(max_examples=60)
    @given(drawn(), STRATEGIES[name])
    def check(recipe: Drawn, value: float) -> None:
        verdicts.append(compare(recipe, [(name, value)]))
        assert verdicts[-1] in SAME

    check()
    assert verdicts.count("rounding") < len(verdicts) / 5


def value_for_many(name: str) -> float:
    """Return a setting that cuts within a large vocabulary."""
    usual = {"top_k": 64, "temperature": 0.7, "epsilon_cutoff": 1e-4, "eta_cutoff": 1e-4, "min_p": 0.05}
    return usual.get(name, 0.9)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_keeps_what_transformers_keeps_of_a_whole_vocabulary(name: str) -> None:
    """Gemma's 262,144 tokens: a normal and a flat vector."""
    for recipe in whole_vocabularies():
        if recipe.shape in {"normal", "flat"}:
            assert compare(recipe, [(name, value_for_many(name))]) in SAME


@pytest.mark.slow
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_keeps_what_transformers_keeps_of_every_whole_vocabulary(name: str) -> None:
    """The same for vectors of all shapes."""
    for recipe in whole_vocabularies():
        assert compare(recipe, [(name, value_for_many(name))]) in SAME


def test_a_chain_leaves_what_transformers_leaves_of_a_whole_vocabulary() -> None:
    """The usual one, temperature 0.8, top-k 40, top-p 0.95, min-p 0.05, on a normal and on a flat vector."""
    steps = [("temperature", 0.8), ("top_k", 40), ("top_p", 0.95), ("min_p", 0.05)]
    for recipe in whole_vocabularies():
        if recipe.shape in {"normal", "flat"}:
            assert compare(recipe, steps) in SAME


@settings(max_examples=60)
@given(drawn(), st.floats(0.5, 2.0), st.lists(st.integers(0, 300), max_size=60))
def test_the_repetition_penalty_is_that_of_transformers(
    recipe: Drawn, penalty: float, seen: list[int]
) -> None:
    """Over all that was seen, each token once; a penalty below 1 rewards."""
    inside = [token % recipe.size for token in seen]
    assert compare(recipe, [("repeat_penalty", penalty)], seen=inside) == "equal"


def test_chains_in_transformers_order_leave_what_transformers_leaves() -> None:
    """Penalty, temperature, top-k, top-p, min-p, typical, epsilon, eta: any of them, in this order."""
    verdicts: list[Verdict] = []
    order = ("repeat_penalty", "temperature", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff")
    values: Mapping[str, st.SearchStrategy[float]] = {
        **STRATEGIES,
        "repeat_penalty": st.floats(1.0, 1.5),
        "top_p": st.floats(0.3, 0.999),
        "min_p": st.floats(0.001, 0.3),
        "typical_p": st.floats(0.3, 0.999),
        "epsilon_cutoff": st.floats(1e-6, 1e-2),
        "eta_cutoff": st.floats(1e-6, 1e-2),
        "temperature": st.floats(0.3, 3.0),
    }
    chains = st.fixed_dictionaries({}, optional={name: values[name] for name in (*order, "eta_cutoff")})

    @settings(max_examples=120)
    @given(drawn(), chains, st.lists(st.integers(0, 300), max_size=60))
    def check(recipe: Drawn, chosen: dict[str, float], seen: list[int]) -> None:
        steps = [(name, chosen[name]) for name in (*order, "eta_cutoff") if name in chosen]
        inside = [token % recipe.size for token in seen]
        verdicts.append(compare(recipe, steps, seen=inside))
        assert verdicts[-1] in SAME

    check()
    assert verdicts.count("rounding") < len(verdicts) / 5


@pytest.mark.slow
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_keeps_what_transformers_keeps_on_many_vectors(name: str) -> None:
    """The same on 3000 vectors of up to 60,000 tokens."""

    @settings(max_examples=3000)
    @given(drawn(60_000), STRATEGIES[name])
    def check(recipe: Drawn, value: float) -> None:
        assert compare(recipe, [(name, value)]) in SAME

    check()


# --- where the definitions differ on purpose ---------------------------------------------------------


def test_top_k_is_exact_where_transformers_keeps_every_tie() -> None:
    """Four equal logits and k = 2: llama.cpp and we keep two, the first; transformers keeps four."""
    logits = np.zeros(4, dtype=np.float32)
    assert list(ours.left(logits, {"top_k": 2}).ids) == [0, 1]
    assert np.count_nonzero(processed(logits, [("top_k", 2)]) > -np.inf) == 4


def test_top_p_keeps_the_first_of_equal_tokens_where_transformers_keeps_the_last() -> None:
    """Both keep two of four equal tokens at p = 0.5; a sort decides which."""
    logits = np.zeros(4, dtype=np.float32)
    assert list(ours.left(logits, {"top_p": 0.5}).ids) == [0, 1]
    assert np.count_nonzero(processed(logits, [("top_p", 0.5)]) > -np.inf) == 2


def test_typical_keeps_what_it_needs_where_transformers_keeps_every_tie() -> None:
    """Five equally typical tokens of 0.2 and a mass of 0.5: three suffice here, transformers keeps all."""
    logits = np.zeros(5, dtype=np.float32)
    assert len(ours.left(logits, {"typical_p": 0.5})) == 3
    assert np.count_nonzero(processed(logits, [("typical_p", 0.5)]) > -np.inf) == 5


def test_typical_goes_past_a_sum_that_equals_the_mass() -> None:
    """Two tokens of 1/2 and a mass of 1/2: llama.cpp asks for more than the mass, so both stay."""
    logits = np.zeros(2, dtype=np.float32)
    assert len(ours.left(logits, {"typical_p": 0.5})) == 2


def test_min_p_above_one_keeps_the_best_where_transformers_refuses() -> None:
    """As in llama.cpp; a probability of more than the highest does not exist."""
    logits = np.array([0.0, 1.0, 0.5], dtype=np.float32)
    assert list(ours.left(logits, {"min_p": 1.5}).ids) == [1]
    with pytest.raises(ValueError, match="min_p"):
        processed(logits, [("min_p", 1.5)])


def test_one_token_always_stays_here_and_with_transformers_defaults() -> None:
    """`min_tokens_to_keep` is 1: the harshest cut of each kind leaves exactly the best token."""
    logits = np.array([0.0, 3.0, 1.0, 2.0], dtype=np.float32)
    for step in [("top_p", 1e-6), ("epsilon_cutoff", 0.99), ("min_p", 1.0), ("top_k", 1)]:
        assert list(ours.left(logits, parameters([step])).ids) == [1]
        assert list(np.flatnonzero(processed(logits, [step]) > -np.inf)) == [1]


# --- the comparison has teeth ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"])
def test_the_comparison_fails_on_a_cut_slightly_off(name: str) -> None:
    """A parameter wrong by 2 %, or one token too many, is found among 40 vectors, on either side."""
    value = {"top_k": 40, "epsilon_cutoff": 1e-3, "eta_cutoff": 1e-3, "min_p": 0.05}.get(name, 0.9)
    wrong = value + 1 if name == "top_k" else value * 1.02
    found = set()
    for seed in range(40):
        logits = Drawn(shape="normal", size=2000, seed=seed).logits()
        steps = [(name, value)]
        right, off = (ours.left(logits, parameters([(name, v)])) for v in (value, wrong))
        found.add(compared(logits, steps, off))
        found.add(compared(logits, steps, right, theirs=[(name, wrong)]))
    assert {"our set", "their set"} <= found


def test_the_comparison_fails_on_a_temperature_slightly_off() -> None:
    """0.1 % of heat moves probabilities by more than 1e-5."""
    logits = Drawn(shape="normal", size=200, seed=1).logits()
    warm = ours.left(logits, {"temperature": 0.7007})
    steps = [("temperature", 0.7)]
    assert compared(logits, steps, warm) == "our probability"


def test_the_comparison_fails_on_another_order() -> None:
    """Temperature before min-p keeps more than after it."""
    logits = Drawn(shape="normal", size=200, seed=1).logits()
    steps = [("temperature", 2.0), ("min_p", 0.2)]
    swapped = ours.left(logits, {**parameters(steps), "order": ["min_p", "temperature"]})
    assert compared(logits, steps, swapped) == "our set"
