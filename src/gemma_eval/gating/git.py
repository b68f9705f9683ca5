"""What git knows of the project: commits, where branches part, and the files of another commit."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gemma_eval.errors import UsageError

_MOST_COMMITS = 2_000
_DEFAULT_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


def top(folder: Path) -> Path:
    """Return the top folder of the repository that `folder` is in. Raises UsageError."""
    return Path(_git(folder, "rev-parse", "--show-toplevel"))


def commit_of(folder: Path, ref: str) -> str:
    """Return the commit that a name stands for. Raises UsageError."""
    return _git(
        folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", about=ref
    )


def merge_base(folder: Path, ref: str | None = None) -> str:
    """Return the commit at which the present one parted from `ref`, by default from the main branch.

    Raises UsageError: no repository, no such name, or nothing in common.
    """
    names = _DEFAULT_BRANCHES if ref is None else (ref,)
    for name in names:
        try:
            other = commit_of(folder, name)
        except UsageError:
            continue
        return _git(folder, "merge-base", "HEAD", other, about=name)
    if ref is None:
        return commit_of(folder, "HEAD")
    raise UsageError(f"git knows no commit {ref!r} here; fetch it, or name another")


def first_parents(folder: Path, commit: str) -> tuple[str, ...]:
    """Return a commit and those before it on its branch, newest first. Raises UsageError."""
    found = _git(folder, "rev-list", "--first-parent", f"--max-count={_MOST_COMMITS}", commit)
    return tuple(found.split())


@contextmanager
def worktree(folder: Path, ref: str) -> Iterator[Path]:
    """Lay out the files of a commit in a folder of their own, for as long as they are needed.

    Raises UsageError.
    """
    commit = commit_of(folder, ref)
    with tempfile.TemporaryDirectory(prefix="gemma_eval-") as scratch:
        where = Path(scratch).resolve() / "base"
        _git(folder, "worktree", "add", "--detach", "--quiet", str(where), commit)
        try:
            yield where
        finally:
            _run(folder, ("worktree", "remove", "--force", str(where)))


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
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - no shell, fixed words
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{folder}: git does not answer: {error}") from error
