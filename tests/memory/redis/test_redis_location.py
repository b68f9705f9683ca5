"""A location says all that a connection needs, and is never shown with its password."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval import plugins
from gemma_eval.errors import StoreError, SuiteError
from gemma_eval.memory.redis.location import Location, parse
from gemma_eval.memory.stores import without_password
from gemma_eval.suite import load_suite

SECRET = "hunter2"  # noqa: S105 - of no server


@pytest.mark.parametrize(
    ("url", "want"),
    [
        ("redis://localhost", Location(host="localhost")),
        ("redis://h:7000/3?namespace=mine", Location(host="h", port=7000, database=3, namespace="mine")),
        ("redis://:p%2Fw@h", Location(host="h", password="p/w")),  # noqa: S106
        (
            "rediss://me:pw@[::1]:1/0?cacert=ca.pem&cert=c.pem&key=k.pem&timeout=0.25",
            Location(
                host="::1",
                port=1,
                username="me",
                password="pw",  # noqa: S106
                tls=True,
                cacert="ca.pem",
                cert="c.pem",
                key="k.pem",
                timeout_s=0.25,
            ),
        ),
        ("redis://me@h?password_env=PW", Location(host="h", username="me", password=SECRET)),
    ],
)
def test_a_location_is_read_whole(url: str, want: Location) -> None:
    """User, password, database, namespace, files of TLS and the timeout."""
    assert parse(url, {"PW": SECRET}) == want


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://h", "no address of a Redis server"),
        ("redis://", "no address of a Redis server"),
        ("redis://h:99999", "is no address"),
        ("redis://[::1", "is no address"),
        ("redis://h/people", "a database has a number"),
        ("redis://h?namspace=x", 'did you mean "namespace"'),
        ("redis://h?namespace={x}", "1 to 64 letters"),
        ("redis://h?namespace=", "namespace is empty"),
        ("redis://h?namespace=a&namespace=b", "given twice"),
        ("redis://h?password_env=NOT_SET", "NOT_SET is not set"),
        (f"redis://:{SECRET}@h?password_env=PW", "leave the password out"),
        ("redis://h?timeout=0", "timeout is a number of seconds"),
        ("redis://h?timeout=soon", "timeout is a number of seconds"),
        ("redis://h?cacert=ca.pem", "write rediss://"),
        (f"redis://h?password={SECRET}", 'did you mean "password_env"'),
    ],
)
def test_a_wrong_location_is_refused(url: str, said: str) -> None:
    """The message says what would be right."""
    with pytest.raises(StoreError, match=said) as caught:
        parse(url, {"PW": SECRET})
    assert SECRET not in str(caught.value)


@given(
    before=st.sampled_from(["", "me"]),
    after=st.sampled_from(["", "/0", "/x", ":99999", "?namespace={", "?timeout=-1", "/?#"]),
    scheme=st.sampled_from(["redis://", "rediss://", "http://", ""]),
)
def test_no_message_and_no_representation_holds_the_password(before: str, after: str, scheme: str) -> None:
    """Whatever else is wrong with the location."""
    url = f"{scheme}{before}:{SECRET}@host{after}"
    try:
        location = parse(url, {})
    except StoreError as error:
        shown = str(error)
    else:
        assert location.password == SECRET
        shown = f"{location} {location!r}"
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        (f"redis://me:{SECRET}@h:1/0?namespace=a", "redis://h:1/0?namespace=a"),
        (f"redis:me:{SECRET}@h", "redis:h"),
        (f"rediss://:{SECRET}@p@h", "rediss://h"),
        ("redis://h", "redis://h"),
        (f"redis://h?password={SECRET}&namespace=a", "redis://h?password=…&namespace=a"),
        ("redis://h?password_env=PW", "redis://h?password_env=PW"),
        ("me@home/memory.db", "me@home/memory.db"),
        ("sqlite:me@home.db", "sqlite:me@home.db"),
    ],
)
def test_a_command_shows_a_location_without_its_password(location: str, shown: str) -> None:
    """A path is shown as it is."""
    assert without_password(location) == shown


def test_a_suite_may_name_a_password_and_not_hold_one(tmp_path: Path) -> None:
    """What it says is kept with its results; the message does not repeat it."""
    said = {user: problems(tmp_path, f"redis://{user}@h?password_env=PW") for user in ("me", f"me:{SECRET}")}
    assert "holds a password" not in said["me"]
    assert ":2: retrievals.a.memory holds a password" in said[f"me:{SECRET}"]
    assert SECRET not in said[f"me:{SECRET}"]


def problems(folder: Path, memory: str) -> str:
    """Return what is wrong with a suite that has that memory and no case."""
    path = folder / "towns.gemma.toml"
    path.write_text(f'[retrievals.a]\nmemory = "{memory}"\n')
    with pytest.raises(SuiteError) as caught:
        load_suite(path, plugins.load())
    return str(caught.value)


def test_a_password_that_is_shown_would_be_noticed() -> None:
    """The test above looks for what is there."""
    assert SECRET in f"{Location(host=SECRET)}"
