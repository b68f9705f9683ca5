"""Measures candidate and base in turn, block by block, until every gate of speed is decided or none may be.

A block is one start of a process with its engine on each side. Which side goes first alternates, so that a
machine that grows slower favours neither. The first process of the base runs all cells, as the session itself
runs all of the candidate; blocks run what is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from gemma_eval.executors.arm import Arm, Measured, measure
from gemma_eval.gating import git
from gemma_eval.measure.noise import spoils
from gemma_eval.pytest_plugin import arms, commits
from gemma_eval.pytest_plugin.evaluation import Evaluation
from gemma_eval.pytest_plugin.recorder import Recorder
from gemma_eval.records import Cell, Run
from gemma_eval.report import numbers

GIT = "git:"
_SPOILED = 5
"""Of so many blocks one may be spoiled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """What one block took, in words, and what spoiled it, "" if nothing did."""

    took: str
    spoiled: str


@dataclass(frozen=True, kw_only=True)
class Interleaving:
    """Both sides, ready to be run; `base` is `None` where only the candidate is measured in blocks.

    `found` says what the base is, `commit` of which commit it is when it is another one. `has_timed` is
    whether there is anything to time in a block.
    """

    candidate: Arm
    base: Arm | None
    instead: arms.Instead | None
    found: str
    commit: str | None
    has_timed: bool

    def base_run(self, run: Run) -> Run | None:
        """Return the run of the base, `None` when there is none; it is planned as it goes."""
        if self.base is None:
            return None
        commit = self.commit or run.commit
        planned = replace(run, id=base_id(run.id), planned=0, skipped=(), base=None, commit=commit)
        return replace(planned, arguments=(*self.base.options, *self.base.whole))

    def whole_base(self, recorder: Recorder) -> Interleaving:
        """Run all cells of the base once; blocks are to run the same. Raises BackendError, StoreError."""
        if self.base is None or recorder.base is None:
            return self
        measured = measure(self.base, timed=False)
        recorder.record_block(recorder.base.id, measured, block=0)
        return replace(self, base=replace(self.base, pinned=measured.pinned))

    def block(self, recorder: Recorder, number: int) -> Block:
        """Run one block, and record it unless it was spoiled. Raises BackendError, StoreError."""
        sides = [(self.candidate, recorder.run.id)]
        if self.base is not None and recorder.base is not None:
            sides.append((self.base, recorder.base.id))
        if number % 2 == 0:
            sides.reverse()
        measured = [(arm, run_id, *_timed(arm)) for arm, run_id in sides]
        spoiled = tuple(reason for _, _, found, _ in measured for reason in spoils(found.run.noise))
        for _, run_id, found, _ in measured if not spoiled else ():
            recorder.record_block(run_id, found, block=number)
        took = ", ".join(f"{arm.name} {numbers.seconds(took)}" for arm, _, _, took in measured)
        return Block(took=took, spoiled="; ".join(dict.fromkeys(spoiled)))


def base_id(run_id: str) -> str:
    """Return the id of the run that is measured in turn with another one."""
    return f"{run_id}-base"


def prepare(
    evaluation: Evaluation, cells: Sequence[Cell], *, ab: str | None, keep: ExitStack
) -> Interleaving:
    """Make both sides ready; `keep` holds the files of another commit. Raises UsageError."""
    candidate = arms.candidate(evaluation, cells)
    instead: arms.Instead | None = None
    base: Arm | None = None
    found, commit = "", None
    if ab is not None and ab.startswith(GIT):
        ref = ab.removeprefix(GIT)
        top = git.top(evaluation.config.rootpath)
        commit = git.commit_of(top, ref)
        worktree = keep.enter_context(git.worktree(top, commit))
        weights = dict.fromkeys(cell.model.location for cell in cells)
        base = commits.at(candidate, top=top, worktree=worktree, weights=weights)
        found = f"{ref} ({commit[:10]}), measured in turn{_nothing_of(top, evaluation)}"
    elif ab is not None:
        instead = arms.instead_of(ab, evaluation, cells)
        pinned = arms.counterparts(evaluation, cells, instead)
        base = replace(arms.base(evaluation, cells, instead), pinned=pinned)
        found = f"{instead[0]} {instead[1]}, measured in turn"
    return Interleaving(
        candidate=candidate,
        base=base,
        instead=instead,
        found=found,
        commit=commit,
        has_timed=any(cell.case.kind == "benchmark" for cell in cells),
    )


def _nothing_of(top: Path, evaluation: Evaluation) -> str:
    """Say when no suite is of the repository, so that both sides have the same one."""
    if any(path.resolve().is_relative_to(top.resolve()) for path in evaluation.suites):
        return ""
    return "; no suite is of this repository, so nothing but its own code can differ"


def run_blocks(
    sides: Interleaving,
    recorder: Recorder,
    *,
    most: int,
    goes_on: Callable[[int], bool],
    say: Callable[[str], None],
) -> str:
    """Run the base whole and then blocks, at most so many; one that was spoiled is run again.

    `goes_on` is asked after each block with its number, and `say` told. Returns why no more are run when more
    than a fifth of the most was spoiled, else "". Raises BackendError, StoreError.
    """
    if sides.base is not None:
        say(f"base: {sides.found}")
        sides = sides.whole_base(recorder)
    if not sides.has_timed:
        return ""
    number, spoiled = 1, 0
    while number <= most:
        block = sides.block(recorder, number)
        if block.spoiled:
            spoiled += 1
            say(f"block {number} of at most {most} is left out: {block.spoiled}")
            if spoiled > max(1, most // _SPOILED):
                return f"{spoiled} blocks were spoiled, the last since {block.spoiled}"
            continue
        say(f"block {number} of at most {most}: {block.took}")
        if not goes_on(number):
            break
        number += 1
    return ""


def _timed(arm: Arm) -> tuple[Measured, float]:
    began = time.perf_counter()
    measured = measure(arm, timed=True)
    return measured, time.perf_counter() - began
