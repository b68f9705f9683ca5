"""Reading texts over HTTP: a vLLM in miniature beside the engine it serves, and what cannot be read."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gemma_eval import plugins
from gemma_eval.backends import numpy_gemma, refusals
from gemma_eval.backends.numpy_gemma import NumpyGemma
from gemma_eval.backends.openai_http import address, reading
from gemma_eval.backends.openai_http import backend as openai_http
from gemma_eval.backends.openai_http.backend import OpenAiHttp
from gemma_eval.backends.openai_http.line import Line
from gemma_eval.backends.openai_http.server import Server
from gemma_eval.backends.openai_http.transport import Limits, Transport
from gemma_eval.errors import BackendError, ContextOverflow
from gemma_eval.gemma.decode import all_logits
from gemma_eval.gemma.transformer import Transformer
from gemma_eval.records import ModelSpec, Option, Prompt
from tests.examples import a_case
from tests.gemma.tiny import write_model

Json = Any
PROMPT = Prompt(messages=(), text="<bos>Finn lives in", n_tokens=None)
CHOICES = (" Oslo", " Rome, I say", "é")
TEMPLATE = "{{ messages[0]['content'] }}"


class Miniature(ThreadingHTTPServer):
    """The paths of vLLM that reading needs, over a model of this process; `spoil` changes its answers."""

    def __init__(self, engine: NumpyGemma, spoil: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.engine = engine
        self.spoil = spoil
        self.asked: list[Json] = []

    def told(self, path: str, body: Json) -> Json:
        """Return what is answered at a path."""
        if path == "/v1/models":
            return {"data": [{"id": "tiny", "owned_by": "vllm", "max_model_len": 64}]}
        if path == "/version":
            return {"version": "0.16.0"}
        if path == "/tokenize":
            ids = self.engine.tokenizer.encode(body["prompt"])
            return {
                "tokens": [
                    *([2] if body["add_special_tokens"] and self.spoil != "no beginning" else []),
                    *ids,
                ]
            }
        assert path == "/v1/completions"
        self.asked.append(body)
        choices = [
            {"index": index, "prompt_logprobs": self._rows(ids)} for index, ids in enumerate(body["prompt"])
        ]
        return {"choices": choices[::-1] if self.spoil != "short" else choices[:1]}

    def _rows(self, ids: list[int]) -> Json:
        """Return what vLLM tells of a prompt: nothing of its first token, then each and the most probable."""
        if self.spoil == "form":
            return [None] + [{"x": 1}] * (len(ids) - 1)
        model = self.engine.model
        assert isinstance(model, Transformer)
        logits = all_logits(model, ids).astype(np.float64)
        known = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        rows: list[Json] = [None]
        for row, token in zip(known[:-1], ids[1:], strict=True):
            best = int(row.argmax())
            value = -9999.0 if self.spoil == "impossible" else float(row[token])
            rows.append(
                {str(best): {"logprob": float(row[best]), "rank": 1}} | {str(token): {"logprob": value}}
            )
        return rows


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, body: Json) -> None:
        server = self.server
        assert isinstance(server, Miniature)
        told = json.dumps(server.told(self.path, body)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)


@pytest.fixture
def engine(tmp_path: Path) -> NumpyGemma:
    """The model that is served."""
    spec = ModelSpec(name="tiny", backend="numpy_gemma", location=str(write_model(tmp_path)))
    return numpy_gemma.load(spec, clock=time.perf_counter_ns, transforms=plugins.load().transforms)


@pytest.fixture
def miniature(engine: NumpyGemma) -> Iterator[Miniature]:
    """The server, until the test ends."""
    with Miniature(engine) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def spec(url: str, **options: Option) -> ModelSpec:
    """Return a model that a server runs."""
    return ModelSpec(
        name="served", backend="openai_http", location=url, chat_template=TEMPLATE, options=options
    )


def load(server: Miniature) -> OpenAiHttp:
    """Return the backend that asks it."""
    given = spec(f"http://127.0.0.1:{server.server_port}/v1", endpoint="completions", dialect="vllm")
    return openai_http.load(given, clock=time.perf_counter_ns, transforms={})


def test_what_vllm_tells_of_a_prompt_is_what_its_engine_finds(
    miniature: Miniature, engine: NumpyGemma
) -> None:
    """All choices in one request, in whichever order they come back, and again after an empty prompt."""
    theirs = engine.read_choices(PROMPT, choices=CHOICES, unconditional=True)
    with closing(load(miniature)) as backend:
        ours = backend.read_choices(PROMPT, choices=CHOICES, unconditional=True)
    assert ours.text == theirs.text
    for our, their in zip(ours.choices, theirs.choices, strict=True):
        assert our.log_probabilities == pytest.approx(their.log_probabilities, abs=1e-4)
        assert our.unconditional == pytest.approx(their.unconditional, abs=1e-3)
        assert (our.text, our.is_greedy) == (their.text, their.is_greedy)
    assert len(miniature.asked) == 2
    assert [body["prompt_logprobs"] for body in miniature.asked] == [1, 1]


@pytest.mark.parametrize(
    ("spoil", "says"), [("form", "unknown form"), ("short", "unknown form"), ("impossible", "impossible")]
)
def test_a_server_that_does_not_tell_is_an_error(miniature: Miniature, spoil: str, says: str) -> None:
    """Nothing is made of half an answer."""
    miniature.spoil = spoil
    with closing(load(miniature)) as backend, pytest.raises(BackendError, match=says):
        backend.read_choices(PROMPT, choices=CHOICES, unconditional=False)


def test_a_choice_must_fit_the_context_of_the_server(miniature: Miniature) -> None:
    """To the token, before anything is asked."""
    with closing(load(miniature)) as backend, pytest.raises(ContextOverflow):
        backend.read(PROMPT, continuation="x" * 64)
    assert miniature.asked == []


EMPTY = Prompt(messages=(), text="", n_tokens=0)


def test_a_text_read_after_nothing_follows_the_token_that_the_server_puts_first(
    miniature: Miniature, engine: NumpyGemma
) -> None:
    """vLLM tells nothing of the first token of a prompt, which is that one."""
    with closing(load(miniature)) as backend:
        ours = backend.read(EMPTY, continuation="Oslo")
    assert miniature.asked[0]["prompt"] == [[2, *engine.tokenizer.encode("Oslo")]]
    theirs = engine.read(EMPTY, continuation="Oslo").log_probabilities
    assert ours.log_probabilities == pytest.approx(theirs, abs=1e-4)


def test_a_text_beyond_the_context_of_the_server_is_asked_for_in_windows(miniature: Miniature) -> None:
    """One token of the context is for the one that vLLM must write."""
    with closing(load(miniature)) as backend:
        made = backend.read(EMPTY, continuation="x" * 70)
    asked = [body["prompt"][0] for body in miniature.asked]
    assert [len(ids) for ids in asked] == [63, 63]
    assert (asked[0][0], made.output_tokens) == (2, 70)


def test_a_model_whose_texts_begin_with_no_token_reads_nothing_after_nothing(miniature: Miniature) -> None:
    """Nobody can know how probable its first token is."""
    miniature.spoil = "no beginning"
    with (
        closing(load(miniature)) as backend,
        pytest.raises(BackendError, match="no token of the model begins"),
    ):
        backend.read(EMPTY, continuation="Oslo")


READS: Mapping[tuple[str | None, str], bool] = {
    ("llama.cpp", "completions"): True,
    ("vllm", "completions"): True,
    ("llama.cpp", "chat"): False,
    ("ollama", "chat"): False,
    (None, "completions"): False,
}


@pytest.mark.parametrize(("asked", "can"), READS.items())
def test_who_cannot_read_is_refused_when_cells_are_collected(
    asked: tuple[str | None, str], *, can: bool
) -> None:
    """By dialect and endpoint, for nobody is asked then."""
    dialect, endpoint = asked
    options = {"endpoint": endpoint, **({"dialect": dialect} if dialect else {})}
    case = a_case(choices=("a", "b"), target=0)
    reason = refusals.of_case(openai_http.load, spec("http://127.0.0.1:1/v1", **options), case)
    assert reason == (None if can else "cannot read choices")


def test_a_server_that_tells_nothing_of_a_text_says_so() -> None:
    """For who has loaded it all the same."""
    where = address.parse("http://127.0.0.1:1/v1", model="m")
    line = Line(
        address=where, transport=Transport(where, clock=time.perf_counter_ns), api_key_env=None, key=None
    )
    server = Server(dialect="openai", model="m", version="1", engine="any")
    with pytest.raises(BackendError, match="tells of no text"):
        reading.reader(line, server, limits=Limits(), context_tokens=None)
