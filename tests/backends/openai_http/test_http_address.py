"""A location is the address of a server, or the message says what it should be."""

from __future__ import annotations

import pytest

from gemma_eval.backends.openai_http.address import parse
from gemma_eval.errors import BackendError


@pytest.mark.parametrize(
    ("location", "origin", "path", "root"),
    [
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080", "/v1", ""),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "/v1", ""),
        ("http://localhost/v1/", "http://localhost:80", "/v1", ""),
        ("https://models.example/api/v1", "https://models.example:443", "/api/v1", "/api"),
        ("http://host:1/llama", "http://host:1", "/llama/v1", "/llama"),
        ("https://models.example/v1beta/openai/", "https://models.example:443", "/v1beta/openai", ""),
        ("http://[::1]:8080", "http://[::1]:8080", "/v1", ""),
    ],
)
def test_a_location_names_origin_and_path(location: str, origin: str, path: str, root: str) -> None:
    """`/v1` is added where no version is in it; what is beside the interface lies below what comes before."""
    found = parse(location, model="m")
    assert (found.origin, found.path, found.root) == (origin, path, root)


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("", "no http or https URL"),
        ("127.0.0.1:8080", "no http or https URL"),
        ("file:///etc/passwd", "no http or https URL"),
        ("gopher://host/", "no http or https URL"),
        ("http://", "no http or https URL"),
        ("http://host:99999", "is no URL: Port out of range"),
        ("http://host:x", "is no URL"),
        ("http://[::1", "is no URL"),
        ("http://host/a b", "spaces or characters"),
        ("http://host/\r\nx: y", "spaces or characters"),
        ("http://höst/", "spaces or characters"),
        ("http://user:word@host/v1", "api_key_env"),
        ("http://host/v1?key=word", "api_key_env"),
        ("http://host/v1#word", "api_key_env"),
        ("http://169.254.169.254/latest", "link-local"),
        ("http://[fd00:ec2::254]/", "link-local"),
        ("http://[fe80::1]/", "link-local"),
    ],
)
def test_what_is_no_address_is_refused(location: str, says: str) -> None:
    """In one line that shows no password and no control character."""
    with pytest.raises(BackendError, match=says) as caught:
        parse(location, model="m")
    assert str(caught.value).startswith("model m: location")
    assert str(caught.value).isprintable()
    assert "word@" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("[::1]", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("a.b", False),
    ],
)
def test_a_server_on_this_machine_is_known_by_its_host(host: str, is_loopback: bool) -> None:
    """Nobody is asked."""
    assert parse(f"http://{host}:1", model="m").is_loopback is is_loopback
