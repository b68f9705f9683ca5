"""All that can be chosen by name, from the shipped folder and from those of a project."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from gemma_eval.config import models, profiles, templates
from gemma_eval.config.files import read_table
from gemma_eval.errors import ConfigError, Problem
from gemma_eval.records import ModelSpec, SamplingProfile, Template

T = TypeVar("T")

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


def load(folders: Sequence[Path]) -> Catalog:
    """Return what `models.toml`, `profiles.json` and `templates/` of the folders hold; later folders win.

    A folder may lack any of the three. Raises ConfigError with every problem of every file.
    """
    merge = _Merge(folders)
    found = Catalog(
        models=merge.of("model", models.load),
        profiles=merge.of("profile", profiles.load),
        templates=merge.of("template", templates.load),
        origins={of: tuple(where) for of, where in merge.origins.items()},
    )
    if merge.problems:
        raise ConfigError(merge.problems)
    return found


def about_model(
    spec: ModelSpec, what: str, *, keys: Sequence[str], folders: Sequence[Path]
) -> Problem | None:
    """Return what is wrong with a model as a problem of its file, at the line of `keys` in its table.

    `None` when no file of the folders has the model. Raises ConfigError.
    """
    for path in reversed([folder / FILES["model"] for folder in folders]):
        if not path.exists():
            continue
        table, problems = read_table(path)
        known = table.get("model")
        if isinstance(known, dict) and spec.name in known:
            line = problems.lines.at(("model", spec.name, *keys))
            return Problem(path=path, line=line, what=what)
    return None


@dataclass(slots=True)
class _Merge:
    """What the files of several folders say together."""

    folders: Sequence[Path]
    problems: list[Problem] = field(default_factory=list)
    origins: dict[tuple[Kind, str], list[Path]] = field(default_factory=dict)

    def of(self, kind: Kind, read: Callable[[Path], Mapping[str, T]]) -> dict[str, T]:
        merged: dict[str, T] = {}
        for folder in dict.fromkeys(self.folders):
            if not (path := folder / FILES[kind]).exists():
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
