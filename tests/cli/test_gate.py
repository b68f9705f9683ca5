"""`gemma-eval gate` as a person uses it."""

from __future__ import annotations

import json
import shlex
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gemma_eval.cli.accept import accept
from gemma_eval.cli.gate import gate
from gemma_eval.errors import ConfigError, StoreError, SuiteError, UnknownName, UsageError
from gemma_eval.gating.baseline import Baseline
from gemma_eval.gating.hold import Held, hold
from gemma_eval.records import Gate, Gating, Source, Where
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


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with two runs, which each test has a copy of."""
    path = tmp_path_factory.mktemp("recorded") / DB
    record(path, a_run("one"), RIGHT)
    record(path, a_run("two"), WRONG)
    return path


@pytest.fixture(autouse=True)
def here(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of no repository, with those runs."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(recorded, DB)


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
    assert invoke("run-0", "--baseline", "one").exit_code == 0
    assert verdicts("run-0")["ttft_s"] == "NEW"  # it was held against that last
    assert verdicts("run-0", "--baseline", "run-base")["ttft_s"] == "REGRESSED"  # they were in turn


OWN = Gate(id="own", metric="score", margin=0.9, tier="supporting", source=Source(path="suite.toml", line=9))
NOTHING = replace(OWN, id="nothing", where=Where(case="gone"))
USUAL = replace(OWN, id="usual", source=Source(path="gemma-gates.toml", line=1))


def kept(run: str) -> Gating:
    """Return what is recorded of the gates of a run."""
    with closing(open_reader(DB)) as reader:
        found = reader.gating(run)
    assert found is not None
    return found


def was_held(*gates: Gate, run: str = "two", base: str = "one", database: Path = DB, **more: Any) -> Gating:  # noqa: ANN401 - fields of what is held
    """Keep what became of gates when a run was made, as the session does."""
    elsewhere = None if database == DB else str(database)
    with closing(open_reader(DB)) as reader, closing(open_reader(database)) as other:
        found = Baseline(
            run=other.run(base), database=database, found=f"run {base}, as asked", elsewhere=elsewhere
        )
        made = reader.run(run)
        held = Held(run=made, outcomes=reader.outcomes(run), base=found, gates=gates, **more)
    with closing(open_store(DB)) as store:
        store.gate(hold(held))
    return kept(run)


def test_what_a_run_was_judged_by_is_used_again() -> None:
    """Its base and all of its gates, also those of suites, which are no longer read, and of nothing."""
    before = was_held(Gate(id="score", metric="score", margin=0.02), OWN, NOTHING)
    assert [each.comparison.verdict for each in before.gated] == ["REGRESSED", "PASS"]
    for _ in range(2):
        assert invoke("two").exit_code == 1
        assert kept("two") == before


def test_the_gates_of_suites_stay_in_force_beside_those_of_a_file() -> None:
    """Those of the file that was read before do not."""
    was_held(USUAL, OWN, NOTHING)
    Path("gemma-gates.toml").write_text(GATES)
    assert verdicts("two") == {"quality": "PASS", "own": "PASS"}
    Path("other.toml").write_text(GATES.replace("quality", "other"))
    assert verdicts("two", "--gates", "other.toml") == {"other": "PASS", "own": "PASS"}
    assert [each.id for each in kept("two").gates] == ["other", "own", "nothing"]
    Path("other.toml").write_text(GATES.replace("quality", "own"))
    with pytest.raises(
        UsageError, match=r'other.toml: gate "own" has the id of that in suite.toml:9; rename'
    ):
        invoke("two", "--gates", "other.toml")


def test_a_base_of_another_database_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From whatever folder; one that is gone is told."""
    record(Path("other.db"), a_run("elsewhere"), RIGHT)
    assert invoke("two", "--baseline", "other.db").exit_code == 1
    before = kept("two")
    assert (before.base, before.base_database) == ("elsewhere", "other.db")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    again = CliRunner().invoke(gate, ["two", "--db", "../results.db"], catch_exceptions=False)
    assert again.exit_code == 1
    monkeypatch.chdir(tmp_path)
    assert kept("two") == before
    Path("other.db").unlink()
    with pytest.raises(StoreError, match=r"other\.db"):
        invoke("two")
    assert kept("two") == before


def test_what_spoiled_the_blocks_and_how_many_were_asked_for_is_remembered() -> None:
    """Whoever asked for them: an ini file is not among the arguments of the run."""
    pair = blocks.in_turn([0.4, 0.41, 0.39])
    record(DB, a_run("run-base"), pair.base)
    record(DB, replace(a_run("run"), base="run-base"), pair.candidate)
    ttft = Gate(id="ttft_s", metric="ttft_s", tolerance=0.05)
    asked: dict[str, Any] = {"run": "run", "base": "run-base", "together": True, "blocks": 3}
    for spoiled, verdict in (("", "REGRESSED"), ("the clock was changed", "INVALID")):
        before = was_held(ttft, **asked, spoiled=spoiled)
        assert verdicts("run") == verdicts("run") == {"ttft_s": verdict}
        assert kept("run") == before


def test_a_run_that_had_no_base_is_held_against_what_auto_finds_now() -> None:
    """There is one now, or it is named."""
    was_held(Gate(id="score", metric="score", margin=0.02))
    assert invoke("one").exit_code == 0
    assert kept("one").base is None
    assert verdicts("one", "--baseline", "two") == {"score": "PASS"}


def test_latest_is_counted_from_the_newest_run_as_in_compare() -> None:
    """So a run that is not the newest can be held against a newer one, and none against itself."""
    record(DB, a_run("three"), RIGHT)
    assert invoke("latest", "--baseline", "latest~1").exit_code == 0
    assert (kept("three").base, kept("three").found) == ("two", "run two")
    assert invoke("two", "--baseline", "latest~2").exit_code == 1
    assert (kept("two").base, kept("two").found) == ("one", "run one")
    with pytest.raises(UsageError, match="baseline latest is run three, which would be held against itself"):
        invoke("latest", "--baseline", "latest")


def test_what_is_accepted_is_what_is_said_to_be_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the very command that was told."""
    monkeypatch.setenv("USER", "ada")
    was_held(Gate(id="score", metric="score", margin=0.02))
    words = ["two", "score", "--reason", "shorter", "--file", "allowed.toml", "--db", str(DB)]
    said = CliRunner().invoke(accept, words, catch_exceptions=False).output
    command = said.partition("commit the file; ")[2].removesuffix(" then says ACCEPTED\n")
    assert command == "gemma-eval gate two --accepted allowed.toml --db results.db"
    again = CliRunner().invoke(gate, shlex.split(command)[2:], catch_exceptions=False)
    assert (again.exit_code, "ACCEPTED" in again.output) == (0, True)


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
