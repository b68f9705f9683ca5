"""The hash of the program itself: who changes how prompts are made or tokens drawn shares no old answer."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2]


@lru_cache(maxsize=4)
def code_sha256(package: Path = PACKAGE) -> str:
    """Return the hash of all modules of a package, by their names and bytes."""
    whole = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        data = path.read_bytes()
        whole.update(f"{path.relative_to(package).as_posix()}\0{len(data)}\0".encode())
        whole.update(data)
    return whole.hexdigest()
