"""Which recorded run `--gemma-baseline` names: a run, a name, another database, or the newest at a commit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gemma_eval.errors import StoreError, UnknownName, UsageError
from gemma_eval.gating import git
from gemma_eval.records import Outcome, Run
from gemma_eval.store.read import LATEST, Reader, open_reader
from gemma_eval.verdict.comparable import is_same_machine

AUTO = "auto"
AT = "merge-base:"
_DIRTY = "-dirty"
_BACK = re.compile(LATEST + r"(?:~(\d{1,6}))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """The run that is held against, `None` where there is none, and in words how it was found or why not.

    `elsewhere` is the path of its database from the folder of the candidate's, `None` where that is the same.
    """

    run: Run | None
    database: Path
    found: str
    elsewhere: str | None = None

    def outcomes(self) -> tuple[Outcome, ...]:
        """Read the outcomes of the run. Raises StoreError."""
        if self.run is None:
            return ()
        with closing(open_reader(self.database)) as reader:
            return reader.outcomes(self.run.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Flaw:
    """Why a run should be no baseline, of one run (`told`) and of several (`kind`)."""

    told: str
    kind: str


def unfit(run: Run) -> Iterator[Flaw]:
    """Say why later runs should not be held against this one, whatever they are."""
    if run.state != "done":
        yield Flaw(told=f"it is {run.state}, not every trial is recorded", kind="interrupted ones")
    if run.commit is not None and run.commit.endswith(_DIRTY):
        told = "it was made with files that were not committed"
        yield Flaw(told=told, kind="ones of files that were not committed")
    if run.selection == "part":
        yield Flaw(told="only a part of its suites was run", kind="ones of a part of the suite")
    for reason in () if run.noise is None else run.noise.reasons:
        yield Flaw(told=f"noisy: {reason}", kind="noisy ones")


def find(name: str, candidate: Run, *, database: Path, folder: Path, is_recorded: bool = False) -> Baseline:
    """Return the run that a name of a baseline stands for, as a candidate needs it.

    `latest` is the newest run, `latest~1` the one before it, not counting those that were measured as the
    base of another. A candidate that is being made counts for none; once it `is_recorded` it does. Where
    nothing fits `auto` or a commit there is no base yet, which is no error. Raises UsageError,
    StoreError: what was named by itself is not there, or cannot be read.
    """
    if name == AUTO or name.startswith(AT):
        ref = None if name == AUTO else name.removeprefix(AT)
        return _at_merge_base(candidate, ref, database=database, folder=folder)
    path = folder / name
    is_run = name.partition("~")[0] == LATEST
    if not is_run and path.suffix and path.is_file():
        with closing(open_reader(path)) as reader:
            run = _newest(reader, path, candidate)
        found = f"run {run.id}, the newest fitting one of {name}"
        is_same = database.is_file() and path.samefile(database)
        elsewhere = None if is_same else os.path.relpath(path.resolve(), database.resolve().parent)
        return Baseline(run=run, database=path, found=found, elsewhere=elsewhere)
    with closing(open_reader(database)) as reader:
        named = reader.baselines()
        if name in named:
            return _of(reader.run(named[name]), database, f"baseline {name}")
        try:
            return _of(_other_than(candidate, reader, name, is_recorded=is_recorded), database, "")
        except UnknownName as error:
            known = (AUTO, *named, *error.known)
            raise UnknownName("baseline, run or database", name, known) from error


def _of(run: Run, database: Path, how: str) -> Baseline:
    return Baseline(run=run, database=database, found=f"run {run.id}{f', {how}' if how else ''}")


def _other_than(candidate: Run, reader: Reader, name: str, *, is_recorded: bool) -> Run:
    """Return a run by its name."""
    is_counted = name.partition("~")[0] == LATEST
    found = _counted(candidate, reader, name, is_recorded=is_recorded) if is_counted else reader.run(name)
    if found.id == candidate.id:
        raise UsageError(f"baseline {name} is run {found.id}, which would be held against itself")
    return found


def _counted(candidate: Run, reader: Reader, name: str, *, is_recorded: bool) -> Run:
    runs = _results(reader, candidate)
    ids = [run.id for run in runs]
    if not is_recorded and candidate.id in ids:
        runs = runs[ids.index(candidate.id) + 1 :]
    counted = _BACK.fullmatch(name)
    if counted is None or int(counted[1] or 0) >= len(runs):
        raise UnknownName("run", name, [run.id for run in runs])
    return runs[int(counted[1] or 0)]


def _results(reader: Reader, candidate: Run) -> list[Run]:
    """Return the runs that are no base of another, newest first."""
    runs = reader.runs()
    bases = {candidate.base, *(run.base for run in runs)}
    return [run for run in runs if run.id not in bases]


def _newest(reader: Reader, path: Path, candidate: Run) -> Run:
    done = [run for run in _results(reader, candidate) if run.state == "done" and run.id != candidate.id]
    if not done:
        raise StoreError(f"{path}: no run of it is done, so there is no baseline in it")
    for run in done:
        if set(candidate.suites) <= set(run.suites):
            return run
    has = ", ".join(dict.fromkeys(suite for run in done for suite in run.suites))
    suites = " and ".join(candidate.suites)
    raise StoreError(f"{path}: no run of it is of {suites}, so there is no baseline in it; it has {has}")


def _at_merge_base(candidate: Run, ref: str | None, *, database: Path, folder: Path) -> Baseline:
    """Return the newest run at the merge-base, or at the nearest commit before it that has one."""
    try:
        branch = ref or git.main_branch(folder)
        commits = git.first_parents(folder, git.merge_base(folder, branch or "HEAD"))
    except UsageError as error:
        if ref is not None:
            raise
        return Baseline(run=None, database=database, found=f"no base: {error}")
    if not database.is_file():
        return Baseline(run=None, database=database, found="no base: no run is recorded yet")
    with closing(open_reader(database)) as reader:
        runs = [run for run in _results(reader, candidate) if run.id != candidate.id]
    fitting = [run for run in runs if not any(_unfit_for(candidate, run))]
    start = f"{'HEAD' if branch is None else 'the merge-base'} {commits[0][:10]}"
    so = ", for no main branch is known" if branch is None else ""
    for commit in commits:
        found = next((run for run in fitting if run.commit == commit), None)
        if found is not None:
            where = "at" if commit == commits[0] else "at the nearest commit before"
            return _of(found, database, f"the newest clean one {where} {start}{so}")
    reasons = dict.fromkeys(reason for run in runs for reason in _unfit_for(candidate, run))
    why = f" ({len(runs)} are recorded: {', '.join(reasons) or 'of other commits'})" if runs else ""
    found_none = f"no base: no clean run of {' and '.join(candidate.suites)} at {start} or before{so}"
    return Baseline(run=None, database=database, found=f"{found_none}{why}")


def _unfit_for(candidate: Run, run: Run) -> Iterator[str]:
    """Say what keeps a run from being a baseline that is found by itself."""
    yield from (flaw.kind for flaw in unfit(run))
    if run.commit is None:
        yield "ones of no commit"
    if not set(candidate.suites) <= set(run.suites):
        yield "ones of other suites"
    if run.selection == "matrix" and candidate.selection == "all":
        yield "ones of a part of the suite"
    if not is_same_machine(run.host, candidate.host):
        yield "ones of another machine"
