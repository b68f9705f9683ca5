"""Every strategy against a real llama.cpp, on its own logits, and both against exact arithmetic."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.records import SamplingProfile
from tests.sampling.differential import engine, exact, ours
from tests.sampling.differential.bench import Asked, Bench
from tests.sampling.differential.verdict import SAME, TOLERANCE, Verdict, judge

SHARE = st.floats(0.01, 0.99)
RATES = {
    "repeat_penalty": st.floats(0.7, 2.0),
    "presence_penalty": st.floats(-1.0, 2.0),
    "frequency_penalty": st.floats(-1.0, 2.0),
    "penalty_last_n": st.sampled_from([-1, 0, 3, 8, 64]),
}
DRY = {
    "dry_multiplier": st.floats(0.1, 5.0),
    "dry_base": st.floats(1.0, 3.0),
    "dry_allowed_length": st.integers(1, 4),
    "dry_penalty_last_n": st.sampled_from([-1, 5, 12, 64]),
    "dry_sequence_breakers": st.sampled_from([("\n", ":", '"', "*"), (".",), ("one", ","), ("never seen",)]),
}
STRATEGIES: Mapping[str, st.SearchStrategy[dict[str, object]]] = {
    "temperature": st.fixed_dictionaries({"temperature": st.floats(0.05, 5.0)}),
    "dynatemp": st.fixed_dictionaries(
        {
            "temperature": st.floats(0.1, 2.0),
            "dynatemp_range": st.floats(0.01, 2.0),
            "dynatemp_exponent": st.floats(0.25, 4.0),
        }
    ),
    "top_k": st.fixed_dictionaries({"top_k": st.integers(1, 2000)}),
    "top_p": st.fixed_dictionaries({"top_p": SHARE}),
    "min_p": st.fixed_dictionaries({"min_p": st.floats(1e-6, 1.0)}),
    "typical_p": st.fixed_dictionaries({"typical_p": SHARE}),
    "top_n_sigma": st.fixed_dictionaries({"top_n_sigma": st.floats(0.1, 5.0)}),
    "xtc": st.fixed_dictionaries({"xtc_probability": st.just(1.0), "xtc_threshold": st.floats(0.001, 0.6)}),
    "penalties": st.fixed_dictionaries(RATES),
    "dry": st.fixed_dictionaries(DRY),
    "logit_bias": st.fixed_dictionaries(
        {"logit_bias": st.dictionaries(st.integers(300, 1800).map(str), st.floats(-30, 30), max_size=8)}
    ),
}
REORDERED = tuple(name for name in SamplingProfile(name="").order if name != "logit_bias")


def check_strategy(bench: Bench, name: str, *, count: int) -> None:
    """Compare `count` settings of one strategy, each on one of the prompts."""
    verdicts: list[Verdict] = []

    @settings(max_examples=count)
    @given(st.sampled_from(bench.prompts), STRATEGIES[name])
    def check(asked: Asked, parameters: dict[str, object]) -> None:
        verdicts.append(bench.compare(asked, parameters))
        assert verdicts[-1] in SAME

    check()
    assert verdicts.count("rounding") <= len(verdicts) / 10


def check_chains(bench: Bench, *, count: int) -> None:
    """Compare `count` chains of any strategies in any order."""
    verdicts: list[Verdict] = []
    chosen = st.fixed_dictionaries({}, optional=dict(STRATEGIES))

    @settings(max_examples=count)
    @given(st.sampled_from(bench.prompts), chosen, st.permutations(REORDERED))
    def check(asked: Asked, parts: dict[str, dict[str, object]], order: list[str]) -> None:
        parameters = {name: value for part in parts.values() for name, value in part.items()}
        verdicts.append(bench.compare(asked, {**parameters, "order": _comparable(parts, order)}))
        assert verdicts[-1] in SAME

    check()
    assert verdicts.count("rounding") <= len(verdicts) / 10


def _comparable(parts: Mapping[str, object], order: list[str]) -> tuple[str, ...]:
    """Move two steps from where llama.cpp reads probabilities of 0 otherwise than we do.

    Its dynatemp counts what top-n-sigma masked; its typical makes no number of 0·ln 0, which a mask or a
    probability too small for float32 brings about.
    """
    if {"top_n_sigma", "dynatemp"} <= set(parts):
        order.append(order.pop(order.index("top_n_sigma")))
    if "typical_p" in parts and {"top_n_sigma", "temperature", "dynatemp", "penalties", "dry"} & set(parts):
        order.insert(0, order.pop(order.index("typical_p")))
    return ("logit_bias", *order)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_leaves_what_llama_cpp_leaves(name: str, bench: Bench) -> None:
    """The same set and |Δp| ≤ 1e-5 for 25 settings over six prompts; rounding decides few."""
    check_strategy(bench, name, count=25)


def test_chains_in_any_order_leave_what_llama_cpp_leaves(bench: Bench) -> None:
    """Up to all strategies at once, in 100 orders that the server was given as `samplers`."""
    check_chains(bench, count=100)


@pytest.mark.slow
@pytest.mark.parametrize("name", STRATEGIES)
def test_many_settings_of_a_strategy_leave_what_llama_cpp_leaves(name: str, bench: Bench) -> None:
    """The same for 500 settings."""
    check_strategy(bench, name, count=500)


@pytest.mark.slow
def test_many_chains_leave_what_llama_cpp_leaves(bench: Bench) -> None:
    """The same for 3000 chains."""
    check_chains(bench, count=3000)


def test_a_request_is_understood_as_it_is_meant(bench: Bench) -> None:
    """The server ignores a field that it does not know; each of ours comes back with its value."""
    parameters = {
        "temperature": 0.9, "dynatemp_range": 0.3, "dynatemp_exponent": 1.5, "top_k": 7, "top_p": 0.8,
        "min_p": 0.02, "typical_p": 0.7, "top_n_sigma": 1.5, "xtc_probability": 0.4, "xtc_threshold": 0.2,
        "repeat_penalty": 1.2, "presence_penalty": 0.3, "frequency_penalty": 0.4, "penalty_last_n": 9,
        "dry_multiplier": 0.6, "dry_base": 1.4, "dry_allowed_length": 3, "dry_penalty_last_n": 33,
        "dry_sequence_breakers": ["a", "b"], "mirostat_tau": 3.0, "mirostat_eta": 0.2, "mirostat": 2,
        "adaptive_target": 0.4, "adaptive_decay": 0.8,
    }  # fmt: skip
    fields = engine.request(ours.profile(parameters))
    understood = bench.engine.complete((2,), n_predict=1, seed=5, **fields)["generation_settings"]
    for name, value in {**fields, "seed": 5}.items():
        told = understood[name]
        assert told == (pytest.approx(value, abs=1e-6) if isinstance(value, float) else value), name


def test_a_coin_of_xtc_falls_as_in_llama_cpp(bench: Bench) -> None:
    """At a probability of one half, seed by seed, over 40 seeds: both sides of it come up."""
    parameters = {"xtc_probability": 0.5, "xtc_threshold": 0.05}
    asked = bench.prompts[0]
    fields = engine.request(ours.profile(parameters))
    fallen = []
    for seed in range(40):
        [step] = bench.engine.sampled(asked.ids, n_predict=1, seed=seed, **fields)
        candidates = ours.left(asked.logits, parameters, vocabulary=bench.vocabulary, seed=seed)
        assert np.array_equal(ours.kept(candidates), step.values > 0)
        fallen.append(len(candidates) < bench.engine.vocabulary)
    assert 5 < sum(fallen) < 35


@pytest.mark.parametrize("breaker", ["<end_of_turn>", "turn", "home", ".\n", "me.\nBen", "zzz"])
def test_a_breaker_may_be_chat_markup_or_lie_over_several_tokens(breaker: str, bench: Bench) -> None:
    """Repeats are rewarded, so that one that reaches over the breaker would show."""
    text = "<bos>{0} fox dog<end_of_turn>\nAda went home.\n{0} fox dog<end_of_turn>\nAda went home.\nBen"
    for ending in ("Ben", "Ben fox", "Ben fox dog<end_of_turn>\nAda went"):
        ids = bench.engine.tokenize(text.format("Ben").removesuffix("Ben") + ending)
        parameters = {
            "dry_multiplier": -6.0,
            "dry_base": 1.3,
            "dry_allowed_length": 1,
            "dry_sequence_breakers": [breaker],
        }
        asked = Asked(ids=ids, logits=bench.engine.log_probabilities(ids))
        mine = ours.left(asked.logits, parameters, vocabulary=bench.vocabulary, seen=ids)
        theirs = bench.first(asked, ours.profile(parameters)).values
        assert np.abs(ours.probabilities(mine) - theirs).max() <= TOLERANCE


# --- where llama.cpp and we differ on purpose ---------------------------------------------------------


def test_dynatemp_counts_what_top_n_sigma_removed_in_llama_cpp_and_not_here(bench: Bench) -> None:
    """llama.cpp masks these tokens and still counts them in ln n; here n is what may be drawn."""
    parameters = {"dynatemp_range": 0.8, "top_n_sigma": 1.0}
    asked = bench.prompts[1]
    left = exact.top_n_sigma(asked.logits.astype(np.float64), 1.0)
    counted = np.count_nonzero(left.kept)
    assert 1 < counted < bench.engine.vocabulary
    share = [exact.entropy(left.logits) / float(np.log(n)) for n in (counted, bench.engine.vocabulary)]
    here, there = (exact.softmax(left.logits / (0.2 + 1.6 * each)) for each in share)
    theirs = bench.first(asked, ours.profile(parameters)).values
    mine = ours.left(asked.logits, parameters, vocabulary=bench.vocabulary, seen=asked.ids)
    assert np.abs(theirs - there).max() <= TOLERANCE
    assert np.abs(ours.probabilities(mine) - here).max() <= TOLERANCE
    assert np.abs(here - there).max() > 1e-3


# --- the comparison has teeth ------------------------------------------------------------------------


SLIGHTLY_OFF: Mapping[str, tuple[ours.Parameters, ours.Parameters]] = {
    "top_p": ({"top_p": 0.9}, {"top_p": 0.91}),
    "min_p": ({"min_p": 0.001}, {"min_p": 0.00105}),
    "typical_p": ({"typical_p": 0.9}, {"typical_p": 0.91}),
    "top_k": ({"top_k": 9}, {"top_k": 10}),
    "top_n_sigma": ({"top_n_sigma": 2.0}, {"top_n_sigma": 2.02}),
    "xtc": ({"xtc_probability": 1.0, "xtc_threshold": 0.1}, {}),
    "temperature": ({"temperature": 0.7}, {"temperature": 0.701}),
    "dynatemp": ({"dynatemp_range": 0.5}, {"dynatemp_range": 0.501}),
    "repeat penalty": ({"repeat_penalty": 1.1}, {"repeat_penalty": 1.101}),
    "window": (
        {"penalty_last_n": 8, "presence_penalty": -15},
        {"penalty_last_n": 7, "presence_penalty": -15},
    ),
    "dry": ({"dry_multiplier": 0.8}, {"dry_multiplier": 0.8, "dry_allowed_length": 3}),
    "order": (
        {"temperature": 2.0, "min_p": 0.2, "order": ("temperature", "min_p")},
        {"temperature": 2.0, "min_p": 0.2},
    ),
}


@pytest.mark.parametrize("name", SLIGHTLY_OFF)
def test_the_comparison_fails_on(name: str, bench: Bench) -> None:
    """A profile that is slightly another is found on one of the prompts."""
    right, wrong = SLIGHTLY_OFF[name]
    found = []
    for asked in bench.prompts:
        step = bench.first(asked, ours.profile(right))
        candidates = ours.left(asked.logits, wrong, vocabulary=bench.vocabulary, seen=asked.ids)
        found.append(judge(bench.exactly(asked, ours.profile(right)), candidates, step.values))
    assert {"our set", "our probability"} & set(found)
