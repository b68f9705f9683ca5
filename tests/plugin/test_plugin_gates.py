"""Which gates hold, what a verdict does to the exit code, and what is wrong with gates said beforehand."""

from __future__ import annotations

from fnmatch import fnmatch
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
    """13 is the extended exit code, where what proves nothing is to fail."""
    write_gated(tmp_path, cases=ASKED + TIMED + LIMITS)
    fails = ("--gemma-inconclusive", "fail", "--gemma-exit-codes", "extended")
    assert session(tmp_path, *SUITE, "-q", *fails, noisy="others were there").code == 13
    assert verdicts_of(tmp_path) == {"soon": "INVALID", "quick-enough": "INVALID", "right": "PASS"}


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
    assert ended.has("with --gemma-ab: 5 to 20 blocks, each 1 generation on either side")
    assert not (tmp_path / "reports").exists()


# --- mistakes ----------------------------------------------------------------------------------------

OTHER = '[model.{0}]\nbackend = "scripted"\nlocation = "-"\n'


def refused(folder: Path, *arguments: str) -> list[str]:
    """Run, assert exit code 4 and that nothing was measured, and return the lines of the errors."""
    ended = session(folder, *arguments)
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert not (folder / "reports").exists()
    assert not ended.has("*Traceback*")
    assert not ended.has("*INTERNALERROR*")
    return [line.removeprefix("ERROR: ") for line in ended.lines if line.startswith("ERROR: ")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--gemma-ab=quick", "--gemma-baseline=latest"), "--gemma-ab measures its own base; leave out *"),
        (("--gemma-ab=quick", "-n2"), "--gemma-ab needs the machine for one engine at a time; leave out -n"),
        (("--gemma-ab=quick", "--tx=2*popen", "--dist=load"), "--gemma-ab needs the machine for one *"),
        (("--gemma-blocks=3", "-n2"), "--gemma-blocks needs the machine for one engine at a time; *"),
        (("--gemma-blocks=0",), "--gemma-blocks 0: must be at least 1"),
        (("--gemma-ab=quik",), '--gemma-ab quik: no model, *named "quik"; did you mean "quick"?'),
        (("--gemma-ab=model:plain",), '--gemma-ab model:plain: no model named "plain"*'),
        (("--gemma-ab=template:rag",), '--gemma-ab template:rag: no template named "rag"; *'),
        (("--gemma-ab=both", "--gemma-model=both"), "--gemma-ab both is of two kinds; write model:both"),
        (
            ("--gemma-ab=quick", "--gemma-model=late", "--gemma-model=twin"),
            "--gemma-ab quick: the candidate has 2 models (late, twin); choose one with --gemma-model",
        ),
        (("--gemma-ab=stretched",), "--gemma-ab stretched: *has no rope_scaling"),
        (
            ("--gemma-gate-report=sarf:x",),
            '--gemma-gate-report sarf:x: no format named "sarf"; did you mean*',
        ),
        (("--gemma-gate-report=json",), "--gemma-gate-report json: say where to, as json:verdicts.json"),
        (("--gemma-gate-report=json:",), "--gemma-gate-report json:: say where to, as json:verdicts.json"),
        (("--gemma-ab=quick", "--gemma-gates=none.toml"), "none.toml*"),
    ],
)
def test_what_cannot_be_asked_for_is_said_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    """Before anything is measured."""
    stretched = OTHER.format("stretched") + 'rope_scaling = { rope_type = "yarn", factor = 2.0 }\n'
    path = write_gated(tmp_path, cases=ASKED, more=OTHER.format("both") + stretched)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "both.jinja").write_text("{{ query }}")
    path.write_text(path.read_text().replace('templates = ["plain"]', 'templates = ["plain", "both"]'))
    (line,) = refused(tmp_path, *SUITE, *arguments)
    assert fnmatch(line, said), line


def test_a_run_with_blocks_cannot_be_gone_on_with(tmp_path: Path) -> None:
    """Its blocks belong together."""
    write_gated(tmp_path, cases=ASKED)
    session(tmp_path, *SUITE, "-q")
    ended = session(tmp_path, *AB, "--gemma-resume", "latest")
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert ended.has("ERROR: --gemma-ab cannot go on with a run: its blocks belong together; begin a new one")


def test_all_that_is_wrong_in_a_file_of_gates_is_said_with_its_lines(tmp_path: Path) -> None:
    """As `docs/gate_files.md` shows it."""
    write_gated(tmp_path, cases=ASKED)
    (tmp_path / "gemma-gates.toml").write_text(
        '[[gate]]\nid = "quality"\nmetric = "score"\ntolerance = "5%"\n'
        '[[gate]]\nid = "first-token"\nmetric = "ttft"\n'
        '[[gate]]\nid = "tail"\nmetric = "e2e_s"\ntolerance = 5\n'
    )
    assert refused(tmp_path, *AB) == [
        'gemma-gates.toml:4: gate "quality": tolerance is of costs; of a score give margin = 0.02',
        'gemma-gates.toml:7: gate "first-token": no metric named "ttft"; did you mean "ttft_s"?',
        'gemma-gates.toml:11: gate "tail": tolerance is 5, a growth by 500%; write "5%" or 0.05',
    ]


def test_two_gates_of_one_id_are_refused(tmp_path: Path) -> None:
    """One in the suite and one in the file of the project would be taken for each other."""
    write_gated(tmp_path, cases=ASKED + SOONER)
    (tmp_path / "gemma-gates.toml").write_text(SOONER.lstrip())
    (line,) = refused(tmp_path, *AB)
    assert fnmatch(line, 'towns.gemma.toml:*: gate "first-token" has the id of that in gemma-gates.toml:1; *')


def test_a_damaged_file_of_acceptances_is_refused(tmp_path: Path) -> None:
    """With its line, before anything is measured."""
    write_gated(tmp_path, cases=ASKED)
    (tmp_path / "gemma-accepted.toml").write_text('[[accepted]]\ngate = "score"\nexpires = "soon"\n')
    lines = refused(tmp_path, *AB)
    assert all(line.startswith("gemma-accepted.toml:") for line in lines)
    assert any("2026-12-24" in line for line in lines)
