"""The contract over HTTP, and a server's account of the same answers: llama-server with the shipped model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from statistics import median

import pytest

from gemma_eval import plugins
from gemma_eval.backends import model_files, numpy_gemma
from gemma_eval.backends.openai_http import backend as openai_http
from gemma_eval.backends.openai_http.backend import OpenAiHttp
from gemma_eval.errors import ContextOverflow
from gemma_eval.measure.latency import measure
from gemma_eval.prompts import chat
from gemma_eval.protocols import Backend
from gemma_eval.records import Generation, Message, ModelSpec, Option, Prompt, SamplingProfile
from tests import required
from tests.contract.backend_contract import MARKUP, QUESTION, BackendContract
from tests.contract.choosing_contract import ChoosingContract
from tests.contract.constrained_contract import ConstrainedContract
from tests.contract.reading_contract import ReadingContract
from tests.contract.streaming_contract import StreamingContract
from tests.llama_cpp import LlamaCpp, serve

required.module("xllamacpp", extra="llama-cpp")
required.module("gguf", extra="gguf")

PROMPT = Prompt(messages=(Message(role="user", content=QUESTION),), text=MARKUP, n_tokens=None)
GREEDY = SamplingProfile(name="greedy", temperature=0.0, max_tokens=32)
LONG = SamplingProfile(name="long", max_tokens=200, ignore_eos=True)
ENDPOINTS = ("chat", "completions")


@pytest.fixture(scope="module")
def engine() -> Iterator[LlamaCpp]:
    """One server for all tests of this module."""
    with serve(model_files.locate("@pocket.F32.gguf"), n_parallel=2, context_tokens=4096) as running:
        yield running


def load(engine: LlamaCpp, **options: Option) -> OpenAiHttp:
    """Return the backend that asks `engine`."""
    spec = ModelSpec(name="served", backend="openai_http", location=engine.address, options=options)
    return openai_http.load(spec, clock=time.perf_counter_ns, transforms={})


class OverHttp(BackendContract):
    """The contract, but that a piece may carry nothing: a role, or the reason that an answer ended."""

    endpoint = "chat"

    @pytest.fixture
    def backend(self, engine: LlamaCpp) -> Iterator[Backend]:
        """Ask at one of the two endpoints."""
        with closing(load(engine, endpoint=self.endpoint)) as loaded:
            yield loaded

    def test_the_output_tokens_are_those_of_the_deltas(self, answer: Generation) -> None:
        """All of them are known, and those of pieces without text are the end of the turn at most."""
        known = [(delta.text, delta.n_tokens or 0) for delta in answer.deltas]
        assert None not in {delta.n_tokens for delta in answer.deltas}
        assert all(count >= 1 for text, count in known if text)
        assert sum(count for text, count in known if not text) <= 1
        assert sum(count for _, count in known) == answer.output_tokens
        assert (answer.output_tokens or 0) <= 12


class TestChat(OverHttp, ConstrainedContract, StreamingContract):
    """The server applies its own template."""


class TestCompletions(OverHttp, ReadingContract, ChoosingContract, ConstrainedContract, StreamingContract):
    """The prompt is rendered here, and what is read after it is known."""

    endpoint = "completions"


# --- the same answers as the engine alone ------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("question", [QUESTION, "What is two plus three?", "Who are you?"])
def test_greedy_answers_are_those_of_the_numpy_gemma(engine: LlamaCpp, endpoint: str, question: str) -> None:
    """Prompt, template and sampling come through whole; the server counts the end of the turn as well."""
    messages = (Message(role="user", content=question),)
    spec = ModelSpec(name="pocket", backend="numpy_gemma", location="@pocket")
    transforms = plugins.load().transforms
    with closing(numpy_gemma.load(spec, clock=time.perf_counter_ns, transforms=transforms)) as own:
        text = chat.render(own.chat_template or "", messages)
        prompt = Prompt(messages=messages, text=text, n_tokens=None)
        expected = own.generate(prompt, profile=GREEDY, seed=0)
    with closing(load(engine, endpoint=endpoint)) as backend:
        found = backend.generate(prompt, profile=GREEDY, seed=0)
        assert backend.count_tokens(text) == found.prompt_tokens == expected.prompt_tokens
    assert (found.text, found.finish_reason) == (expected.text, expected.finish_reason)
    assert found.output_tokens == (expected.output_tokens or 0) + (found.finish_reason == "stop")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_counts_are_those_of_the_server(engine: LlamaCpp, endpoint: str) -> None:
    """Counted at each piece or at the end, streamed or whole: one count, its source told."""
    made = {}
    for name, options in {
        "each": {},
        "end": {"counts": "end"},
        "whole": {"stream": False},
    }.items():
        with closing(load(engine, endpoint=endpoint, cross_check=True, **options)) as backend:  # type: ignore[arg-type]
            made[name] = backend.generate(PROMPT, profile=GREEDY, seed=0)
    sources = {name: answer.count_source for name, answer in made.items()}
    assert sources == {"each": "server_per_chunk_usage", "end": "server_usage", "whole": "server_usage"}
    told = {
        (answer.text, answer.prompt_tokens, answer.output_tokens, answer.cached_tokens)
        for answer in made.values()
    }
    assert told == {("I do not know.", 14, 6, 0)}
    assert {answer.client_tokens for answer in made.values()} == {5}  # the end of the turn has no text
    assert measure(made["each"]).tpot_s is not None
    assert measure(made["end"]).tpot_s is not None
    assert measure(made["whole"]).missing["tpot_s"] == "not_streamed"


def test_a_profile_reaches_the_engine(engine: LlamaCpp) -> None:
    """What is on changes answers, and what is off is off: llama-server's own top_k of 40 would show."""
    wild = SamplingProfile(name="wild", temperature=5.0, max_tokens=24)
    with closing(load(engine)) as backend:
        drawn = {backend.generate(PROMPT, profile=wild, seed=seed).text for seed in range(8)}
        greedy = SamplingProfile(name="one", temperature=5.0, top_k=1, max_tokens=24)
        kept = {backend.generate(PROMPT, profile=greedy, seed=seed).text for seed in range(8)}
    request = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 24, "temperature": 5.0}
    asked = [engine._ask("POST", "/v1/chat/completions", {**request, "seed": seed}) for seed in range(8)]
    by_default = {answer["choices"][0]["message"]["content"] for answer in asked}
    assert kept == {"I do not know."}
    assert len(drawn) == 8
    assert not drawn & by_default


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_prompt_beyond_the_context_of_a_slot_is_refused_by_the_server(
    engine: LlamaCpp, endpoint: str
) -> None:
    """It tells both lengths; at the endpoint chat nobody else could know that of the prompt."""
    long = Message(role="user", content="again " * 3000)
    prompt = Prompt(messages=(long,), text=long.content, n_tokens=None)
    with closing(load(engine, endpoint=endpoint)) as backend, pytest.raises(ContextOverflow) as caught:
        backend.generate(prompt, profile=GREEDY, seed=0)
    assert caught.value.limit_tokens == 2048
    assert caught.value.needed_tokens > 3000


# --- K11: what the server kept -----------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_cached_tokens_are_told_and_are_none_unless_they_are_wanted(engine: LlamaCpp, endpoint: str) -> None:
    """A prompt that is asked again is read again, but where `cache_prompt` lets the server keep it."""
    with closing(load(engine, endpoint=endpoint)) as backend:
        assert not backend.caches_prefixes
        read = [backend.generate(PROMPT, profile=GREEDY, seed=0) for _ in range(3)]
    assert [answer.cached_tokens for answer in read] == [0, 0, 0]
    with closing(load(engine, endpoint=endpoint, cache_prompt=True)) as backend:
        assert backend.caches_prefixes
        kept = [backend.generate(PROMPT, profile=GREEDY, seed=0) for _ in range(3)]
    assert (kept[-1].cached_tokens or 0) > 0
    assert {answer.text for answer in (*read, *kept)} == {read[0].text}
    assert measure(read[0]).prompt_basis == "engine"


# --- K14: the engine's account of the same time ------------------------------------------------------


def long_answers(engine: LlamaCpp, n: int, *, endpoint: str = "chat") -> list[Generation]:
    """Return answers of 200 tokens each, after one that warms up."""
    with closing(load(engine, endpoint=endpoint)) as backend:
        return [backend.generate(PROMPT, profile=LONG, seed=seed) for seed in range(n + 1)][1:]


def engine_tpot_s(answer: Generation) -> float:
    """Return the engine's time per token: its writing begins when the first token has been drawn."""
    timings = answer.engine_timings
    return timings["predicted_ms"] / (timings["predicted_n"] - 1) / 1e3


def residual_s(answer: Generation) -> float:
    """Return what of the client's time the engine does not account for."""
    timings = answer.engine_timings
    e2e_s = measure(answer).e2e_s or 0.0
    return e2e_s - (timings["prompt_ms"] + timings["predicted_ms"]) / 1e3


def agrees(ratio: float, residual_share: float) -> bool:
    """Whether medians are what they are even on a busy machine.

    On a quiet one the bar is 1 % between the two times per token, and a residual of 5 ms; what a test can
    assert anywhere is 5 %, and that the engine's time is most of the client's and no more than it.
    """
    return 0.95 < ratio < 1.05 and -0.02 < residual_share < 0.3


def test_the_engines_time_per_token_is_that_of_the_client(engine: LlamaCpp) -> None:
    """Each from its own clock, in the median of nine answers; what is left is the way between them."""
    answers = long_answers(engine, 9)
    assert {answer.output_tokens for answer in answers} == {200}
    ratio = median((measure(answer).tpot_s or 0.0) / engine_tpot_s(answer) for answer in answers)
    share = median(residual_s(answer) / (measure(answer).e2e_s or 1.0) for answer in answers)
    assert agrees(ratio, share)


def test_the_agreement_would_see_a_client_that_is_wrong(engine: LlamaCpp) -> None:
    """One that counts a first token too few by half, stamps late, or takes reading for writing."""
    [answer, *_] = long_answers(engine, 3)
    tpot_s, told_s = measure(answer).tpot_s or 0.0, engine_tpot_s(answer)
    e2e_s = measure(answer).e2e_s or 1.0
    share = residual_s(answer) / e2e_s
    assert not agrees(tpot_s * 199 / 149 / told_s, share)
    assert not agrees(tpot_s / 2 / told_s, share)
    assert not agrees(tpot_s / told_s, share + 0.4)
    assert not agrees(tpot_s / told_s, share - 0.4)


def test_answers_that_are_asked_for_together_have_stamps_of_their_own(engine: LlamaCpp) -> None:
    """Two slots answer two threads; each stream is whole."""
    with closing(load(engine)) as backend, ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda seed: backend.generate(PROMPT, profile=LONG, seed=seed), range(8)))
        alone = [backend.generate(PROMPT, profile=LONG, seed=seed) for seed in range(8)]
    assert [answer.output_tokens for answer in made] == [200] * 8
    assert all(measure(answer).tpot_s for answer in made)
    overlapping = [
        (first, second)
        for first in made
        for second in made
        if first.requested_ns < second.requested_ns < first.ended_ns
    ]
    assert overlapping
    assert [len(answer.deltas) for answer in alone] == [len(answer.deltas) for answer in made]
