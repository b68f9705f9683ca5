"""`--gemma-baseline`: a run is held against a recorded one, which is found by a name, a commit or a file."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.plugin.gating import (
    SUITE,
    Session,
    gating_of,
    runs_of,
    session,
    told,
    verdicts_of,
    write_gated,
)
from tests.plugin.test_plugin_gates import ASKED, TIMED
from tests.plugin.test_plugin_git import git

DATABASE = Path("reports", "gemma_eval.db")
QUIET = (*SUITE, "-q")
CELL = "towns.gemma.toml::home-1[quick/greedy/plain]"


def recorded(folder: Path, *, model: str = "quick") -> str:
    """Record a run of a model, and return its id."""
    write_gated(folder, cases=ASKED + TIMED, model=model)
    assert session(folder, *QUIET).code == 0
    return next(iter(runs_of(folder)))


def against(folder: Path, base: str, *more: str, model: str = "quick", noisy: str = "") -> Session:
    """Run a model, held against a base."""
    write_gated(folder, cases=ASKED + TIMED, model=model)
    return session(folder, *QUIET, "--gemma-baseline", base, *more, noisy=noisy)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Record a run once, for those that name it by its id; return the folder and the id."""
    folder = tmp_path_factory.mktemp("base")
    return folder, recorded(folder)


# --- by name -----------------------------------------------------------------------------------------


def test_a_run_can_be_named_in_every_way(tmp_path: Path) -> None:
    """`latest`, so many before it, an id, a name that was given, and another database."""
    first = recorded(tmp_path)
    shutil.copy(tmp_path / DATABASE, tmp_path / "kept.db")
    second = recorded(tmp_path)
    assert told(tmp_path, "baseline", "set", "main", first, "--force")[0] == 0
    bases = {}
    for name in ("latest", "latest~2", first, "main", "kept.db"):
        assert against(tmp_path, name).code == 0
        bases[name] = gating_of(tmp_path).base
        assert verdicts_of(tmp_path) == {"score": "PASS", "ttft_s": "INCONCLUSIVE", "tpot_s": "INCONCLUSIVE"}
    assert bases == {"latest": second, "latest~2": first, first: first, "main": first, "kept.db": first}
    assert "latest~2" in [each for run in runs_of(tmp_path).values() for each in run.arguments]


def test_lost_answers_regress_against_a_recorded_run(tmp_path: Path) -> None:
    """And the base of a run that was compared in turn is no `latest` of another run."""
    recorded(tmp_path)
    suite = tmp_path / "models.toml"
    write_gated(tmp_path, cases=ASKED + TIMED)
    suite.write_text(suite.read_text().replace("He lives in Oslo", "Bern"))
    ended = session(tmp_path, *QUIET, "--gemma-baseline", "latest", "--gemma-model", "quick")
    assert ended.code == 1
    assert verdicts_of(tmp_path)["score"] == "REGRESSED"


def test_another_model_is_another_group(tmp_path: Path) -> None:
    """The base has nothing of it: NEW; and that the base's group is gone is MISSING, which fails."""
    recorded(tmp_path)
    ended = against(tmp_path, "latest", "--gemma-exit-codes", "extended", model="late")
    assert ended.code == 10
    found = {(each.gate.id, each.group.model): each.comparison.verdict for each in gating_of(tmp_path).gated}
    speed = ("score", "ttft_s", "tpot_s")
    assert found == {(name, "late"): "NEW" for name in speed} | {(name, "quick"): "MISSING" for name in speed}


def test_a_changed_question_is_not_compared(tmp_path: Path) -> None:
    """The cases of both sides ask something else: 12, where what proves nothing is to fail."""
    fails = ("--gemma-inconclusive", "fail", "--gemma-exit-codes", "extended")
    write_gated(tmp_path, cases=ASKED, model="quick")
    session(tmp_path, *QUIET)
    write_gated(tmp_path, cases=ASKED.replace("Where?", "Where now?"), model="quick")
    assert session(tmp_path, *QUIET, "--gemma-baseline", "latest", *fails).code == 12
    assert verdicts_of(tmp_path) == {"score": "INCOMPARABLE"}


def test_the_times_of_a_busy_machine_prove_nothing_and_its_answers_do(base: tuple[Path, str]) -> None:
    """Two runs alone could not prove anything of times on a quiet one either."""
    folder, run = base
    assert against(folder, run, noisy="others were there").code == 0
    assert verdicts_of(folder) == {"score": "PASS", "ttft_s": "INCONCLUSIVE", "tpot_s": "INCONCLUSIVE"}


def test_gating_again_says_what_the_run_said(base: tuple[Path, str]) -> None:
    """With `gemma-eval gate`, by the same base."""
    folder, first = base
    against(folder, first)
    before = gating_of(folder)
    code, _ = told(folder, "gate", "latest", "--baseline", first)
    again = gating_of(folder)
    assert code == 0
    assert again.gated == before.gated
    assert again.base == before.base == first


# --- auto and commits --------------------------------------------------------------------------------


def test_the_base_of_auto_is_the_newest_clean_run_at_the_merge_base(tmp_path: Path) -> None:
    """Not a noisy one, nor one of files that were not committed, nor a part; and there is none at first."""
    write_gated(tmp_path, cases=ASKED + TIMED, model="quick")
    (tmp_path / ".gitignore").write_text("reports/\n__pycache__/\n")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "base")
    auto = (*QUIET, "--gemma-baseline", "auto")
    first = session(tmp_path, *auto, "--gemma-inconclusive", "fail", "--gemma-exit-codes", "extended")
    assert first.code == 12
    assert set(verdicts_of(tmp_path).values()) == {"NEW"}
    clean = next(iter(runs_of(tmp_path)))
    session(tmp_path, *QUIET, noisy="others were there")
    session(tmp_path, *QUIET, "-k", "fast")
    (tmp_path / "models.toml").write_text((tmp_path / "models.toml").read_text() + "# changed\n")
    session(tmp_path, *QUIET)
    assert session(tmp_path, *auto).code == 0
    gating = gating_of(tmp_path)
    assert gating.base == clean
    commit = git(tmp_path, "rev-parse", "HEAD").strip()
    assert gating.found == f"run {clean}, the newest clean one at the merge-base {commit[:10]}"
    assert verdicts_of(tmp_path)["score"] == "PASS"
    assert session(tmp_path, *QUIET, "--gemma-baseline", "merge-base:main").code == 0
    assert gating_of(tmp_path).base == clean
    refused = session(tmp_path, *QUIET, "--gemma-baseline", "merge-base:nowhere")
    assert refused.code == pytest.ExitCode.USAGE_ERROR
    assert refused.has("ERROR: *git knows no commit 'nowhere' here; fetch it, or name another")


def test_without_a_repository_auto_has_no_base_and_says_why(tmp_path: Path) -> None:
    """That is no error: the gates are NEW."""
    ended = against(tmp_path, "auto")
    assert ended.code == 0
    assert set(verdicts_of(tmp_path).values()) == {"NEW"}
    assert "not a git repository" in gating_of(tmp_path).found


# --- parts and workers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part", [("-k", "fast"), ("-k", "home-1"), ("--deselect=towns.gemma.toml::home-1[quick/greedy/plain]",)]
)
def test_a_part_is_incomplete_and_never_passes(tmp_path: Path, part: tuple[str, ...]) -> None:
    """Whatever was chosen, and how."""
    recorded(tmp_path)
    assert against(tmp_path, "latest", *part).code == 0
    assert set(verdicts_of(tmp_path).values()) == {"INCOMPLETE"}


def test_a_chosen_cell_is_incomplete(base: tuple[Path, str]) -> None:
    """By its id, as `--gemma-suite` takes it."""
    folder, run = base
    assert session(folder, "--gemma-suite", CELL, "-q", "--gemma-baseline", run).code == 0
    assert verdicts_of(folder) == {"score": "INCOMPLETE"}


def test_what_ended_at_the_first_failure_is_incomplete(tmp_path: Path) -> None:
    """`-x` with a case that misses its demand; 13 is not the exit code, for a case failed."""
    demand = ASKED.replace('text = "Oslo"', 'text = "Oslo", pass_at = 1.0')
    write_gated(tmp_path, cases=demand, model="bern")
    session(tmp_path, *QUIET)
    ended = session(tmp_path, *QUIET, "-x", "--gemma-baseline", "latest", "--gemma-exit-codes", "extended")
    assert ended.code == 1
    assert verdicts_of(tmp_path) == {"score": "INCOMPLETE"}


def test_workers_measure_and_gates_are_told_once(base: tuple[Path, str]) -> None:
    """With `-n 2` by the one process that records."""
    folder, run = base
    ended = against(folder, run, "-n2", "-rA")
    assert ended.code == 0
    assert verdicts_of(folder)["score"] == "PASS"
    assert sum(line.startswith("PASS ") for line in ended.lines) == 1
    assert ended.has("*10 passed, 2 skipped in *")


# --- mistakes ----------------------------------------------------------------------------------------


def damaged(folder: Path) -> None:
    """Have a database of a newer version, one that is none, and one without runs."""
    shutil.copy(folder / DATABASE, folder / "newer.db")
    with closing(sqlite3.connect(folder / "newer.db")) as connection:
        connection.execute("PRAGMA user_version = 9999")
    (folder / "notes.db").write_text("important\n" * 100)
    whole = (folder / DATABASE).read_bytes()
    (folder / "half.db").write_bytes(whole[: len(whole) // 3])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lastest", 'no baseline, run or database named "lastest"*'),
        ("latest~70", 'no baseline, run or database named "latest~70"*'),
        ("20200101-000000-beef", 'no baseline, run or database named "20200101-000000-beef"*'),
        ("gone.db", 'no baseline, run or database named "gone.db"*'),
        ("newer.db", "newer.db: *newer*"),
        ("notes.db", "notes.db: this is not a results database*"),
        ("half.db", "half.db: *"),
    ],
)
def test_a_base_that_cannot_be_read_is_refused_before_anything_runs(
    base: tuple[Path, str], name: str, said: str
) -> None:
    """In one line; nothing is added to the database."""
    folder, _ = base
    damaged(folder)
    before = runs_of(folder)
    ended = against(folder, name)
    errors = [line.removeprefix("ERROR: ") for line in ended.lines if line.startswith("ERROR: ")]
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert len(errors) == 1
    assert fnmatch(errors[0], said), errors
    assert runs_of(folder) == before


def test_a_first_run_has_nothing_to_be_held_against(tmp_path: Path) -> None:
    """There is no database yet, and none is made."""
    ended = against(tmp_path, "latest")
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert ended.has("ERROR: *gemma_eval.db: there is no results database; *")
    assert not (tmp_path / "reports").exists()
