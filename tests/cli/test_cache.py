"""`gemma-eval cache` measures modes, and looks into a cache that is shared through a real Redis."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_eval import plugins
from gemma_eval.cli import command
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.hookspecs import hookimpl
from gemma_eval.memory.cache.redis import RedisEntries
from gemma_eval.protocols import RegisterEmbedder
from tests.memory.cache.made import Meaning, an_entry
from tests.redis_server import RedisServer, redis_server

__all__ = ["redis_server"]

PAIRS = [
    ("different", "numbers", "Name 2 rivers.", "Name 3 rivers."),
    ("same", "form", "Name two rivers.", "name 2 rivers"),
]


def run(*arguments: str, plugin: object | None = None) -> Result:
    """Run the command; an error is its exception."""
    registry = plugins.load(() if plugin is None else [plugin])
    return CliRunner().invoke(command(registry), ["cache", *arguments])


def written(folder: Path) -> str:
    """Write two pairs, and return the path."""
    path = folder / "pairs.jsonl"
    rows = [
        {"id": str(number), "label": given, **texts}
        for number, (given, *rest) in enumerate(PAIRS)
        for texts in [dict(zip(("kind", "first", "second"), rest, strict=True))]
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_the_pairs_that_ship_are_measured_without_a_name() -> None:
    """Mode exact needs no embedder; the screen has 80 columns."""
    result = run("measure", "--mode", "exact")
    assert result.exit_code == 0
    assert "near-miss, quantifier" in result.output
    assert max(map(len, result.output.splitlines())) <= 80


class Near:
    """Registers an embedder that takes all texts for the same."""

    @hookimpl
    def register_embedders(self, register: RegisterEmbedder) -> None:
        """Register it."""
        register("near", lambda _: Meaning({}, id="near/1"))


def test_a_false_hit_is_shown_and_is_an_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cosine alone gives one, rules do not."""
    monkeypatch.chdir(tmp_path)
    models = 'version = 1\n[model.near]\nbackend = "near"\nlocation = "-"\n'
    (tmp_path / "models.toml").write_text(models)
    given = ("measure", written(tmp_path), "--embedder", "near")
    shown = run(*given, "--mode", "cosine", plugin=Near())
    assert shown.exit_code == 1
    assert "false: Name 2 rivers. | Name 3 rivers." in shown.stdout
    told = run(*given, "--json", plugin=Near())
    assert told.exit_code == 0
    found = json.loads(told.stdout)
    assert found["false"] == {
        "n": 1,
        "hits": 0,
        "share": 0,
        "low": 0,
        "high": pytest.approx(0.7935, abs=1e-4),
    }
    assert found["kinds"][1] == {"label": "same", "kind": "form", "n": 1, "hits": 1}


def test_an_embedder_is_needed_and_has_a_meaning(tmp_path: Path) -> None:
    """Hashed words would serve nothing."""
    assert "--embedder" in str(run("measure", written(tmp_path), "--mode", "cosine").exception)
    refused = run("measure", written(tmp_path), "--embedder", "hashing").exception
    assert isinstance(refused, UsageError)
    assert "vectors without a meaning" in str(refused)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "holds no pair"),
        ("{}\n", ":1: is no pair; write"),
        ("not json\n", ":1: is no pair"),
        ('{"id": "1", "label": "maybe", "kind": "k", "first": "a", "second": "b"}\n', 'label is "maybe"'),
    ],
)
def test_a_file_of_no_pairs_is_told_what_a_pair_is(tmp_path: Path, content: str, what: str) -> None:
    """With its line."""
    path = tmp_path / "pairs.jsonl"
    path.write_text(content)
    error = run("measure", str(path), "--mode", "exact").exception
    assert isinstance(error, UsageError)
    assert what in str(error)


def test_a_name_that_is_unknown_is_an_error() -> None:
    """Of an embedder, and of a file."""
    assert isinstance(run("measure", "--embedder", "minilmm").exception, UnknownName)
    assert isinstance(run("measure", "nowhere.jsonl", "--mode", "exact").exception, UsageError)


@pytest.fixture
def url(redis_server: RedisServer, tmp_path: Path) -> str:
    """Return the location of a cache with three entries."""
    where = redis_server.url(f"cli-{tmp_path.name}")
    entries = RedisEntries(where, max_entries=10, environment=os.environ)
    now_s = time.time()
    for entry in (
        an_entry("Where does Finn live?", created_s=now_s, expires_s=now_s + 60),
        an_entry("Where does Ada live?", created_s=now_s, expires_s=now_s + 60, template="bare"),
        an_entry("Who?", partition="q", created_s=now_s, expires_s=now_s + 60, corpus="other"),
    ):
        entries.put(entry, now_s=now_s)
    entries.close()
    return where


def test_a_shared_cache_is_counted_and_emptied(url: str) -> None:
    """By template, by corpus, and wholly; nothing goes unless it is named."""
    assert "3 entries in 2 partitions, 0 past their time" in run("stats", "--location", url).output
    assert "  bare                           1  oldest 0 s" in run("stats", "--location", url).output
    assert isinstance(run("invalidate", "--location", url).exception, UsageError)
    assert run("invalidate", "--location", url, "--template", "bare").output == "1 entries removed\n"
    assert run("invalidate", "--location", url, "--corpus", "other").output == "1 entries removed\n"
    assert run("invalidate", "--location", url, "--all").output == "1 entries removed\n"
    assert "0 entries" in run("stats", "--location", url).output


def test_explain_names_what_refuses(url: str) -> None:
    """In every partition; an entry without a vector is known by its words alone."""
    told = run("explain", "Where does Finn live?", "--location", url, "--mode", "exact").output
    assert told.count("partition") == 2
    assert "exact  Where does Finn live?" in told
    assert "serves" in told
    run("invalidate", "--location", url, "--all")
    assert run("explain", "Who?", "--location", url, "--mode", "exact").output == "The cache is empty.\n"


def test_a_location_that_is_none_is_a_usage_error() -> None:
    """With what would be right."""
    error = run("stats", "--location", "redsi://x").exception
    assert isinstance(error, UsageError)
    assert 'did you mean "redis"?' in str(error)
