"""Which gates hold, what a verdict does to the exit code, and what is wrong with gates said beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.gating import (
    SUITE,
    Session,
    gating_of,
    junit_cases,
    outcomes_of,
    runs_of,
    session,
    told,
    verdicts_of,
    write_gated,
)

SOONER = """
[[gate]]
id = "first-token"
metric = "ttft_s"
tolerance = "5%"
tier = "critical"
"""
ASKED = "".join(
    f'[[case]]\nid = "home-{n}"\nprompt = "Where?"\ntags = ["easy"]\n'
    'checks = [{ scorer = "contains", text = "Oslo" }]\n'
    for n in range(8)
)
AB = (*SUITE, "--gemma-ab", "model:quick", "-q")


def lost(folder: Path, gates: str = "", *options: str) -> Session:
    """Run eight cases that the base answers rightly and the candidate wrongly, by some gates."""
    write_gated(folder, cases=ASKED + gates, model="bern")
    return session(folder, *AB, *options)


# --- what a verdict does -----------------------------------------------------------------------------


def test_a_regression_fails_the_run_unless_it_is_only_reported(tmp_path: Path) -> None:
    """`report` shows the verdict as a skipped test, `off` shows none, and blocks run all the same."""
    assert lost(tmp_path).code == 1
    reported = lost(tmp_path, "", "--gemma-gate", "report", "-rs")
    assert reported.code == 0
    assert reported.has("REGRESSED *gemma_eval:1: REGRESSED: score of *")
    assert verdicts_of(tmp_path) == {"score": "REGRESSED"}
    off = lost(tmp_path, "", "--gemma-gate", "off", "-rA")
    assert off.code == 0
    assert not off.has("*REGRESSED*")
    assert len(runs_of(tmp_path)) == 6


@pytest.mark.parametrize(
    ("tier", "code", "level"),
    [("critical", 1, "error"), ("supporting", 0, "warning"), ("advisory", 0, "notice")],
)
def test_only_a_critical_gate_fails_the_run(tmp_path: Path, tier: str, code: int, level: str) -> None:
    """The others are skipped tests in JUnit files, and annotations say how loudly each is meant."""
    gate = f'[[gate]]\nid = "right"\nmetric = "score"\ntier = "{tier}"\n'
    write_gated(tmp_path, cases=ASKED + gate, model="bern")
    ended = session(tmp_path, *AB, "--junitxml=junit.xml", environment={"GITHUB_ACTIONS": "true"})
    assert verdicts_of(tmp_path) == {"right": "REGRESSED"}
    assert ended.code == code
    case = junit_cases(tmp_path / "junit.xml")["right[bern/greedy/plain]"]
    assert [each.tag for each in case if each.tag != "properties"] == ["failure" if code else "skipped"]
    assert ended.has(f"::{level} file=towns.gemma.toml,line=*")


@pytest.mark.parametrize(
    ("asked", "extended", "code"),
    [("warn", 0, 0), ("pass", 0, 0), ("fail", 0, 1), ("warn", 1, 0), ("pass", 1, 0), ("fail", 1, 11)],
)
def test_what_proves_nothing_fails_only_where_that_was_asked_for(
    tmp_path: Path, asked: str, extended: int, code: int
) -> None:
    """One case of two answered otherwise proves nothing; 11 is the extended exit code of that."""
    two = "[[case]]".join(ASKED.split("[[case]]")[:3])
    mixed = '[model.mixed]\nbackend = "scripted"\nlocation = "-"\noptions = { replies = ["Oslo", "Bern"] }\n'
    write_gated(tmp_path, cases=two, model="mixed", more=mixed)
    options = ("--gemma-exit-codes", "extended") if extended else ()
    ended = session(tmp_path, *AB, "--gemma-inconclusive", asked, *options, "-rA")
    assert verdicts_of(tmp_path) == {"score": "INCONCLUSIVE"}
    assert ended.code == code
    words = {"warn": "* 1 skipped in *", "pass": "3 passed in *", "fail": "1 failed, 2 passed in *"}
    assert ended.has(words[asked])


def test_a_case_that_fails_is_a_failed_case_whatever_gates_say(tmp_path: Path) -> None:
    """The exit code is 1, and not that of the gate."""
    demand = ASKED.replace('text = "Oslo"', 'text = "Oslo", pass_at = 1.0')
    write_gated(tmp_path, cases=demand, model="bern")
    ended = session(tmp_path, *AB, "--gemma-exit-codes", "extended")
    assert ended.code == 1
    assert ended.has("9 failed in *")


# --- limits, places ----------------------------------------------------------------------------------

LIMITS = """
[[gate]]
id = "soon"
metric = "ttft_s"
limit = "45 ms"
where = { kind = "benchmark" }
[[gate]]
id = "quick-enough"
metric = "tpot_s"
limit = "8 ms"
tier = "supporting"
[[gate]]
id = "right"
metric = "score"
limit = 0.1
where = { case = "home*" }
"""
TIMED = """
[[case]]
id = "fast"
kind = "benchmark"
prompt = "Say something."
repeats = 1
warmup = 0
"""


def test_limits_hold_without_a_base_and_blocks_measure_the_candidate_alone(tmp_path: Path) -> None:
    """`--gemma-blocks` alone: as many blocks as were asked for, one run, and no gate that needs a base.

    Six blocks that agree prove one of two critical gates: 2 · 2^-6 is below 0.05.
    """
    write_gated(tmp_path, cases=ASKED + TIMED + LIMITS + SOONER)
    ended = session(tmp_path, *SUITE, "--gemma-blocks", "6", "-q", "--gemma-exit-codes", "extended")
    assert verdicts_of(tmp_path) == {"soon": "REGRESSED", "quick-enough": "PASS", "right": "PASS"}
    assert ended.code == 10
    (run,) = runs_of(tmp_path)
    timed = [each.trial.block for each in outcomes_of(tmp_path, run) if each.trial.cell.case.id == "fast"]
    assert timed == list(range(7))
    assert told(tmp_path, "gate", "latest")[0] == 1
    assert verdicts_of(tmp_path) == {"soon": "REGRESSED", "quick-enough": "PASS", "right": "PASS"}


def test_a_single_start_proves_no_limit_of_a_cost(tmp_path: Path) -> None:
    """Without blocks a run is one datum; its score is one for each case."""
    write_gated(tmp_path, cases=ASKED + TIMED + LIMITS)
    assert session(tmp_path, *SUITE, "-q").code == 0
    assert verdicts_of(tmp_path) == {"soon": "INCONCLUSIVE", "quick-enough": "INCONCLUSIVE", "right": "PASS"}


def test_times_of_a_busy_machine_are_invalid_and_its_answers_are_not(tmp_path: Path) -> None:
    """13 is the extended exit code where what proves nothing is to fail; one start would prove nothing."""
    write_gated(tmp_path, cases=ASKED + TIMED + LIMITS)
    fails = ("-q", "--gemma-inconclusive", "fail", "--gemma-exit-codes", "extended")
    assert session(tmp_path, *SUITE, *fails, noisy="others were there").code == 11
    one_start = {"soon": "INCONCLUSIVE", "quick-enough": "INCONCLUSIVE", "right": "PASS"}
    assert verdicts_of(tmp_path) == one_start
    blocks = ("--gemma-blocks", "6")
    assert session(tmp_path, *SUITE, *fails, *blocks, noisy="others were there").code == 13
    assert verdicts_of(tmp_path)["soon"] == "INVALID"


def test_a_run_without_a_base_and_without_limits_has_no_gates(tmp_path: Path) -> None:
    """Nothing is said of gates in the output."""
    write_gated(tmp_path, cases=ASKED + SOONER)
    ended = session(tmp_path, *SUITE, "-rA")
    assert ended.code == 0
    assert not ended.has("*gate*")


def test_gates_of_the_project_and_of_suites_hold_together(tmp_path: Path) -> None:
    """Each about its own cells, and one about what was not run is not there."""
    where = '[[gate]]\nid = "{0}"\nmetric = "score"\nwhere = {{ {0} = "{1}" }}\n'
    own = where.format("tag", "easy") + where.format("case", "home-[0-4]")
    write_gated(tmp_path, cases=ASKED + own, model="twin")
    (tmp_path / "gemma-gates.toml").write_text(
        where.format("model", "tw*") + where.format("suite", "village")
    )
    assert session(tmp_path, *AB).code == 0
    counted = {each.gate.id: each.comparison.n for each in gating_of(tmp_path).gated}
    assert counted == {"tag": 8, "case": 5, "model": 8}


# --- accepting, gating again, planning ---------------------------------------------------------------


def test_an_accepted_regression_does_not_fail_and_a_run_can_be_gated_again(tmp_path: Path) -> None:
    """`gemma-eval gate` says what the run said, and ACCEPTED once it is, as the next run does."""
    ended = lost(tmp_path)
    assert ended.code == 1
    assert told(tmp_path, "gate", "latest")[0] == 1
    assert verdicts_of(tmp_path) == {"score": "REGRESSED"}
    code, said = told(tmp_path, "accept", "latest", "score", "--reason", "Bern is meant.")
    assert (code, "is accepted until" in said) == (0, True)
    assert told(tmp_path, "gate", "latest")[0] == 0
    assert verdicts_of(tmp_path) == {"score": "ACCEPTED"}
    again = session(tmp_path, *AB, "-rA")
    assert again.code == 0
    assert again.has("ACCEPTED *::gate::score[[]bern/greedy/plain]")
    assert verdicts_of(tmp_path) == {"score": "ACCEPTED"}
    assert told(tmp_path, "accept", "latest", "score", "--reason", "Again.")[0] == 2


def test_a_plan_says_what_a_comparison_would_find(tmp_path: Path) -> None:
    """`gemma-eval plan`, in a process without the plugin's state, by the gates that are written."""
    write_gated(tmp_path, cases=ASKED + TIMED + SOONER)
    ended = session(tmp_path, *SUITE, "--gemma-plan", "--gemma-ab", "quick", "-q")
    assert ended.code == 0
    assert ended.has("what a comparison would find:")
    assert ended.has(
        "  first-token, greedy * plain of late: 5 to 20 blocks; how much they differ is not known*"
    )
    assert ended.has("with --gemma-ab: 5 to 20 blocks, each 1 generation on either side, in a process*")
    assert not (tmp_path / "reports").exists()


def test_a_file_that_cannot_be_written_costs_no_other(tmp_path: Path) -> None:
    """It fails the run in one line; the summary of the step, which is a folder, neither."""
    (tmp_path / "summary").mkdir()
    write_gated(tmp_path, cases=ASKED, model="twin")
    files = ("--gemma-gate-report=json:gates.json", "--gemma-gate-report=sarif:gates.sarif")
    where = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    (tmp_path / "conftest.py").write_text(
        "from pathlib import Path\ndef pytest_runtest_teardown(): Path('gates.json').mkdir(exist_ok=True)\n"
    )
    ended = session(tmp_path, *AB, *files, environment=where)
    assert ended.code == 1
    said = [line for line in ended.lines if "cannot be written: " in line]
    assert [" not a regular file" in line or "Is a directory" in line for line in said] == [True, True]
    assert (tmp_path / "gates.sarif").read_text().startswith("{")
