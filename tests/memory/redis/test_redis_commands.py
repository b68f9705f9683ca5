"""`gemma-eval memory` of a Redis server: the same commands, and a password that nothing prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from gemma_eval import plugins
from gemma_eval.cli.memory import memory
from gemma_eval.errors import StoreError
from gemma_eval.plugins import Registry
from tests.redis_server import PASSWORD, RedisServer, running

PEOPLE = "# People\n- Finn lives in Oslo.\n- Ada lives in Rome.\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that asks for a password."""
    with running(tmp_path, password=PASSWORD) as started:
        yield started


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Return what the built-in plugins register."""
    return plugins.load()


def run(registry: Registry, *arguments: str) -> str:
    """Run a command and return what it printed. Raises what it raises."""
    done = CliRunner().invoke(memory, arguments, obj=registry, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_every_command_works_and_prints_no_password(
    server: RedisServer, registry: Registry, tmp_path: Path
) -> None:
    """Whether it finds something or not."""
    (tmp_path / "people.md").write_text(PEOPLE)
    at = ("--memory", server.url())
    printed = [
        run(registry, "add", *at, str(tmp_path / "people.md")),
        run(registry, "search", *at, "Where does Finn live?"),
        run(registry, "search", *at, "zebra"),
        run(registry, "list", *at),
        run(registry, "stats", *at),
        run(registry, "tiers", *at, "working.capacity=3"),
        run(registry, "consolidate", *at),
        run(registry, "export", *at, str(tmp_path / "a.jsonl")),
        run(registry, "forget", *at, "--document", str(tmp_path / "people.md")),
        run(registry, "import", *at, str(tmp_path / "a.jsonl")),
    ]
    assert "2 passages kept, 2 new" in printed[0]
    assert "Finn lives in Oslo." in printed[1]
    assert "3" in printed[5]
    assert "2 passages" in printed[-1]
    assert not any(PASSWORD in each or PASSWORD.replace("/", "%2F") in each for each in printed)
    server.kill()
    with pytest.raises(StoreError, match="Redis at localhost") as caught:
        run(registry, "list", *at)
    assert PASSWORD not in str(caught.value)
