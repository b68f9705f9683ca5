"""The JSON Schema of settings.yaml takes what its reader takes, and refuses what that refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from gemma_eval.config import settings_file
from gemma_eval.config.editor_schema import settings_schema
from gemma_eval.config.settings_keys import KEYS
from gemma_eval.errors import ConfigError
from gemma_eval.files import yaml12

SCHEMA = settings_schema({"models": ["pocket"], "profiles": ["greedy"], "templates": []})
EDITOR = Draft7Validator(SCHEMA)


def reader_takes(text: str) -> bool:
    """Whether the text is read."""
    try:
        settings_file.parse(text, path=Path("settings.yaml"))
    except ConfigError:
        return False
    return True


LINES = (
    *("database: x", "database: 1", "database: null", "reports: ''", "suite_paths: [a]", "suite_paths: a"),
    *(
        "backups: 3",
        "backups: -1",
        "backups: 1.5",
        "log_json: ~",
        "log_json: x",
        "chat:",
        "chat: {}",
        "chat: 1",
    ),
    *(
        "chat: {model: pocket}",
        "chat: {model: other}",
        "chat: {model: a b}",
        "chat: {model: ~}",
        "chat: {x: 1}",
    ),
    *("chat: {template: ~}", "chat: {history: no}", "chat: {history: true}", "reload: {poll_s: 0}"),
    *("reload: {poll_s: 1, quiet_s: 0.5}", "reload: {quiet_s: 61}", "reloads: {}"),
)


@given(st.lists(st.sampled_from(LINES), max_size=4, unique_by=lambda line: line.partition(":")[0]))
def test_the_editor_and_the_reader_agree(lines: list[str]) -> None:
    """For every combination of good and bad lines."""
    text = "version: 1\n" + "".join(f"{line}\n" for line in lines)
    assert (list(EDITOR.iter_errors(yaml12.parse(text).table)) == []) == reader_takes(text)


@pytest.mark.parametrize("line", LINES)
def test_each_line_is_judged_alike(line: str) -> None:
    """And both kinds are among them."""
    text = f"version: 1\n{line}\n"
    assert (list(EDITOR.iter_errors(yaml12.parse(text).table)) == []) == reader_takes(text)
    assert 5 < sum(map(reader_takes, (f"version: 1\n{each}\n" for each in LINES))) < len(LINES) - 5


@pytest.mark.parametrize("text", ["backups: 1\n", "version: 2\n", "version: true\n"])
def test_the_version_is_needed(text: str) -> None:
    """Where there is anything."""
    assert list(EDITOR.iter_errors(yaml12.parse(text).table))
    assert not reader_takes(text)


def test_every_key_has_its_words() -> None:
    """Those of the table of keys."""
    tables = {"": SCHEMA} | {name: SCHEMA["$defs"][f"{name.capitalize()}Row"] for name in ("chat", "reload")}  # type: ignore[index]
    for key in KEYS:
        table, _, name = key.name.rpartition(".")
        assert tables[table]["properties"][name]["description"] == key.words
