"""What git knows: where branches part, the commits before, and the files of another one."""

from __future__ import annotations

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
    assert git.merge_base(here.folder) == parted
    assert git.merge_base(here.folder, "main") == parted
    assert git.merge_base(here.folder, "own") == own
    assert git.merge_base(here.folder, own[:12]) == own


def test_on_the_main_branch_it_is_the_present_commit(here: Repository) -> None:
    """And so it is where there is no main branch."""
    present = here.commit("second")
    assert git.merge_base(here.folder) == present
    here.git("branch", "--move", "work")
    assert git.merge_base(here.folder) == present


def test_a_clone_parts_from_what_its_origin_has(here: Repository, tmp_path: Path) -> None:
    """Not from its own branch of that name, which has gone on."""
    parted = here.git("rev-parse", "HEAD")
    here.git("clone", "--quiet", str(here.folder), str(tmp_path / "clone"))
    clone = Repository(tmp_path / "clone")
    clone.commit("own")
    assert git.merge_base(clone.folder) == parted


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
    for ref in (None, "main"):
        with pytest.raises(UsageError, match=r"HEAD and main have no commit in common; .* --unshallow"):
            git.merge_base(here.folder, ref)


def test_a_folder_of_no_repository_is_told(tmp_path: Path) -> None:
    """Not that a commit is unknown there."""
    for ask in (git.top, git.merge_base, lambda folder: git.merge_base(folder, "main")):
        with pytest.raises(UsageError, match="not a git repository"):
            ask(tmp_path)


def test_a_repository_of_no_commit_is_told(tmp_path: Path) -> None:
    """There is nothing to part from."""
    empty = repository.made(tmp_path / "empty")
    with pytest.raises(UsageError, match="git knows no commit 'HEAD' here"):
        git.merge_base(empty.folder)


def test_a_machine_without_git_is_told(here: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no program of that name is found."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="git does not answer"):
        git.merge_base(here.folder, "main")
