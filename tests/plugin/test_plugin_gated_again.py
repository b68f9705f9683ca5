"""`gemma-eval gate RUN` says what the session said, whatever that had from elsewhere than its arguments."""

from __future__ import annotations

from pathlib import Path

from tests.plugin.gating import SUITE, gating_of, runs_of, session, told, verdicts_of, write_gated
from tests.plugin.test_plugin_gates import ASKED, TIMED

OWN = """
[[gate]]
id = "own"
metric = "score"
margin = 0.5
where = { case = "home*" }
"""


def test_the_blocks_of_the_environment_and_the_gates_of_the_suite_hold_again(tmp_path: Path) -> None:
    """With a file of gates beside them."""
    write_gated(tmp_path, cases=ASKED + TIMED + OWN, model="late")
    speed = '[[gate]]\nid = "speed"\nmetric = "ttft_s"\ntolerance = "5%"\n'
    (tmp_path / "gemma-gates.toml").write_text(speed)
    more = {"PYTEST_ADDOPTS": "--gemma-blocks 3"}
    assert session(tmp_path, *SUITE, "-q", "--gemma-ab", "quick", environment=more).code == 0
    before = gating_of(tmp_path)
    assert (before.blocks, before.most_blocks) == (3, 3)
    assert set(verdicts_of(tmp_path)) == {"speed", "own"}
    assert told(tmp_path, "gate", "latest")[0] == 0
    assert gating_of(tmp_path) == before


def test_the_base_that_was_named_is_that_of_the_next_time(tmp_path: Path) -> None:
    """No repository is there for auto to find one."""
    write_gated(tmp_path, cases=ASKED, model="quick")
    assert session(tmp_path, *SUITE, "-q").code == 0
    assert session(tmp_path, *SUITE, "-q", "--gemma-baseline", "latest").code == 0
    before = gating_of(tmp_path)
    assert before.base == list(runs_of(tmp_path))[-1]
    assert told(tmp_path, "gate", "latest")[0] == 0
    assert gating_of(tmp_path) == before
