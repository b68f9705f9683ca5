"""llama.cpp as a backend: what is stamped and counted, what ends an answer, what is refused, how it ends."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from gemma_eval import plugins
from gemma_eval.backends import numpy_gemma
from gemma_eval.backends.llama_cpp import backend as llama_cpp
from gemma_eval.backends.llama_cpp import engine as llama_cpp_engine
from gemma_eval.backends.llama_cpp.backend import LlamaCpp
from gemma_eval.backends.llama_cpp.engine import Engine, Stream
from gemma_eval.backends.model_files import locate
from gemma_eval.backends.numpy_gemma import NumpyGemma
from gemma_eval.config.catalog import load as load_catalog
from gemma_eval.config.shipped import suites_directory
from gemma_eval.errors import (
    BackendError,
    ContextOverflow,
    MissingDependency,
    ModelNotFound,
    UnknownName,
    UsageError,
)
from gemma_eval.gemma import gguf_header, gguf_write
from gemma_eval.protocols import Clock, ConcurrentBackend, ConcurrentBackendFactory
from gemma_eval.records import ModelSpec, Option, Prompt, SamplingProfile
from tests import required
from tests.gemma import sentencepieces

required.module("xllamacpp", extra="llama-cpp")
required.module("gguf", extra="gguf")

GREEDY = SamplingProfile(name="greedy", temperature=0.0, max_tokens=24)
HOT = SamplingProfile(name="hot", temperature=1.5, max_tokens=40)
END_OF_TURN = "5"
ENDLESS = replace(GREEDY, max_tokens=1500, ignore_eos=True)
STORY = "Tell a story about a fox."
QUESTIONS = (STORY, "Pick a name.", "Where does Finn live?", "Tell a story about a king.", "Pick a colour.")
PROFILES = load_catalog((suites_directory(),)).profiles


def asked(question: str) -> Prompt:
    """Return a question in the chat markup of the shipped model."""
    text = f"<bos><start_of_turn>user\n{question}<end_of_turn>\n<start_of_turn>model\n"
    return Prompt(messages=(), text=text, n_tokens=None)


def load(
    location: str = "@pocket",
    *,
    options: Mapping[str, Option] | None = None,
    clock: Clock = time.perf_counter_ns,
    **fields: object,
) -> LlamaCpp:
    """Load a model into llama.cpp."""
    given = {"name": "mine", "backend": "llama_cpp", "location": location, **fields}
    return llama_cpp.load(
        ModelSpec(options=options or {}, **given),  # type: ignore[arg-type]
        clock=clock,
        transforms={},
    )


def load_numpy(location: str = "@pocket", *, context_tokens: int | None = None) -> NumpyGemma:
    """Load a model into the NumPy engine."""
    spec = ModelSpec(name="other", backend="numpy_gemma", location=location, context_tokens=context_tokens)
    return numpy_gemma.load(spec, clock=time.perf_counter_ns, transforms=plugins.load().transforms)


@pytest.fixture(scope="module")
def backend() -> Iterator[LlamaCpp]:
    """The shipped model in llama.cpp, for tests that only ask it."""
    loaded = load()
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def other() -> NumpyGemma:
    """The shipped model in the NumPy engine."""
    return load_numpy()


# --- stamps and counts -------------------------------------------------------------------------------


def test_the_given_clock_is_read_once_for_each_piece_and_around_them() -> None:
    """Readings a millisecond apart: each delta has its own, the request the first and the end the last."""
    ticks = count(1_000_000, 1_000_000)
    backend = load(clock=lambda: next(ticks))
    answer = backend.generate(asked(STORY), profile=GREEDY, seed=1)
    backend.close()
    assert answer.requested_ns == 1_000_000
    assert [delta.at_ns for delta in answer.deltas] == [1_000_000 * (2 + n) for n in range(24)]
    assert answer.ended_ns == 1_000_000 * (2 + 24 + 1)  # the last piece is the engine's account


def test_a_generation_has_the_engines_own_account(backend: LlamaCpp) -> None:
    """Its times of reading and writing, and its counts."""
    answer = backend.generate(asked(STORY), profile=GREEDY, seed=1)
    timings = answer.engine_timings
    assert timings["prompt_n"] == answer.prompt_tokens == backend.count_tokens(asked(STORY).text or "")
    assert timings["predicted_n"] == answer.output_tokens == 24
    assert timings["decode_ms"] == timings["predicted_ms"] > 0
    assert timings["prompt_ms"] > 0
    assert timings["output_tokens_per_s"] == pytest.approx(23_000 / timings["decode_ms"], rel=0.01)
    assert answer.count_source == "engine"


def test_the_engines_times_lie_within_the_stamps(backend: LlamaCpp) -> None:
    """They are of the same answer; stamps are later by what a piece takes to get here."""
    answer = backend.generate(asked(STORY), profile=ENDLESS, seed=1)
    whole_ms = (answer.ended_ns - answer.requested_ns) / 1e6
    assert answer.engine_timings["prompt_ms"] + answer.engine_timings["decode_ms"] <= whole_ms


def test_a_prompt_that_was_read_before_is_read_again(backend: LlamaCpp) -> None:
    """Nothing is answered from a cache, whose answers would be quick for no reason of the model's."""
    for _ in range(3):
        answer = backend.generate(asked(STORY), profile=GREEDY, seed=1)
        assert answer.cached_tokens == 0
        assert answer.engine_timings["prompt_n"] == answer.prompt_tokens


def test_the_end_of_turn_is_no_output_token(backend: LlamaCpp, other: NumpyGemma) -> None:
    """As in the NumPy engine, though llama.cpp counts it."""
    answer = backend.generate(asked("Where does Finn live?"), profile=GREEDY, seed=1)
    assert answer.finish_reason == "stop"
    assert answer.output_tokens == sum(delta.n_tokens or 0 for delta in answer.deltas)
    assert answer.output_tokens == answer.engine_timings["predicted_n"] - 1
    assert answer.output_tokens == len(other.tokenizer.encode(answer.text))


def test_an_answer_that_ends_at_once_is_empty(backend: LlamaCpp) -> None:
    """No token, no delta, and the reason is not its length."""
    profile = replace(GREEDY, logit_bias={END_OF_TURN: 1000.0})
    answer = backend.generate(asked(STORY), profile=profile, seed=1)
    assert (answer.text, answer.deltas, answer.output_tokens, answer.finish_reason) == ("", (), 0, "stop")


def test_an_answer_goes_on_beyond_its_end_where_that_is_ignored(backend: LlamaCpp, other: NumpyGemma) -> None:
    """The same tokens as in the NumPy engine, as many as were allowed."""
    profile = replace(GREEDY, ignore_eos=True)
    for question in QUESTIONS:
        theirs, ours = (
            engine.generate(asked(question), profile=profile, seed=1) for engine in (backend, other)
        )
        assert theirs.text == ours.text
        assert theirs.output_tokens == ours.output_tokens == theirs.engine_timings["predicted_n"] == 24
        assert theirs.finish_reason == "length"


def test_what_was_sent_is_stored_with_the_answer(backend: LlamaCpp) -> None:
    """In the names of a profile."""
    answer = backend.generate(asked(STORY), profile=replace(HOT, min_p=0.1), seed=3)
    assert answer.effective == {
        "temperature": 1.5,
        "order": ("min_p", "temperature"),
        "min_p": 0.1,
        "base_p": 1.0,
        "seed": 3,
    }


# --- the same answers as the NumPy engine ------------------------------------------------------------


def answers(
    backend: LlamaCpp | NumpyGemma, profile: SamplingProfile, prompt: Prompt
) -> list[tuple[object, ...]]:
    """Return the answers of twenty seeds with their counts and reasons."""
    made = (backend.generate(prompt, profile=profile, seed=seed) for seed in range(20))
    return [(answer.text, answer.output_tokens, answer.finish_reason) for answer in made]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, profile in PROFILES.items()
        if llama_cpp.load.refusal(ModelSpec(name="", backend="", location=""), profile) is None
    ],
)
def test_a_seed_draws_what_it_draws_in_the_numpy_engine(
    backend: LlamaCpp, other: NumpyGemma, name: str
) -> None:
    """Under every shipped profile that llama.cpp can follow, where the probabilities are known and apart."""
    profile, prompt = replace(PROFILES[name], max_tokens=1), asked("Pick a name.")
    assert answers(backend, profile, prompt) == answers(other, profile, prompt)


def test_the_comparison_of_draws_fails_on_another_parameter(backend: LlamaCpp, other: NumpyGemma) -> None:
    """llama-server's own defaults, as they would be if a field were not sent."""
    prompt, plain = asked("Pick a name."), replace(HOT, temperature=2.0, max_tokens=1)
    for left_on in ({"temperature": 0.8}, {"top_k": 2}, {"min_p": 0.3}):
        other_profile = replace(plain, **left_on)
        assert answers(backend, other_profile, prompt) != answers(other, plain, prompt)


def test_stop_strings_cut_where_the_numpy_engine_cuts(backend: LlamaCpp, other: NumpyGemma) -> None:
    """Across tokens, within them, one in another, and beginnings that the limit leaves unfinished."""
    prompt = asked(STORY)
    whole = other.generate(prompt, profile=GREEDY, seed=1).text
    cuts = [
        (whole[at : at + size], whole[at + 1 : at + 3]) for at in range(0, 30, 3) for size in (1, 2, 4, 9)
    ]
    cuts += [(whole[at : at + 4] + "zzz", "qqq") for at in range(0, 60, 3)]
    for limit, stop in ((limit, stop) for limit in (5, 24) for stop in cuts):
        profile = replace(GREEDY, max_tokens=limit, stop=stop)
        ours, theirs = (engine.generate(prompt, profile=profile, seed=1) for engine in (other, backend))
        assert (theirs.text, theirs.finish_reason) == (ours.text, ours.finish_reason), (limit, stop)


def test_parts_of_characters_are_counted_as_in_the_numpy_engine(tmp_path: Path) -> None:
    """A random model writes bytes that are no text; its tokenizer, of Gemma's kind, adds `<bos>` itself.

    Where bytes are no text, the two show them in different ways.
    """
    folder = sentencepieces.write_folder(tmp_path / "model", sentencepieces.train())
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<bos>", "add_bos_token": True}))
    path = tmp_path / "model.gguf"
    gguf_write.write(folder, path, dtype="F32")
    assert gguf_header.read(path).metadata["tokenizer.ggml.add_bos_token"] is True
    backend, other = load(str(path), options={"cache_type": "f32"}), load_numpy(str(path))
    alike = 0
    for words in sentencepieces.LINES:
        for word in words.split():
            prompt = Prompt(messages=(), text=f"<bos><start_of_turn>{word}", n_tokens=None)
            theirs, ours = (engine.generate(prompt, profile=GREEDY, seed=1) for engine in (backend, other))
            assert theirs.prompt_tokens == ours.prompt_tokens == backend.count_tokens(prompt.text or "")
            assert (theirs.output_tokens, theirs.finish_reason) == (ours.output_tokens, ours.finish_reason)
            assert theirs.text == ours.text or "\ufffd" in theirs.text
            alike += theirs.text == ours.text
    assert alike >= 10
    backend.close()


# --- what is refused ---------------------------------------------------------------------------------


def test_a_missing_package_is_said_with_its_pip_line() -> None:
    """The extra is named as it is in pyproject.toml."""
    with pytest.raises(MissingDependency, match=r'pip install "gemma_eval\[llama-cpp\]"'):
        llama_cpp_engine.package("no_such_package_of_llama_cpp")


@pytest.mark.parametrize("kept", [0, 3, 24, 5_000, 60_000, 2_000_000, -1])
def test_a_truncated_file_is_said_to_be_one(tmp_path: Path, kept: int) -> None:
    """Wherever it was cut; the message asks for the download."""
    path = tmp_path / "model.gguf"
    path.write_bytes(locate("@pocket.F32.gguf").read_bytes()[:kept])
    with pytest.raises(ModelNotFound, match=r"not a whole GGUF file: .*; is the download complete"):
        load(str(path))


def test_an_architecture_that_llama_cpp_lacks_is_told_in_its_own_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In one sentence, and nothing on the terminal."""
    path = tmp_path / "model.gguf"
    path.write_bytes(locate("@pocket.F32.gguf").read_bytes().replace(b"gemma3", b"gemmaX"))
    with pytest.raises(BackendError) as caught:
        load(str(path))
    assert str(caught.value) == f"{path}: llama.cpp cannot run it: unknown model architecture: 'gemmaX'"
    assert capfd.readouterr() == ("", "")


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    """A model that runs with broken weights is worse than one that does not run."""
    source = locate("@pocket.F32.gguf")
    content, tensor = bytearray(source.read_bytes()), gguf_header.read(source).tensors["blk.0.attn_q.weight"]
    content[tensor.start : tensor.start + 4] = np.float32("nan").tobytes()
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(BackendError, match=r"tensor 'blk\.0\.attn_q\.weight' has invalid data"):
        load(str(path))


def test_settings_that_llama_cpp_refuses_are_told_in_its_own_words() -> None:
    """A quantised cache of values needs flash attention."""
    with pytest.raises(BackendError, match=r"llama.cpp cannot run it: .*quantized V cache.*flash_attn"):
        load(options={"flash_attn": "off", "cache_type": "q8_0"})


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", "it does not say why; is there memory for the model and its context?"),
        ("0.00.1 I all is well\n", "it does not say why; is there memory for the model and its context?"),
        (
            "0.00.1 E srv init: exiting due to model loading error\n",
            "srv init: exiting due to model loading error",
        ),
        ("0.00.1 E x: failed to load model\n0.00.2 E y: no memory\n", "y: no memory"),
        ("0.00.1 E llama_model_load: error loading model: too old\n", "too old"),
    ],
)
def test_the_reason_is_the_first_error_that_tells_one(log: str, said: str) -> None:
    """Not that something failed, when something else says why."""
    assert llama_cpp_engine.said_against(log) == said


def test_an_unknown_option_is_refused() -> None:
    """Before anything is loaded."""
    with pytest.raises(UnknownName, match='did you mean "threads"'):
        load(options={"thread": 2})


def test_a_prompt_without_text_or_tokens_is_refused(backend: LlamaCpp) -> None:
    """The backend renders no messages itself."""
    with pytest.raises(BackendError, match="the prompt has no text; llama_cpp needs the messages rendered"):
        backend.generate(Prompt(messages=(), text=None, n_tokens=None), profile=GREEDY, seed=1)
    with pytest.raises(BackendError, match="the prompt is empty"):
        backend.generate(Prompt(messages=(), text="", n_tokens=None), profile=GREEDY, seed=1)


def test_a_text_that_is_no_unicode_is_one_error(backend: LlamaCpp) -> None:
    """A lone surrogate cannot be sent."""
    with pytest.raises(BackendError, match=r"llama\.cpp's server answers /tokenize with 4"):
        backend.count_tokens("\ud800")


def test_a_number_that_is_none_is_refused(backend: LlamaCpp) -> None:
    """As in every backend; one that is infinite cannot be sent."""
    with pytest.raises(UsageError, match='profile "hot": min_p is not a number'):
        backend.generate(asked(STORY), profile=replace(HOT, min_p=float("nan")), seed=1)
    with pytest.raises(BackendError, match=r"llama\.cpp refuses the request: Out of range float"):
        backend.generate(asked(STORY), profile=replace(HOT, temperature=float("inf")), seed=1)


def test_a_value_that_llama_server_would_clamp_is_an_error(backend: LlamaCpp) -> None:
    """What it took is compared with what was asked for; only code can ask for such."""
    with pytest.raises(BackendError, match=r"llama\.cpp took top_p = 0\.0, -0\.5 was asked for"):
        backend.generate(asked(STORY), profile=replace(HOT, top_p=-0.5), seed=1)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"epsilon_cutoff": 0.1}, "has no cutoffs"),
        ({"base_p": 0.9, "min_p": 0.1}, "has no base_p"),
        ({"dynatemp_mode": "edt", "dynatemp_theta": 1.0}, "has no dynatemp_modes"),
        ({"mirostat": 2, "mirostat_surprise": "original"}, "has no mirostat_original"),
        ({"order": ("top_k", "mine")}, 'has no step "mine"'),
    ],
)
def test_a_profile_that_llama_cpp_cannot_follow_is_refused(
    backend: LlamaCpp, given: Mapping[str, object], why: str
) -> None:
    """At collection, and by `generate` for who did not ask."""
    profile = replace(HOT, **given)  # type: ignore[arg-type]
    spec = ModelSpec(name="", backend="", location="")
    assert llama_cpp.load.refusal(spec, profile) == why
    with pytest.raises(BackendError, match=f'profile "hot": llama.cpp {why}'):
        backend.generate(asked(STORY), profile=profile, seed=1)


def test_a_prompt_may_fill_the_context_and_no_more() -> None:
    """Prompt and longest answer together; llama.cpp itself would go on to a padded length."""
    prompt = asked("Where does Finn live?")
    backend = load(context_tokens=40)
    room = 40 - backend.count_tokens(prompt.text or "")
    assert backend.generate(prompt, profile=replace(ENDLESS, max_tokens=room), seed=1).output_tokens == room
    with pytest.raises(ContextOverflow) as caught:
        backend.generate(prompt, profile=replace(GREEDY, max_tokens=room + 1), seed=1)
    assert (caught.value.needed_tokens, caught.value.limit_tokens) == (41, 40)
    backend.close()


def test_a_text_longer_than_the_context_is_read_in_the_windows_of_the_numpy_engine() -> None:
    """A window fills the context to the last token; the cache of float16 leaves its mark on rare tokens."""
    text = "Finn lives in Oslo, and Ada in Rome. " * 8
    empty = Prompt(messages=(), text="", n_tokens=0)
    backend = load(context_tokens=32)
    known = backend.read(empty, continuation=text).log_probabilities or ()
    backend.close()
    same, others = (load_numpy(context_tokens=n).read(empty, continuation=text) for n in (32, 33))
    assert len(known) > 2 * 31
    assert known == pytest.approx(same.log_probabilities, abs=0.1)
    assert known != pytest.approx(others.log_probabilities, abs=0.1)


def test_what_llama_cpp_can_do_is_declared() -> None:
    """All of sampling but what it means otherwise, and nothing that the backend does not pass on."""
    assert llama_cpp.load.capabilities == {
        *("temperature", "top_k", "top_p", "min_p", "typical_p", "top_n_sigma", "xtc", "dry", "order"),
        *("repeat_penalty", "presence_penalty", "frequency_penalty", "logit_bias", "dynatemp"),
        *("mirostat", "adaptive_p", "seed", "stop", "ignore_eos"),
        *("rope_scaling", "logprobs", "concurrent"),
    }


def test_a_bias_may_name_the_text_of_one_token(backend: LlamaCpp) -> None:
    """As the engine tokenises it; a text of several is refused with its tokens."""
    biased = replace(GREEDY, max_tokens=1, logit_bias={" Oslo": 1000.0})
    assert backend.generate(asked(STORY), profile=biased, seed=1).text == " Oslo"
    with pytest.raises(UsageError, match=r'"Oslo Rome" is \d tokens of this model \(.*" Rome"\)'):
        backend.generate(asked(STORY), profile=replace(biased, logit_bias={"Oslo Rome": 1.0}), seed=1)


def test_a_server_that_cannot_be_reached_is_a_backend_error() -> None:
    """Tokens are counted over loopback, which a machine may forbid."""
    backend = load()
    backend.engine._address = "127.0.0.1:1"
    with pytest.raises(BackendError, match=r"llama\.cpp's server does not answer /tokenize: .*refused"):
        backend.count_tokens("Oslo")
    backend.close()


# --- an engine that breaks off -----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Breaking:
    """An engine that streams the given pieces, a millisecond apart."""

    pieces: Sequence[Mapping[str, object]]
    added: int | None = None

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return a token for each character."""
        return tuple(map(ord, text))

    def detokenize(self, ids: Sequence[int]) -> str:
        """Return the characters."""
        return "".join(map(chr, ids))

    def stream(self, request: Mapping[str, object], *, hear: Callable[[bytes], None] | None = None) -> Stream:
        """Return what was given, whatever was asked and whoever hears it."""
        stamped = [
            (1_000_000 * number, json.dumps(piece).encode())
            for number, piece in enumerate(self.pieces, start=1)
        ]
        return Stream(requested_ns=0, pieces=stamped, ended_ns=9_000_000)


def test_what_had_come_before_an_error_is_kept_with_its_stamps(backend: LlamaCpp) -> None:
    """The error says what the engine said, and carries the beginning of the answer."""
    account = {"content": "Once", "tokens": [1], "tokens_predicted": 1, "stop": False}
    pieces = ({"__verbose": account}, {"error": {"code": 500, "message": "failed to decode"}})
    broken = replace(backend, engine=cast(Engine, Breaking(pieces=pieces)))
    with pytest.raises(BackendError, match=r"llama\.cpp broke off: failed to decode") as caught:
        broken.generate(asked(STORY), profile=GREEDY, seed=1)
    partial = caught.value.partial
    assert partial is not None
    assert (partial.text, partial.finish_reason, partial.output_tokens) == ("Once", "error", 1)
    assert (partial.deltas[0].at_ns, partial.ended_ns) == (1_000_000, 9_000_000)
    assert partial.prompt_tokens == len(asked(STORY).text or "")


def test_a_request_that_the_engine_refuses_is_a_backend_error(backend: LlamaCpp) -> None:
    """llama-server says so in its first piece, and goes on serving."""
    stream = backend.engine.stream({"prompt": [999_999], "stream": True, "verbose": True})
    assert b"Prompt contains invalid tokens" in stream.pieces[0][1]
    assert backend.generate(asked(STORY), profile=GREEDY, seed=1).output_tokens == 24


# --- several at once ---------------------------------------------------------------------------------


def test_answers_made_at_once_are_those_made_one_by_one(backend: LlamaCpp) -> None:
    """Four slots, six threads, greedy and drawn: each answer is the one of its prompt and seed."""
    together = load(options={"parallel": 4})
    assert isinstance(together, ConcurrentBackend)
    assert together.max_in_flight == 4
    requests = [
        (asked(question), replace(profile, max_tokens=30), seed)
        for question in QUESTIONS
        for profile in (GREEDY, HOT)
        for seed in range(3)
    ]

    def answer(engine: LlamaCpp) -> Callable[[tuple[Prompt, SamplingProfile, int]], tuple[object, ...]]:
        def made(request: tuple[Prompt, SamplingProfile, int]) -> tuple[object, ...]:
            prompt, profile, seed = request
            found = engine.generate(prompt, profile=profile, seed=seed)
            return found.text, found.output_tokens, found.finish_reason

        return made

    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(answer(together), requests))
    together.close()
    assert found == list(map(answer(backend), requests))
    assert len(set(found)) > len(QUESTIONS)


def test_how_many_are_answered_at_once_is_known_before_loading() -> None:
    """A load that needs more is a skip; a wrong number is an error when the model is loaded."""
    asked = {None: 1, 4: 4, 0: None, "many": None}
    for value, most in asked.items():
        options: Mapping[str, Option] = {} if value is None else {"parallel": value}
        spec = ModelSpec(name="", backend="llama_cpp", location="", options=options)
        assert llama_cpp.load.max_in_flight(spec) == most
    assert isinstance(llama_cpp.load, ConcurrentBackendFactory)


def test_slots_really_answer_at_once() -> None:
    """Two long answers overlap in time with two slots, and do not with one."""

    def overlap(parallel: int) -> bool:
        engine = load(options={"parallel": parallel})
        with ThreadPoolExecutor(2) as threads:
            profile = replace(ENDLESS, max_tokens=400)
            first, second = threads.map(
                lambda question: engine.generate(asked(question), profile=profile, seed=1), QUESTIONS[:2]
            )
        engine.close()
        return (
            first.deltas[0].at_ns < second.deltas[-1].at_ns
            and second.deltas[0].at_ns < first.deltas[-1].at_ns
        )

    assert overlap(2)
    assert not overlap(1)


# --- how it ends -------------------------------------------------------------------------------------


class Interrupted(BaseException):
    """Raised by a signal, as KeyboardInterrupt is."""


INTERRUPTED = """
import signal, types
from gemma_eval.backends.llama_cpp import backend, engine

real = engine.package()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts with & ignore it


def server(given):
    made = real.Server(given)
    signal.raise_signal(signal.SIGINT)
    return made


beside = {name: getattr(real, name) for name in dir(real) if not name.startswith("__")}
package = types.SimpleNamespace(**{**beside, "Server": server})
engine.package = lambda name="xllamacpp": package
from gemma_eval.measure.clock import clock
from gemma_eval.records import ModelSpec

try:
    spec = ModelSpec(name="pocket", backend="llama_cpp", location="@pocket")
    backend.load(spec, clock=clock, transforms={})
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_while_the_model_is_loaded_ends_the_process() -> None:
    """A server whose loop has not begun would never be let go of, as a third of these showed once."""
    command = [sys.executable, "-c", INTERRUPTED]
    pipe = subprocess.PIPE
    children = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for _ in range(5)]
    try:
        said = [child.communicate(timeout=120) for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert said == [("interrupted\n", "")] * 5
    assert [child.returncode for child in children] == [0] * 5


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no signal that is free to use")
def test_a_signal_interrupts_a_generation_at_once() -> None:
    """Ctrl-C in the middle of a long answer: it is raised, the engine stops writing, and answers again."""
    readings = count()

    def clock() -> int:
        if next(readings) == 20:
            os.kill(os.getpid(), signal.SIGUSR1)
        return time.perf_counter_ns()

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    backend = load(clock=clock)
    try:
        with pytest.raises(Interrupted):
            backend.generate(asked(STORY), profile=ENDLESS, seed=1)
        assert backend.generate(asked(STORY), profile=GREEDY, seed=1).output_tokens == 24
        assert next(readings) < ENDLESS.max_tokens / 2
    finally:
        signal.signal(signal.SIGUSR1, before)
        backend.close()


def test_a_closed_engine_says_that_it_was_closed() -> None:
    """And closing it again does nothing."""
    backend = load()
    backend.close()
    backend.close()
    for use in (
        lambda: backend.generate(asked(STORY), profile=GREEDY, seed=1),
        lambda: backend.count_tokens("Oslo"),
    ):
        with pytest.raises(BackendError, match="the model was closed and can generate no more"):
            use()
    assert backend.info().engine == "llama.cpp"


def test_closing_waits_for_the_answer_that_is_being_made() -> None:
    """It is whole."""
    backend, begun = load(), threading.Event()

    def answer() -> int | None:
        begun.set()
        return backend.generate(asked(STORY), profile=ENDLESS, seed=1).output_tokens

    with ThreadPoolExecutor(1) as threads:
        made = threads.submit(answer)
        begun.wait()
        while not backend.engine._pool._work_queue.empty() or not backend.engine._pool._threads:
            time.sleep(0.001)
        backend.close()
        assert made.result() == ENDLESS.max_tokens


def test_closing_one_engine_leaves_another_running(backend: LlamaCpp) -> None:
    """They share a library, not a model."""
    second = load()
    second.close()
    assert backend.generate(asked(STORY), profile=GREEDY, seed=1).output_tokens == 24


PROGRAM = """
import sys, threading, time
from gemma_eval.backends.llama_cpp import backend as llama_cpp
from gemma_eval.records import ModelSpec, Prompt, SamplingProfile

spec = ModelSpec(name="mine", backend="llama_cpp", location="@pocket")
backend = llama_cpp.load(spec, clock=time.perf_counter_ns, transforms={{}})
profile = SamplingProfile(name="long", temperature=0.0, max_tokens=1500, logit_bias={{"5": -1000.0}})
prompt = Prompt(messages=(), text="<bos>Once", n_tokens=None)
{ending}
"""
ENDINGS: Mapping[str, str] = {
    "left open": "backend.count_tokens('Oslo')",
    "closed": "backend.close()",
    "forgotten": "del backend",
    "kept in a cycle": "cycle = [backend]; cycle.append(cycle); del backend, cycle",
    "while an answer is made": (
        "answer = lambda: backend.generate(prompt, profile=profile, seed=1)\n"
        "threading.Thread(target=answer, daemon=True).start(); time.sleep(0.05)"
    ),
    "after an answer, with an error": "backend.generate(prompt, profile=profile, seed=1); sys.exit(0)",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_interpreter_ends_with_an_engine(ending: str) -> None:
    """Without hanging, without a crash and without a word."""
    program = PROGRAM.format(ending=ENDINGS[ending])
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# --- what it says of itself --------------------------------------------------------------------------


def test_the_engine_is_described(backend: LlamaCpp) -> None:
    """Version, hashes, quantisation and what else decides its results and speed."""
    import xllamacpp

    info = backend.info()
    assert info.engine == "llama.cpp"
    assert info.version.startswith(f"xllamacpp {xllamacpp.__version__}, build ")
    content = locate("@pocket.F32.gguf").read_bytes()
    assert info.model_sha256 == hashlib.sha256(content).hexdigest()
    assert info.chat_template_sha256 == hashlib.sha256((backend.chat_template or "").encode()).hexdigest()
    assert info.tokenizer_sha256
    assert (info.quantisation, info.parameters) == ("F32", 1_420_800)
    assert (info.context_tokens, info.threads) == (2048, 1)
    assert info.details["cache_type"] == "f16"
    assert info.details["parallel"] == 1
    assert "CPU" in str(info.details["system"])


def test_the_chat_template_is_the_models_own(backend: LlamaCpp, other: NumpyGemma) -> None:
    """So prompts are the same as for the NumPy engine."""
    assert backend.chat_template == other.chat_template


@pytest.mark.parametrize(
    "text", ["", "Oslo", "<bos>Oslo<end_of_turn>\n", "  two  spaces", "naïve 東京 🎉", "\x00"]
)
def test_texts_are_counted_as_in_the_numpy_engine(backend: LlamaCpp, other: NumpyGemma, text: str) -> None:
    """Markup is read as control tokens, and none is added."""
    assert backend.count_tokens(text) == other.count_tokens(text)


def test_only_this_process_may_use_the_server(backend: LlamaCpp) -> None:
    """It listens on loopback, where other users of the machine are; without the key it answers nobody."""
    host, _, port = backend.engine._address.partition(":")
    assert host == "127.0.0.1"
    connection = HTTPConnection(host, int(port), timeout=10)
    connection.request("POST", "/completion", json.dumps({"prompt": "Once", "n_predict": 1}))
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 401


def test_nothing_is_written_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """By loading, answering and closing."""
    backend = load()
    backend.generate(asked(STORY), profile=GREEDY, seed=1)
    backend.close()
    assert capfd.readouterr() == ("", "")
