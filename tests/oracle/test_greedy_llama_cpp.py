"""Two engines, one model: llama.cpp and the NumPy Gemma write the same tokens after every standard prompt.

llama.cpp rounds its GELU to half precision, which moves log-probabilities by up to 0.005
(tests/oracle/test_gguf_llama_cpp.py). Nowhere in the suite are the two best tokens so near that this could
decide, and that is tested, too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from gemma_eval import plugins
from gemma_eval.backends import llama_request, numpy_gemma
from gemma_eval.backends.llama_cpp import backend as llama_cpp
from gemma_eval.backends.llama_cpp.backend import LlamaCpp
from gemma_eval.backends.numpy_gemma import NumpyGemma
from gemma_eval.cases.expand import trials
from gemma_eval.config.shipped import suites_directory
from gemma_eval.gemma.architecture import Architecture
from gemma_eval.gemma.decode import Decoding, all_logits
from gemma_eval.records import Generation, ModelSpec, Option, Prompt, RopeScaling, SamplingProfile
from gemma_eval.stages import stages
from gemma_eval.suite import load_suite
from tests import required
from tests.oracle.compared import log_probabilities

required.module("xllamacpp", extra="llama-cpp")
required.module("gguf", extra="gguf")

EXACT: Mapping[str, Option] = {"cache_type": "f32", "flash_attn": "off"}
TOLERANCE = 0.005
REGISTRY = plugins.load()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A prompt of the suite with the greedy profile of its cell."""

    label: str
    prompt: Prompt
    profile: SamplingProfile


def llama(options: Mapping[str, Option], *, rope_scaling: RopeScaling | None = None) -> LlamaCpp:
    """Load the F32 export of the shipped model."""
    spec = ModelSpec(
        name="pocket-llama-cpp",
        backend="llama_cpp",
        location="@pocket.F32.gguf",
        rope_scaling=rope_scaling,
        options=options,
    )
    return llama_cpp.load(spec, clock=time.perf_counter_ns, transforms={})


def pocket(*, rope_scaling: RopeScaling | None = None) -> NumpyGemma:
    """Load the shipped model."""
    spec = ModelSpec(name="pocket", backend="numpy_gemma", location="@pocket", rope_scaling=rope_scaling)
    return numpy_gemma.load(spec, clock=time.perf_counter_ns, transforms=REGISTRY.transforms)


def asked(suite: str, backend: NumpyGemma | LlamaCpp) -> tuple[Asked, ...]:
    """Return each prompt of a suite once, built as a run builds it."""
    _, cells = load_suite(suites_directory() / f"{suite}.toml", REGISTRY)
    stage = stages(REGISTRY, backend)
    found: dict[tuple[str | None, int], Asked] = {}
    for cell in cells:
        if cell.profile.name == "greedy":
            trial = trials(cell)[0]
            prompt = replace(stage.build_prompt(trial, stage.retrieve(trial)), steps=())
            key = (prompt.text, cell.profile.max_tokens)
            found.setdefault(key, Asked(label=cell.label, prompt=prompt, profile=cell.profile))
    return tuple(found.values())


@dataclass(frozen=True, kw_only=True)
class Written:
    """The ids of an answer without the end-of-turn token, and how far the best token was ahead at least."""

    ids: tuple[int, ...]
    lead: float


def written(backend: NumpyGemma, ask: Asked) -> Written:
    """Write the most probable answer with the NumPy Gemma; nothing is sampled."""
    assert backend.model is not None
    stop_ids, most = backend.tokenizer.stop_ids, ask.profile.max_tokens
    ids = backend.tokenizer.encode(ask.prompt.text or "")
    decoding = Decoding(backend.model, capacity=len(ids) + most)
    logits, best, lead = decoding.prefill(ids), list[int](), np.inf
    while True:
        best.append(int(logits.argmax()))
        second, first = np.partition(logits, -2)[-2:]
        lead = min(lead, float(first - second))
        if best[-1] in stop_ids or len(best) == most:
            kept = best[:-1] if best[-1] in stop_ids else best
            return Written(ids=tuple(kept), lead=lead)
        logits = decoding.step(best[-1:])[0]


def streamed(backend: LlamaCpp, ask: Asked) -> tuple[int, ...]:
    """Return the ids that llama.cpp streamed in answer to the backend's own request."""
    request = llama_request.request(
        ask.profile,
        ids=backend.engine.tokenize(ask.prompt.text or ""),
        seed=0,
        vocabulary=llama_cpp._Vocabulary(size=1, engine=backend.engine),
    )
    *parts, end = [json.loads(piece)["__verbose"] for _, piece in backend.engine.stream(request).pieces]
    ids = tuple(token for part in parts for token in part["tokens"])
    return ids[:-1] if end["stop_type"] == "eos" else ids


def differences(ours: Generation, theirs: Generation) -> list[str]:
    """Return the names of the fields in which two answers differ that should be the same."""
    names = ("text", "output_tokens", "prompt_tokens", "cached_tokens", "finish_reason")
    found = [name for name in names if getattr(ours, name) != getattr(theirs, name)]
    return found + ["deltas"] * (len(ours.deltas) != len(theirs.deltas))


@pytest.fixture(scope="module")
def numpy_backend() -> NumpyGemma:
    """The shipped model in NumPy."""
    return pocket()


@pytest.fixture(scope="module")
def exact() -> Iterator[LlamaCpp]:
    """Its F32 export in llama.cpp, with a float32 cache."""
    backend = llama(EXACT)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def standard(numpy_backend: NumpyGemma) -> tuple[Asked, ...]:
    """The prompts of the standard suite, with each template that it names."""
    return asked("standard", numpy_backend)


def test_the_standard_suite_gives_many_prompts(standard: tuple[Asked, ...]) -> None:
    """With documents, without them, and with as long answers as its benchmarks ask for."""
    assert len(standard) > 150
    assert {ask.label.rpartition("/")[2] for ask in standard} >= {"plain]", "rag]", "rag-cited]"}


def test_both_backends_build_the_same_prompts(exact: LlamaCpp, standard: tuple[Asked, ...]) -> None:
    """From the chat template in the file, and with as many tokens."""
    assert asked("standard", exact) == standard


@pytest.fixture(scope="module")
def ours(numpy_backend: NumpyGemma, standard: tuple[Asked, ...]) -> Mapping[str, Written]:
    """The answers of the NumPy Gemma by the label of the prompt."""
    return {ask.label: written(numpy_backend, ask) for ask in standard}


@pytest.fixture(scope="module")
def theirs(exact: LlamaCpp, standard: tuple[Asked, ...]) -> Mapping[str, tuple[int, ...]]:
    """The answers of llama.cpp by the label of the prompt."""
    return {ask.label: streamed(exact, ask) for ask in standard}


def test_every_standard_prompt_is_answered_with_the_same_tokens(
    ours: Mapping[str, Written], theirs: Mapping[str, tuple[int, ...]]
) -> None:
    """Id by id; no answer is left out."""
    assert {label: answer.ids for label, answer in ours.items()} == theirs


def test_no_standard_prompt_has_a_near_tie(ours: Mapping[str, Written]) -> None:
    """The best token leads by more than the engines are apart, twice 0.005: rounding decides nothing."""
    assert min(answer.lead for answer in ours.values()) > 2 * TOLERANCE


@pytest.mark.parametrize("options", [EXACT, {}], ids=["float32 cache", "llama.cpp's defaults"])
def test_every_standard_prompt_gives_the_same_generation(
    numpy_backend: NumpyGemma, standard: tuple[Asked, ...], options: Mapping[str, Option]
) -> None:
    """Text, counts and reason, as `generate` returns them, also with llama.cpp's half-precision cache."""
    backend = llama(options)
    for ask in standard:
        our = numpy_backend.generate(ask.prompt, profile=ask.profile, seed=1)
        their = backend.generate(ask.prompt, profile=ask.profile, seed=1)
        assert differences(our, their) == [], ask.label
    backend.close()


MISTAKES: Mapping[str, Callable[[Architecture], Architecture]] = {
    "window half as long": lambda shape: replace(shape, window=shape.window // 2),
    "layers in the wrong order": lambda shape: replace(shape, layers=shape.layers[::-1]),
    "scale of the queries": lambda shape: replace(shape, query_scale=shape.query_scale * 1.2),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_comparison_fails_on_a_wrong_model(
    numpy_backend: NumpyGemma,
    standard: tuple[Asked, ...],
    theirs: Mapping[str, tuple[int, ...]],
    mistake: str,
) -> None:
    """Each shows after one of the prompts."""
    model = numpy_backend.model
    assert model is not None
    architecture = MISTAKES[mistake](model.architecture)
    wrong = replace(numpy_backend, model=replace(model, architecture=architecture))
    assert any(written(wrong, ask).ids != theirs[ask.label] for ask in standard)


def test_the_comparison_fails_on_a_sampler_that_was_left_on(
    exact: LlamaCpp, standard: tuple[Asked, ...], ours: Mapping[str, Written]
) -> None:
    """A repeat penalty of 1.1, which llama.cpp once had as its default."""
    penalised = (replace(ask, profile=replace(ask.profile, repeat_penalty=1.1)) for ask in standard)
    assert any(streamed(exact, ask) != ours[ask.label].ids for ask in penalised)


def test_the_comparison_fails_on_a_second_bos(
    numpy_backend: NumpyGemma, exact: LlamaCpp, standard: tuple[Asked, ...]
) -> None:
    """What llama.cpp would read if it were given texts and added its own; the pocket model answers alike."""
    ask = standard[0]
    doubled = replace(ask.prompt, text=f"<bos>{ask.prompt.text}")
    our = numpy_backend.generate(ask.prompt, profile=ask.profile, seed=1)
    assert differences(our, exact.generate(doubled, profile=ask.profile, seed=1)) == ["prompt_tokens"]


SCALINGS: Mapping[str, RopeScaling | None] = {
    "none": None,
    "linear": RopeScaling(rope_type="linear", factor=4.0),
    "yarn": RopeScaling(rope_type="yarn", factor=4.0, original_max_position_embeddings=128),
}
FACTS = "<bos><start_of_turn>user\n- Ada lives in Rome.\n- Finn lives in Oslo.\n" * 12


def told(backend: LlamaCpp, ids: tuple[int, ...]) -> Mapping[int, float]:
    """Return the log-probabilities that llama.cpp tells of what follows; it draws `x`, a whole character."""
    (letter,) = backend.engine.tokenize("x")
    request = {"prompt": ids, "n_predict": 1, "n_probs": backend.file.vocabulary, "stream": True}
    request |= {"verbose": True, "logit_bias": [[letter, 1000.0]], "cache_prompt": False}
    first = json.loads(backend.engine.stream(request).pieces[0][1])["__verbose"]
    [row] = first["completion_probabilities"]
    return {entry["id"]: entry["logprob"] for entry in row["top_logprobs"]}


def distance(backend: NumpyGemma, ids: tuple[int, ...], theirs: Mapping[int, float]) -> float:
    """Return the largest difference of a log-probability of what follows."""
    assert backend.model is not None
    ours = log_probabilities(all_logits(backend.model, ids)[-1])
    return max(abs(float(ours[token]) - value) for token, value in theirs.items())


@pytest.mark.parametrize("name", SCALINGS)
def test_a_scaling_turns_the_model_as_in_the_numpy_engine(name: str) -> None:
    """Far beyond the window; each of the other scalings is far off."""
    backend = llama(EXACT, rope_scaling=SCALINGS[name])
    ids = backend.engine.tokenize(FACTS)
    theirs = told(backend, ids)
    backend.close()
    assert len(theirs) == backend.file.vocabulary
    found = {
        other: distance(pocket(rope_scaling=scaling), ids, theirs) for other, scaling in SCALINGS.items()
    }
    assert found.pop(name) <= 2 * TOLERANCE
    assert min(found.values()) > 20 * TOLERANCE, found
