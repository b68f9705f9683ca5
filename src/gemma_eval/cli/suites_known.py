"""The suites that a name can mean here: of the folders in the settings, those that ship, the project's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gemma_eval.cli import chosen
from gemma_eval.config import settings, suite_files
from gemma_eval.config.shipped import suite_path
from gemma_eval.errors import UnknownName

Where = Literal["shipped", "folder", "project"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A suite, its file, and where it was found."""

    name: str
    path: Path
    where: Where


def everywhere() -> tuple[Known, ...]:
    """Return each suite once, in the order in which a name is looked up. Raises ConfigError.

    One of the project whose name another has is called by its path.
    """
    folders = settings.load(chosen.places(), environment=os.environ).suite_paths
    found: dict[str, Known] = {}
    places: Sequence[tuple[Where, dict[str, Path]]] = (
        ("folder", dict(suite_files.in_folders(folders))),
        ("shipped", dict(suite_files.shipped())),
        ("project", dict(suite_files.of_project(Path.cwd()))),
    )
    for where, suites in places:
        for name, path in suites.items():
            is_hidden = name in found and where == "project"
            if is_hidden and os.path.realpath(found[name].path) == os.path.realpath(path):
                continue
            called = str(path.relative_to(Path.cwd())) if is_hidden else name
            found.setdefault(called, Known(name=called, path=path, where=where))
    return tuple(found.values())


def find(name: str) -> Path:
    """Return the file of a suite by its name or path. Raises UnknownName, UsageError."""
    try:
        known = {each.name: each.path for each in everywhere()}
        return known[name] if name in known else suite_path(name, folder=Path())
    except UnknownName as error:
        raise UnknownName(error.noun, error.given, {*error.known, *known}) from error
