"""A run measures what it began with: files that are edited meanwhile change nothing, or are refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gemma_eval.records import Outcome
from tests.plugin.gating import gating_of, runs_of, session
from tests.plugin.project import a_case, head, latest, newest_run
from tests.plugin.test_plugin_git import READING, TELLING
from tests.plugin.test_plugin_git import git as run_git

SUITE = ("--gemma-suite", "towns.gemma.toml")
MODELS = 'version = 1\n[model.reader]\nbackend = "reading"\nlocation = "-"\n'
OTHER = "Please. {{ query }}"

EDITING = """
from pathlib import Path

HERE = Path(__file__).parent

def edit():
    (HERE / "templates" / "told.jinja").write_text("Please. {{ query }}")

class Editing(Reading):
    def generate(self, prompt, *, profile, seed):
        made = super().generate(prompt, profile=profile, seed=seed)
        with (HERE / "asked.txt").open("a") as asked:
            asked.write("x")
        if len((HERE / "asked.txt").read_text()) == EDIT_AFTER:
            edit()
        return made

def load_editing(spec, *, clock, transforms):
    loaded = load(spec, clock=clock, transforms=transforms)
    return Editing(**{name: getattr(loaded, name) for name in loaded.__dataclass_fields__})

@gemma_eval.hookimpl
def register_backends(register):
    register("reading", load_editing)
"""
"""A conftest.py with an engine that edits the template of its suite when it has been asked so often."""

WORKER = """
import os
from pathlib import Path

if os.environ.get("PYTEST_XDIST_WORKER"):
    (Path(__file__).parent / "templates" / "told.jinja").write_text("Please. {{ query }}")
"""
"""A conftest.py that edits the template before a worker reads it, and after the run was planned."""

FOUND = a_case(
    "home",
    prompt="Where does Finn live?",
    keys='documents = [{ name = "p", text = "Finn lives in Oslo." }]\n',
)
CASES = "".join(FOUND.replace("home", f"home-{n}") for n in range(4))
TIMED = '[[case]]\nid = "fast"\nkind = "benchmark"\nprompt = "Say something."\nrepeats = 1\nwarmup = 0\n'


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test starts is no worker, though the test may be run by one."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


def a_project(
    folder: Path, *, edit_after: int = 0, cases: str = CASES, templates: tuple[str, ...] = ("told",)
) -> Path:
    """Write a project whose engine edits its template, if at all, when it has been asked so often."""
    folder.mkdir(exist_ok=True)
    conftest = READING + EDITING.replace("EDIT_AFTER", str(edit_after))
    (folder / "conftest.py").write_text(conftest)
    (folder / "models.toml").write_text(MODELS)
    (folder / "templates").mkdir()
    for name in templates:
        (folder / "templates" / f"{name}.jinja").write_text(TELLING)
    (folder / "towns.gemma.toml").write_text(head(models=("reader",), templates=templates) + cases)
    return folder


def templates_of(outcomes: tuple[Outcome, ...]) -> set[str]:
    """Return the texts of the templates that outcomes were made with."""
    return {outcome.trial.cell.template.text for outcome in outcomes}


def test_an_edit_in_the_middle_of_a_run_changes_nothing_of_it(tmp_path: Path) -> None:
    """The template is edited after the first answer; every prompt and every recorded hash is as at first."""
    a_project(tmp_path, edit_after=1)
    ended = session(tmp_path, *SUITE)
    assert ended.code == 0
    assert (tmp_path / "templates" / "told.jinja").read_text() == OTHER
    outcomes = latest(tmp_path)
    assert len(outcomes) == 4
    assert templates_of(outcomes) == {TELLING}
    assert {outcome.generation and outcome.generation.text for outcome in outcomes} == {"Oslo"}
    assert newest_run(tmp_path).state == "done"
    with sqlite3.connect(tmp_path / "reports" / "gemma_eval.db") as database:
        keys = {key for (key,) in database.execute("SELECT trial_key FROM outcome")}
    assert keys == {outcome.trial.key for outcome in outcomes}


def test_the_next_run_has_the_edit(tmp_path: Path) -> None:
    """And other keys, so that nobody takes the one for the other."""
    a_project(tmp_path, edit_after=1)
    session(tmp_path, *SUITE)
    before = {outcome.trial.key for outcome in latest(tmp_path)}
    assert session(tmp_path, *SUITE).code == 0
    assert templates_of(latest(tmp_path)) == {OTHER}
    assert before.isdisjoint({outcome.trial.key for outcome in latest(tmp_path)})


def test_a_worker_that_has_read_an_edit_refuses_the_cells_it_touches(pytester: pytest.Pytester) -> None:
    """In one line each; the cells of another template run, and the run is not done."""
    folder = a_project(pytester.path, templates=("told", "kept"))
    (folder / "conftest.py").write_text(READING + WORKER)
    ended = pytester.runpytest_subprocess("-n", "1", "-p", "no:cacheprovider", "-p", "no:benchmark", *SUITE)
    ended.assert_outcomes(passed=4, failed=4)
    line = 'template "told" was changed while the run was under way, and a run measures what it began with; *'
    ended.stdout.fnmatch_lines([line])
    assert ended.ret == 1
    assert "Traceback" not in ended.stdout.str()
    assert {outcome.trial.cell.template.name for outcome in latest(folder)} == {"kept"}
    assert newest_run(folder).state == "interrupted"


def test_a_run_whose_suites_the_workers_find_is_planned_with_one_set_of_files(
    pytester: pytest.Pytester,
) -> None:
    """The process that records reads them when the workers have: what differs then is not recorded."""
    folder = a_project(pytester.path)
    edits = WORKER.replace('if os.environ.get("PYTEST_XDIST_WORKER"):', "def pytest_collection_finish():")
    (folder / "conftest.py").write_text(READING + edits)
    ended = pytester.runpytest_subprocess("-n", "1", "-p", "no:cacheprovider", "-p", "no:benchmark")
    assert ended.ret != 0
    ended.stdout.fnmatch_lines(['template "told" was changed while the run was under way*'])
    assert latest(folder) == ()
    assert newest_run(folder).state == "interrupted"


BREAKING = WORKER.replace('templates" / "told.jinja', "towns.gemma.toml").replace("Please.", "[defau")


@pytest.mark.parametrize("arguments", [SUITE, ()], ids=["asked for", "found"])
def test_a_suite_that_breaks_before_a_worker_reads_it_is_an_error_of_that_suite(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    """With its line, and nothing like a traceback of a worker."""
    folder = a_project(pytester.path)
    (folder / "conftest.py").write_text(READING + BREAKING)
    quiet = ("-p", "no:cacheprovider", "-p", "no:benchmark")
    ended = pytester.runpytest_subprocess("-n", "1", *quiet, *arguments)
    ended.assert_outcomes(errors=1)
    ended.stdout.fnmatch_lines(["towns.gemma.toml:1: is not TOML: *"])
    assert "Traceback" not in ended.stdout.str() + ended.stderr.str()


BLOCKS = ("-q", "--gemma-blocks", "3")


@pytest.mark.parametrize(
    ("edit_after", "candidate", "base", "refused"),
    [(2, "kept", "told", "base"), (6, "kept", "told", "base"), (6, "told", "kept", "candidate")],
    ids=["before the base", "between blocks of the base", "between blocks of the candidate"],
)
def test_an_edit_between_blocks_is_refused(
    tmp_path: Path, edit_after: int, candidate: str, base: str, refused: str
) -> None:
    """No verdict rests on two versions of a template; the run ends as one that was not finished."""
    (folder := tmp_path / "project").mkdir()
    a_project(folder, edit_after=edit_after, cases=FOUND + TIMED, templates=("told", "kept"))
    ended = session(folder, *SUITE, *BLOCKS, "--gemma-template", candidate, "--gemma-ab", f"template:{base}")
    assert ended.code == 1
    assert ended.has(f"a block of the {refused} was not run to its end (exit code 4); it said:")
    assert ended.has('ERROR: template "told" was changed while the run was under way*')
    assert {run.state for run in runs_of(folder).values()} == {"interrupted"}
    assert {gated.comparison.verdict for gated in gating_of(folder).gated} == {"INCOMPLETE"}


def test_an_edit_of_what_no_block_runs_disturbs_nobody(tmp_path: Path) -> None:
    """The template is of the suite, and of no cell that was chosen."""
    a_project(tmp_path, edit_after=3, cases=TIMED, templates=("told", "kept", "third"))
    ended = session(tmp_path, *SUITE, *BLOCKS, "--gemma-template", "kept", "--gemma-ab", "template:third")
    assert ended.code == 0
    assert (tmp_path / "templates" / "told.jinja").read_text() == OTHER
    assert {run.state for run in runs_of(tmp_path).values()} == {"done"}


def test_the_base_of_a_commit_is_of_that_commit_all_the_time(tmp_path: Path) -> None:
    """An edit here is none of the base's; one of the candidate's blocks refuses it."""
    (folder := tmp_path / "project").mkdir()
    a_project(folder, cases=TIMED)
    run_git(folder, "init", "--quiet", "--initial-branch=main")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "--quiet", "-m", "base")
    conftest = folder / "conftest.py"
    conftest.write_text(conftest.read_text().replace(" == 0", " == 1"))
    ended = session(folder, *SUITE, *BLOCKS, "--gemma-ab", "git:main")
    assert ended.has("a block of the candidate was not run to its end (exit code 4); it said:")
    assert ended.has('ERROR: template "told" was changed while the run was under way*')
    (base,) = (run for name, run in runs_of(folder).items() if name.endswith("-base"))
    assert base.state == "interrupted"


def test_workers_run_one_cell_of_a_suite_whose_others_have_other_limits(pytester: pytest.Pytester) -> None:
    """What is not asked for was told to no worker, and is no edit."""
    other = CASES.replace("home", "brief").replace("[[case]]", "[[case]]\nmax_tokens = 3")
    a_project(pytester.path, cases=CASES + other)
    chosen = ("-n", "1", "--gemma-suite", "towns.gemma.toml::home-1[reader/greedy/told]")
    pytester.runpytest_subprocess(*chosen).assert_outcomes(passed=1)
