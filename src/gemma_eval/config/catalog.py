"""All that can be chosen by name, from the shipped folder and from those of a project."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from gemma_eval.config import models, profiles, templates
from gemma_eval.config.files import read_table
from gemma_eval.config.recovery import read_or_last_good
from gemma_eval.errors import ConfigError, Problem
from gemma_eval.files.read import stands
from gemma_eval.records import ModelSpec, SamplingProfile, Template

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Kind = Literal["model", "profile", "template"]

FILES: Mapping[Kind, str] = {"model": "models.toml", "profile": "profiles.json", "template": "templates"}
"""The file, or folder, of each kind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """Models, profiles and templates by name, and the folders that each of them stands in.

    Of several folders that have a name the last one counts, and the others are overruled. `notices` say what
    a person should know of how the files were read.
    """

    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    profiles: Mapping[str, SamplingProfile] = field(default_factory=dict)
    templates: Mapping[str, Template] = field(default_factory=dict)
    origins: Mapping[tuple[Kind, str], tuple[Path, ...]] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def load(folders: Sequence[Path], *, damaged: Literal["recover", "refuse"] = "recover") -> Catalog:
    """Return what `models.toml`, `profiles.json` and `templates/` of the folders hold; later folders win.

    A folder may lack any of the three. Of a file that is damaged the last good version is used, and a notice
    says so; whoever has a good one in use already has it refused. Raises ConfigError with every problem of
    every file.
    """
    merge = _Merge(folders)
    recovers = damaged == "recover"
    found = Catalog(
        models=merge.of("model", merge.recovering(models.parse) if recovers else models.load),
        profiles=merge.of("profile", merge.recovering(profiles.parse) if recovers else profiles.load),
        templates=merge.of("template", templates.load),
        origins={of: tuple(where) for of, where in merge.origins.items()},
        notices=tuple(merge.notices),
    )
    if merge.problems:
        raise ConfigError(merge.problems)
    return found


def about_model(
    spec: ModelSpec, what: str, *, keys: Sequence[str], folders: Sequence[Path]
) -> Problem | None:
    """Return what is wrong with a model as a problem of its file, at the line of `keys` in its table.

    `None` when no file of the folders that can be read has the model.
    """
    for path in reversed([folder / FILES["model"] for folder in folders]):
        try:
            table, problems = read_table(path)
        except ConfigError:  # there is none, or it is damaged and its last good version was used
            continue
        known = table.get("model")
        if isinstance(known, dict) and spec.name in known:
            line = problems.lines.at(("model", spec.name, *keys))
            return Problem(path=path, line=line, what=what)
    return None


class _Parse(Protocol[T_co]):
    def __call__(self, text: str, *, path: Path) -> T_co: ...


@dataclass(slots=True)
class _Merge:
    """What the files of several folders say together."""

    folders: Sequence[Path]
    problems: list[Problem] = field(default_factory=list)
    origins: dict[tuple[Kind, str], list[Path]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def recovering(self, parse: _Parse[T]) -> Callable[[Path], T]:
        """Return what reads a file, or its last good version and notes that."""

        def read(path: Path) -> T:
            value, notice = read_or_last_good(path, lambda text: parse(text, path=path))
            self.notices += [] if notice is None else [notice]
            return value

        return read

    def of(self, kind: Kind, read: Callable[[Path], Mapping[str, T]]) -> dict[str, T]:
        merged: dict[str, T] = {}
        for folder in dict.fromkeys(self.folders):
            if not stands(path := folder / FILES[kind]):
                continue
            try:
                found = read(path)
            except ConfigError as error:
                self.problems.extend(error.problems)
                continue
            merged |= found
            for name in found:
                self.origins.setdefault((kind, name), []).append(folder)
        return merged
