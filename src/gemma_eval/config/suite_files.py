"""The suites of a project: files that are called `NAME.gemma.toml`, wherever they lie in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gemma_eval.config.shipped import suite_names, suites_directory

SUFFIX = ".gemma.toml"
_NO_SUITES = frozenset({"models.toml", "pyproject.toml"})
_NOT_ENTERED = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "venv"})
_DEPTH = 4
"""So many folders deep is looked, which a look at a name must not wait for."""


def shipped() -> Mapping[str, Path]:
    """Return the suites that ship by their names."""
    return {name: suites_directory() / f"{name}.toml" for name in suite_names()}


def in_folders(folders: Sequence[Path]) -> Mapping[str, Path]:
    """Return the suites of folders that are kept for suites, by name; of two the first folder's counts."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            if path.name not in _NO_SUITES and path.is_file():
                found.setdefault(path.name.removesuffix(".toml").removesuffix(".gemma"), path)
    return found


def of_project(here: Path) -> Mapping[str, Path]:
    """Return the suites at and below a folder by their names; of two the one that lies less deep counts.

    Hidden folders, environments and what is built are not entered, nor is anything more than four deep.
    """
    found: dict[str, Path] = {}
    for path in sorted(_below(here), key=lambda path: (len(path.parts), path)):
        found.setdefault(path.name.removesuffix(SUFFIX), path)
    return found


def _below(here: Path) -> Iterator[Path]:
    depth = len(here.parts)
    for where, folders, files in os.walk(here):
        folder = Path(where)
        is_deep = len(folder.parts) - depth >= _DEPTH
        folders[:] = [] if is_deep else [name for name in folders if _is_entered(folder / name)]
        yield from (folder / name for name in files if name.endswith(SUFFIX) and name != SUFFIX)


def _is_entered(folder: Path) -> bool:
    name = folder.name
    return not name.startswith(".") and name not in _NOT_ENTERED and not (folder / "pyvenv.cfg").exists()
