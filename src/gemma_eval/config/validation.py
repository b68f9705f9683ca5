"""All that is wrong with the files that people edit, with the environment, and with the names in settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from gemma_eval.config import environment, models, profiles, settings_file, templates
from gemma_eval.config.catalog import Catalog
from gemma_eval.config.settings import Settings
from gemma_eval.errors import ConfigError, Problem, UsageError, suggestion
from gemma_eval.files import rows
from gemma_eval.files.read import exists, stands

TEMPLATES = "templates"

_READ: Mapping[str, Callable[[Path], object]] = {
    "models.toml": models.load,
    "profiles.json": profiles.load,
    settings_file.NAME: settings_file.load,
    TEMPLATES: templates.load,
}
NAMES = tuple(_READ)
"""The files, and the folder of templates, that a configuration folder may have."""


def files(folder: Path) -> tuple[Path, ...]:
    """Return those that a folder has."""
    return tuple(path for path in (folder / name for name in NAMES) if stands(path))


def named(path: Path) -> tuple[Path, ...]:
    """Return what a person means who names a file, a folder of templates or a configuration folder.

    Raises UsageError: there is nothing, or nothing that is one of these.
    """
    if path.name in _READ:
        if not stands(path):
            raise UsageError(f"{path}: there is no such file or folder")
        return (path,)
    if exists(path, "folder"):
        return files(path)
    if not exists(path, "file"):
        raise UsageError(f"{path}: there is no such file or folder")
    if exists(path.parent, "folder") and path.parent.absolute().name == TEMPLATES:
        return (path.parent,)
    raise UsageError(f"{path}: is none of {', '.join(NAMES)}, nor in a folder of that name")


def check(path: Path) -> tuple[Problem, ...]:
    """Return what is wrong with one of `files`."""
    return _problems(lambda: _READ[path.name](path))


def check_environment(variables: Mapping[str, str]) -> tuple[Problem, ...]:
    """Return what is wrong with the variables."""
    return _problems(lambda: environment.load(variables))


def check_names(settings: Settings, catalog: Catalog) -> Iterator[Problem]:
    """Yield which names in settings nothing has, at the line where they were chosen."""
    known: Mapping[str, Iterable[str]] = {
        "chat.model": catalog.models,
        "chat.profile": catalog.profiles,
        "chat.template": catalog.templates,
    }
    for key, names in known.items():
        name, origin = settings.value(key), settings.origin(key)
        if isinstance(name, str) and name not in (listed := list(names)):
            noun = key.rpartition(".")[2]
            what = f"{key} is {rows.show(name)}, and there is no such {noun}{suggestion(name, listed)}"
            yield Problem(path=Path(origin.where or key), line=origin.line, what=what)


def _problems(read: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        read()
    except ConfigError as error:
        return error.problems
    return ()
