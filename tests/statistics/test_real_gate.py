"""The gates on a real model: nothing is found where nothing changed, and planted faults are found.

The pocket model is measured by whole sessions of pytest, each block in a process of its own as everybody's
are. A short form always runs; the long one has twenty sessions of each kind.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemma_eval.config.shipped import suites_directory
from tests.plugin.gating import gating_of, session
from tests.plugin.test_plugin_git import git

SESSIONS = 20
FOUND = 19
"""Of so many sessions a planted slowdown of a fifth has to be found in at least so many."""

SPEED = """\
[defaults]
models = ["pocket"]
profiles = ["greedy"]
templates = ["plain"]
max_tokens = 48
seed = 1

[[case]]
id = "story"
kind = "benchmark"
prompt = "Tell a story about a fox."
repeats = 16
warmup = 2

[[case]]
id = "capital"
prompt = "What is the capital of Japan?"
checks = [{ scorer = "contains", text = "Tokyo" }]
"""

DRAGGED = """
import time
import gemma_eval
from gemma_eval.backends import numpy_gemma
from gemma_eval.gemma.transformer import Transformer

class Dragged(Transformer):
    def read(self, ids, cache):
        hidden = super().read(ids, cache)
        self.ended = time.perf_counter()
        return hidden

    def step(self, tokens, tails):
        hidden = super().step(tokens, tails)
        until = time.perf_counter() + 0.2 * (time.perf_counter() - self.ended)
        while time.perf_counter() < until:
            pass
        self.ended = time.perf_counter()
        return hidden

def load(spec, *, clock, transforms):
    loaded = numpy_gemma.load(spec, clock=clock, transforms=transforms)
    loaded.model.__class__ = Dragged
    return loaded

@gemma_eval.hookimpl
def register_backends(register):
    register("dragged", load)
"""
"""A conftest.py whose backend is the pocket model's, but takes a fifth longer for each token."""

MODELS = """\
version = 1
[model.dragged]
backend = "dragged"
location = "@pocket"
"""


TOKENS = """\
[[gate]]
id = "score"
metric = "score"

[[gate]]
id = "tpot_s"
metric = "tpot_s"
where = { kind = "benchmark" }
"""
"""What is demanded where the time of a token is at stake, so that a session ends when that is decided."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of one benchmark, and beside the pocket model one that is slower by a fifth."""
    folder = tmp_path_factory.mktemp("speed")
    (folder / "speed.gemma.toml").write_text(SPEED)
    (folder / "conftest.py").write_text(DRAGGED)
    (folder / "models.toml").write_text(MODELS)
    (folder / "tokens.toml").write_text(TOKENS)
    return folder


def verdicts(project: Path, model: str, *, blocks: int, gates: str = "") -> dict[str, str]:
    """Return what becomes of the gates of a model against the pocket model, in one session."""
    ended = session(
        project,
        *("--gemma-suite", "speed.gemma.toml", "-q", "--gemma-model", model),
        *("--gemma-ab", "model:pocket", "--gemma-blocks", str(blocks)),
        *(("--gemma-gates", gates) if gates else ()),
        quick=False,
    )
    found: dict[str, str] = {each.gate.id: each.comparison.verdict for each in gating_of(project).gated}
    assert ended.code == ("REGRESSED" in found.values()), ended.lines
    return found


# --- always ------------------------------------------------------------------------------------------


def test_a_model_does_not_regress_against_itself(project: Path) -> None:
    """Its answers are the same texts, and its times are not proved to be worse, twice in a row at least."""
    found = verdicts(project, "pocket", blocks=5)
    assert found["score"] == "PASS"
    if "REGRESSED" in found.values():  # which may be, once in many sessions
        found = verdicts(project, "pocket", blocks=5)
    assert "REGRESSED" not in found.values()


def test_a_model_that_is_a_fifth_slower_does_not_pass(project: Path) -> None:
    """Five blocks may be too few to prove it where a machine is busy, and it is no PASS even then."""
    found = verdicts(project, "dragged", blocks=5)
    assert found["score"] == "PASS"
    assert found["tpot_s"] in ("REGRESSED", "INCONCLUSIVE")


def test_a_template_that_loses_its_passages_regresses(tmp_path: Path) -> None:
    """On the standard suite: what is told in documents is not known without them."""
    folder = tmp_path / "project"
    (folder / "templates").mkdir(parents=True)
    suite = (suites_directory() / "standard.toml").read_text()
    for axis, names, one in (
        ("profiles", '"greedy", "min-p", "hot"', '"greedy"'),
        ("templates", '"plain", "rag", "rag-cited"', '"told"'),
    ):
        assert f"{axis} = [{names}]" in suite
        suite = suite.replace(f"{axis} = [{names}]", f"{axis} = [{one}]", 1)
    (folder / "told.gemma.toml").write_text(suite)
    for part in ("docs", "data"):
        shutil.copytree(suites_directory() / part, folder / part)
    shutil.copy(suites_directory() / "templates" / "rag.md", folder / "templates" / "told.md")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "base")
    (folder / "templates" / "told.md").write_text("{{ query }}")
    asked = ("--gemma-suite", "told.gemma.toml", "-q", "--gemma-kind", "quality")
    ended = session(folder, *asked, "--gemma-ab", "git:main", quick=False)
    (found,) = gating_of(folder).gated
    assert (found.gate.id, found.comparison.verdict) == ("score", "REGRESSED"), ended.lines
    assert found.comparison.low is not None
    assert found.comparison.low > found.comparison.margin
    assert ended.code == 1


# --- twenty sessions ---------------------------------------------------------------------------------


def counted(project: Path, model: str, *, blocks: int, gates: str = "") -> Iterator[tuple[str, Counter[str]]]:
    """Return how often each gate had each verdict in twenty sessions."""
    found = [verdicts(project, model, blocks=blocks, gates=gates) for _ in range(SESSIONS)]
    for gate in found[0]:
        yield gate, Counter(each[gate] for each in found)


@pytest.mark.slow
def test_in_twenty_sessions_a_model_never_regresses_against_itself(project: Path) -> None:
    """Nor is anything called REGRESSED that is not slower."""
    found = dict(counted(project, "pocket", blocks=8))
    print(found)
    assert found["score"] == {"PASS": SESSIONS}
    assert not any(verdict["REGRESSED"] for verdict in found.values()), found


@pytest.mark.slow
def test_in_twenty_sessions_a_slowdown_of_a_fifth_is_found(project: Path) -> None:
    """In nearly all of them, and it passes in none."""
    found = dict(counted(project, "dragged", blocks=20, gates="tokens.toml"))
    print(found)
    assert found["tpot_s"]["REGRESSED"] >= FOUND, found
    assert found["tpot_s"]["PASS"] == 0, found
