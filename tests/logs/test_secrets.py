"""No key stands in a file: one that does is an error that says where and shows none of it."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from gemma_eval.config import models, profiles, settings_file
from gemma_eval.errors import ConfigError
from gemma_eval.files.locate import Path as Where
from gemma_eval.logs import secrets

DRAWN = "Zx81Qw7Lm4Pk2Rt9Vb6Nc3Hd5Jf0Gs8"
SECRETS = {
    f"sk-proj-{DRAWN}_abc-{DRAWN}": "sk-…",
    f"sk-ant-api03-{DRAWN}{DRAWN}AA": "sk-…",
    f"sk-or-v1-{'0123456789abcdef' * 4}": "sk-…",
    f"hf_{DRAWN}abcd": "hf_…",
    f"ghp_{DRAWN}{DRAWN[:5]}": "ghp_…",
    f"github_pat_11{DRAWN}": "gith…",
    "AKIAIOSFODNN7EXAMPLE": "AKIA…",
    "xoxb-123456789012-abcdefghij": "xox…",
    f"AIza{DRAWN}abcd": "AIza…",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N": "eyJ…",
    f"Authorization: Bearer {DRAWN}": "…",
    "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==": "…",
    "https://finn:correct-horse@example.org/v1": "…",
    "redis://:correct-horse@example.org:6379/0": "…",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIB\n-----END RSA PRIVATE KEY-----": "…",
}
HARMLESS = (
    hashlib.sha256(b"x").hexdigest(),
    hashlib.sha1(b"x").hexdigest(),  # noqa: S324 - a hash as git writes it
    f"sha256:{hashlib.sha256(b'x').hexdigest()}",
    "google/gemma-3-270m-it",
    "gemma-3-27b-it-Q4_K_M.gguf",
    "sk-learn-and-other-words-of-some-length",
    "task-12345678901234567890",
    "hf_transformers",
    "ghosts_of_Kiel",
    "@pocket.Q8_0.gguf",
    "/home/finn/models/gemma-3-1b-it/model-00001-of-00002.safetensors",
    "C:\\models\\gemma",
    "http://127.0.0.1:8080/v1",
    "https://example.org:8443/v1?x=1",
    "redis://localhost:6379/0",
    "postgres://finn:${PASSWORD}@db/x",
    "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 8).decode(),
    base64.b64encode(hashlib.sha512(b"y").digest() * 40).decode(),
    "Bearer tokens are sent by browsers.",
    "Basic understanding of chemistry",
    "Use an authorization header, as Bearer <key>.",
    "550e8400-e29b-41d4-a716-446655440000",
    "20261120-191500-3f9a",
    "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ message.role }}",
    "What is the key to the city? A token of thanks.",
    "mailto:finn@example.org",
    "a -----BEGIN CERTIFICATE----- b",
)


@pytest.mark.parametrize(("secret", "what_is_shown"), SECRETS.items())
def test_a_key_is_known_by_its_shape_and_hardly_shown(secret: str, what_is_shown: str) -> None:
    """Alone and within a sentence; what is shown tells the kind and nothing of the key."""
    assert secrets.looks_secret(secret)
    assert secrets.looks_secret(f"the server said '{secret}', and so on")
    assert secrets.shown(secret) == what_is_shown


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_resembles_a_key_is_none(text: str) -> None:
    """Hashes, names of models, paths, images, URLs and sentences about keys."""
    assert secrets.looks_secret(text) is None


def test_the_first_letters_that_are_shown_are_four_at_most() -> None:
    """And the sign that more follows."""
    assert all(len(secrets.shown(secret)) <= 5 for secret in SECRETS)


@pytest.mark.parametrize(
    "table",
    [
        {"api_key": "hunter2"},
        {"apiKey": "hunter2"},
        {"request": {"headers": {"X-API-Key": "hunter2"}}},
        {"request": '{"headers": {"Authorization": "hunter2"}}'},
        {"password": 12345678},
        {"session_token": DRAWN},
        {"keys": ["a", f"hf_{DRAWN}abcd"]},
        {"key": DRAWN},
    ],
)
def test_a_name_that_says_so_makes_a_text_a_secret(table: dict[str, object]) -> None:
    """However weak it is; the message helps and shows none of it."""
    ((_, what),) = secrets.flaws(table)
    assert "api_key_env" in what
    assert "hunter2" not in what
    assert "1234" not in what
    assert DRAWN not in what


@pytest.mark.parametrize(
    "table",
    [
        {"api_key_env": "OPENAI_API_KEY"},
        {"api_key": "OPENAI_API_KEY"},  # a wrong name for an option, and no key
        {"api_key": ""},
        {"tokenizer": "@pocket", "max_tokens": 64, "stop_token": "<end_of_turn>"},
        {"tokenizer": "/home/finn/models/gemma-3-1b-it/"},
        {"key": hashlib.sha256(b"x").hexdigest()},
        {"cache_key": "gemma-3-270m-it-qat-q4_0-unquantized"},
        {"keyword": DRAWN, "monkey": DRAWN},
        {"password_file": "/run/secrets/password"},
        {"model": "google/gemma-3-270m-it", "threads": 4, "stream": True},
    ],
)
def test_a_name_that_only_resembles_one_does_not(table: dict[str, object]) -> None:
    """Nor does one under which a variable, a hash or a path stands."""
    assert list(secrets.flaws(table)) == []


def test_a_table_of_any_depth_is_looked_into_as_far_as_files_may_be_deep() -> None:
    """A deeper one is no error of ours."""
    deep: object = {"api_key": "hunter2"}
    for _ in range(3000):
        deep = [deep]
    assert list(secrets.flaws(deep)) == []


@pytest.mark.parametrize(
    ("line", "at"),
    [
        (f'options.api_key = "sk-{DRAWN}"', ("options", "api_key")),
        (f'options.headers = ["Authorization: Bearer {DRAWN}"]', ("options", "headers", 0)),
        ("""options.request = '{"api_key": "hunter2"}'""", ("options", "request")),
        ('options.password = "hunter2"', ("options", "password")),
    ],
)
def test_a_models_file_with_a_key_is_refused_with_its_line(tmp_path: Path, line: str, at: Where) -> None:
    """Whatever option it hides in."""
    text = f'version = 1\n[model.served]\nbackend = "openai_http"\nlocation = "http://127.0.0.1:1"\n{line}\n'
    with pytest.raises(ConfigError) as caught:
        models.parse(text, path=tmp_path / "models.toml")
    (problem,) = caught.value.problems
    assert problem.line == 5
    assert str(at[1]) in problem.what
    assert "api_key_env" in problem.what
    assert DRAWN not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_location_with_a_password_is_refused_where_it_is_written(tmp_path: Path) -> None:
    """When the file is read, before any server is asked."""
    text = 'version = 1\n[model.served]\nbackend = "openai_http"\nlocation = "https://finn:hunter2@host/v1"\n'
    with pytest.raises(ConfigError, match=r"models\.toml:4: .*location is a password in a URL") as caught:
        models.parse(text, path=tmp_path / "models.toml")
    assert "hunter2" not in str(caught.value)


def test_the_name_of_a_variable_is_no_key(tmp_path: Path) -> None:
    """Nor is what is too short for one."""
    text = (
        'version = 1\n[model.served]\nbackend = "openai_http"\nlocation = "http://127.0.0.1:1"\n'
        'options.api_key_env = "OPENAI_API_KEY"\noptions.model = "sk-4k"\n'
    )
    assert models.parse(text, path=tmp_path / "models.toml")["served"].options["model"] == "sk-4k"


def test_a_profile_and_a_setting_with_a_key_are_refused_with_their_line(tmp_path: Path) -> None:
    """As in a description, and in the address of a memory."""
    text = f'{{"version": 1, "profiles": {{\n"hot": {{\n"stop": ["hf_{DRAWN}abcd"]}}}}}}'
    with pytest.raises(ConfigError, match=r"profiles\.json:3: .*stop.* is a token of Hugging Face \(hf_…\)"):
        profiles.parse(text, path=tmp_path / "profiles.json")
    text = "version: 1\nchat:\n  memory: redis://:hunter2@localhost\n"
    with pytest.raises(ConfigError, match=r"settings\.yaml:3: chat\.memory is a password in a URL") as caught:
        settings_file.parse(text, path=tmp_path / "settings.yaml")
    assert "hunter2" not in str(caught.value)
