"""Which lines and branches of the package the tests of this process reach.

slipcover puts a probe into each branch of a module when it is imported, and takes it out when it was reached:
over a run that costs little, where a tracer doubles the time. Processes that tests start are not measured:
lines that only they run are few.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import slipcover

SOURCE = str(Path(__file__).parents[1] / "src")


def begin(folder: Path) -> Callable[[], None]:
    """Measure what is imported from now on; the result writes what was reached to a file in the folder."""
    measured = slipcover.Slipcover(branch=True, source=[SOURCE])
    slipcover.ImportManager(measured, slipcover.FileMatcher(sources=[SOURCE])).__enter__()

    def end() -> None:
        folder.mkdir(exist_ok=True)
        (folder / f"{os.getpid()}.json").write_text(json.dumps(measured.get_coverage()), encoding="utf-8")

    return end
