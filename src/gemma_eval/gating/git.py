"""What git knows of the project: commits, where branches part, and the files of another commit."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from gemma_eval.errors import UsageError

_MOST_COMMITS = 2_000
_DEFAULT_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
_OF_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
_PREFIX, _BASE, _OWNER = "gemma_eval-", "base", "owner"
_WORKTREE = "worktree "


def top(folder: Path) -> Path:
    """Return the top folder of the repository that `folder` is in. Raises UsageError."""
    return Path(_git(folder, "rev-parse", "--show-toplevel"))


def commit_of(folder: Path, ref: str) -> str:
    """Return the commit that a name stands for. Raises UsageError."""
    return _git(
        folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", about=ref
    )


def main_branch(folder: Path) -> str | None:
    """Return the name of the main branch, that of the origin first; `None` where none is known."""
    for name in _DEFAULT_BRANCHES:
        try:
            commit_of(folder, name)
        except UsageError:
            continue
        return name
    return None


def merge_base(folder: Path, ref: str) -> str:
    """Return the commit at which the present one parted from `ref`.

    Raises UsageError: no repository, no such name, or nothing in common.
    """
    head, other = commit_of(folder, "HEAD"), commit_of(folder, ref)
    done = _run(folder, ("merge-base", head, other))
    if done.returncode:
        fetch = "in a shallow clone, git fetch --unshallow fetches the rest"
        raise UsageError(f"{folder}: HEAD and {ref} have no commit in common; {fetch}")
    return done.stdout.strip()


def first_parents(folder: Path, commit: str) -> tuple[str, ...]:
    """Return a commit and those before it on its branch, newest first. Raises UsageError."""
    found = _git(folder, "rev-list", "--first-parent", f"--max-count={_MOST_COMMITS}", commit)
    return tuple(found.split())


@contextmanager
def worktree(folder: Path, ref: str) -> Iterator[Path]:
    """Lay out the files of a commit in a folder of their own, for as long as they are needed.

    What processes that were killed have left of theirs is removed first. Raises UsageError.
    """
    commit = commit_of(folder, ref)
    _remove_left_behind(folder)
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as scratch:
        where = Path(scratch).resolve() / _BASE
        where.with_name(_OWNER).write_text(f"{os.getpid()} {platform.node()}", encoding="utf-8")
        _git(folder, "worktree", "add", "--detach", "--quiet", str(where), commit)
        try:
            yield where
        finally:
            _run(folder, ("worktree", "remove", "--force", str(where)))


def _remove_left_behind(folder: Path) -> None:
    temporary = Path(tempfile.gettempdir()).resolve()
    for line in _run(folder, ("worktree", "list", "--porcelain")).stdout.splitlines():
        where = Path(line.removeprefix(_WORKTREE))
        scratch = where.parent
        is_ours = scratch.parent == temporary and scratch.name.startswith(_PREFIX) and where.name == _BASE
        if line.startswith(_WORKTREE) and is_ours and _is_left(scratch):
            _run(folder, ("worktree", "remove", "--force", str(where)))
            shutil.rmtree(scratch, ignore_errors=True)


def _is_left(scratch: Path) -> bool:
    """Whether the process that made the folder is gone; what another machine made is none of ours."""
    if not scratch.exists():
        return True
    try:
        pid, _, machine = (scratch / _OWNER).read_text(encoding="utf-8").partition(" ")
        return machine == platform.node() and not psutil.pid_exists(int(pid))
    except (OSError, ValueError):
        return False


def _git(folder: Path, *arguments: str, about: str = "") -> str:
    done = _run(folder, arguments)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        what = said[-1] if said else f"git knows no commit {about!r} here; fetch it, or name another"
        raise UsageError(f"{folder}: {what}")
    return done.stdout.strip()


def _run(folder: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    command = ["git", "-C", str(folder), *arguments]
    try:
        return subprocess.run(  # noqa: S603 - no shell, fixed words
            command, capture_output=True, text=True, timeout=120, check=False, env=_environment()
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{folder}: git does not answer: {error}") from error


def _environment() -> Mapping[str, str]:
    """Return the environment without what git tells its hooks: there it would name another repository."""
    return {name: value for name, value in os.environ.items() if name not in _OF_HOOKS}
