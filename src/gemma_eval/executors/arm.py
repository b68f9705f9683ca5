"""One block of one side: a new process with a new engine runs its cells, and what it recorded is read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from gemma_eval.errors import BackendError, GemmaEvalError
from gemma_eval.executors.pinned import Pinned
from gemma_eval.records import Outcome, Run
from gemma_eval.store.read import LATEST, open_reader

INSIDE = "GEMMA_EVAL_BLOCK"
"""Set in the environment of such a process, which then compares and gates nothing by itself, to the id of the
process that started it."""

TOLD = "GEMMA_EVAL_BLOCK_CELLS"
"""Set to the `--gemma-*` options of such a process as JSON, lists by their names; what its ini file adds to
them does not count."""

PINNED = "GEMMA_EVAL_BLOCK_PINNED"
"""Set to the file that has what such a process may run; where there is none, it writes what it runs."""

_AS_A_BLOCK = ("--maxfail=0", "--capture=no")
"""A case that fails ends no block, and the last words of an engine that dies are not lost with it."""

_LINES_SHOWN = 15
_END_S = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """How one side is run: where, with which options of pytest, and what is added to the environment.

    `whole` are the `--gemma-*` options that choose all its cells, `timed` those that choose what a block
    times. With `has_cache` pytest's cache is in use, and what failed last is not the business of a block.
    `pinned` is what its cells are made of, `None` before its first block has told that.
    """

    name: str
    folder: Path
    options: tuple[str, ...]
    whole: tuple[str, ...]
    timed: tuple[str, ...] = ()
    has_cache: bool = True
    pinned: Pinned | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What the process of an arm has recorded, and what its cells were made of, where it told that."""

    run: Run
    outcomes: tuple[Outcome, ...]
    pinned: Pinned | None = None


def measure(arm: Arm, *, timed: bool) -> Measured:
    """Run all cells of an arm once, or those that are timed, and return what it measured.

    Its answers may be wrong, its engine may fail in some of them. Raises BackendError, with the end of what
    it said, when it was not run to its end. What it wrote is forgotten.
    """
    with tempfile.TemporaryDirectory(prefix="gemma_eval-") as scratch:
        database = Path(scratch) / "block.db"
        output = Path(scratch) / "output"
        where = (f"--gemma-db={database}", f"--gemma-report={Path(scratch) / 'reports'}")
        pinned = Path(scratch) / "pinned.json"
        if arm.pinned is not None:
            pinned.write_text(json.dumps(dict(arm.pinned)))
        code = _call(arm, arm.timed if timed else arm.whole, where, output)
        try:
            with closing(open_reader(database)) as reader:
                run = reader.run(LATEST)
                outcomes = reader.outcomes(run.id)
        except GemmaEvalError as error:
            raise BackendError(_told(arm, code, output)) from error
        if run.state != "done":
            raise BackendError(_told(arm, code, output))
        told: Pinned | None = json.loads(pinned.read_text()) if pinned.exists() else None
        return Measured(run=run, outcomes=outcomes, pinned=told)


def _call(arm: Arm, cells: Sequence[str], where: Sequence[str], output: Path) -> int:
    """Run pytest to its end; when this process is interrupted, the other one is ended first."""
    apart = ("-o", f"cache_dir={output.parent / 'cache'}") if arm.has_cache else ()
    command = [sys.executable, "-m", "pytest", *arm.options, *cells, *where, *_AS_A_BLOCK, *apart]
    told = {INSIDE: str(os.getpid()), TOLD: _told_cells(cells), PINNED: str(output.parent / "pinned.json")}
    environment = {**os.environ, **arm.environment, **told}
    with output.open("wb") as said:
        process = subprocess.Popen(  # noqa: S603 - no shell; the arguments are pytest's own
            command, cwd=arm.folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        try:
            return process.wait()
        except BaseException:
            _end(process)
            raise


def _told_cells(cells: Sequence[str]) -> str:
    told: dict[str, list[str]] = defaultdict(list)
    for option in cells:
        name, _, value = option.removeprefix("--gemma-").partition("=")
        told[name].append(value)
    return json.dumps(told)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _told(arm: Arm, code: int, output: Path) -> str:
    said = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LINES_SHOWN:]
    return "\n".join(
        [f"a block of the {arm.name} was not run to its end (exit code {code}); it said:", *said]
    )
