"""Every engine reads `<bos>` once: markup that has it gets no second, and the tokenizer's rule is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gemma_eval import plugins
from gemma_eval.backends.beginning import begun
from gemma_eval.backends.gemma_cpp.command import one_turn
from gemma_eval.backends.model_files import locate
from gemma_eval.gemma import gguf_write
from gemma_eval.gemma.tokenizer import load as load_tokenizer
from gemma_eval.prompts import chat
from gemma_eval.protocols import Backend, ReadingBackend
from gemma_eval.records import Generation, Message, ModelSpec, Options, Prompt, SamplingProfile
from gemma_eval.stages import load_backend
from tests import required
from tests.llama_cpp import serve

BOS = "<bos>"
GREEDY = SamplingProfile(name="greedy", temperature=0.0, max_tokens=8)
ASKED = (Message(role="user", content="What is the capital of Japan?"),)
MARKUP = chat.render("@gemma3", ASKED).removeprefix(BOS)
"""A prompt as an engine may be given it, without the beginning."""
REGISTRY = plugins.load()


@pytest.fixture(scope="module", params=[True, False], ids=["adds", "adds-none"])
def adds(request: pytest.FixtureRequest) -> bool:
    """Whether the tokenizer puts `<bos>` before a text."""
    return bool(request.param)


@pytest.fixture(scope="module")
def folder(adds: bool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the pocket model with such a tokenizer, as a folder and as a GGUF file in it."""
    made = tmp_path_factory.mktemp("model")
    for path in locate("@pocket").iterdir():
        if path.is_file() and path.suffix != ".py":
            (made / path.name).write_bytes(path.read_bytes())
    config = json.loads((made / "tokenizer_config.json").read_text())
    (made / "tokenizer_config.json").write_text(json.dumps({**config, "add_bos_token": adds}))
    gguf_write.write(made, made / "model.gguf", dtype="F32")
    return made


@contextmanager
def loaded(backend: str, location: object, options: Options | None = None) -> Iterator[Backend]:
    """Load an engine, and free it at the end of the block."""
    spec = ModelSpec(name="m", backend=backend, location=str(location), options=options or {})
    engine = load_backend(spec, REGISTRY, clock=time.perf_counter_ns)
    try:
        yield engine
    finally:
        engine.close()


ENGINES = ("numpy_gemma", "numpy_gemma of a GGUF file", "llama_cpp", "hf_transformers", "openai_http")


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, folder: Path) -> Iterator[Backend]:
    """Load each engine in turn; the last one is a llama-server that is asked for completions."""
    file = folder / "model.gguf"
    with ExitStack() as keep:
        if request.param == "hf_transformers":
            required.module("torch", extra="transformers")
            yield keep.enter_context(loaded("hf_transformers", folder, {"threads": 1}))
        elif request.param == "openai_http":
            server = keep.enter_context(serve(file))
            options = {"endpoint": "completions"}
            yield keep.enter_context(loaded("openai_http", f"{server.address}/v1", options))
        elif request.param == "llama_cpp":
            required.module("xllamacpp", extra="llama-cpp")
            yield keep.enter_context(loaded("llama_cpp", file))
        else:
            yield keep.enter_context(loaded("numpy_gemma", file if "GGUF" in request.param else folder))


def answer(engine: Backend, text: str) -> Generation:
    """Have a text answered."""
    return engine.generate(Prompt(messages=ASKED, text=text, n_tokens=None), profile=GREEDY, seed=1)


def n_tokens(text: str) -> int:
    """Return how many ids a text has, none added."""
    return len(load_tokenizer(locate("@pocket")).encode(text))


def test_markup_that_begins_gets_no_second_beginning(engine: Backend) -> None:
    """Whatever the tokenizer would add to a text; counted by the engine itself, and it answers."""
    made = answer(engine, BOS + MARKUP)
    assert made.prompt_tokens == n_tokens(MARKUP) + 1
    assert made.text.strip() == "Tokyo"


def test_a_server_that_is_given_turns_reads_it_once(folder: Path) -> None:
    """At the endpoint *chat* it makes the markup itself, of the template in its file."""
    with serve(folder / "model.gguf") as server, loaded("openai_http", f"{server.address}/v1") as engine:
        made = engine.generate(Prompt(messages=ASKED, text=None, n_tokens=None), profile=GREEDY, seed=1)
    assert made.prompt_tokens == n_tokens(MARKUP) + 1


def test_markup_without_one_gets_what_the_tokenizer_adds(engine: Backend, *, adds: bool) -> None:
    """Once, or none where the model wants none: then it reads another prompt."""
    made = answer(engine, MARKUP)
    assert made.prompt_tokens == n_tokens(MARKUP) + adds
    assert (made.text == answer(engine, BOS + MARKUP).text) or not adds


def test_a_second_one_is_seen_by_counting(engine: Backend) -> None:
    """The planted error: a template that writes it twice is one token longer, and is refused before that."""
    assert answer(engine, BOS + BOS + MARKUP).prompt_tokens == n_tokens(MARKUP) + 2
    assert chat.double_bos(BOS + BOS + MARKUP)


def test_a_text_that_is_read_begins_as_one_that_is_answered(engine: Backend, *, adds: bool) -> None:
    """The continuation is as probable with the beginning that is written as with the one that is added."""
    assert isinstance(engine, ReadingBackend)
    read = [
        engine.read(Prompt(messages=ASKED, text=text, n_tokens=None), continuation="Tokyo").log_probabilities
        for text in (BOS + MARKUP, MARKUP)
    ]
    assert (read[0] == read[1]) == adds


def test_the_beginning_is_put_before_ids_that_lack_it() -> None:
    """Once; nothing stays nothing."""
    assert begun((5, 6), 2) == (2, 5, 6)
    assert begun((2, 5), 2) == (2, 5)
    assert begun((5, 2), None) == (5, 2)
    assert begun((), 2) == ()


def test_gemma_cpp_writes_all_markup_itself() -> None:
    """What it is given has no beginning, which it adds."""
    assert BOS not in one_turn((Message(role="system", content="Be brief."), *ASKED))
