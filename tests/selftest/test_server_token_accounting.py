"""K5, over HTTP: counts are the server's, whatever the pieces of a stream would be when read again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from gemma_eval import plugins
from gemma_eval.backends.model_files import locate
from gemma_eval.protocols import Backend
from gemma_eval.records import Generation, Message, ModelSpec, Prompt, SamplingProfile
from gemma_eval.selftest.process import RunningServer, running
from gemma_eval.selftest.script import Script
from tests.llama_cpp import LlamaCpp, serve

GREEDY = SamplingProfile(name="greedy", temperature=0.0, max_tokens=48)


def asked(text: str) -> Prompt:
    """Return the prompt of one turn."""
    return Prompt(messages=(Message(role="user", content=text),), text=None, n_tokens=None)


def load(location: str, **options: str | bool) -> Backend:
    """Return the client of a server."""
    spec = ModelSpec(name="served", backend="openai_http", location=location, options=options)
    return plugins.load().backends.find("openai_http")(spec, clock=time.perf_counter_ns, transforms={})


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server whose streams are scripted."""
    with running() as started:
        yield started


def streamed(server: RunningServer, script: Script) -> Generation:
    """Return the answer of a script."""
    with closing(load(server.url, model=script.name)) as backend:
        return backend.generate(asked("hello"), profile=GREEDY, seed=0)


SCRIPTS = (
    Script(pieces=3, first_ms=0, gaps_ms=(0,), tokens=(1,), texts=("O", "s", "lo")),
    Script(pieces=4, first_ms=0, gaps_ms=(0,), tokens=(3, 1), texts=("🙂", " " * 20), prompt_tokens=0),
    Script(
        pieces=5,
        first_ms=0,
        gaps_ms=(0,),
        tokens=(8, 2, 5),
        texts=("e", "\N{COMBINING ACUTE ACCENT}"),
        role=False,
    ),
    Script(pieces=1, first_ms=0, tokens=(7,), texts=("<bos>",), prompt_tokens=1000),
)


def with_usage(script: Script, usage: str) -> Script:
    """Return the script with its counts at another time."""
    return Script.named(script.name.replace('"usage": "end"', f'"usage": "{usage}"'))


@pytest.mark.parametrize("script", SCRIPTS)
def test_counts_at_the_end_are_taken_over(server: RunningServer, script: Script) -> None:
    """Those of a piece stay unknown, unless there is nothing to be known."""
    answer = streamed(server, script)
    assert answer.output_tokens == script.output_tokens
    assert answer.prompt_tokens == script.prompt_tokens
    assert answer.count_source == "server_usage"
    assert {delta.n_tokens for delta in answer.deltas if delta.text} == {None}


@pytest.mark.parametrize("script", SCRIPTS)
def test_counts_of_each_piece_are_taken_over(server: RunningServer, script: Script) -> None:
    """Each delta carries what the server had counted since the one before."""
    answer = streamed(server, with_usage(script, "each"))
    assert answer.output_tokens == script.output_tokens
    assert answer.count_source == "server_per_chunk_usage"
    carried = [(delta.text, delta.n_tokens) for delta in answer.deltas if delta.text]
    assert carried == list(script.contents())


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_server_that_does_not_count_leaves_the_count_unknown(server: RunningServer, script: Script) -> None:
    """It is never the number of tokens that was asked for, or of pieces."""
    answer = streamed(server, with_usage(script, "never"))
    assert answer.output_tokens is None
    assert answer.prompt_tokens is None


@pytest.fixture(scope="module")
def engine() -> Iterator[LlamaCpp]:
    """The shipped model in a real llama-server."""
    with serve(locate("@pocket.F32.gguf")) as started:
        yield started


@pytest.fixture(scope="module")
def served(engine: LlamaCpp) -> Iterator[Backend]:
    """The client of it."""
    with closing(load(f"{engine.address}/v1", cross_check=True)) as backend:
        yield backend


QUESTIONS = (
    "Where does Finn live?",
    "Tell me a story.",
    "naïve café, 北京, 🙂!",
    "<bos><bos> and <end_of_turn>",
    " " * 20 + "a\n\n\n\tb",
    "e\N{COMBINING ACUTE ACCENT} 12345 67",
)


def markup(engine: LlamaCpp, question: str) -> str:
    """Return the prompt that the server makes of a question, as it tells it."""
    body = {"messages": [{"role": "user", "content": question}]}
    return str(engine._ask("POST", "/apply-template", body)["prompt"])


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_prompt_has_the_tokens_that_the_server_says(
    engine: LlamaCpp, served: Backend, question: str
) -> None:
    """The oracle: its template, then its tokenizer; one `<bos>`, and no second one."""
    answer = served.generate(asked(question), profile=GREEDY, seed=0)
    ids = engine.tokenize(markup(engine, question))
    assert answer.prompt_tokens == len(ids)
    assert ids[0] == engine.tokenize("<bos>")[0]
    assert served.count_tokens(markup(engine, question)) == len(ids)


@pytest.mark.parametrize("max_tokens", [1, 7, 48])
@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_has_the_tokens_that_the_server_drew(
    engine: LlamaCpp, served: Backend, question: str, max_tokens: int
) -> None:
    """The oracle: the ids of the same answer from llama.cpp's own endpoint, the end of turn counted."""
    profile = SamplingProfile(name="greedy", temperature=0.0, max_tokens=max_tokens)
    answer = served.generate(asked(question), profile=profile, seed=0)
    drawn = engine.complete(markup(engine, question), n_predict=max_tokens, temperature=0.0)
    assert answer.text == drawn["content"]
    assert answer.output_tokens == len(drawn["tokens"]) == drawn["tokens_predicted"]
    assert sum(delta.n_tokens or 0 for delta in answer.deltas) == answer.output_tokens


def test_what_is_drawn_need_not_be_what_is_read_again(served: Backend) -> None:
    """The checks above can fail: counting the text again gives another number for some answer."""
    again = [
        (answer.output_tokens, answer.client_tokens)
        for answer in (served.generate(asked(question), profile=GREEDY, seed=0) for question in QUESTIONS)
    ]
    assert any(counted != read for counted, read in again)
