"""The backend against servers that do what they should not: each fault is one sentence, nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

import pytest

from gemma_eval.backends.model_files import locate
from gemma_eval.backends.openai_http.backend import Load, OpenAiHttp, load
from gemma_eval.backends.openai_http.identity import Seen, listening
from gemma_eval.config import models
from gemma_eval.errors import (
    BackendError,
    ContextOverflow,
    GenerationTimeout,
    ServerError,
    TruncatedStream,
    UnknownName,
    UsageError,
    WrongSetting,
)
from gemma_eval.gemma.tokenizer import load as load_tokenizer
from gemma_eval.measure.latency import measure
from gemma_eval.protocols import (
    CapableBackendFactory,
    ChoosyBackendFactory,
    ConcurrentBackend,
    PrefixCachingBackend,
    RetryingBackend,
    ServingBackend,
    ServingBackendFactory,
)
from gemma_eval.records import (
    Generation,
    Message,
    ModelSpec,
    Option,
    Options,
    Prompt,
    RopeScaling,
    SamplingProfile,
)
from tests.backends.openai_http.hostile_server import (
    CLOSE,
    HANG,
    RESET,
    STREAM_END,
    HostileServer,
    Step,
    reply,
    serve,
    stream,
)

PROMPT = Prompt(messages=(Message(role="user", content="Where is Finn?"),), text=None, n_tokens=None)
PROFILE = SamplingProfile(name="plain", max_tokens=8)
KEY = "sk-5up3r-s3cret-k3y"


def event(said: Mapping[str, object]) -> bytes:
    """Return an event of a stream."""
    return f"data: {json.dumps(said)}\n\n".encode()


def text(content: str) -> bytes:
    """Return a piece of a chat."""
    return event({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}]})


END = (
    event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    + event({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}})
    + b"data: [DONE]\n\n"
)
GOOD: tuple[Step, ...] = (*stream(text("He"), text(" left"), END), STREAM_END)


@dataclass
class Slept:
    """What stands for sleeping: notes how long, and waits for nothing."""

    seconds: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        """Note the seconds."""
        self.seconds.append(seconds)


@contextmanager
def backend(
    *answers: Sequence[Step],
    environment: Mapping[str, str] | None = None,
    sleep: Slept | None = None,
    models: Mapping[str, object] | None = None,
    paths: Mapping[str, bytes] | None = None,
    chat_template: str | None = None,
    context_tokens: int | None = None,
    options: Options | None = None,
) -> Iterator[tuple[OpenAiHttp, HostileServer]]:
    """Serve `answers`, with the backend that asks for them."""
    with serve(*answers, models=models, paths=paths) as server:
        spec = ModelSpec(
            name="m",
            backend="openai_http",
            location=server.url,
            chat_template=chat_template,
            context_tokens=context_tokens,
            options={"timeout_s": 20, **(options or {})},
        )
        factory = Load(environment=environment or {}, sleep=sleep or Slept())
        loaded = factory(spec, clock=time.perf_counter_ns, transforms={})
        try:
            yield loaded, server
        finally:
            loaded.close()


def answer(*steps: Step, **options: Option) -> Generation:
    """Return what comes of one answer of a server."""
    with backend(steps, options=options) as (asked, _):
        return asked.generate(PROMPT, profile=PROFILE, seed=1)


def failure(*answers: Sequence[Step], **options: Option) -> BackendError:
    """Return what an answer fails with."""
    with backend(*answers, options=options) as (asked, _), pytest.raises(BackendError) as caught:
        asked.generate(PROMPT, profile=PROFILE, seed=1)
    return caught.value


def refused(spec: ModelSpec, environment: Mapping[str, str] | None = None) -> str:
    """Return why a model cannot be loaded."""
    with pytest.raises((BackendError, UnknownName)) as caught:
        Load(environment=environment or {})(spec, clock=time.perf_counter_ns, transforms={})
    return str(caught.value)


# --- answers -----------------------------------------------------------------------------------------


def test_an_answer_is_streamed_and_measured() -> None:
    """Text, counts, reason, and stamps that give times."""
    found = answer(*stream(text("He"), 0.03, text(" left"), END), STREAM_END)
    assert (found.text, found.output_tokens, found.prompt_tokens) == ("He left", 2, 5)
    assert (found.finish_reason, found.count_source, found.attempts) == ("stop", "server_usage", ())
    measured = measure(found)
    assert measured.tpot_s is not None
    assert measured.tpot_s >= 0.03
    assert "ttft_s" not in measured.missing


def test_the_request_is_what_the_profile_says() -> None:
    """At the endpoint of the options, to the model that the server has, with more fields as they stand."""
    with backend(GOOD, options={"request": '{"reasoning_effort": "low"}'}) as (asked, server):
        made = asked.generate(PROMPT, profile=replace(PROFILE, temperature=0.5), seed=3)
    [posted] = server.posted
    assert posted.path == "/v1/chat/completions"
    fields = posted.fields
    assert fields["messages"] == [{"role": "user", "content": "Where is Finn?"}]
    assert (fields["model"], fields["temperature"], fields["seed"]) == ("tiny", 0.5, 3)
    assert (fields["max_tokens"], fields["reasoning_effort"]) == (8, "low")
    assert posted.headers["content-type"] == "application/json"
    assert "authorization" not in posted.headers
    assert made.effective == {"temperature": 0.5, "seed": 3}


def test_a_completion_is_asked_for_with_the_text() -> None:
    """Which needs a template, for the server would not apply its own."""
    done = (*stream(event({"choices": [{"text": "He left", "finish_reason": "stop"}]})), STREAM_END)
    with backend(done, options={"endpoint": "completions"}, chat_template="{{ messages }}") as (
        asked,
        server,
    ):
        found = asked.generate(replace(PROMPT, text="<bos>Finn"), profile=PROFILE, seed=1)
    assert (server.posted[0].path, server.posted[0].fields["prompt"]) == ("/v1/completions", "<bos>Finn")
    assert found.text == "He left"


def test_an_answer_that_comes_whole_has_no_first_token() -> None:
    """Asked for, or because the server cannot stream."""
    whole = {
        "choices": [{"message": {"content": "He left"}, "finish_reason": "stop"}],
        "usage": {"completion_tokens": 2},
    }
    for options in ({"stream": False}, {}):
        found = answer(reply(whole), **options)
        assert (found.text, found.streamed, found.output_tokens) == ("He left", False, 2)
        assert measure(found).missing["ttft_s"] == "not_streamed"


def test_several_threads_ask_at_once() -> None:
    """Each gets its own answer, and nothing limits them on this side."""
    slow = (*stream(0.1, text("He"), text(" left"), END), STREAM_END)
    with backend(slow) as (asked, server), ThreadPoolExecutor(6) as pool:
        assert isinstance(asked, ConcurrentBackend)
        assert asked.max_in_flight is None
        found = list(pool.map(lambda seed: asked.generate(PROMPT, profile=PROFILE, seed=seed), range(6)))
    assert [one.text for one in found] == ["He left"] * 6
    assert sorted(int(str(posted.fields["seed"])) for posted in server.posted) == list(range(6))


def test_a_closed_backend_asks_nothing() -> None:
    """And says so."""
    with backend(GOOD) as (asked, _):
        asked.close()
        asked.close()
        with pytest.raises(BackendError, match="has been closed"):
            asked.generate(PROMPT, profile=PROFILE, seed=1)


# --- bad servers -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Bad:
    """What a server answers, with which options it is asked, and what is said of it."""

    steps: tuple[Step, ...]
    says: str
    kind: type[BackendError] = ServerError
    text: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)


def status(line: str, body: Mapping[str, object] | bytes = b"", **headers: str) -> tuple[Step, ...]:
    """Return a reply that is an error."""
    return (reply(body, status=line, **headers),)


def error(message: str) -> Mapping[str, object]:
    """Return an error as servers tell it."""
    return {"error": {"message": message}}


BAD = {
    "401": Bad(
        steps=status("401 Unauthorized", error("no key")), says="answered 401: no key; if it wants a key, "
    ),
    "403": Bad(steps=status("403 Forbidden"), says="answered 403: no reason"),
    "404": Bad(
        steps=status("404 Not Found", error("not found")),
        says='no model "huge", but tiny; set the option model',
        options={"model": "huge"},
    ),
    "429": Bad(
        steps=status("429 Too Many Requests", b"slow down", retry_after="9"),
        says="answered 429: slow down; it asks to wait 9 s",
    ),
    "500": Bad(
        steps=status("500 Internal Server Error", b"<h1>Oops</h1>"), says="answered 500: <h1>Oops</h1>"
    ),
    "503": Bad(steps=status("503 Service Unavailable", error("Loading")), says="answered 503: Loading"),
    "redirect": Bad(
        steps=status("302 Found", location="http://127.0.0.1:9/v1"),
        says="redirects to http://127.0.0.1:9/v1; redirects are not followed, give that address",
    ),
    "no content": Bad(steps=(b"HTTP/1.1 204 No Content\r\n\r\n",), says="answered 204"),
    "a page": Bad(
        steps=(reply(b"<html>hello</html>", content_type="text/html"),),
        says="answered with text/html and no stream of events: <html>hello</html>",
    ),
    "compressed": Bad(
        steps=(reply(b"\x1f\x8b", content_encoding="gzip"),), says="the reply is compressed (gzip)"
    ),
    "reset at once": Bad(steps=(RESET,), says="the connection was reset"),
    "closed at once": Bad(steps=(CLOSE,), says="the connection was closed without a reply"),
    "no HTTP": Bad(
        steps=(b"SSH-2.0\r\n", CLOSE),
        says='not HTTP, it begins with "SSH-2.0"',
    ),
    "reset": Bad(
        steps=(*stream(text("He")), 0.05, RESET),
        says="the connection was reset after 1 piece of the answer",
        kind=TruncatedStream,
        text="He",
    ),
    "cut": Bad(
        steps=(*stream(text("He")), CLOSE),
        says="the connection was closed within it after 1 piece of the answer",
        kind=TruncatedStream,
        text="He",
    ),
    "ended early": Bad(
        steps=(*stream(text("He")), STREAM_END),
        says="the stream ended after 1 piece of the answer, without a finish_reason or [DONE]",
        kind=TruncatedStream,
        text="He",
    ),
    "endless": Bad(
        steps=stream(*((text("He"), 0.01) * 40), HANG),
        says="more than 1,000 bytes came, and it was ended; max_response_bytes allows more",
        text="He" * 12,
        options={"max_response_bytes": 1000},
    ),
    "never a token": Bad(
        steps=stream(event({"choices": [{"delta": {"role": "assistant"}}]}), HANG),
        says="no token came within 0.2 s; first_token_timeout_s allows more",
        kind=GenerationTimeout,
        options={"first_token_timeout_s": 0.2},
    ),
    "never a reply": Bad(
        steps=(HANG,),
        says="no token came within 0.2 s; first_token_timeout_s allows more",
        kind=GenerationTimeout,
        options={"first_token_timeout_s": 0.2},
    ),
    "silence": Bad(
        steps=stream(text("He"), HANG),
        says="nothing came for 0.2 s; idle_timeout_s allows more",
        kind=GenerationTimeout,
        text="He",
        options={"idle_timeout_s": 0.2},
    ),
    "too slow": Bad(
        steps=stream(text("He"), HANG),
        says="it took longer than 0.3 s; timeout_s allows more",
        kind=GenerationTimeout,
        text="He",
        options={"timeout_s": 0.3},
    ),
    "invalid UTF-8": Bad(
        steps=(*stream(text("He"), text("X").replace(b"X", b"\xff")), STREAM_END),
        says="event 2 of the stream has bytes that are no UTF-8",
        text="He",
    ),
    "invalid JSON": Bad(
        steps=(*stream(text("He"), b"data: {oops\n\n"), STREAM_END),
        says="event 2 of the stream is invalid JSON: {oops",
        text="He",
    ),
    "an error in it": Bad(
        steps=(*stream(text("He"), event(error("out of memory")), END), STREAM_END),
        says="the server broke the answer off: out of memory",
        text="He",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_each_fault_is_one_clear_sentence_and_keeps_what_had_come(name: str) -> None:
    """Where, what is wrong, what would be right; texts and stamps up to there are in the error."""
    bad = BAD[name]
    found = failure(bad.steps, retries=0, **bad.options)
    assert type(found) is bad.kind
    assert str(found).startswith("http://127.0.0.1:")
    assert bad.says in str(found)
    assert "\n" not in str(found)
    assert found.partial is not None
    assert found.partial.text == bad.text
    assert found.partial.finish_reason == ("timeout" if bad.kind is GenerationTimeout else "error")
    assert found.partial.requested_ns <= found.partial.ended_ns


def test_a_run_goes_on_after_a_fault() -> None:
    """What was left of a broken reply is in no later one."""
    broken = (*stream(text("bad"), b"data: {oops\n\n", text("worse")), STREAM_END)
    with backend(broken, GOOD, (*stream(text("x")), RESET), GOOD, options={"retries": 0}) as (asked, _):
        for _ in range(2):
            with pytest.raises(BackendError):
                asked.generate(PROMPT, profile=PROFILE, seed=1)
            assert asked.generate(PROMPT, profile=PROFILE, seed=1).text == "He left"


def test_a_prompt_beyond_the_context_of_the_server_is_told_with_both_lengths() -> None:
    """As every backend tells it, with what was known when the server refused."""
    said = {"type": "exceed_context_size_error", "n_prompt_tokens": 90, "n_ctx": 64, "message": "too long"}
    found = failure(status("400 Bad Request", {"error": said}))
    assert isinstance(found, ContextOverflow)
    assert (found.needed_tokens, found.limit_tokens) == (98, 64)
    assert found.partial is not None


def test_a_prompt_whose_length_is_known_is_not_even_sent() -> None:
    """When the context is known, too."""
    with backend(GOOD, context_tokens=16) as (asked, server), pytest.raises(ContextOverflow) as caught:
        asked.generate(replace(PROMPT, n_tokens=9), profile=PROFILE, seed=1)
    assert (caught.value.needed_tokens, caught.value.limit_tokens) == (17, 16)
    assert server.posted == []


def test_a_profile_that_the_server_cannot_follow_is_not_sent() -> None:
    """Also where nobody asked `refusal` before."""
    with backend(GOOD) as (asked, server):
        with pytest.raises(BackendError, match=r'profile "plain": the server at http://.* has no min_p'):
            asked.generate(PROMPT, profile=replace(PROFILE, min_p=0.1), seed=1)
        with pytest.raises(UsageError, match="logit_bias"):
            asked.generate(PROMPT, profile=replace(PROFILE, logit_bias={str(1 << 40): 1.0}), seed=1)
    assert server.posted == []


# --- other attempts ----------------------------------------------------------------------------------

BUSY = status("503 Service Unavailable", b"busy", connection="close")


def test_another_attempt_is_made_and_each_failed_one_is_kept() -> None:
    """With its reason and its stamps, all before those of the answer."""
    slept = Slept()
    with backend(BUSY, (CLOSE,), GOOD, sleep=slept) as (asked, server):
        found = asked.generate(PROMPT, profile=PROFILE, seed=1)
        assert len(server.posted) == 3
    assert found.text == "He left"
    assert [attempt.kind for attempt in found.attempts] == ["server_error", "server_error"]
    assert "answered 503: busy" in found.attempts[0].message
    stamps = [stamp for made in found.attempts for stamp in (made.requested_ns or 0, made.ended_ns)]
    assert stamps == sorted(stamps)
    assert stamps[-1] <= found.requested_ns
    assert slept.seconds == [0.5, 1.0]
    assert measure(found).missing["ttft_s"] == "retried"


def test_when_no_attempt_succeeds_all_of_them_are_told() -> None:
    """The last is the error itself."""
    slept = Slept()
    with backend(BUSY, sleep=slept, options={"retries": 3}) as (asked, server):
        with pytest.raises(ServerError, match=r"answered 503, in 4 attempts: busy$") as caught:
            asked.generate(PROMPT, profile=PROFILE, seed=1)
        assert len(server.posted) == 4
    assert caught.value.partial is not None
    assert len(caught.value.partial.attempts) == 3
    assert slept.seconds == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    "name", [name for name, bad in BAD.items() if bad.text or bad.kind is GenerationTimeout]
)
def test_no_other_attempt_is_made_once_a_token_has_come_or_a_limit_was_reached(name: str) -> None:
    """An answer that broke off is a datum; asked again, it would look like one that did not."""
    slept = Slept()
    with backend(BAD[name].steps, sleep=slept, options=BAD[name].options) as (asked, server):
        with pytest.raises(BackendError):
            asked.generate(PROMPT, profile=PROFILE, seed=1)
        assert len(server.posted) == 1
    assert slept.seconds == []


def test_a_server_is_left_alone_as_long_as_it_asks() -> None:
    """Up to a minute; beyond that the answer has failed."""
    slept = Slept()
    with backend(status("429 Too Many Requests", retry_after="12"), GOOD, sleep=slept) as (asked, _):
        assert asked.generate(PROMPT, profile=PROFILE, seed=1).text == "He left"
    assert slept.seconds == [12.0]
    found = failure(status("429 Too Many Requests", retry_after="61"), GOOD)
    assert "asks to wait 61 s, longer than the 60 s that are waited" in str(found)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((RESET,), "the connection was reset, in 2 attempts$"),
        ((CLOSE,), "the connection was closed without a reply, in 2 attempts$"),
        (status("500 Internal Server Error", b"oh"), "answered 500, in 2 attempts: oh$"),
        (
            status("429 Too Many Requests", retry_after="0"),
            "429, in 2 attempts: no reason; it asks to wait",
        ),
    ],
)
def test_it_is_said_how_often_it_was_tried(answer: tuple[Step, ...], says: str) -> None:
    """Whoever reads the last message knows that it was no single bad moment."""
    with (
        backend(answer, sleep=Slept(), options={"retries": 1}) as (asked, _),
        pytest.raises(ServerError, match=says),
    ):
        asked.generate(PROMPT, profile=PROFILE, seed=1)


def test_without_retries_there_is_one_attempt() -> None:
    """For who measures failures."""
    with backend(BUSY, GOOD, options={"retries": 0}) as (asked, server):
        with pytest.raises(ServerError, match=r"answered 503: busy$"):
            asked.generate(PROMPT, profile=PROFILE, seed=1)
        assert len(server.posted) == 1


@pytest.mark.parametrize("answer", [BUSY, status("429 Too Many Requests", retry_after="0"), (CLOSE,)])
def test_an_answer_that_is_asked_for_once_fails_at_once(answer: tuple[Step, ...]) -> None:
    """Of a benchmark a refusal is a datum, whatever the model's options say of retries."""
    slept = Slept()
    with backend(answer, GOOD, sleep=slept, options={"retries": 3}) as (asked, server):
        assert isinstance(asked, RetryingBackend)
        with pytest.raises(ServerError) as caught:
            asked.generate_once(PROMPT, profile=PROFILE, seed=1)
        assert len(server.posted) == 1
        assert asked.generate_once(PROMPT, profile=PROFILE, seed=1).text == "He left"
    assert caught.value.partial is not None
    assert caught.value.partial.attempts == ()
    assert slept.seconds == []


def test_no_request_is_sent_again_without_an_attempt_that_tells_of_it() -> None:
    """Also where the server closes each connection after its stream without saying so."""
    with backend((*GOOD, CLOSE), sleep=Slept()) as (asked, server):
        found = [asked.generate(PROMPT, profile=PROFILE, seed=1) for _ in range(5)]
        assert len(server.posted) == len(found) + sum(len(each.attempts) for each in found)


def test_a_server_that_went_away_is_told_of() -> None:
    """It was there when the model was loaded; the attempts have no stamp of a request."""
    with backend(GOOD, sleep=Slept()) as (asked, server):
        pass
    spec = ModelSpec(name="m", backend="openai_http", location=server.url, options={"model": "tiny"})
    assert refused(spec).endswith("is the server running, and is the address right?")
    reopened = replace(
        asked,
        line=replace(
            asked.line, transport=type(asked.line.transport)(asked.line.address, clock=time.perf_counter_ns)
        ),
    )
    with pytest.raises(ServerError, match="refused, in 3 attempts; is the server running") as caught:
        reopened.generate(PROMPT, profile=PROFILE, seed=1)
    assert caught.value.partial is not None
    assert [attempt.requested_ns for attempt in caught.value.partial.attempts] == [None, None]


# --- loading -----------------------------------------------------------------------------------------


def spec_of(server: HostileServer, **options: Option) -> ModelSpec:
    """Return a model on a server."""
    return ModelSpec(name="m", backend="openai_http", location=server.url, options=options)


def test_questions_wait_as_long_for_a_connection_as_answers() -> None:
    """The option is of the server and not of what it is asked."""
    with backend(GOOD, options={"connect_timeout_s": 1.5}) as (asked, _):
        assert asked.line.limits.connect_timeout_s == 1.5


def test_a_server_that_is_down_is_told_of_when_the_model_is_loaded() -> None:
    """With its address and what to look at."""
    with serve() as server:
        spec = spec_of(server)
    said = refused(spec)
    assert said.startswith(f"{server.url}/models: no connection: Connection refused")
    assert said.endswith("is the server running, and is the address right?")


@pytest.mark.parametrize(
    ("models", "says"),
    [
        ({"data": [{"id": "a"}, {"id": "b"}]}, 'lists 2 models ("a", "b"); name one with the option model'),
        ({"data": []}, "tells of no model; is that the address"),
        ({"data": [{"id": f"m{n:02}\x1b[2J"} for n in range(99)]}, '"m09\\u001b[2J"); name one'),
        ({"data": "oops"}, "tells of no model"),
        ({}, "tells of no model"),
    ],
)
def test_a_model_is_chosen_only_where_there_is_one(models: Mapping[str, object], says: str) -> None:
    """Otherwise the message has their names."""
    with serve(models=models) as server:
        assert says in refused(spec_of(server))


@pytest.mark.parametrize("line", ["401 Unauthorized", "503 Service Unavailable", "500 Internal Server Error"])
def test_a_server_that_does_not_tell_its_models_for_a_reason_is_not_loaded(line: str) -> None:
    """It would not answer, either."""
    with serve(paths={"/v1/models": reply(error("why"), status=line)}) as server:
        assert f"answered {line[:3]}: why" in refused(spec_of(server, model="tiny"))


def test_a_server_without_a_list_of_models_is_asked_for_the_one_named() -> None:
    """Not every server has a list."""
    with backend(
        GOOD, paths={"/v1/models": reply(b"", status="404 Not Found")}, options={"model": "tiny"}
    ) as (
        asked,
        server,
    ):
        asked.generate(PROMPT, profile=PROFILE, seed=1)
    assert server.posted[0].fields["model"] == "tiny"


def test_what_no_server_can_be_told_is_refused_before_and_when_it_is_loaded() -> None:
    """A position scaling, a chat template that would not be used, a second template over Ollama's."""
    spec = ModelSpec(name="m", backend="openai_http", location="http://127.0.0.1:1")
    for changed, says in (
        (replace(spec, rope_scaling=RopeScaling(rope_type="yarn", factor=4.0)), "cannot set rope_scaling"),
        (replace(spec, chat_template="{{ messages }}"), "cannot set chat_template"),
        (replace(spec, options={"dialect": "ollama", "endpoint": "completions"}), "Ollama"),
    ):
        assert isinstance(load, ChoosyBackendFactory)
        assert says in (load.refusal(changed, PROFILE) or "")
        assert says in refused(changed)
    assert load.refusal(replace(spec, options={"oops": 1}), PROFILE) is None


def test_a_profile_is_refused_by_the_dialect_in_the_options() -> None:
    """Nobody is asked: without a dialect it is what OpenAI's own protocol lacks."""
    spec = ModelSpec(name="m", backend="openai_http", location="http://127.0.0.1:1")
    keen = replace(PROFILE, min_p=0.1)
    assert 'dialect = "llama.cpp" or "vllm"' in (load.refusal(spec, keen) or "")
    assert load.refusal(replace(spec, options={"dialect": "vllm"}), keen) is None
    assert load.refusal(spec, PROFILE) is None
    assert isinstance(load, CapableBackendFactory)
    assert "concurrent" in load.capabilities


def test_options_that_contradict_the_server_are_refused() -> None:
    """A dialect it does not speak, fields that follow from the profile, a context that it does not have."""
    owned = {"data": [{"id": "tiny", "owned_by": "vllm", "max_model_len": 64}]}
    with serve(models=owned) as server:
        said = refused(spec_of(server, dialect="llama.cpp"))
        assert 'dialect = "llama.cpp", but the server' in said
        assert '"vllm"' in said
        said = refused(spec_of(server, request='{"top_k": 3, "x": 1, "stream": false}'))
        both = "the option request sets stream, top_k, which follow from the profile and the other options"
        assert f"{both}; leave them out" in said
        said = refused(spec_of(server, request='{"temperature": 1}'))
        assert "sets temperature, which follows from the profile and the other options; leave it out" in said
        assert "but the server holds 64" in refused(replace(spec_of(server), context_tokens=65))
        assert "give the model a chat_template" in refused(spec_of(server, endpoint="completions"))


def test_the_model_in_its_manual_is_one(tmp_path: Path) -> None:
    """What a person copies from there can be read."""
    from gemma_eval.backends.openai_http import backend as openai_http

    example = [line.strip() for line in str(openai_http.__doc__).splitlines() if line.startswith("    ")]
    path = tmp_path / "models.toml"
    path.write_text("\n".join(["version = 1", *example]))
    spec = models.load(path)["served"]
    assert (spec.backend, spec.options) == ("openai_http", {"dialect": "llama.cpp"})


# --- kinds of servers --------------------------------------------------------------------------------

TEMPLATE = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
LLAMA_CPP = {
    "/props": reply(
        {
            "default_generation_settings": {
                "n_ctx": 64,
                "params": {"top_k": 40, "min_p": 0.05, "samplers": []},
            },
            "total_slots": 4,
            "model_path": "/models/gemma.gguf",
            "model_ftype": "mostly Q8_0",
            "chat_template": TEMPLATE,
            "bos_token": "<bos>",
            "build_info": "b7777-abcdef",
        }
    ),
    "/tokenize": reply({"tokens": [2]}),
}
OWNED_BY_LLAMA_CPP = {
    "data": [{"id": "/models/gemma.gguf", "owned_by": "llamacpp", "meta": {"n_params": 270}}]
}


def test_a_llama_server_is_recognised_and_told_of() -> None:
    """Its build, context, quantisation, template and parameters; the folders of its machine are not told."""
    with backend(GOOD, models=OWNED_BY_LLAMA_CPP, paths=LLAMA_CPP) as (asked, _):
        info = asked.info()
    assert (info.engine, info.version, info.context_tokens) == ("llama.cpp", "b7777-abcdef", 64)
    assert (info.quantisation, info.parameters, info.model_sha256) == ("Q8_0", 270, None)
    assert info.chat_template_sha256 is not None
    assert info.details == {
        "dialect": "llama.cpp",
        "endpoint": "chat",
        "model": "gemma.gguf",
        "slots": 4,
        "cache_prompt": False,
    }


def test_a_llama_server_that_adds_a_beginning_is_not_sent_another() -> None:
    """A completion would begin with two of them."""
    with backend(GOOD, models=OWNED_BY_LLAMA_CPP, paths=LLAMA_CPP, options={"endpoint": "completions"}) as (
        asked,
        server,
    ):
        assert asked.chat_template == TEMPLATE
        asked.generate(replace(PROMPT, text="<bos>Finn"), profile=PROFILE, seed=1)
        assert asked.count_tokens("Finn") == 1
    assert server.posted[0].fields["prompt"] == "Finn"
    assert server.asked[-1].fields == {"content": "Finn", "add_special": False, "parse_special": True}


def test_a_llama_server_of_an_older_version_is_refused_what_it_would_ignore() -> None:
    """Which fields it knows it tells itself."""
    with (
        backend(GOOD, models=OWNED_BY_LLAMA_CPP, paths=LLAMA_CPP) as (asked, _),
        pytest.raises(BackendError, match="knows no mirostat: it is of an older version"),
    ):
        asked.generate(PROMPT, profile=replace(PROFILE, mirostat=2), seed=1)


@pytest.mark.parametrize(("options", "caches"), [({}, False), ({"cache_prompt": True}, True)])
def test_prompts_are_kept_by_a_llama_server_only_when_it_is_told_to(
    options: dict[str, Option], caches: bool
) -> None:
    """Others may keep them, whatever they are told."""
    with backend(GOOD, models=OWNED_BY_LLAMA_CPP, paths=LLAMA_CPP, options=options) as (asked, server):
        asked.generate(PROMPT, profile=PROFILE, seed=1)
        assert isinstance(asked, PrefixCachingBackend)
        assert asked.caches_prefixes is caches
    assert server.posted[0].fields["cache_prompt"] is caches
    with backend(GOOD) as (asked, _):
        assert asked.caches_prefixes is True


def test_a_vllm_server_is_recognised_and_counts() -> None:
    """By who owns its models; its tokenizer counts, and its context is known."""
    owned = {"data": [{"id": "google/gemma", "owned_by": "vllm", "max_model_len": 4096}]}
    paths = {"/version": reply({"version": "0.15.0"}), "/tokenize": reply({"count": 3, "tokens": [1, 2, 3]})}
    with backend(GOOD, models=owned, paths=paths) as (asked, server):
        info = asked.info()
        assert asked.count_tokens("abc") == 3
        asked.generate(PROMPT, profile=replace(PROFILE, min_p=0.1), seed=1)
    assert (info.engine, info.version, info.context_tokens) == ("vllm", "0.15.0", 4096)
    assert info.details["model"] == "google/gemma"
    assert server.posted[0].fields["min_p"] == 0.1


def test_an_ollama_is_recognised_with_what_its_model_sets_by_itself() -> None:
    """No request of this protocol switches a top_k in the model's file off, so that it is told."""
    owned = {"data": [{"id": "gemma3:1b", "owned_by": "library"}]}
    paths = {
        "/api/version": reply({"version": "0.12.0"}),
        "/api/show": reply(
            {
                "parameters": "top_k                64\nnum_ctx   8192",
                "details": {"quantization_level": "Q4_K_M"},
                "model_info": {"general.parameter_count": 999_885_952},
            }
        ),
        "/api/tags": reply({"models": [{"name": "gemma3:1b", "digest": "8648f39daa8f"}]}),
    }
    with backend(GOOD, models=owned, paths=paths) as (asked, _):
        info = asked.info()
        assert asked.count_tokens("abc") is None
    assert (info.engine, info.version, info.quantisation) == ("ollama", "0.12.0", "Q4_K_M")
    assert (info.context_tokens, info.parameters) == (8192, 999_885_952)
    assert info.details["parameters"] == "top_k 64 num_ctx 8192"
    assert info.details["digest"] == "8648f39daa8f"
    with serve(models=owned, paths=paths) as server:
        assert "Ollama" in refused(spec_of(server, endpoint="completions"))


def test_any_other_server_is_taken_at_the_word_of_the_protocol() -> None:
    """It tells neither version nor context."""
    with backend(GOOD) as (asked, _):
        info = asked.info()
        assert (info.engine, info.version, info.context_tokens) == ("openai-compatible", "unknown", None)
        assert asked.chat_template is None
        assert asked.count_tokens("abc") is None


def test_a_server_that_tells_odd_things_is_still_a_server() -> None:
    """What is no number, no text or no table is not told."""
    odd = {
        "/props": reply(
            {"default_generation_settings": 7, "model_path": 7, "bos_token": "x", "total_slots": "many"}
        )
    }
    with backend(GOOD, paths=odd) as (asked, _):
        assert asked.server.dialect == "llama.cpp"
        assert (asked.info().context_tokens, asked.chat_template) == (None, None)
    for body in (b"oops", b"[1]", b'{"default": 1}'):
        with backend(GOOD, paths={"/props": reply(body)}) as (asked, _):
            assert asked.server.dialect == "openai"


def test_a_count_of_this_side_is_made_where_the_server_can_count() -> None:
    """As a check, with the option for it."""
    with backend(GOOD, models=OWNED_BY_LLAMA_CPP, paths=LLAMA_CPP, options={"cross_check": True}) as (
        asked,
        _,
    ):
        found = asked.generate(PROMPT, profile=PROFILE, seed=1)
    assert (found.output_tokens, found.client_tokens) == (2, 1)


def test_a_tokenizer_of_this_side_counts_where_the_server_does_not_tell() -> None:
    """Prompts, and answers without a usage; without one there is no number."""
    uncounted = (*stream(text("He left the town."), END.replace(b'"usage"', b'"other"')), STREAM_END)
    with backend(uncounted, uncounted, options={"tokenizer": "@pocket"}) as (asked, _):
        n_tokens = len(load_tokenizer(locate("@pocket")).encode("He left the town."))
        assert asked.count_tokens("He left the town.") == n_tokens > 1
        found = asked.generate(PROMPT, profile=PROFILE, seed=1)
        assert (found.output_tokens, found.count_source) == (n_tokens, "client_tokenizer")
        assert asked.info().tokenizer_sha256 is not None
    with backend(uncounted) as (asked, _):
        assert asked.count_tokens("He left the town.") is None
        assert asked.generate(PROMPT, profile=PROFILE, seed=1).output_tokens is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("gone", "there is no such folder; *"),
        ("empty", "there is no tokenizer.json in that folder; *"),
        ("model.gguf", "is a file; *"),
        ("@pocket.F32.gguf", "there is no such folder; *"),
    ],
)
def test_a_tokenizer_that_is_none_is_told_before_the_server_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, said: str
) -> None:
    """With the option that has it; nothing is written on the way to it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "empty").mkdir()
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    options: Options = {"tokenizer": given}
    spec = ModelSpec(name="m", backend="openai_http", location="http://127.0.0.1:9", options=options)
    with pytest.raises(WrongSetting) as caught:
        load.check(spec)
    assert fnmatch(str(caught.value), f'model m: tokenizer = "{given}"; {said}')
    assert str(caught.value).endswith("give the folder of a model with its tokenizer.json, or @pocket")
    assert refused(spec) == str(caught.value)
    assert not (tmp_path / "gemma_eval").exists()


def test_a_tokenizer_that_is_damaged_is_told_with_its_option(tmp_path: Path) -> None:
    """It is read when the model is loaded."""
    (tmp_path / "tokenizer.json").write_text("{}")
    with serve() as server:
        spec = spec_of(server, tokenizer=str(tmp_path))
        load.check(spec)
        assert refused(spec).startswith(f"model m: tokenizer: {tmp_path / 'tokenizer.json'}: ")


def test_an_answer_is_not_lost_because_it_cannot_be_counted() -> None:
    """The count is missing, not the answer."""
    uncounted = (*stream(text("He left"), END.replace(b'"usage"', b'"other"')), STREAM_END)
    paths = {**LLAMA_CPP, "/tokenize": reply(b"busy", status="500 Internal Server Error")}
    owned = {"data": [{"id": "tiny", "owned_by": "vllm"}]}
    with backend(uncounted, models=owned, paths=paths) as (asked, _):
        found = asked.generate(PROMPT, profile=PROFILE, seed=1)
        with pytest.raises(ServerError, match="answered 500: busy"):
            asked.count_tokens("He left")
    assert (found.text, found.output_tokens) == ("He left", None)


LISTENS = (
    "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); "
    "print(s.getsockname()[1], flush=True); input()"
)


@contextmanager
def somebody_listens(*command: str, port: int = 0) -> Iterator[tuple[int, int]]:
    """Yield id and port of another process that listens."""
    with subprocess.Popen(
        [*(command or (sys.executable,)), "-c", LISTENS, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        yield child.pid, int(child.stdout.readline())
        child.communicate("\n")


def test_processes_that_listen_are_found() -> None:
    """This one as well, where it serves; a factory tells them before anything is loaded."""
    with backend(GOOD) as (asked, server):
        assert isinstance(asked, ServingBackend)
        assert asked.process_ids == listening(server.port) == (os.getpid(),)
        assert isinstance(load, ServingBackendFactory)
        assert load.process_ids(spec_of(server)) == (os.getpid(),)
    with somebody_listens() as (pid, port):
        assert listening(port) == (pid,)
    assert listening(port) == ()


def test_processes_of_another_machine_are_not_seen() -> None:
    """Though somebody listens at the same port here."""
    with somebody_listens() as (_, port):
        spec = ModelSpec(name="far", backend="openai_http", location=f"http://203.0.113.1:{port}/v1")
        assert load.process_ids(spec) == ()


def test_a_program_that_hands_on_what_it_hears_is_not_the_server(tmp_path: Path) -> None:
    """As Docker's proxy listens for a container; what it takes is not what the engine takes."""
    program = tmp_path / "docker-proxy"
    program.symlink_to(sys.executable)
    with somebody_listens(str(program)) as (_, port):
        assert listening(port) == ()


def test_a_server_that_was_started_again_is_found_again() -> None:
    """Its processes are others now."""
    with backend(GOOD) as (asked, _):
        with somebody_listens() as (pid, port):
            line = replace(asked.line, address=replace(asked.line.address, port=port))
            moved = replace(asked, line=line)
            assert moved.process_ids == (pid,)
        with somebody_listens(port=port) as (later, _):
            assert moved.process_ids == (later,)


def test_processes_that_are_not_seen_are_not_looked_for_with_every_answer() -> None:
    """As behind a tunnel, where none will be seen; a server that comes up later is found after a while."""
    now_ns, found = [0], [(), (), (os.getpid(),)]
    seen = Seen(look=lambda: found.pop(0), clock=lambda: now_ns[0])
    assert seen.pids() == seen.pids() == ()
    assert len(found) == 2
    now_ns[0] = 10_000_000_000
    assert seen.pids() == ()
    now_ns[0] = 19_999_999_999
    assert seen.pids() == ()
    assert len(found) == 1
    now_ns[0] = 20_000_000_000
    assert seen.pids() == seen.pids() == (os.getpid(),)


def test_a_backend_that_saw_no_process_does_not_look_again_at_once() -> None:
    """Though one has begun to listen meanwhile."""
    with backend(GOOD) as (asked, _):
        with somebody_listens() as (_, port):
            line = replace(asked.line, address=replace(asked.line.address, port=port))
        moved = replace(asked, line=line)
        assert moved.process_ids == ()
        with somebody_listens(port=port) as (pid, _):
            assert listening(port) == (pid,)
            assert moved.process_ids == ()


def test_a_model_that_lies_on_this_machine_is_hashed(tmp_path: Path) -> None:
    """By the path that the server tells; a name that is no GGUF file is not opened."""
    weights = tmp_path / "gemma.gguf"
    weights.write_bytes(b"GGUF")
    for path, known in ((weights, True), (tmp_path / "none.gguf", False), (Path("/etc/passwd"), False)):
        props = json.loads(LLAMA_CPP["/props"].partition(b"\r\n\r\n")[2]) | {"model_path": str(path)}
        with backend(GOOD, models=OWNED_BY_LLAMA_CPP, paths={**LLAMA_CPP, "/props": reply(props)}) as (
            asked,
            _,
        ):
            assert (asked.info().model_sha256 is not None) is known


# --- the key -----------------------------------------------------------------------------------------


def test_the_key_is_sent_and_shown_nowhere() -> None:
    """Not in a record, not in an error whatever the server repeats, not in the text of any object."""
    environment = {"MY_KEY": KEY}
    echoes = reply(error(f"Incorrect API key provided: {KEY}"), status="401 Unauthorized")
    redirects = reply(b"", status="302 Found", location=f"http://127.0.0.1/?key={KEY}")
    in_stream = (*stream(text("He"), event(error(f"bad {KEY}"))), STREAM_END)
    owned = {"data": [{"id": f"model-{KEY}", "owned_by": "vllm"}]}
    shown = []
    with backend(
        GOOD,
        (echoes,),
        (redirects,),
        in_stream,
        environment=environment,
        models=owned,
        options={"api_key_env": "MY_KEY", "retries": 0},
    ) as (asked, server):
        shown.append(repr(asked.generate(PROMPT, profile=PROFILE, seed=1)))
        for _ in range(3):
            with pytest.raises(BackendError) as caught:
                asked.generate(PROMPT, profile=PROFILE, seed=1)
            shown += [str(caught.value), repr(caught.value), repr(caught.value.partial)]
        shown += [repr(asked), repr(asked.info()), repr(asked.line), repr(asked.line.request("/x", None))]
        shown += [str(vars(asked.line.transport)), repr(load), repr(Load(environment=environment))]
    assert {posted.headers["authorization"] for posted in server.asked} == {f"Bearer {KEY}"}
    assert [text for text in shown if KEY in text] == []
    assert "<hidden>" in "".join(shown)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "the environment variable MY_KEY is not set"),
        ({"MY_KEY": "  "}, "the environment variable MY_KEY is not set"),
        ({"MY_KEY": f"{KEY}\r\nx-admin: 1"}, "holds what no key is"),
        ({"MY_KEY": f"{KEY} {KEY}"}, "holds what no key is"),
        ({"MY_KEY": f"{KEY}é"}, "holds what no key is"),
    ],
)
def test_a_key_that_is_none_is_refused_before_anything_is_asked(
    environment: Mapping[str, str], says: str
) -> None:
    """By the name of its variable; no header can be put in through it."""
    with serve() as server:
        said = refused(spec_of(server, api_key_env="MY_KEY"), environment)
        assert says in said
        assert KEY not in said
        assert server.asked == []


def test_a_line_end_at_the_end_of_a_key_is_no_part_of_it() -> None:
    """Files that keys are read from end with one."""
    with backend(GOOD, environment={"MY_KEY": f"{KEY}\n"}, options={"api_key_env": "MY_KEY"}) as (_, server):
        assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"


def test_no_option_puts_a_header_in() -> None:
    """What goes into a request line or a header is checked, everything else is JSON."""
    with backend(GOOD, options={"model": "tiny\r\nx-admin: 1"}) as (asked, server):
        asked.generate(PROMPT, profile=replace(PROFILE, stop=("\r\nx-admin: 1",)), seed=1)
        assert "x-admin" not in server.posted[0].headers
    spec = ModelSpec(name="m", backend="openai_http", location=f"{server.url}\r\nx-admin: 1")
    assert "spaces or characters that no URL has" in refused(spec)
