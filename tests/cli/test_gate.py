"""`gemma-eval gate` as a person uses it."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gemma_eval.cli.gate import gate
from gemma_eval.errors import ConfigError, StoreError, SuiteError, UnknownName
from gemma_eval.gating.baseline import Baseline
from gemma_eval.gating.hold import Held, hold
from gemma_eval.records import Gate
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import open_store
from tests.examples import a_run
from tests.gating.repository import record
from tests.verdict import blocks
from tests.verdict.two_sides import scored

RIGHT = scored([1.0] * 200)
WRONG = scored([0.0] * 40 + [1.0] * 160, text="Rome")
DB = Path("results.db")

GATES = """
[[gate]]
id = "quality"
metric = "score"
margin = 0.5
"""
ACCEPTED = """
[[accepted]]
gate = "score"
group = "scripted/greedy/rag"
difference = 0.2
low = 0.15
reason = "a shorter template"
author = "Ada"
run = "two"
accepted = 2026-01-01
expires = 2999-01-01
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of no repository, with two runs."""
    monkeypatch.chdir(tmp_path)
    record(DB, a_run("one"), RIGHT)
    record(DB, a_run("two"), WRONG)


def invoke(*arguments: str) -> Result:
    """Run the command; errors that `gemma-eval` would print are raised."""
    return CliRunner().invoke(gate, [*arguments, "--db", str(DB)], catch_exceptions=False)


def verdicts(*arguments: str) -> dict[str, str]:
    """Return the verdicts that are printed as JSON, by the ids of their gates."""
    document: dict[str, Any] = json.loads(invoke(*arguments, "--json").output)
    return {each["gate"]["id"]: each["verdict"] for each in document["gates"]}


def test_a_run_is_judged_by_the_usual_gates_and_a_broken_one_is_the_exit_code() -> None:
    """What became of them is printed and kept."""
    result = invoke("two", "--baseline", "one")
    assert result.exit_code == 1
    assert "REGRESSED" in result.output
    with closing(open_reader(DB)) as reader:
        kept = reader.gating("two")
    assert kept is not None
    assert (kept.base, kept.found) == ("one", "run one")
    assert [(each.gate.id, each.comparison.verdict) for each in kept.gated] == [("score", "REGRESSED")]


def test_gates_are_those_that_are_written_now() -> None:
    """In the usual file or in one that is named; with a wider margin the same run passes."""
    Path("other.toml").write_text(GATES)
    assert invoke("two", "--baseline", "one", "--gates", "other.toml").exit_code == 0
    assert verdicts("two", "--baseline", "one", "--gates", "other.toml") == {"quality": "PASS"}
    Path("gemma-gates.toml").write_text(GATES.replace("quality", "usual"))
    assert verdicts("latest", "--baseline", "one") == {"usual": "PASS"}
    Path("gemma-gates.toml").unlink()
    assert verdicts("two", "--baseline", "one") == {"usual": "PASS"}  # those that it was judged by last


def test_only_a_critical_gate_is_the_exit_code() -> None:
    """A supporting one warns."""
    narrow = GATES.replace("0.5", "0.02")
    for tier, code in (("critical", 1), ("supporting", 0), ("advisory", 0)):
        Path("gemma-gates.toml").write_text(f'{narrow}tier = "{tier}"\n')
        assert invoke("two", "--baseline", "one").exit_code == code


def test_a_regression_that_is_accepted_is_no_failure() -> None:
    """In the usual file, or in another."""
    Path("other.toml").write_text(ACCEPTED)
    result = invoke("two", "--baseline", "one", "--accepted", "other.toml")
    assert (result.exit_code, "ACCEPTED" in result.output) == (0, True)
    assert invoke("two", "--baseline", "one").exit_code == 1
    Path("other.toml").rename("gemma-accepted.toml")
    assert verdicts("two", "--baseline", "one") == {"score": "ACCEPTED"}


def test_a_run_that_lost_a_group_fails() -> None:
    """It was run whole."""
    record(DB, a_run("three"), blocks.in_blocks([0.1], first=0))
    assert verdicts("three", "--baseline", "one")["score"] == "INCOMPARABLE"
    hot = [
        replace(
            each,
            trial=replace(
                each.trial,
                cell=replace(each.trial.cell, profile=replace(each.trial.cell.profile, name="hot")),
            ),
        )
        for each in RIGHT
    ]
    record(DB, a_run("four"), hot)
    result = invoke("four", "--baseline", "one")
    assert (result.exit_code, "MISSING" in result.output) == (1, True)


def test_without_a_base_all_is_new_and_no_failure() -> None:
    """As where there is no repository."""
    result = invoke("two")
    assert (result.exit_code, "NEW" in result.output, "no base" in result.output) == (0, True, True)
    assert verdicts() == {"score": "NEW"}


def test_a_run_in_turn_is_held_against_its_base_as_it_was_then() -> None:
    """With as many blocks as were asked for, so that it is looked at when it was."""
    pair = blocks.in_turn([0.4, 0.41, 0.39])
    record(DB, a_run("run-base"), pair.base)
    asked = {("--gemma-blocks", "3"): "REGRESSED", ("--gemma-blocks=3",): "REGRESSED", (): "INCONCLUSIVE"}
    for number, (arguments, verdict) in enumerate(asked.items()):
        run = replace(
            a_run(f"run-{number}"), base="run-base", arguments=("--gemma-suite", "example", *arguments)
        )
        record(DB, run, pair.candidate)
        assert verdicts(run.id)["ttft_s"] == verdict
    with closing(open_reader(DB)) as reader:
        kept = reader.gating("run-0")
    assert kept is not None
    assert (kept.base, kept.found, kept.blocks) == ("run-base", "measured in turn", 3)
    assert invoke("run-0", "--baseline", "run-base").exit_code == 0  # by themselves they prove nothing


def test_the_gates_of_the_run_are_used_again() -> None:
    """Also those of its suites, which are no longer read."""
    own = Gate(id="own", metric="score", margin=0.9, tier="supporting")
    with closing(open_reader(DB)) as reader:
        base = Baseline(run=reader.run("one"), database=DB, found="run one")
        held = Held(run=reader.run("two"), outcomes=WRONG, base=base, gates=(own,))
    with closing(open_store(DB)) as store:
        store.gate(hold(held))
    assert verdicts("two", "--baseline", "one") == {"own": "PASS"}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("tow",), UnknownName, 'no run named "tow"; did you mean "two"'),
        (("two", "--baseline", "onne"), UnknownName, 'named "onne"; did you mean "one"'),
        (("two", "--baseline", "gone.db"), UnknownName, "gone.db"),
        (("two", "--gates", "gone.toml"), SuiteError, "gone.toml"),
        (("two", "--gates", "bad.toml"), SuiteError, "bad.toml:1"),
        (("two", "--accepted", "bad.toml"), ConfigError, "bad.toml:1"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_written(
    arguments: tuple[str, ...], error: type[Exception], message: str
) -> None:
    """With its place."""
    Path("bad.toml").write_text("gate = 1\n")
    with pytest.raises(error, match=message):
        invoke(*arguments)
    with closing(open_reader(DB)) as reader:
        assert reader.gating("two") is None


def test_a_database_that_is_not_there_is_not_made() -> None:
    """There is no run to judge."""
    DB.unlink()
    with pytest.raises(StoreError):
        invoke("latest")
    assert not DB.exists()
