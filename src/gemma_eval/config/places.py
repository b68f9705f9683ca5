"""Where the files are that people edit: folders by precedence, of which the later win."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from platformdirs import user_config_path

from gemma_eval.config.shipped import suites_directory
from gemma_eval.errors import UsageError
from gemma_eval.files.read import exists, expanded

Layer = Literal["built-in", "user", "project", "ini", "suite", "environment", "command line"]

PRECEDENCE: tuple[Layer, ...] = (
    "built-in",
    "user",
    "project",
    "ini",
    "suite",
    "environment",
    "command line",
)
"""What is chosen in one of these is overruled by all that follow it.

*ini* are the values `gemma_db`, `gemma_reports` and `gemma_suite_paths` of pytest's ini file, *suite* is the
folder of a suite, which may hold models, profiles and templates, but no settings.
"""

PROJECT_FOLDER = ".gemma-eval"
USER_FOLDER = "GEMMA_EVAL_CONFIG"
"""The environment variable that names the user's folder in the place of the platform's."""
SAFE_DIRECTORY = "GEMMA_EVAL_SAFE_DIRECTORY"
"""The environment variable that names folders which may belong to another user, separated as in `PATH`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One folder that may hold `profiles.json`, `models.toml`, `settings.yaml` and `templates/`."""

    layer: Layer
    folder: Path


def places(*, here: Path, environment: Mapping[str, str], suite: Path | None = None) -> tuple[Place, ...]:
    """Return the folders by precedence, whether they exist or not, but for a project's that is none.

    `suite` is the file of a suite, whose own folder comes last. That of the project is the nearest
    `.gemma-eval` at or above it; where there is none, or no suite, at or above `here`.
    """
    found = [Place(layer="built-in", folder=suites_directory())]
    found.append(Place(layer="user", folder=user_folder(environment)))
    beside = None if suite is None or _is_shipped(suite) else suite.absolute().parent
    safe = safe_directories(environment)
    project = None if beside is None else project_folder(beside, safe=safe)
    project = project or project_folder(here, safe=safe)
    if project is not None:
        found.append(Place(layer="project", folder=project))
    if beside is not None:
        found.append(Place(layer="suite", folder=beside))
    return tuple(found)


def folders(*, here: Path, environment: Mapping[str, str], suite: Path | None = None) -> tuple[Path, ...]:
    """Return the folders of `places`."""
    return tuple(place.folder for place in places(here=here, environment=environment, suite=suite))


def user_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of the user, as `~/.config/gemma_eval` on Linux."""
    given = environment.get(USER_FOLDER, "").strip()
    return expanded(given).absolute() if given else user_config_path("gemma_eval", appauthor=False)


def project_folder(start: Path, *, safe: Collection[Path] = (), user: int | None = None) -> Path | None:
    """Return the nearest `.gemma-eval` at or above a folder, `None` where there is none.

    Its models name programs to start and servers to send prompts to. One that belongs to neither root nor the
    `user`, whoever runs this, is refused with UsageError unless it lies in one of the `safe` folders, for
    anybody can make one in `/tmp`. Source: git's `safe.directory`, CVE-2022-24765.
    """
    start = start.absolute()
    candidates = (folder / PROJECT_FOLDER for folder in (start, *start.parents))
    found = next((folder for folder in candidates if exists(folder, "folder")), None)
    if found is not None and os.name == "posix" and found.parent not in safe:
        _refuse_foreign(found, user=os.geteuid() if user is None else user)
    return found


def safe_directories(environment: Mapping[str, str]) -> frozenset[Path]:
    """Return the folders of which the environment says that their `.gemma-eval` may be another user's."""
    given = environment.get(SAFE_DIRECTORY, "").split(os.pathsep)
    return frozenset(expanded(each.strip()).absolute() for each in given if each.strip())


def _refuse_foreign(folder: Path, *, user: int) -> None:
    """Raise UsageError where a folder, or the link to it, is another user's."""
    owners = {folder.stat().st_uid, folder.lstat().st_uid}
    if owners <= {user, _ROOT}:
        return
    raise UsageError(
        f"{folder} belongs to another user, and what it says could start programs as you; where you trust "
        f"it, take it over with chown, or set {SAFE_DIRECTORY}={folder.parent}"
    )


_ROOT = 0


def _is_shipped(suite: Path) -> bool:
    return suite.absolute().parent == suites_directory()
