"""Settings: what a person chooses once for all commands, and where each value was chosen."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, cast

from gemma_eval.config import environment as variables
from gemma_eval.config.places import PROJECT_FOLDER, Layer, Place
from gemma_eval.config.settings_keys import BY_NAME, Key
from gemma_eval.errors import ConfigError, Problem, UnknownName
from gemma_eval.files.read import expanded, stands

FILE = "settings.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a value was chosen: the layer, and in it a file with the line, a variable or an option."""

    layer: Layer
    where: str = ""
    line: int = 0

    def __str__(self) -> str:
        """Return all of it, as `project: /home/ada/cats/.gemma-eval/settings.yaml:3`."""
        where = f"{self.where}:{self.line}" if self.line else self.where
        return f"{self.layer}: {where}" if where else self.layer


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The keys of settings.yaml, dotted there as `chat.model`: in each table one of these with a `_` for `.`.

    Paths are absolute, or relative to the folder that one works in. `reload_poll_s` and `reload_quiet_s` are
    seconds between looks at the files and without a change before they are read; `backups` is how many
    earlier versions of a file are kept. `origins` has the keys that somebody chose, by their dotted names;
    `notices` say what a person should know of how the files were read.
    """

    database: Path = Path("reports/gemma_eval.db")
    reports: Path = Path("reports")
    suite_paths: tuple[Path, ...] = ()
    chat_model: str = "pocket"
    chat_profile: str = "greedy"
    chat_template: str | None = None
    chat_memory: str | None = None
    chat_history: bool = True
    reload_poll_s: float = 0.1
    reload_quiet_s: float = 0.05
    backups: int = 10
    log_json: Path | None = None
    origins: Mapping[str, Origin] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    def value(self, name: str) -> object:
        """Return the value of a key by its dotted name. Raises UnknownName."""
        return getattr(self, find(name).field)

    def origin(self, name: str) -> Origin:
        """Return where the value of a key was chosen."""
        return self.origins.get(name, Origin(layer="built-in"))


def load(
    places: Sequence[Place],
    *,
    environment: Mapping[str, str],
    given: Mapping[str, object] | None = None,
    ini: Mapping[str, object] | None = None,
    damaged: Literal["recover", "refuse"] = "recover",
) -> Settings:
    """Return the settings of the places, of `ini`, the environment and the command line, in `PRECEDENCE`.

    Each key is chosen by itself, a list as a whole. Of the places those of the user and of the project
    count, for a suite has no settings of its own. `ini` and `given` are values by dotted name; `None` in
    them is what nobody chose. Of a file that is damaged the last good version is used, and a notice says so;
    whoever has a good one in use already has it refused. Raises ConfigError with all problems of all layers.
    """
    read = _Reading(damaged)
    chosen: dict[str, tuple[object, Origin]] = {}
    for place, path in files(places):
        chosen |= read.layer(partial(read.file, place, path)) if stands(path) else {}
    chosen |= _of_values(ini or {}, "ini")
    chosen |= read.layer(partial(_of_environment, environment))
    chosen |= _of_values(given or {}, "command line")
    if read.problems:
        raise ConfigError(read.problems)
    values = {BY_NAME[name].field: value for name, (value, _) in chosen.items()}
    origins = {name: origin for name, (_, origin) in chosen.items()}
    return Settings(**values, origins=origins, notices=tuple(read.notices))  # type: ignore[arg-type]  # by KEYS


def find(name: str) -> Key:
    """Return a key by its dotted name. Raises UnknownName."""
    if name not in BY_NAME:
        raise UnknownName("setting", name, BY_NAME)
    return BY_NAME[name]


def files(places: Sequence[Place]) -> tuple[tuple[Place, Path], ...]:
    """Return the files that hold settings by precedence, whether they are there or not."""
    return tuple((place, place.folder / FILE) for place in places if place.layer in ("user", "project"))


Chosen = Mapping[str, tuple[object, Origin]]


@dataclass(slots=True)
class _Reading:
    """What is wrong with the layers, and what should be known of them."""

    damaged: Literal["recover", "refuse"]
    problems: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def layer(self, read: Callable[[], Chosen]) -> Chosen:
        try:
            return read()
        except ConfigError as error:
            self.problems.extend(error.problems)
            return {}

    def file(self, place: Place, path: Path) -> Chosen:
        from gemma_eval.config import settings_file  # here, for they cost pydantic and YAML
        from gemma_eval.config.recovery import read_or_last_good

        if self.damaged == "refuse":
            found = settings_file.load(path)
        else:
            found, notice = read_or_last_good(path, partial(settings_file.parse, path=path))
            self.notices += [] if notice is None else [notice]
        base = place.folder.parent if place.folder.name == PROJECT_FOLDER else place.folder
        return {
            name: (
                _value(BY_NAME[name], each.value, base=base),
                Origin(layer=place.layer, where=str(path), line=each.line),
            )
            for name, each in found.items()
        }


def _of_environment(environment: Mapping[str, str]) -> Chosen:
    found = ((BY_NAME[name], value) for name, value in variables.load(environment).items())
    return {
        key.name: (_value(key, value), Origin(layer="environment", where=key.variable))
        for key, value in found
    }


def _of_values(values: Mapping[str, object], layer: Literal["ini", "command line"]) -> Chosen:
    found = ((find(name), value) for name, value in values.items() if value is not None)
    return {
        key.name: (_value(key, value), Origin(layer=layer, where=key.ini if layer == "ini" else key.option))
        for key, value in found
    }


def _value(key: Key, value: object, *, base: Path | None = None) -> object:
    """Return a value as `Settings` holds it; paths of a file start at the folder `base`."""
    match key.kind:
        case "path":
            return None if value is None else _path(value, base)
        case "paths":
            return tuple(_path(each, base) for each in cast(Sequence[object], value))
        case "place" if value is not None and "://" not in str(value):
            return str(_path(value, base))
        case "seconds":
            return float(cast(float, value))
    return value


def _path(value: object, base: Path | None) -> Path:
    path = expanded(os.fspath(cast("str | Path", value)))
    return path if base is None else Path(os.path.normpath(base / path))
