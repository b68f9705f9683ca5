"""Profiles as requests to llama-server: each parameter is sent, and what is off is off."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

import pytest

from gemma_eval.backends.llama_cpp import backend as llama_cpp
from gemma_eval.backends.llama_cpp.backend import LlamaCpp
from gemma_eval.backends.llama_request import effective, refusal, request
from gemma_eval.config.catalog import load as load_catalog
from gemma_eval.config.profiles import ORDERS
from gemma_eval.config.shipped import suites_directory
from gemma_eval.errors import BackendError, UsageError
from gemma_eval.records import ModelSpec, SamplingProfile
from tests import required

IDS = (2, 4, 923)
OFF: Mapping[str, object] = {
    "temperature": 1.0,
    "dynatemp_range": 0.0,
    "dynatemp_exponent": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "top_n_sigma": 0.0,
    "xtc_probability": 0.0,
    "xtc_threshold": 0.1,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repeat_last_n": 64,
    "dry_multiplier": 0.0,
    "dry_base": 1.75,
    "dry_allowed_length": 2,
    "dry_penalty_last_n": 64,
    "dry_sequence_breakers": ["\n", ":", '"', "*"],
    "mirostat": 0,
    "mirostat_tau": 5.0,
    "mirostat_eta": 0.1,
    "adaptive_target": -1.0,
    "adaptive_decay": 0.9,
    "logit_bias": [],
    "samplers": [],
    "ignore_eos": False,
    "stop": [],
    "seed": 5,
    "n_predict": 64,
    "prompt": [2, 4, 923],
    "cache_prompt": False,
    "stream": True,
    "verbose": True,
}
"""The request of a profile that has nothing on."""

ON: Mapping[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
    "temperature": ({"temperature": 0.7}, {"temperature": 0.7, "samplers": ["temperature"]}),
    "greedy": ({"temperature": 0.0}, {"temperature": 0.0, "samplers": ["temperature"]}),
    "greedy without the step": (
        {"temperature": 0.0, "order": ("top_k",), "top_k": 5},
        {"temperature": 0.0, "top_k": 5, "samplers": ["top_k", "temperature"]},
    ),
    "a step that is not in the order": ({"order": ("top_p",), "top_k": 5, "temperature": 2.0}, {}),
    "top_k": ({"top_k": 5}, {"top_k": 5, "samplers": ["top_k"]}),
    "top_p": ({"top_p": 0.8}, {"top_p": 0.8, "samplers": ["top_p"]}),
    "min_p": ({"min_p": 0.2}, {"min_p": 0.2, "samplers": ["min_p"]}),
    "typical_p": ({"typical_p": 0.6}, {"typical_p": 0.6, "samplers": ["typ_p"]}),
    "top_n_sigma": ({"top_n_sigma": 1.5}, {"top_n_sigma": 1.5, "samplers": ["top_n_sigma"]}),
    "xtc": (
        {"xtc_probability": 0.5, "xtc_threshold": 0.2},
        {"xtc_probability": 0.5, "xtc_threshold": 0.2, "samplers": ["xtc"]},
    ),
    "penalties": (
        {
            "repeat_penalty": 1.2,
            "presence_penalty": 0.3,
            "frequency_penalty": 0.4,
            "penalty_last_n": 9,
        },
        {
            "repeat_penalty": 1.2,
            "presence_penalty": 0.3,
            "frequency_penalty": 0.4,
            "repeat_last_n": 9,
            "samplers": ["penalties"],
        },
    ),
    "penalties on all tokens": (
        {"repeat_penalty": 1.2, "penalty_last_n": -1, "max_tokens": 7},
        {"repeat_penalty": 1.2, "repeat_last_n": 3 + 7, "n_predict": 7, "samplers": ["penalties"]},
    ),
    "penalties on no token": ({"repeat_penalty": 1.2, "penalty_last_n": 0}, {}),
    "dry": (
        {"dry_multiplier": 0.8, "dry_base": 1.5, "dry_allowed_length": 3, "dry_penalty_last_n": 33},
        {
            "dry_multiplier": 0.8,
            "dry_base": 1.5,
            "dry_allowed_length": 3,
            "dry_penalty_last_n": 33,
            "samplers": ["dry"],
        },
    ),
    "dry on all tokens": (
        {"dry_multiplier": 0.8, "dry_penalty_last_n": -1},
        {"dry_multiplier": 0.8, "dry_penalty_last_n": 3 + 64, "samplers": ["dry"]},
    ),
    "dry with other breakers": (
        {"dry_multiplier": 0.8, "dry_sequence_breakers": ("a", "b")},
        {"dry_multiplier": 0.8, "dry_sequence_breakers": ["a", "b"], "samplers": ["dry"]},
    ),
    "dry without breakers": (
        {"dry_multiplier": 0.8, "dry_sequence_breakers": ()},
        {"dry_multiplier": 0.8, "dry_sequence_breakers": [""], "samplers": ["dry"]},
    ),
    "dynatemp": (
        {"dynatemp_range": 0.5, "dynatemp_exponent": 2.0},
        {"dynatemp_range": 0.5, "dynatemp_exponent": 2.0, "samplers": ["temperature"]},
    ),
    "mirostat 1": (
        {"mirostat": 1, "mirostat_tau": 3.0, "mirostat_eta": 0.2, "temperature": 0.9, "top_k": 5},
        {
            "mirostat": 1,
            "mirostat_tau": 3.0,
            "mirostat_eta": 0.2,
            "temperature": 0.9,
            "samplers": ["temperature"],
        },
    ),
    "mirostat 2": ({"mirostat": 2}, {"mirostat": 2}),
    "a greedy mirostat": (
        {"mirostat": 2, "temperature": 0.0},
        {"temperature": 0.0, "samplers": ["temperature"]},
    ),
    "adaptive-p": (
        {"adaptive_target": 0.4, "adaptive_decay": 0.8, "min_p": 0.02},
        {
            "adaptive_target": 0.4,
            "adaptive_decay": 0.8,
            "min_p": 0.02,
            "samplers": ["min_p", "adaptive_p"],
        },
    ),
    "a greedy adaptive-p": (
        {"adaptive_target": 0.4, "temperature": 0.0},
        {"temperature": 0.0, "samplers": ["temperature"]},
    ),
    "logit_bias": ({"logit_bias": {"15": 2.5, "b": -3.0}}, {"logit_bias": [[15, 2.5], [98, -3.0]]}),
    "a banned token": ({"logit_bias": {"15": -math.inf}}, {"logit_bias": [[15, False]]}),
    "logit_bias that is not in the order": ({"logit_bias": {"15": 2.5}, "order": ("top_k",)}, {}),
    "stop": ({"stop": ("\n\n", "END")}, {"stop": ["\n\n", "END"]}),
    "a stop string in another": ({"stop": ("abc", "b", "ab", "")}, {"stop": ["b", "ab"]}),
    "ignore_eos": ({"ignore_eos": True}, {"ignore_eos": True}),
    "ignore_eos beside a bias": (
        {"ignore_eos": True, "logit_bias": {"15": 2.5}},
        {"ignore_eos": True, "logit_bias": [[15, 2.5]]},
    ),
    "max_tokens": ({"max_tokens": 7}, {"n_predict": 7}),
    "an order": (
        {"order": ORDERS["transformers"], "temperature": 1.5, "top_p": 0.9, "min_p": 0.1},
        {"temperature": 1.5, "top_p": 0.9, "min_p": 0.1, "samplers": ["temperature", "top_p", "min_p"]},
    ),
    "a greedy order goes on to no cut": (
        {"order": ORDERS["transformers"], "temperature": 0.0, "typical_p": 0.9},
        {"temperature": 0.0, "typical_p": 0.9, "samplers": ["temperature"]},
    ),
}
"""For each parameter what a profile sets, and in what its request differs from one that has nothing on."""


@dataclass(frozen=True, kw_only=True)
class Letters:
    """A vocabulary of single characters by their code."""

    size: int = 256

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the codes."""
        return tuple(map(ord, text))

    def piece(self, token: int) -> str:
        """Return the character."""
        return chr(token)


def profile(**given: object) -> SamplingProfile:
    """Return a profile with everything off but what is given."""
    return replace(SamplingProfile(name="asked"), **given)  # type: ignore[arg-type]


def sent(given: SamplingProfile, *, seed: int = 5) -> Mapping[str, object]:
    """Return the request of a profile for a prompt of three tokens."""
    return request(given, ids=IDS, seed=seed, vocabulary=Letters())


@pytest.fixture(scope="module")
def backend() -> Iterator[LlamaCpp]:
    """The shipped model in llama.cpp."""
    required.module("xllamacpp", extra="llama-cpp")
    required.module("gguf", extra="gguf")
    spec = ModelSpec(name="pocket", backend="llama_cpp", location="@pocket")
    loaded = llama_cpp.load(spec, clock=time.perf_counter_ns, transforms={})
    yield loaded
    loaded.close()


def told(backend: LlamaCpp, asked: Mapping[str, object]) -> Mapping[str, object]:
    """Return the settings that llama-server says it answered a request with."""
    short = {**asked, "n_predict": 1}
    settings = json.loads(backend.engine.stream(short).pieces[-1][1])["__verbose"]["generation_settings"]
    return {**settings, "n_predict": asked["n_predict"]}


def test_a_profile_with_nothing_on_is_sent_with_everything_off() -> None:
    """llama-server has top-k 40, top-p 0.95, min-p 0.05 and temperature 0.8 when it is told nothing."""
    assert sent(profile()) == OFF


@pytest.mark.parametrize("name", ON)
def test_a_parameter_changes_the_request_as_it_is_meant(name: str) -> None:
    """And nothing else of it."""
    given, changed = ON[name]
    assert sent(profile(**given)) == {**OFF, **changed}


@pytest.mark.parametrize("name", ["nothing", *ON])
def test_llama_server_takes_a_request_as_it_was_sent(backend: LlamaCpp, name: str) -> None:
    """What it answers with is compared with each parameter that is on, and with what is off."""
    given = profile(**ON[name][0]) if name in ON else profile()
    asked = sent(given)
    taken = told(backend, asked)
    assert effective(given, asked=asked, told=taken)
    skipped = ("prompt", "cache_prompt", "verbose", "logit_bias")
    for field, value in asked.items():
        if field not in skipped:
            assert taken[field] == (pytest.approx(value) if isinstance(value, float) else value), field


@pytest.mark.parametrize("field", ["top_k", "samplers", "temperature", "seed", "logit_bias"])
def test_a_value_that_the_engine_did_not_take_is_an_error(backend: LlamaCpp, field: str) -> None:
    """An engine that does not know a field says nothing; the cell must not pass for what it is not."""
    given = profile(top_k=7, temperature=0.7, logit_bias={"15": 1.0})
    asked = sent(given)
    without = {key: value for key, value in asked.items() if key != field}
    with pytest.raises(BackendError, match=f"llama.cpp took {field} = "):
        effective(given, asked=asked, told=told(backend, without))


def test_what_decided_is_told_as_it_was_sent(backend: LlamaCpp) -> None:
    """In the names of a profile; what was off is left out."""
    given = profile(
        top_k=7,
        temperature=0.7,
        penalty_last_n=-1,
        repeat_penalty=1.5,
        ignore_eos=True,
        logit_bias={"15": 1.5, "16": -math.inf},
    )
    asked = sent(given)
    assert effective(given, asked=asked, told=told(backend, asked)) == {
        "temperature": 0.7,
        "order": ("penalties", "top_k", "temperature"),
        "logit_bias": ("15=1.5", "16=-inf"),
        "repeat_penalty": 1.5,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "penalty_last_n": 67,
        "top_k": 7,
        "seed": 5,
        "ignore_eos": True,
    }


def test_every_parameter_of_a_profile_is_accounted_for() -> None:
    """A parameter that is added to profiles must be sent, or named here as one that llama.cpp lacks."""
    elsewhere = {"name", "seed", "max_tokens", "stop", "order", "logit_bias", "dry_sequence_breakers"}
    lacking = {
        *("base_p", "epsilon_cutoff", "eta_cutoff", "mirostat_surprise"),
        *("dynatemp_mode", "dynatemp_theta", "dynatemp_base", "dynatemp_threshold"),
    }
    sent_as = {"penalty_last_n": "repeat_last_n"}
    for field in fields(SamplingProfile):
        if field.name not in elsewhere | lacking:
            assert sent_as.get(field.name, field.name) in OFF


@pytest.mark.parametrize(
    ("seed", "low"), [(0, 0), (7, 7), (2**31 - 1, 2**31 - 1), (2**32 + 5, 5), (2**32 - 1, 0), (-1, 0)]
)
def test_a_seed_is_sent_as_its_low_32_bits_and_never_as_any_seed(seed: int, low: int) -> None:
    """llama.cpp takes 2³² - 1 for *choose one*, and the answer could not be made again."""
    assert sent(profile(), seed=seed)["seed"] == low


@pytest.mark.parametrize("bias", [{"ab": 1.0}, {"999": 1.0}, {"98": 1.0, "b": 2.0}])
def test_a_bias_on_no_single_token_is_refused(bias: Mapping[str, float]) -> None:
    """As in every backend: llama-server would bias each token of the text, and ignore an unknown id."""
    with pytest.raises(UsageError, match='profile "asked": logit_bias'):
        sent(profile(logit_bias=bias))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"order": ("top_k", "mine")}, 'has no step "mine"'),
        (
            {"order": ("top_k", "logit_bias"), "top_k": 5, "logit_bias": {"1": 1.0}},
            "has logit_bias as its first step alone, not after top_k",
        ),
        (
            {"order": ("temperature", "logit_bias"), "dynatemp_range": 0.5, "logit_bias": {"1": 1.0}},
            "has logit_bias as its first step alone, not after temperature",
        ),
        ({"top_n_sigma": 1.0, "typical_p": 0.9}, "has no working typical_p after top_n_sigma"),
        (
            {"order": ("temperature", "typical_p"), "temperature": 0.5, "typical_p": 0.9},
            "has no working typical_p after temperature",
        ),
    ],
)
def test_an_order_that_llama_cpp_cannot_follow_is_refused(given: Mapping[str, object], why: str) -> None:
    """With the reason; it would answer, and mean something else."""
    assert refusal(profile(**given)) == why


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"order": ORDERS["transformers"]},
        {"order": ("top_k", "logit_bias"), "logit_bias": {"1": 1.0}},
        {"order": ("top_k", "logit_bias"), "top_k": 5},
        {"order": ("typical_p", "top_n_sigma"), "top_n_sigma": 1.0, "typical_p": 0.9},
        {"order": ("temperature", "typical_p"), "temperature": 0.0, "typical_p": 0.9},
        {"order": ("temperature", "typical_p"), "temperature": 2.0, "typical_p": 0.9},
        {"mirostat": 2, "top_n_sigma": 1.0, "typical_p": 0.9},
    ],
)
def test_an_order_that_llama_cpp_can_follow_is_not_refused(given: Mapping[str, object]) -> None:
    """A step that is off stands in nobody's way."""
    assert refusal(profile(**given)) is None


def test_typical_p_after_top_n_sigma_is_refused_for_a_reason(backend: LlamaCpp) -> None:
    """llama.cpp keeps other tokens than typical_p alone would: it reads a logarithm of 0 as a number."""
    ids = backend.engine.tokenize(
        "<bos><start_of_turn>user\nPick a name.<end_of_turn>\n<start_of_turn>model\n"
    )

    def kept(*samplers: str) -> list[int]:
        asked = {**sent(profile()), "prompt": ids, "typical_p": 0.1, "top_n_sigma": 3.0, "n_probs": 2000}
        asked |= {"samplers": samplers, "post_sampling_probs": True, "n_predict": 1, "seed": 0}
        first = json.loads(backend.engine.stream(asked).pieces[0][1])["__verbose"]
        [row] = first["completion_probabilities"]
        return [entry["id"] for entry in row["top_probs"]]

    assert len(kept("top_n_sigma")) > 3  # the cut itself leaves all that typical_p would choose from
    assert kept("top_n_sigma", "typ_p") != kept("typ_p")


def test_a_shipped_profile_is_sent_or_refused_with_a_reason() -> None:
    """Only what llama.cpp lacks is refused."""
    spec = ModelSpec(name="pocket", backend="llama_cpp", location="@pocket")
    profiles = load_catalog((suites_directory(),)).profiles
    refused = {name: llama_cpp.load.refusal(spec, given) for name, given in profiles.items()}
    assert {name: why for name, why in refused.items() if why} == {
        "epsilon": "has no cutoffs",
        "eta": "has no cutoffs",
        "edt": "has no dynatemp_modes",
        "threshold": "has no dynatemp_modes",
        "mirostat-original": "has no mirostat_original",
    }
