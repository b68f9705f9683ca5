"""A server with TLS is asked when its certificate is trusted, and refused in one sentence when not."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gemma_eval.backends.openai_http.backend import load
from gemma_eval.errors import ServerError
from gemma_eval.records import Message, ModelSpec, Prompt, SamplingProfile

FILES = Path(__file__).parent / "tls"
AUTHORITY = str(FILES / "authority.pem")
PROMPT = Prompt(messages=(Message(role="user", content="Who left?"),), text=None, n_tokens=None)
PIECES = ({"delta": {"content": "He left"}}, {"delta": {}, "finish_reason": "stop"})


class Tiny(BaseHTTPRequestHandler):
    """Has one model, which always says the same."""

    def do_GET(self) -> None:
        """List the model."""
        self._send(b'{"data": [{"id": "tiny"}]}', "application/json")

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        events = (f"data: {json.dumps({'choices': [piece]})}\n\n" for piece in PIECES)
        self._send(("".join(events) + "data: [DONE]\n\n").encode(), "text/event-stream")

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Quiet(ThreadingHTTPServer):
    """Reports no client that went away in the middle of a greeting."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


@contextmanager
def served(*, tls: bool) -> Iterator[int]:
    """Serve on a free port of this machine until the block ends; the result is the port."""
    server = Quiet(("127.0.0.1", 0), Tiny)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(FILES / "server.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asked(location: str) -> str:
    """Return what the model at a location answers."""
    spec = ModelSpec(name="m", backend="openai_http", location=location, options={"dialect": "openai"})
    with closing(load(spec, clock=time.perf_counter_ns, transforms={})) as backend:
        return backend.generate(PROMPT, profile=SamplingProfile(name="any", max_tokens=4), seed=1).text


def refused(location: str) -> str:
    """Return why the server at a location is not asked, without its address."""
    with pytest.raises(ServerError) as caught:
        asked(location)
    where, _, why = str(caught.value).partition("/v1/models: ")
    assert where == location.removesuffix("/v1")
    return why


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_is_asked_whose_authority_is_in_ssl_cert_file(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """By each of the names that its certificate is for."""
    monkeypatch.setenv("SSL_CERT_FILE", AUTHORITY)
    with served(tls=True) as port:
        assert asked(f"https://{host}:{port}/v1") == "He left"


def test_a_certificate_that_nobody_vouches_for_is_refused_with_the_way_to_trust_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once, for another attempt would meet the same certificate."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with served(tls=True) as port:
        why = refused(f"https://127.0.0.1:{port}/v1")
    assert why == (
        "its certificate is not trusted (unable to get local issuer certificate); name the file with the "
        "certificate of its authority in the environment variable SSL_CERT_FILE"
    )


def test_a_certificate_for_another_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is trusted, and does not say that this is the server: 127.1 is the same machine."""
    monkeypatch.setenv("SSL_CERT_FILE", AUTHORITY)
    with served(tls=True) as port:
        why = refused(f"https://127.1:{port}/v1")
    assert why.startswith("its certificate is for another address (")
    assert why.endswith("); give the one that it is for")


def test_the_scheme_that_is_not_the_servers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways round, with the one that is."""
    monkeypatch.setenv("SSL_CERT_FILE", AUTHORITY)
    with served(tls=False) as port:
        why = refused(f"https://127.0.0.1:{port}/v1")
    assert why.endswith("; if it is a plain server, the location should begin with http://")
    assert why.startswith("it does not speak TLS (")
    with served(tls=True) as port:
        why = refused(f"http://127.0.0.1:{port}/v1")
    assert why.endswith("the location should begin with https://")


def test_an_alert_of_tls_in_place_of_a_reply_is_told() -> None:
    """What some servers send to who greets them in plain text."""
    from http.client import BadStatusLine

    from gemma_eval.backends.openai_http.faults import no_http

    said = no_http(BadStatusLine("\x15\x03\x01\x00\x02\x02F"))
    assert said == "what came is TLS; the location should begin with https://"
