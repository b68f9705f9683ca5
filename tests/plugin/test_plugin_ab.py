"""`--gemma-ab`: candidate and base are measured in turn, and what became of the gates is told everywhere."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from gemma_eval.records import Outcome
from tests.plugin.gating import (
    SUITE,
    TWO_CASES,
    Session,
    gating_of,
    junit_cases,
    outcomes_of,
    runs_of,
    session,
    verdicts_of,
    write_gated,
)

GATES = """\
[[gate]]
id = "quality"
metric = "score"
margin = 0.02
[[gate]]
id = "first-token"
metric = "ttft_s"
tolerance = "5%"
[[gate]]
id = "pace"
metric = "tpot_s"
tolerance = "3%"
tier = "supporting"
"""
FORMATS = ("github", "sarif", "json", "bencher", "pytest-benchmark")


@dataclass(frozen=True)
class Compared:
    """A session in which a model that is a quarter later was held against another, and its folder."""

    folder: Path
    ended: Session

    @property
    def junit(self) -> dict[str, Element]:
        """The tests of the JUnit file by their names."""
        return junit_cases(self.folder / "junit.xml")


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """Run that session once, with every file that it can write."""
    folder = tmp_path_factory.mktemp("later")
    write_gated(folder)
    (folder / "gemma-gates.toml").write_text(GATES)
    (folder / "summary.md").write_text("# of another step\n")
    files = [f"--gemma-gate-report={name}:gates/{name}.out" for name in FORMATS]
    ended = session(
        folder,
        *(*SUITE, "--gemma-ab", "quick", "--gemma-blocks", "5", *files),
        *("--junitxml=junit.xml", "-rA", "-v", "--gemma-exit-codes", "extended"),
        environment={"GITHUB_STEP_SUMMARY": str(folder / "summary.md"), "GITHUB_ACTIONS": "true"},
    )
    return Compared(folder, ended)


def sent(outcomes: tuple[Outcome, ...], block: int) -> int:
    """Return when the first request of a block was sent."""
    return min(
        each.generation.requested_ns
        for each in outcomes
        if each.trial.block == block and each.generation is not None
    )


# --- a slower model ----------------------------------------------------------------------------------


def test_a_model_that_begins_later_regresses_and_nothing_else_does(later: Compared) -> None:
    """By a quarter exactly, with times that have no noise: five blocks that agree prove it."""
    assert verdicts_of(later.folder) == {"quality": "PASS", "first-token": "REGRESSED", "pace": "PASS"}
    gating = gating_of(later.folder)
    found = {each.gate.id: each.comparison for each in gating.gated}
    assert (found["first-token"].base, found["first-token"].candidate) == pytest.approx((0.04, 0.05))
    assert found["first-token"].n == gating.blocks == 5
    assert gating.changes == ("model quick → late",)


def test_what_five_blocks_prove_that_all_agree(later: Compared) -> None:
    """There is no spread to compute bounds from: the p is that of the sign test, 2 to the power of -5."""
    found = next(each for each in gating_of(later.folder).gated if each.gate.id == "first-token").comparison
    assert (found.low, found.high) == pytest.approx((math.log(1.25), math.log(1.25)))
    assert found.p == pytest.approx(0.5**5)


def test_both_sides_are_runs_in_one_database(later: Compared) -> None:
    """`X` and `X-base`, which is the one before it: `latest~1`."""
    newest, base = runs_of(later.folder)
    assert base == f"{newest}-base"
    assert runs_of(later.folder)[newest].base == base
    assert {run.state for run in runs_of(later.folder).values()} == {"done"}


def test_blocks_repeat_what_is_timed_and_answers_are_asked_once(later: Compared) -> None:
    """Each case once on either side, and the benchmark once more in each of five blocks."""
    for run in runs_of(later.folder):
        asked = [(each.trial.cell.case.id, each.trial.block) for each in outcomes_of(later.folder, run)]
        assert sorted(asked) == sorted([("home", 0), *(("fast", block) for block in range(6))])


def test_who_goes_first_alternates(later: Compared) -> None:
    """Candidate, base, base, candidate …: a machine that grows slower favours neither."""
    candidate, base = (outcomes_of(later.folder, run) for run in runs_of(later.folder))
    first = ["candidate" if sent(candidate, n) < sent(base, n) else "base" for n in range(1, 6)]
    assert first == ["candidate", "base", "candidate", "base", "candidate"]
    order = sorted(sent(side, block) for side in (candidate, base) for block in range(1, 6))
    assert max(sent(candidate, 1), sent(base, 1)) == order[1]


def test_the_exit_code_tells_what_failed(later: Compared) -> None:
    """With `--gemma-exit-codes extended`, 10 is a regression."""
    assert later.ended.code == 10


def test_gates_are_shown_as_tests_in_their_own_words(later: Compared) -> None:
    """In `-v` with their places, in the short summary with their reasons, and counted in the last line."""
    for line in (
        "gemma-gates.toml::gate::quality[[]late/greedy/plain] PASS*",
        "gemma-gates.toml::gate::first-token[[]late/greedy/plain] REGRESSED*",
        "REGRESSED gemma-gates.toml::gate::first-token[[]late/greedy/plain]*",
        "PASS gemma-gates.toml::gate::pace[[]late/greedy/plain]",
        "*= 1 failed, 4 passed in *",
        "gemma_eval: base: model quick, measured in turn",
        "gemma_eval: block 2 of at most 5: base *, candidate *",
    ):
        assert later.ended.has(line), line


def test_progress_ends_at_a_hundred_per_cent(later: Compared) -> None:
    """Gates are counted among what there is to do."""
    shown = [line.rpartition("[")[2].strip("]% ") for line in later.ended.lines if line.endswith("%]")]
    assert shown[-1] == "100"
    assert all(int(each) <= 100 for each in shown)


def test_junit_has_a_test_for_each_gate(later: Compared) -> None:
    """With a failure where one failed, and the numbers as properties."""
    cases = later.junit
    assert len(cases) == 5
    failed = [name for name, case in cases.items() if case.find("failure") is not None]
    assert failed == ["first-token[late/greedy/plain]"]
    told = {each.attrib["name"]: each.attrib["value"] for each in cases[failed[0]].iter("property")}
    assert told["gemma_verdict"] == "REGRESSED"
    assert float(told["gemma_candidate"]) == pytest.approx(0.05)
    assert told["gemma_n"] == "5"


def test_every_file_that_was_asked_for_is_written(later: Compared) -> None:
    """In a folder that is made for them; those of verdicts agree with the database."""
    written = {name: (later.folder / "gates" / f"{name}.out").read_text() for name in FORMATS}
    told = json.loads(written["json"])
    assert {each["gate"]["id"]: each["verdict"] for each in told["gates"]} == verdicts_of(later.folder)
    assert told["counts"]["REGRESSED"] == 1
    results = json.loads(written["sarif"])["runs"][0]["results"]
    assert [each["level"] for each in results] == ["error"]
    assert "REGRESSED" in written["github"]
    assert json.loads(written["bencher"])["late/greedy/plain"]["ttft-s"]["value"] == pytest.approx(0.05)
    assert len(json.loads(written["pytest-benchmark"])["benchmarks"]) == 3


def test_the_summary_of_the_step_is_added_to(later: Compared) -> None:
    """What other tools wrote there stays."""
    summary = (later.folder / "summary.md").read_text()
    assert summary.startswith("# of another step\n")
    assert summary.count("first-token") >= 1


def test_annotations_stand_at_the_line_of_the_gate(later: Compared) -> None:
    """An error for the critical gate that regressed, and nothing for what passed."""
    said = [line for line in later.ended.lines if line.startswith("::")]
    assert len(said) == 1
    assert said[0].startswith("::error file=gemma-gates.toml,line=5")


# --- other sides -------------------------------------------------------------------------------------

PLAIN = """
[[case]]
id = "home"
prompt = "Where does Finn live?"
checks = [{ scorer = "contains", text = "Oslo" }]
"""


def lost(folder: Path) -> tuple[str, ...]:
    """Have a candidate answer eight cases wrongly that its base answers rightly."""
    cases = "".join(PLAIN.replace('"home"', f'"home-{n}"') for n in range(8))
    write_gated(folder, cases=cases, model="bern")
    return ("--gemma-ab", "model:quick")


def alike(folder: Path) -> tuple[str, ...]:
    """Have a candidate that is the base by another name."""
    write_gated(folder, model="twin")
    return ("--gemma-ab", "quick", "--gemma-blocks", "5")


def itself(folder: Path) -> tuple[str, ...]:
    """Have a candidate that is the base."""
    write_gated(folder, model="quick")
    return ("--gemma-ab", "model:quick", "--gemma-blocks", "5")


def template(folder: Path) -> tuple[str, ...]:
    """Have two templates, of which a scripted model sees no difference."""
    path = write_gated(folder, cases=PLAIN, model="quick")
    path.write_text(path.read_text().replace('templates = ["plain"]', 'templates = ["plain", "rag"]'))
    return ("--gemma-template", "rag", "--gemma-ab", "template:plain")


def profile(folder: Path) -> tuple[str, ...]:
    """Have two profiles, of which a scripted model sees no difference."""
    path = write_gated(folder, cases=PLAIN, model="quick")
    path.write_text(path.read_text().replace('profiles = ["greedy"]', 'profiles = ["greedy", "hot"]'))
    return ("--gemma-profile", "greedy", "--gemma-ab", "hot")


@pytest.mark.parametrize(
    ("project", "verdicts", "code", "changes"),
    [
        (lost, {"score": "REGRESSED"}, 1, ("model quick → bern",)),
        (alike, dict.fromkeys(("score", "ttft_s", "tpot_s"), "PASS"), 0, ("model quick → twin",)),
        (itself, dict.fromkeys(("score", "ttft_s", "tpot_s"), "PASS"), 0, ()),
        (template, {"score": "PASS"}, 0, ("template plain → rag",)),
        (profile, {"score": "PASS"}, 0, ("profile hot → greedy",)),
    ],
)
def test_a_base_may_be_another_model_profile_or_template(
    tmp_path: Path,
    project: Callable[[Path], tuple[str, ...]],
    verdicts: dict[str, str],
    code: int,
    changes: tuple[str, ...],
) -> None:
    """Lost answers regress, and what is alike passes, with the gates that hold where none is written."""
    ended = session(tmp_path, *SUITE, *project(tmp_path), "-q")
    assert {name: verdict for name, verdict in verdicts_of(tmp_path).items() if name in verdicts} == verdicts
    assert ended.code == code
    assert gating_of(tmp_path).changes == changes
    assert set(runs_of(tmp_path)) == {(newest := next(iter(runs_of(tmp_path)))), f"{newest}-base"}


def test_blocks_end_when_every_gate_is_decided(tmp_path: Path) -> None:
    """At the first look that decides, the second: after 8 blocks of at most 12. `-x` changes nothing."""
    write_gated(tmp_path)
    (tmp_path / "gemma-gates.toml").write_text(
        '[[gate]]\nid = "first-token"\nmetric = "ttft_s"\nmax_blocks = 12\n'
    )
    ended = session(tmp_path, *SUITE, "--gemma-ab", "quick", "-q", "-x")
    assert ended.code == 1
    assert verdicts_of(tmp_path) == {"first-token": "REGRESSED"}
    assert gating_of(tmp_path).blocks == 8


def test_one_block_proves_nothing_and_says_so(tmp_path: Path) -> None:
    """A start of an engine is one datum: there is no crash, no PASS and no failure. Gates have their line."""
    write_gated(tmp_path)
    ended = session(tmp_path, *SUITE, "--gemma-ab", "quick", "--gemma-blocks", "1", "-q")
    assert ended.code == 0
    assert verdicts_of(tmp_path) == {"score": "PASS", "ttft_s": "INCONCLUSIVE", "tpot_s": "INCONCLUSIVE"}
    assert [line.partition(" ")[0] for line in ended.lines[:2]] == ["..", ".ss"]


def test_only_items_run_when_they_are_only_collected(tmp_path: Path) -> None:
    """`--collect-only` measures nothing, writes nothing, and gates nothing."""
    write_gated(tmp_path)
    ended = session(tmp_path, *SUITE, "--gemma-ab", "quick", "--collect-only", "-q")
    assert ended.code == 0
    assert not (tmp_path / "reports").exists()
    assert TWO_CASES.count("[[case]]") == sum("::" in line for line in ended.lines)
