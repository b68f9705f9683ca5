"""Where gates are written, and what is measured for them: places, ids, weights, and no idle block."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.plugin.gating import SUITE, gating_of, session, verdicts_of, write_gated
from tests.plugin.test_plugin_git import git

SCORE = '[[gate]]\nid = "right"\nmetric = "score"\nmargin = 0.5\n'
LOCAL = """
import gemma_eval
from pathlib import Path
from gemma_eval.backends import scripted
from gemma_eval.errors import ModelNotFound

def load(spec, *, clock, transforms):
    if not (Path(spec.location) / "model.bin").exists():
        raise ModelNotFound(f"{spec.location}: no such folder")
    return scripted.load(spec, clock=clock, transforms=transforms)

@gemma_eval.hookimpl
def register_backends(register):
    register("local", load)
"""


def test_gates_lie_where_pytest_was_started(tmp_path: Path) -> None:
    """Another path among the arguments moves pytest's root folder, and not what is demanded."""
    folder = tmp_path / "project"
    write_gated(folder, model="quick")
    (folder / "gemma-gates.toml").write_text(SCORE)
    ended = session(folder, *SUITE, "--gemma-db", "reports/gemma_eval.db")
    assert ended.has("gemma_eval: database *, gates gemma-gates.toml"), ended.lines
    session(folder, *SUITE, "--gemma-baseline", "latest", "--gemma-report", str(tmp_path / "elsewhere"))
    assert list(verdicts_of(folder)) == ["right"]


def test_what_is_said_of_a_gate_has_its_whole_place(tmp_path: Path) -> None:
    """A code host finds the file by its path from the root folder."""
    write_gated(tmp_path / "suites", model="quick")
    path = tmp_path / "suites" / "towns.gemma.toml"
    line = path.read_text().count("\n") + 1
    path.write_text(path.read_text() + '[[gate]]\nid = "right"\nmetric = "score"\nlimit = 1.0\n')
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    session(tmp_path, "--gemma-suite", "suites/towns.gemma.toml", "--gemma-gate-report", "sarif:g.sarif")
    results = json.loads((tmp_path / "g.sarif").read_text())["runs"][0]["results"]
    place = results[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "suites/towns.gemma.toml"
    assert place["region"]["startLine"] == line


def test_gates_of_one_id_disturb_nobody_who_does_not_gate(tmp_path: Path) -> None:
    """Two suites may each have one, as long as nothing is held against anything."""
    write_gated(tmp_path)
    suite = tmp_path / "towns.gemma.toml"
    suite.write_text(suite.read_text() + SCORE)
    (tmp_path / "gemma-gates.toml").write_text(SCORE)
    assert session(tmp_path, *SUITE).code == 0
    assert session(tmp_path, *SUITE, "--gemma-baseline", "latest").code == 4
    assert session(tmp_path, *SUITE, "--gemma-baseline", "latest", "--gemma-gate", "off").code == 0


@pytest.mark.parametrize(
    ("gates", "options", "blocks"),
    [
        (SCORE, (), 0),
        (SCORE, ("--gemma-blocks", "2"), 2),
        ('[[gate]]\nid = "t"\nmetric = "ttft_s"\ntier = "advisory"\nmin_blocks = 2\n', (), 2),
    ],
)
def test_blocks_are_measured_for_gates_of_speed_alone(
    tmp_path: Path, gates: str, options: tuple[str, ...], blocks: int
) -> None:
    """Or where they are asked for; an advisory gate has its least."""
    write_gated(tmp_path, model="quick")
    (tmp_path / "gemma-gates.toml").write_text(gates)
    session(tmp_path, *SUITE, "--gemma-ab", "twin", *options)
    assert gating_of(tmp_path).blocks == blocks


def test_weights_that_git_ignores_are_lent_to_the_base(tmp_path: Path) -> None:
    """They are the same on both sides, and seldom in git."""
    write_gated(tmp_path, model="mine", more='\n[model.mine]\nbackend = "local"\nlocation = "weights/mine"\n')
    (tmp_path / "conftest.py").write_text(LOCAL)
    (tmp_path / "weights" / "mine").mkdir(parents=True)
    (tmp_path / "weights" / "mine" / "model.bin").touch()
    (tmp_path / ".gitignore").write_text("weights/\nreports/\n__pycache__/\n")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "base")
    ended = session(tmp_path, *SUITE, "--gemma-ab", "git:HEAD", "--gemma-blocks", "2")
    assert verdicts_of(tmp_path)["score"] == "PASS", ended.lines
    assert (tmp_path / "weights" / "mine" / "model.bin").exists()


def test_a_suite_of_nobody_is_said_to_be_the_same_on_both_sides(tmp_path: Path) -> None:
    """What ships with the package is in no commit of the project."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "base")
    session(tmp_path, "--gemma-suite", "smoke", "--gemma-kind", "quality", "--gemma-ab", "git:HEAD")
    assert "no suite is of this repository" in gating_of(tmp_path).found
