"""Where the files of a model are, and the hashes that identify them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from gemma_eval.errors import ModelNotFound
from gemma_eval.files import read

POCKET = "@pocket"
"""The location of the model that ships with gemma_eval."""


def locate(location: str) -> Path:
    """Return the folder of a model; `@pocket` is the one that ships. Raises ModelNotFound."""
    if location == POCKET:
        return Path(str(files("gemma_eval") / "pocket"))
    folder = read.expanded(location)
    if not read.exists(folder, "folder"):
        raise ModelNotFound(f"{location}: no such folder; give the folder of a model, or {POCKET}")
    return folder


def sha256(paths: Iterable[Path]) -> str:
    """Return the hash of the files' bytes one after the other, as `cat … | sha256sum` prints it."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
