"""What git knows: where branches part, the commits before, and the files of another one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gemma_eval.errors import UsageError
from gemma_eval.gating import git
from tests.gating import repository
from tests.gating.repository import Repository


@pytest.fixture
def here(tmp_path: Path) -> Repository:
    """A repository with one commit."""
    found = repository.made(tmp_path / "project")
    found.commit("first")
    return found


def test_the_merge_base_is_where_a_branch_parted_from_the_main_one(here: Repository) -> None:
    """Also after both went on; or from another branch, a tag or a commit that is named."""
    parted = here.commit("second")
    here.git("checkout", "--quiet", "-b", "topic")
    own = here.commit("own")
    here.git("tag", "own")
    here.git("checkout", "--quiet", "main")
    here.commit("third")
    here.git("checkout", "--quiet", "topic")
    here.commit("more")
    assert git.main_branch(here.folder) == "main"
    assert git.merge_base(here.folder, "main") == parted
    assert git.merge_base(here.folder, "own") == own
    assert git.merge_base(here.folder, own[:12]) == own


def test_on_the_main_branch_it_is_the_present_commit(here: Repository) -> None:
    """And where there is no main branch, none is known."""
    present = here.commit("second")
    assert git.merge_base(here.folder, "main") == present
    here.git("branch", "--move", "work")
    assert git.main_branch(here.folder) is None
    assert git.merge_base(here.folder, "HEAD") == present


def test_a_clone_parts_from_what_its_origin_has(here: Repository, tmp_path: Path) -> None:
    """Not from its own branch of that name, which has gone on."""
    parted = here.git("rev-parse", "HEAD")
    here.git("clone", "--quiet", str(here.folder), str(tmp_path / "clone"))
    clone = Repository(tmp_path / "clone")
    clone.commit("own")
    assert git.main_branch(clone.folder) == "origin/HEAD"
    assert git.merge_base(clone.folder, "origin/HEAD") == parted


def test_the_commits_before_are_those_of_the_branch(here: Repository) -> None:
    """What was merged into it is not."""
    first = here.git("rev-parse", "HEAD")
    here.git("checkout", "--quiet", "-b", "topic")
    own = here.commit("own")
    here.git("checkout", "--quiet", "main")
    here.git("merge", "--quiet", "--no-ff", "--message", "merged", "topic")
    merged = here.git("rev-parse", "HEAD")
    assert git.first_parents(here.folder, merged) == (merged, first)
    assert own not in git.first_parents(here.folder, merged)


def test_the_files_of_another_commit_are_there_as_long_as_they_are_needed(here: Repository) -> None:
    """And the repository knows nothing of them afterwards."""
    first = here.git("rev-parse", "HEAD")
    here.commit("second")
    with git.worktree(here.folder, first) as where:
        assert (where / "file.txt").read_text() == "first"
        assert len(here.git("worktree", "list").splitlines()) == 2
        (where / "left.txt").write_text("behind")
    assert not where.exists()
    assert not where.parent.exists()
    assert len(here.git("worktree", "list").splitlines()) == 1
    assert (here.folder / "file.txt").read_text() == "second"
    assert here.git("status", "--short") == ""


def test_they_are_removed_after_an_error_too(here: Repository) -> None:
    """Which is what is told."""
    with pytest.raises(KeyError, match="broken"), git.worktree(here.folder, "main") as where:
        raise KeyError("broken")
    assert not where.exists()
    assert len(here.git("worktree", "list").splitlines()) == 1


_HOLDING = """
import sys
from pathlib import Path
from gemma_eval.gating import git
with git.worktree(Path(sys.argv[1]), "main") as where:
    print(where, flush=True)
    sys.stdin.read()
"""


def holding(here: Repository) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that holds files of the repository, and return it with their folder."""
    command = [sys.executable, "-c", _HOLDING, str(here.folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_left_is_removed_by_the_next(here: Repository) -> None:
    """Not what one that lives has laid out; and what has lost its folder is no longer listed."""
    (killed, left), (living, held), (lost, gone) = (holding(here) for _ in range(3))
    try:
        for process in (killed, lost):
            process.kill()
            process.wait()
        shutil.rmtree(gone.parent)
        assert (left / "file.txt").read_text() == "first"
        with git.worktree(here.folder, "main") as where:
            assert not left.parent.exists()
            listed = here.git("worktree", "list", "--porcelain").splitlines()
            found = {line.removeprefix("worktree ") for line in listed if line.startswith("worktree ")}
            assert found == {str(here.folder.resolve()), str(held), str(where)}
            assert (held / "file.txt").read_text() == "first"
    finally:
        living.communicate("")
        for process in (killed, lost):
            process.communicate()
    assert not held.parent.exists()


@pytest.mark.parametrize("owner", [None, "", "no number here", "999999999 another-machine"])
def test_what_is_not_known_to_be_left_stays(
    here: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: str | None
) -> None:
    """As the files of a process on another machine."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    other = tmp_path / "gemma_eval-other"
    other.mkdir()
    here.git("worktree", "add", "--quiet", "--detach", str(other / "base"))
    if owner is not None:
        (other / "owner").write_text(owner)
    with git.worktree(here.folder, "main"):
        assert (other / "base" / "file.txt").is_file()


def test_the_top_of_a_repository_is_found_from_within(here: Repository) -> None:
    """As a suite may lie in a folder."""
    (here.folder / "suites").mkdir()
    assert git.top(here.folder / "suites").samefile(here.folder)


def test_what_git_tells_a_hook_is_not_taken_for_the_project(
    here: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook that runs tests has the name of its repository in the environment."""
    other = repository.made(tmp_path / "other")
    other.commit("other")
    present = here.git("rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    assert git.commit_of(here.folder, "HEAD") == present


@pytest.mark.parametrize("ref", ["no-such-branch", "--all", "HEAD:file.txt"])
def test_an_unknown_commit_is_told(here: Repository, ref: str) -> None:
    """With what to do."""
    for ask in (git.commit_of, git.merge_base):
        with pytest.raises(UsageError, match=f"git knows no commit '{ref}' here; fetch it, or name another"):
            ask(here.folder, ref)
    with pytest.raises(UsageError, match="git knows no commit"), git.worktree(here.folder, ref):
        pass


def test_branches_that_have_nothing_in_common_are_told(here: Repository) -> None:
    """As in a shallow clone."""
    here.git("checkout", "--quiet", "--orphan", "apart")
    here.commit("apart")
    with pytest.raises(UsageError, match=r"HEAD and main have no commit in common; .* --unshallow"):
        git.merge_base(here.folder, "main")


def test_a_folder_of_no_repository_is_told(tmp_path: Path) -> None:
    """Not that a commit is unknown there."""
    for ask in (git.top, lambda folder: git.merge_base(folder, "main")):
        with pytest.raises(UsageError, match="not a git repository"):
            ask(tmp_path)


def test_a_repository_of_no_commit_is_told(tmp_path: Path) -> None:
    """There is nothing to part from."""
    empty = repository.made(tmp_path / "empty")
    with pytest.raises(UsageError, match="git knows no commit 'HEAD' here"):
        git.merge_base(empty.folder, "HEAD")


def test_a_machine_without_git_is_told(here: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no program of that name is found."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="git does not answer"):
        git.merge_base(here.folder, "main")
