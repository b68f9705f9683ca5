"""Blocks that do not come to their end: nothing passes, nothing is left running, and one message says why."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest

from gemma_eval.executors.arm import INSIDE
from tests.plugin.gating import begun, gating_of, outcomes_of, runs_of, session, until, verdicts_of
from tests.plugin.project import head
from tests.plugin.test_plugin_git import git

HANGING = '''
import os
import time
from pathlib import Path
import gemma_eval
from gemma_eval.backends import scripted
from gemma_eval.executors.arm import INSIDE

HERE = Path(__file__).parent

def here(when):
    """Do what is planted for an item of the session, or for a block."""
    if (Path(os.environ["PLANTED"]) / f"crash-in-{when}").exists():
        print("the engine is out of memory", flush=True)
        os._exit(77)
    if (Path(os.environ["PLANTED"]) / f"hang-in-{when}").exists():
        (Path(os.environ["PLANTED"]) / f"hangs-{os.getpid()}").touch()
        time.sleep(600)

class Hanging(scripted.Scripted):
    def generate(self, prompt, *, profile, seed):
        if "fast" in prompt.messages[-1].content:
            here("block" if INSIDE in os.environ else "item")
        return super().generate(prompt, profile=profile, seed=seed)

def load(spec, *, clock, transforms):
    loaded = scripted.load(spec, clock=clock, transforms=transforms)
    return Hanging(**{name: getattr(loaded, name) for name in loaded.__dataclass_fields__})

@gemma_eval.hookimpl
def register_backends(register):
    register("hanging", load)
'''
"""A conftest.py with a backend that hangs or dies where a file of that name is planted."""

CASES = """
[[case]]
id = "home"
prompt = "Where does Finn live?"
checks = [{ scorer = "contains", text = "Oslo" }]
[[case]]
id = "fast"
kind = "benchmark"
prompt = "Be fast."
repeats = 1
warmup = 0
"""
RUN = ("--gemma-suite", "towns.gemma.toml", "-q", "--gemma-blocks", "2")
AGAINST_ITSELF = (*RUN, "--gemma-ab", "model:one")
AGAINST_A_COMMIT = (*RUN, "--gemma-ab", "git:main")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A committed project whose engine does what is planted."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "conftest.py").write_text(HANGING)
    models = 'version = 1\n[model.one]\nbackend = "hanging"\nlocation = "-"\n'
    (folder / "models.toml").write_text(
        f'{models}options = {{ reply = "Oslo", ttft_ms = 40, tpot_ms = 5 }}\n'
    )
    (folder / "towns.gemma.toml").write_text(head(models=("one",)) + CASES)
    (folder / ".gitignore").write_text("reports/\n__pycache__/\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "base")
    (tmp_path / "planted").mkdir()
    (tmp_path / "scratch").mkdir()
    return folder


def environment(project: Path) -> dict[str, str]:
    """Return where it is told what is planted, and where temporary files go."""
    return {"PLANTED": str(project.parent / "planted"), "TMPDIR": str(project.parent / "scratch")}


def plant(project: Path, what: str) -> None:
    """Have the engine do something from the next answer on."""
    (project.parent / "planted" / what).touch()


def hanging(project: Path) -> list[int]:
    """Return the processes that hang."""
    return [int(path.name.partition("-")[2]) for path in (project.parent / "planted").glob("hangs-*")]


def left(project: Path) -> list[str]:
    """Return what temporary files there are."""
    found = (path.name for path in (project.parent / "scratch").iterdir())
    return [name for name in found if name != f"gemma_eval-{os.getuid()}"]


def is_gone(pid: int) -> bool:
    """Whether a process is no more, or will be in a moment."""
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 2), (signal.SIGTERM, 128 + signal.SIGTERM)], ids=["int", "term"]
)
@pytest.mark.parametrize("where", ["item", "block"])
def test_an_interrupt_ends_everything_in_order(
    project: Path, number: signal.Signals, code: int, where: str
) -> None:
    """In an item or in a block: its process ends, the other commit's files go, and all is INCOMPLETE."""
    plant(project, f"hang-in-{where}")
    real = where == "block"
    given = environment(project)
    with begun(project, *AGAINST_A_COMMIT, environment=given, quick=not real) as (process, printed):
        until(lambda: bool(hanging(project)), process)
        assert process.pid is not None
        os.kill(process.pid, number)
        process.join(20)
        assert process.exitcode == code
        assert ("before all its blocks" if real else "1 trial is missing") in printed.read_text()
    assert all(map(is_gone, hanging(project)))
    assert left(project) == []
    assert git(project, "worktree", "list").count("\n") == 1
    assert set(verdicts_of(project).values()) == {"INCOMPLETE"}
    assert {run.state for run in runs_of(project).values()} == {"interrupted"}


def test_a_run_that_is_killed_leaves_no_block_running(project: Path) -> None:
    """`kill -9` of the process that records; what is recorded is a run that goes on, and never passes."""
    plant(project, "hang-in-block")
    with begun(project, *AGAINST_ITSELF, environment=environment(project), quick=False) as (process, _):
        until(lambda: bool(hanging(project)), process)
        process.kill()
        process.join()
    assert all(map(is_gone, hanging(project)))
    assert {run.state for run in runs_of(project).values()} == {"running"}


def test_an_engine_that_dies_in_a_block_is_told_once_with_what_was_said(project: Path) -> None:
    """The run fails, the gates are INCOMPLETE, and the report is written all the same."""
    plant(project, "crash-in-block")
    ended = session(project, *AGAINST_ITSELF, environment=environment(project), quick=False)
    assert ended.code == 1
    told = [at for at, line in enumerate(ended.lines) if line.startswith("a block of the ")]
    assert len(told) == 1
    assert ended.lines[told[0]] == "a block of the base was not run to its end (exit code 77); it said:"
    assert any("out of memory" in line for line in ended.lines[told[0] :])
    assert set(verdicts_of(project).values()) == {"INCOMPLETE"}
    assert left(project) == []
    assert list((project / "reports").glob("*/report.html"))


def test_a_suite_that_is_broken_at_the_base_is_told_with_its_line(project: Path) -> None:
    """What the block said is what is wrong there."""
    good = (project / "towns.gemma.toml").read_text()
    (project / "towns.gemma.toml").write_text(good.replace("prompt =", "promt ="))
    git(project, "commit", "--quiet", "-am", "broken")
    (project / "towns.gemma.toml").write_text(good)
    ended = session(project, *AGAINST_A_COMMIT, environment=environment(project))
    assert ended.code == 1
    assert ended.has("a block of the base was not run to its end (exit code 4); it said:")
    assert ended.has("ERROR: towns.gemma.toml:*promt*")
    assert set(verdicts_of(project).values()) == {"INCOMPLETE"}
    assert left(project) == []


NEVER = """
[[case]]
id = "never"
prompt = "?"
checks = [{ scorer = "contains", text = "Bern", pass_at = 1.0 }]
"""


@pytest.mark.parametrize("cases", [NEVER + CASES, CASES + NEVER], ids=["first", "last"])
def test_a_failed_case_at_which_the_session_ends_measures_no_base(project: Path, cases: str) -> None:
    """`-x`, also where the case is the last: nothing was held against anything."""
    (project / "towns.gemma.toml").write_text(head(models=("one",)) + cases)
    ended = session(project, *AGAINST_ITSELF, "-x", environment=environment(project))
    assert ended.code == 1
    assert set(verdicts_of(project).values()) == {"INCOMPLETE"}
    assert gating_of(project).blocks == 0


@pytest.mark.parametrize("part", ["-k=fast", "-k=home"])
def test_a_part_that_is_compared_in_turn_is_incomplete(project: Path, part: str) -> None:
    """Both sides run that part, and nothing passes."""
    ended = session(project, *AGAINST_ITSELF, part, environment=environment(project))
    assert ended.code == 0
    assert set(verdicts_of(project).values()) == {"INCOMPLETE"}
    name = part.partition("=")[2]
    asked = {each.trial.cell.case.id for run in runs_of(project) for each in outcomes_of(project, run)}
    assert asked == {name}


def test_of_two_sessions_on_one_database_the_second_is_told_who_writes(project: Path) -> None:
    """Before it measures anything; the first is not disturbed."""
    where = environment(project)
    plant(project, "hang-in-item")
    with begun(project, *AGAINST_ITSELF, environment=where) as (first, _):
        until(lambda: bool(hanging(project)), first)
        ended = session(project, *AGAINST_ITSELF, environment=where)
        assert ended.code == pytest.ExitCode.USAGE_ERROR
        assert ended.has(
            f"ERROR: reports/gemma_eval.db: process {first.pid} is writing to it; wait until it ends or *"
        )
    assert len(runs_of(project)) == 2


def test_two_sessions_at_once_with_a_database_each_are_both_right(project: Path) -> None:
    """Each has its run and its base with all its blocks, and its own verdicts."""
    where = environment(project)
    other = project.parent / "other"
    shutil.copytree(project, other)
    with begun(project, *AGAINST_ITSELF, environment=where) as (first, _):
        second = session(other, *AGAINST_ITSELF, environment=where)
        first.join()
        assert (first.exitcode, second.code) == (0, 0)
    for folder in (project, other):
        for run in runs_of(folder):
            asked = sorted((each.trial.cell.case.id, each.trial.block) for each in outcomes_of(folder, run))
            assert asked == [("fast", 0), ("fast", 1), ("fast", 2), ("home", 0)]
        assert verdicts_of(folder)["score"] == "PASS"


def test_a_block_is_no_run_of_the_project(project: Path) -> None:
    """It writes neither into the database nor reports, and gates nothing; only the session does."""
    ended = session(project, *AGAINST_ITSELF, environment=environment(project))
    assert ended.code == 0
    assert len(list((project / "reports").glob("2*"))) == 1
    assert len(runs_of(project)) == 2


def test_a_wrong_answer_of_the_base_ends_no_block(project: Path) -> None:
    """Though the ini file has the session end at the first failure."""
    (project / "pytest.ini").write_text("[pytest]\naddopts = -x\n")
    cases = (project / "towns.gemma.toml").read_text()
    (project / "towns.gemma.toml").write_text(
        cases.replace('text = "Oslo" }', 'text = "Oslo", pass_at = 1.0 }')
    )
    models = (project / "models.toml").read_text()
    (project / "models.toml").write_text(
        models + models.partition("\n")[2].replace("one", "two").replace("Oslo", "Bern")
    )
    ended = session(project, *RUN, "--gemma-ab", "two", environment=environment(project))
    assert ended.code == 0
    assert not ended.has("a block of the base was not run to its end*")
    assert {run.state for run in runs_of(project).values()} == {"done"}


def test_options_of_the_ini_file_are_understood_in_blocks(project: Path) -> None:
    """Those of plugins that a block could do without, too; and the cache of the session is its own."""
    (project / "pytest.ini").write_text("[pytest]\naddopts = --ff --hypothesis-seed=1\n")
    options = ("-p", "hypothesispytest", "-p", "cacheprovider", "--gemma-blocks", "1")
    ended = session(project, *AGAINST_ITSELF, *options, environment=environment(project), quick=False)
    assert ended.code == 0
    assert verdicts_of(project)["score"] == "PASS"


def test_a_block_whose_session_is_gone_does_not_begin(project: Path) -> None:
    """It was still starting when the session was killed, and nobody would end it."""
    nobody = {**environment(project), INSIDE: "999999999"}
    ended = session(project, "--gemma-suite", "towns.gemma.toml", environment=nobody)
    assert ended.code == 1
    assert ended.has("*the session that this block is of has ended*")
    assert not (project / "reports").exists()
