"""Change a file on whatever disk is mounted, then say as JSON what came of it and what is there."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from gemma_eval.config.backups import last_good
from gemma_eval.config.changing import change
from gemma_eval.config.recovery import read_or_last_good
from gemma_eval.errors import ConfigError
from tests.faults.config_writer import number_of, text_of


def main(mode: str, path: Path) -> None:
    """Do what `mode` says."""
    print(json.dumps(fill(path) if mode == "fill" else [changed(path)]), flush=True)


def fill(path: Path) -> list[dict[str, object]]:
    """Change the file with less and less room on the disk, page by page, until there is none."""
    (path.parent / "filler").write_bytes(b"")
    found: list[dict[str, object]] = []
    change(path, lambda _: text_of(0), check=number_of, backups=0)
    while not found or not full(path.parent / "filler"):
        found.append(changed(path))
    return [*found, changed(path)]


def full(filler: Path) -> bool:
    """Take one page of the disk, and tell whether there was none."""
    try:
        with filler.open("ab", buffering=0) as file:
            file.write(bytes(os.sysconf("SC_PAGE_SIZE")))
    except OSError:
        return True
    return False


def changed(path: Path) -> dict[str, object]:
    """Make the next version, and return what is there after it."""
    before, error = path.read_text(), None
    try:
        change(path, lambda text: text_of(number_of(text) + 1), check=number_of, backups=0)
    except ConfigError as refused:
        error = str(refused)
    after, notice = read_or_last_good(path, number_of)
    kept = last_good(path, number_of)
    folders = [folder for folder in (path.parent, path.parent / ".backups") if folder.is_dir()]
    return {
        "error": error,
        "is_as_before": path.read_text() == before,
        "is_next": after == number_of(before) + 1,
        "notice": notice,
        "kept": None if kept is None else kept.value - after,
        "left": [name for folder in folders for name in os.listdir(folder) if name.endswith(".tmp")],  # noqa: PTH208
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
