"""All that can be chosen by name, from the shipped folder and from those of a project."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from gemma_eval.config import models, profiles, templates
from gemma_eval.config.files import read_table
from gemma_eval.errors import ConfigError, Problem
from gemma_eval.records import ModelSpec, SamplingProfile, Template

T = TypeVar("T")

MODELS = "models.toml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """Models, profiles and templates by name."""

    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    profiles: Mapping[str, SamplingProfile] = field(default_factory=dict)
    templates: Mapping[str, Template] = field(default_factory=dict)


def load(folders: Sequence[Path]) -> Catalog:
    """Return what `models.toml`, `profiles.json` and `templates/` of the folders hold; later folders win.

    A folder may lack any of the three. Raises ConfigError with every problem of every file.
    """
    problems: list[Problem] = []
    found = Catalog(
        models=_merged(folders, MODELS, models.load, problems),
        profiles=_merged(folders, "profiles.json", profiles.load, problems),
        templates=_merged(folders, "templates", templates.load, problems),
    )
    if problems:
        raise ConfigError(problems)
    return found


def about_model(
    spec: ModelSpec, what: str, *, keys: Sequence[str], folders: Sequence[Path]
) -> Problem | None:
    """Return what is wrong with a model as a problem of its file, at the line of `keys` in its table.

    `None` when no file of the folders has the model. Raises ConfigError.
    """
    for path in reversed([folder / MODELS for folder in folders]):
        if not path.exists():
            continue
        table, problems = read_table(path)
        known = table.get("model")
        if isinstance(known, dict) and spec.name in known:
            line = problems.lines.at(("model", spec.name, *keys))
            return Problem(path=path, line=line, what=what)
    return None


def _merged(
    folders: Sequence[Path], name: str, read: Callable[[Path], dict[str, T]], problems: list[Problem]
) -> dict[str, T]:
    merged: dict[str, T] = {}
    for path in (folder / name for folder in folders):
        if not path.exists():
            continue
        try:
            merged |= read(path)
        except ConfigError as error:
            problems.extend(error.problems)
    return merged
