"""`--gemma-ab git:REF`: the base is the project as it was at another commit, and nothing is left of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.plugin.gating import Session, gating_of, outcomes_of, runs_of, session, verdicts_of
from tests.plugin.project import head

SUITE = ("--gemma-suite", "towns.gemma.toml")

READING = """
import gemma_eval
from gemma_eval.backends import scripted

HEDGE = ""

class Reading(scripted.Scripted):
    def generate(self, prompt, *, profile, seed):
        told = " ".join(turn.content for turn in prompt.messages)
        reply = HEDGE + ("Oslo" if "Oslo" in told else "I do not know.")
        scripted_one = scripted.Scripted(**{**vars(self), "replies": (reply,)})
        return scripted_one.generate(prompt, profile=profile, seed=seed)

def load(spec, *, clock, transforms):
    loaded = scripted.load(spec, clock=clock, transforms=transforms)
    return Reading(**{name: getattr(loaded, name) for name in loaded.__dataclass_fields__})

@gemma_eval.hookimpl
def register_backends(register):
    register("reading", load)
"""
"""A conftest.py with a backend that answers with what it was told, and nothing else."""

CASE = """
[[case]]
id = "home-{n}"
prompt = "Where does Finn live?"
documents = [{{ name = "people", text = "- Finn lives in Oslo.\\n" }}]
checks = [{{ scorer = "contains", text = "Oslo" }}]
"""

TELLING = "{{ rag_context }}\n\n{{ query }}"
SILENT = "{{ query }}"


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, and return what it said."""
    named = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    done = subprocess.run(
        ["git", "-C", str(folder), *named, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a suite, a template of its own and a backend that reads, committed as `base`."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "conftest.py").write_text(READING)
    (folder / "models.toml").write_text('version = 1\n[model.reader]\nbackend = "reading"\nlocation = "-"\n')
    (folder / "templates").mkdir()
    (folder / "templates" / "told.jinja").write_text(TELLING)
    cases = "".join(CASE.format(n=n) for n in range(8))
    (folder / "towns.gemma.toml").write_text(head(models=("reader",), templates=("told",)) + cases)
    (folder / ".gitignore").write_text("reports/\n__pycache__/\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "base")
    git(folder, "tag", "base")
    return folder


def run(folder: Path, *arguments: str) -> Session:
    """Run the suite with temporary files beside the project, of which nothing may be left."""
    scratch = folder.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    ended = session(folder, *SUITE, "-q", *arguments, environment={"TMPDIR": str(scratch)})
    left = [path.name for path in scratch.iterdir() if path.name != f"gemma_eval-{os.getuid()}"]
    assert left == []
    assert git(folder, "worktree", "list").count("\n") == 1
    return ended


def test_a_template_that_lost_its_context_regresses(project: Path) -> None:
    """In files that are not committed yet: every answer that was right is wrong."""
    (project / "templates" / "told.jinja").write_text(SILENT)
    ended = run(project, "--gemma-ab", "git:base")
    assert verdicts_of(project) == {"score": "REGRESSED"}
    assert ended.code == 1
    gating = gating_of(project)
    assert gating.found.startswith("base (")
    at_base = git(project, "rev-parse", "base").strip()
    assert gating.commits == {"base": at_base, "candidate": f"{at_base}-dirty"}


def test_what_was_not_changed_passes(project: Path) -> None:
    """Both sides are read from their own folders and answer alike."""
    ended = run(project, "--gemma-ab", "git:HEAD")
    assert verdicts_of(project) == {"score": "PASS"}
    assert ended.code == 0
    (found,) = gating_of(project).gated
    assert found.comparison.lean == "identical"


def test_code_of_the_base_is_that_of_its_commit(project: Path) -> None:
    """A conftest.py whose backend answers otherwise now; a run from a folder below, and of a chosen case."""
    conftest = project / "conftest.py"
    conftest.write_text(READING.replace('HEDGE = ""', 'HEDGE = "Perhaps "'))
    git(project, "commit", "--quiet", "-am", "hedge")
    ended = run(project, "--gemma-ab", "git:HEAD~1")
    assert ended.code == 0
    candidate, base = (outcomes_of(project, run) for run in runs_of(project))
    assert {each.generation and each.generation.text for each in candidate} == {"Perhaps Oslo"}
    assert {each.generation and each.generation.text for each in base} == {"Oslo"}


def test_a_project_below_the_top_of_its_repository_has_its_base_there_too(project: Path) -> None:
    """The folder of the base is the same one below the other commit."""
    inner = project / "inner"
    inner.mkdir()
    for name in ("conftest.py", "models.toml", "towns.gemma.toml", "templates"):
        git(project, "mv", name, f"inner/{name}")
    (inner / "pytest.ini").write_text("[pytest]\n")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "inner")
    (inner / "templates" / "told.jinja").write_text(SILENT)
    ended = session(inner, *SUITE, "-q", "--gemma-ab", "git:main")
    assert ended.code == 1
    assert verdicts_of(inner) == {"score": "REGRESSED"}
    assert git(project, "worktree", "list").count("\n") == 1


def test_a_folder_that_is_named_by_a_link_is_that_of_the_other_commit(project: Path) -> None:
    """A root folder that is given by another name than git has for it."""
    (project.parent / "link").symlink_to(project)
    inner = project / "inner"
    inner.mkdir()
    git(project, "mv", "conftest.py", "towns.gemma.toml", "models.toml", "templates", "inner")
    (inner / "pytest.ini").write_text("[pytest]\n")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "inner")
    (inner / "templates" / "told.jinja").write_text(SILENT)
    config = project.parent / "link" / "inner" / "pytest.ini"
    ended = session(inner, *SUITE, "-q", f"--config-file={config}", "--gemma-ab", "git:main")
    assert ended.code == 1, ended.lines
    base = runs_of(inner)[f"{next(iter(runs_of(inner)))}-base"]
    assert not any(str(project.parent / "link") in each for each in base.arguments)
    assert verdicts_of(inner) == {"score": "REGRESSED"}


def test_code_that_is_imported_from_the_repository_is_that_of_its_commit(project: Path) -> None:
    """A package below `src`, that was found because its folder is among those to import from."""
    package = project / "src" / "hedging"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('HEDGE = "Perhaps "\n')
    (project / "conftest.py").write_text(READING.replace('HEDGE = ""', "from hedging import HEDGE"))
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "hedge")
    (package / "__init__.py").write_text('HEDGE = "Surely "\n')
    where = {"PYTHONPATH": str(project / "src")}
    assert session(project, *SUITE, "-q", "--gemma-ab", "git:HEAD", environment=where).code == 0
    candidate, base = (outcomes_of(project, run) for run in runs_of(project))
    assert {each.generation and each.generation.text for each in candidate} == {"Surely Oslo"}
    assert {each.generation and each.generation.text for each in base} == {"Perhaps Oslo"}


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("git:nowhere", "*git knows no commit 'nowhere' here; fetch it, or name another"),
        ("git:", "*git knows no commit '' here*"),
        ("git:--upload-pack=x", "*git knows no commit*"),
    ],
)
def test_a_commit_that_is_not_there_is_refused_before_anything_runs(
    project: Path, ref: str, said: str
) -> None:
    """One line, exit code 4, no database."""
    refused(run(project, "--gemma-ab", ref), said)
    assert not (project / "reports").exists()


def test_a_suite_that_the_base_has_not_is_refused_before_anything_runs(project: Path) -> None:
    """It was not committed yet, so there is nothing to compare."""
    (project / "new.gemma.toml").write_text((project / "towns.gemma.toml").read_text())
    (project / "towns.gemma.toml").unlink()
    ended = session(project, "--gemma-suite", "new.gemma.toml", "--gemma-ab", "git:base")
    refused(ended, "ERROR: the base has no new.gemma.toml: it is not in that commit")
    assert not (project / "reports").exists()
    assert git(project, "worktree", "list").count("\n") == 1


def test_a_folder_that_is_no_repository_is_refused_before_anything_runs(project: Path) -> None:
    """Git says so."""
    shutil.rmtree(project / ".git")
    ended = session(project, *SUITE, "--gemma-ab", "git:main")
    refused(ended, "ERROR: *not a git repository*")
    assert not (project / "reports").exists()


def refused(ended: Session, said: str) -> None:
    """Assert exit code 4 with one line of error, which fits."""
    errors = [line for line in ended.lines if line.startswith("ERROR: ")]
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert len(errors) == 1
    assert ended.has(said)
    assert not ended.has("*Traceback*")
    assert not ended.has("*INTERNALERROR*")
