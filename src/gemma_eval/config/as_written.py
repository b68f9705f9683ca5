"""What the files say of each profile or model, key by key as it is written there, and in which line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar, cast

from gemma_eval.config import models, profiles
from gemma_eval.config.files import parse_table
from gemma_eval.config.places import Layer, Place
from gemma_eval.config.recovery import read_or_last_good
from gemma_eval.files.read import stands
from gemma_eval.records import ModelSpec, SamplingProfile

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Written(Generic[T_co]):
    """One profile or model of one file: its keys as they are written, and what they mean."""

    layer: Layer
    path: Path
    line: int
    table: Mapping[str, object]
    value: T_co


@dataclass(frozen=True, kw_only=True, slots=True)
class AsWritten(Generic[T]):
    """What several files say, by name and by precedence: of each name the last counts.

    `notices` say what a person should know of how the files were read.
    """

    of: Mapping[str, tuple[Written[T], ...]]
    notices: tuple[str, ...] = ()

    def last(self, name: str) -> Written[T] | None:
        """Return what counts of a name, `None` where no file has it."""
        found = self.of.get(name, ())
        return found[-1] if found else None


def of_profiles(places: Iterable[Place]) -> AsWritten[SamplingProfile]:
    """Return the profiles of the places. Raises ConfigError."""
    return _Reading("profiles.json", "profiles", profiles.parse).all(places)


def of_models(places: Iterable[Place]) -> AsWritten[ModelSpec]:
    """Return the models of the places. Raises ConfigError."""
    return _Reading("models.toml", "model", models.parse).all(places)


def of_profile_file(path: Path) -> AsWritten[SamplingProfile]:
    """Return the profiles of one file. Raises ConfigError."""
    return _Reading(path.name, "profiles", profiles.parse).all([Place(layer="suite", folder=path.parent)])


def of_model_file(path: Path) -> AsWritten[ModelSpec]:
    """Return the models of one file. Raises ConfigError."""
    return _Reading(path.name, "model", models.parse).all([Place(layer="suite", folder=path.parent)])


@dataclass(slots=True)
class _Reading(Generic[T]):
    """One kind of file, and what was found in those that were read."""

    file: str
    key: str
    parse: Callable[..., Mapping[str, T]]
    found: dict[str, list[Written[T]]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def all(self, places: Iterable[Place]) -> AsWritten[T]:
        seen: set[str] = set()
        for place in places:
            path = place.folder / self.file
            if (real := os.path.realpath(path)) not in seen and stands(path):
                seen.add(real)
                self.add(place.layer, path)
        return AsWritten(
            of={name: tuple(each) for name, each in self.found.items()}, notices=tuple(self.notices)
        )

    def add(self, layer: Layer, path: Path) -> None:
        text, notice = read_or_last_good(path, lambda text: (self.parse(text, path=path), text)[1])
        values = self.parse(text, path=path)
        table, problems = parse_table(text, path=path)
        tables = cast("Mapping[str, Mapping[str, object]]", table.get(self.key, {}))
        for name, value in values.items():
            line = problems.lines.at((self.key, name))
            one = Written(layer=layer, path=path, line=line, table=tables[name], value=value)
            self.found.setdefault(name, []).append(one)
        if notice is not None:
            self.notices.append(notice)
