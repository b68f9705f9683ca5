"""What is no answer becomes one clear sentence, and no sentence shows the key."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import quote

import pytest

from gemma_eval.backends.openai_http.errors import Excerpt, Question, Secret, pause_s, refusal, said
from gemma_eval.backends.openai_http.reply import Broken, Reply
from gemma_eval.errors import ContextOverflow, GenerationTimeout, ServerError

KEY = Secret("sk-5up3r/s3cret+k3y")
QUESTION = Question(
    url="http://h:1/v1/chat/completions",
    model="tiny",
    max_tokens=8,
    excerpt=Excerpt(key=KEY),
    models=lambda: ("small", "large"),
)


def reply(status: int | None, body: bytes = b"", broken: Broken | None = None, **headers: str) -> Reply:
    """Return a reply that came at once."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers=named, reads=((2, body),), requested_ns=1, ended_ns=3, broken=broken)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (
            reply(None, broken=Broken(kind="unreachable", what="no connection: Connection refused")),
            "no connection: Connection refused; is the server running, and is the address right?",
        ),
        (
            reply(None, broken=Broken(kind="reset", what="the connection was reset")),
            "the connection was reset",
        ),
        (
            reply(None, broken=Broken(kind="protocol", what='it is not HTTP, and begins "\x1b[2J"')),
            r'it is not HTTP, and begins "\u001b[2J"',
        ),
        (
            reply(200, content_encoding="gzip"),
            "the reply is compressed (gzip), though that was not asked for",
        ),
        (
            reply(302, location="http://elsewhere/"),
            "answered 302 and redirects to http://elsewhere/; redirects are not followed",
        ),
        (
            reply(401, b'{"error": {"message": "no key"}}'),
            "answered 401: no key; if it wants a key, name the environment variable",
        ),
        (
            reply(404, b'{"detail": "Not Found"}'),
            'it has no model "tiny", but large, small; set the option model',
        ),
        (
            reply(400, b'{"error": {"message": "top_k must be positive"}}'),
            "answered 400: top_k must be positive",
        ),
        (reply(429, b"slow down", retry_after="7"), "answered 429: slow down; it asks to wait 7 s"),
        (
            reply(429, b"", retry_after="3600"),
            "answered 429: no reason; it asks to wait 3600 s, longer than the 60 s",
        ),
        (reply(500, b"<h1>Oops</h1>\n"), "answered 500: <h1>Oops</h1>"),
        (reply(503, b'{"error": {"message": "Loading model"}}'), "answered 503: Loading model"),
        (reply(204), "answered 204"),
    ],
)
def test_each_refusal_is_one_sentence(found: Reply, says: str) -> None:
    """It names the URL, what the server said, and what would help."""
    error = refusal(found, QUESTION)
    assert isinstance(error, ServerError)
    assert str(error).startswith(QUESTION.url)
    assert says in str(error)
    assert str(error).isprintable()


def test_an_answer_is_no_refusal() -> None:
    """Whatever stands in it."""
    assert refusal(reply(200, b'{"error": 1}'), QUESTION) is None
    assert refusal(reply(200, content_encoding="identity"), QUESTION) is None


def test_a_limit_is_a_limit_before_a_reply_began() -> None:
    """The kind of the error is that of a limit in a stream."""
    late = Broken(kind="timeout", what="no token came within 9 s; first_token_timeout_s allows more")
    assert isinstance(refusal(reply(None, broken=late), QUESTION), GenerationTimeout)


def test_a_key_that_is_not_accepted_is_named_by_its_variable() -> None:
    """Not by itself, though the server repeats it."""
    question = Question(url="http://h:1", api_key_env="MY_KEY", excerpt=Excerpt(key=KEY))
    error = refusal(reply(403, f'{{"error": "bad key {KEY}"}}'.encode()), question)
    assert "bad key <hidden>; the key in the environment variable MY_KEY is not accepted" in str(error)


def test_a_path_that_is_not_there_is_not_taken_for_a_model() -> None:
    """When the server has the model, or tells none."""
    for models in (("tiny",), ()):
        question = Question(url="http://h:1", model="tiny", models=lambda models=models: models)  # type: ignore[misc]
        assert "is the location right, with its /v1?" in str(refusal(reply(404), question))


def test_many_models_are_not_all_listed() -> None:
    """Ten are enough to see what names look like."""
    question = Question(url="http://h:1", model="x", models=lambda: [f"m{n:02}" for n in range(12)])
    assert "m09 and 2 more; set the option model" in str(refusal(reply(404), question))


OF_LLAMA_SERVER = {"type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 2048}
SAID = "This model's maximum context length is 2048 tokens"


@pytest.mark.parametrize(
    ("error", "needed"),
    [
        (OF_LLAMA_SERVER, 9008),
        ({"message": f"{SAID}. However, you requested 3000 tokens (2992 in the messages, 8 more)."}, 3000),
        (
            {"message": f"{SAID}. However, you requested 8 output tokens, a total of at least 2049 tokens."},
            2049,
        ),
        ({"message": f"{SAID}, but the prompt contains 2100 input tokens"}, 2108),
        ({"message": f"{SAID}. However, your messages resulted in 2100 tokens."}, 2100),
    ],
)
def test_a_prompt_that_is_too_long_is_told_as_by_every_backend(
    error: Mapping[str, object], needed: int
) -> None:
    """In the words of llama-server, of three versions of vLLM, and of OpenAI."""
    found = refusal(reply(400, json.dumps({"error": error}).encode()), QUESTION)
    assert isinstance(found, ContextOverflow)
    assert (found.needed_tokens, found.limit_tokens) == (needed, 2048)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"type": "exceed_context_size_error"}}',
        b'{"error": {"message": "maximum context length is 9 tokens"}}',
        b"oops",
    ],
)
def test_what_does_not_tell_both_lengths_is_no_such_error(body: bytes) -> None:
    """The server's own words are shown instead."""
    assert type(refusal(reply(400, body), QUESTION)) is ServerError


# --- another attempt ---------------------------------------------------------------------------------

RESET = Broken(kind="reset", what="the connection was reset")
DATES = {"date": "Sun, 06 Nov 1994 08:49:37 GMT", "retry_after": "Sun, 06 Nov 1994 08:49:49 GMT"}


@pytest.mark.parametrize(
    ("found", "attempts", "expected"),
    [
        (reply(429), 0, 0.5),
        (reply(500), 1, 1.0),
        (reply(502), 2, 2.0),
        (reply(503), 3, 4.0),
        (reply(504), 0, 0.5),
        (reply(429, retry_after="7"), 0, 7.0),
        (reply(429, retry_after="60"), 0, 60.0),
        (reply(429, retry_after="61"), 0, None),
        (reply(503, b"", None, **DATES), 0, 12.0),
        (reply(503, retry_after="Sun, 06 Nov 1994 08:49:37 GMT"), 0, 0.5),
        (reply(503, retry_after="soon"), 0, 0.5),
        (reply(503, retry_after="-1"), 0, 0.5),
        (reply(None, broken=RESET), 0, 0.5),
        (reply(None, broken=Broken(kind="unreachable", what="")), 0, 0.5),
        (reply(None, broken=Broken(kind="timeout", what="")), 0, None),
        (reply(None, broken=Broken(kind="protocol", what="")), 0, None),
        (reply(200, broken=RESET), 0, None),
        (reply(200), 0, None),
        (reply(400), 0, None),
        (reply(401), 0, None),
        (reply(404), 0, None),
        (reply(501), 0, None),
    ],
)
def test_another_attempt_is_made_after_some_time_or_not_at_all(
    found: Reply, attempts: int, expected: float | None
) -> None:
    """Only where no answer had begun, and as long as the server asks, up to a minute; no clock is read."""
    assert pause_s(found, attempts=attempts) == expected


# --- what is shown -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"error": {"message": "a"}}', "a"),
        (b'{"error": "a"}', "a"),
        (b'{"message": "a"}', "a"),
        (b'{"detail": [{"msg": "a"}]}', '[{"msg": "a"}]'),
        (b"plain\n text ", "plain  text"),
        (b"\x1b[2J\x07\xff", "\\u001b[2J\\u0007\N{REPLACEMENT CHARACTER}"),
        ("a\u202eb".encode(), "a\\u202eb"),
        (b"x" * 500, "x" * 199 + "…"),
        (b"", ""),
    ],
)
def test_a_servers_words_are_short_and_harmless(body: bytes, shown: str) -> None:
    """The message of an error object, or the whole; controls are shown as what they are."""
    assert said(reply(500, body), Excerpt()) == shown


@pytest.mark.parametrize(
    "form", [str(KEY), quote(str(KEY), safe=""), b64encode(str(KEY).encode()).decode(), f"x{KEY}" * 40]
)
def test_the_key_is_shown_in_no_form(form: str) -> None:
    """Plain, in a URL, in base64, or cut off at the end of what is shown."""
    excerpt = Excerpt(key=KEY)
    assert form not in excerpt(form)
    assert str(KEY)[:8] not in excerpt("y" * 190 + form)
    assert "hidden" in excerpt(form)


def test_a_secret_does_not_show_itself() -> None:
    """Not among the variables of a traceback, nor in a record; it is still the text that is sent."""
    headers: Mapping[str, str] = {"Authorization": Secret(f"Bearer {KEY!s}")}
    assert "sk-" not in repr(headers) + repr(KEY) + repr(Excerpt(key=KEY)) + f"{[KEY]}"
    assert headers["Authorization"].encode() == f"Bearer {KEY!s}".encode()
