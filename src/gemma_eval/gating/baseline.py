"""Which recorded run `--gemma-baseline` names: a run, a name, another database, or the newest at a commit."""

from __future__ import annotations

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
    """The run that is held against, `None` where there is none, and in words how it was found or why not."""

    run: Run | None
    database: Path
    found: str

    def outcomes(self) -> tuple[Outcome, ...]:
        """Read the outcomes of the run. Raises StoreError."""
        if self.run is None:
            return ()
        with closing(open_reader(self.database)) as reader:
            return reader.outcomes(self.run.id)


def find(name: str, candidate: Run, *, database: Path, folder: Path) -> Baseline:
    """Return the run that a name of `--gemma-baseline` stands for, as a candidate needs it.

    Where nothing fits `auto` or a commit there is no base yet, which is no error. Raises UsageError,
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
        return Baseline(run=run, database=path, found=f"run {run.id}, the newest fitting one of {name}")
    with closing(open_reader(database)) as reader:
        named = reader.baselines()
        if name in named:
            return _of(reader.run(named[name]), database, f"baseline {name}")
        try:
            return _of(_other_than(candidate, reader, name), database, "")
        except UnknownName as error:
            known = (AUTO, *named, *error.known)
            raise UnknownName("baseline, run or database", name, known) from error


def _of(run: Run, database: Path, how: str) -> Baseline:
    return Baseline(run=run, database=database, found=f"run {run.id}{f', {how}' if how else ''}")


def _other_than(candidate: Run, reader: Reader, name: str) -> Run:
    """Return a run by its name; `latest` is the newest before the candidate."""
    if name.partition("~")[0] != LATEST:
        found = reader.run(name)
        if found.id == candidate.id:
            raise UsageError(f"--gemma-baseline {name} is the run itself")
        return found
    runs = reader.runs()
    at = next((index for index, run in enumerate(runs) if run.id == candidate.id), -1)
    before = [run for run in runs[at + 1 :] if run.id != candidate.base]
    counted = _BACK.fullmatch(name)
    if counted is None or int(counted[1] or 0) >= len(before):
        raise UnknownName("run", name, [run.id for run in before])
    return before[int(counted[1] or 0)]


def _newest(reader: Reader, path: Path, candidate: Run) -> Run:
    done = [run for run in reader.runs() if run.state == "done" and run.id != candidate.id]
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
        commits = git.first_parents(folder, git.merge_base(folder, ref))
    except UsageError as error:
        if ref is not None:
            raise
        return Baseline(run=None, database=database, found=f"no base: {error}")
    if not database.is_file():
        return Baseline(run=None, database=database, found="no base: no run is recorded yet")
    with closing(open_reader(database)) as reader:
        runs = [run for run in reader.runs() if run.id != candidate.id]
    fitting = [run for run in runs if not any(_unfit(run, candidate))]
    for commit in commits:
        found = next((run for run in fitting if run.commit == commit), None)
        if found is not None:
            where = "at the merge-base" if commit == commits[0] else "at the nearest commit before it"
            how = f"the newest clean one {where} {commits[0][:10]}"
            return _of(found, database, how)
    reasons = dict.fromkeys(reason for run in runs for reason in _unfit(run, candidate))
    why = f" ({len(runs)} are recorded: {', '.join(reasons) or 'of other commits'})" if runs else ""
    found_none = f"no base: no clean run of {' and '.join(candidate.suites)} at {commits[0][:10]} or before"
    return Baseline(run=None, database=database, found=f"{found_none}{why}")


def _unfit(run: Run, candidate: Run) -> Iterator[str]:
    """Say what keeps a run from being a baseline that is found by itself."""
    if run.state != "done":
        yield "interrupted ones"
    if run.commit is None or run.commit.endswith(_DIRTY):
        yield "ones of files that were not committed"
    if not set(candidate.suites) <= set(run.suites):
        yield "ones of other suites"
    if run.selection == "part" or (run.selection == "matrix" and candidate.selection == "all"):
        yield "ones of a part of the suite"
    if run.noise is not None and run.noise.reasons:
        yield "noisy ones"
    if not is_same_machine(run.host, candidate.host):
        yield "ones of another machine"
