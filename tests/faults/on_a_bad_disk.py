"""Record a run on whatever disk is mounted, then say as JSON what was acknowledged and what is there."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from gemma_eval.errors import StoreError
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import open_store
from tests.faults.recorder import planned


def main(mode: str, path: Path) -> None:
    """Do what `mode` says."""
    acknowledged, error = (0, None) if mode == "read" else record(path, mode)
    if mode == "stay in WAL":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("SELECT count(*) FROM run").fetchone()
    recorded = len(read(path))
    files = sorted(file.name for file in path.parent.iterdir())
    result = {"acknowledged": acknowledged, "recorded": recorded, "error": error, "files": files}
    print(json.dumps(result), flush=True)


def record(path: Path, mode: str) -> tuple[int, str | None]:
    """Record twenty trials, or four hundred when the disk is to be filled."""
    run, outcomes = planned(400 if mode == "fill" else 20)
    acknowledged = 0
    try:
        store = open_store(path)
    except StoreError as error:
        return acknowledged, str(error)
    try:
        store.begin(run, [outcome.trial for outcome in outcomes])
        for outcome in outcomes:
            store.record(run.id, outcome)
            acknowledged += 1
    except StoreError as error:
        return acknowledged, str(error)
    finally:
        if mode != "die":
            store.close()
    return acknowledged, None


def read(path: Path) -> tuple[object, ...]:
    """Read what is there."""
    try:
        with closing(open_reader(path)) as reader:
            return reader.outcomes(planned(0)[0].id)
    except StoreError:
        return ()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
    if sys.argv[1] == "die":
        os._exit(0)  # as `kill -9` would: nothing is closed
