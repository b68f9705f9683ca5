"""A run goes on without its memory: no case fails for a server that dies, and each says what it lacked."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from gemma_eval.memory.redis.store import open_store
from gemma_eval.records import Outcome, Piece
from gemma_eval.store.read import open_reader
from tests.plugin.gating import session
from tests.plugin.project import MODELS, a_case
from tests.redis_server import PASSWORD, RedisServer, running

pytestmark = pytest.mark.alone

SUITE = """
[defaults]
models = ["echo"]
profiles = ["greedy"]
templates = ["rag"]
retrievals = ["remembered"]
[retrievals.remembered]
retriever = "bm25"
memory = "{url}"
"""
KILLS = """
import os, signal
import gemma_eval

@gemma_eval.hookimpl
def outcome_recorded(outcome):
    if outcome.trial.cell.case.id == "town-1":
        os.kill({pid}, signal.{signal})
"""
CASES = tuple(f"town-{number}" for number in range(5))


def ran(folder: Path, server: RedisServer, *, ends_by: str) -> dict[str, Outcome]:
    """Run five cases that ask the memory, of which the second ends the server; return their outcomes."""
    (folder / "models.toml").write_text(MODELS)
    url = server.url(password_env="REDIS_PASSWORD", timeout="3")  # noqa: S106 - the name of a variable
    cases = "".join(a_case(name, prompt="Where does Finn live?") for name in CASES)
    (folder / "towns.gemma.toml").write_text(SUITE.format(url=url) + cases)
    (folder / "conftest.py").write_text(KILLS.format(pid=server.process.pid, signal=ends_by))
    done = session(
        folder,
        *("--gemma-suite", "towns.gemma.toml", "-p", "no:cacheprovider"),
        environment={"REDIS_PASSWORD": PASSWORD},
    )
    assert "5 passed" in done.text, done.text
    with closing(open_reader(folder / "reports" / "gemma_eval.db")) as reader:
        outcomes = reader.outcomes(reader.runs()[0].id)
    return {outcome.trial.cell.case.id: outcome for outcome in outcomes}


@pytest.mark.parametrize("ends_by", ["SIGKILL", "SIGSTOP"])
def test_a_run_goes_on_without_a_server_that_dies(tmp_path: Path, ends_by: str) -> None:
    """Two cases have what was remembered, three have none and say why; all are answered."""
    (tmp_path / "redis").mkdir()
    with running(tmp_path / "redis", password=PASSWORD) as server:
        with closing(open_store(server.url())) as store:
            store.add([Piece(id="f", text="Finn lives in Oslo.", document="d")], now_s=1.0)
        server.password = None
        outcomes = ran(tmp_path, server, ends_by=ends_by)
    assert [passages(outcomes[name]) for name in CASES] == [["f"], ["f"], [], [], []]
    lacked = [lack(outcomes[name]) for name in CASES]
    assert lacked[:2] == [None, None]
    assert all("Redis at localhost" in (each or "") for each in lacked[2:])
    assert PASSWORD not in str(outcomes)


def lack(outcome: Outcome) -> str | None:
    """Return what the trace of an outcome says was left out."""
    assert outcome.trace is not None
    return outcome.trace.degraded


def passages(outcome: Outcome) -> list[str]:
    """Return the ids of what the model was given."""
    assert outcome.prompt is not None
    return [passage.id for passage in outcome.prompt.passages]
