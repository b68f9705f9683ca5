"""A repository of git in a folder of its own, and runs that were made in it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from gemma_eval.records import Noise, Outcome, Run
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome

_SETTINGS = (
    *("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"),
    *("-c", "init.defaultBranch=main", "-c", "core.hooksPath=/dev/null", "-c", "protocol.file.allow=always"),
)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository; every commit changes one file."""

    folder: Path

    def git(self, *arguments: str) -> str:
        """Run git there and return what it says."""
        command = ["git", "-C", str(self.folder), *_SETTINGS, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, text: str) -> str:
        """Commit the file with that text, and return the commit."""
        (self.folder / "file.txt").write_text(text)
        self.git("add", "file.txt")
        self.git("commit", "--quiet", "--message", text)
        return self.git("rev-parse", "HEAD")


def made(folder: Path) -> Repository:
    """Make a repository of no commit on the branch `main`."""
    folder.mkdir()
    found = Repository(folder)
    found.git("init", "--quiet", "--initial-branch=main")
    return found


def record(
    database: Path,
    run: Run,
    outcomes: Sequence[Outcome] = (an_outcome(),),
    *,
    noise: Noise | None = None,
    is_done: bool = True,
) -> Run:
    """Write a run with its outcomes, and return it as it is recorded."""
    planned = replace(run, planned=len(outcomes))
    with closing(open_store(database)) as store:
        store.begin(planned, [each.trial for each in outcomes])
        for outcome in outcomes:
            store.record(run.id, outcome)
        store.finish(run.id, "done" if is_done else "interrupted", noise=noise)
    return replace(planned, noise=noise, state="done" if is_done else "interrupted")


def run_of(commit: str | None, run_id: str) -> Run:
    """Return a run of that commit."""
    return replace(a_run(run_id), commit=commit)
