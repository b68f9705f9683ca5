"""Where the files are that people edit: folders by precedence, of which the later win."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from platformdirs import user_config_path

from gemma_eval.config.shipped import suites_directory
from gemma_eval.files.read import exists, expanded

Layer = Literal["built-in", "user", "project", "suite"]

PRECEDENCE = ("built-in", "user", "project", "suite", "environment", "command line")
"""What is chosen in one of these is overruled by all that follow it; *suite* is the folder of a suite."""

PROJECT_FOLDER = ".gemma-eval"
USER_FOLDER = "GEMMA_EVAL_CONFIG"
"""The environment variable that names the user's folder in the place of the platform's."""


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
    project = (None if beside is None else project_folder(beside)) or project_folder(here)
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


def project_folder(start: Path) -> Path | None:
    """Return the nearest `.gemma-eval` at or above a folder, `None` where there is none."""
    start = start.absolute()
    candidates = (folder / PROJECT_FOLDER for folder in (start, *start.parents))
    return next((folder for folder in candidates if exists(folder, "folder")), None)


def _is_shipped(suite: Path) -> bool:
    return suite.absolute().parent == suites_directory()
