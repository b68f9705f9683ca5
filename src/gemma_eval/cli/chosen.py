"""What a command can name: models, profiles and templates of the folders that count where it was called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from gemma_eval.errors import UnknownName

if TYPE_CHECKING:
    from gemma_eval.config.catalog import Catalog
    from gemma_eval.config.places import Place
    from gemma_eval.config.settings import Settings
    from gemma_eval.records import ModelSpec

T = TypeVar("T")


def places() -> tuple[Place, ...]:
    """Return the folders of this user and this project, by precedence."""
    from gemma_eval.config import places as config

    return config.places(here=Path.cwd(), environment=os.environ)


def settings() -> Settings:
    """Return the settings of this user, this project and the environment. Raises ConfigError."""
    from gemma_eval.config import settings as config

    found = config.load(places(), environment=os.environ)
    say(*found.notices)
    return found


def catalog(*beside: Path) -> Catalog:
    """Return what the files of these folders hold, of the folder that one works in, and of those `beside`.

    Raises ConfigError.
    """
    from gemma_eval.config import catalog as config

    found = config.load((*(place.folder for place in places()), Path.cwd(), *beside))
    say(*found.notices)
    return found


def say(*notices: str) -> None:
    """Print what a person should know of how files were read, on stderr, each line once in a command.

    Nothing is said to a shell that completes a name: it would show that in the middle of what is typed.
    """
    from gemma_eval.cli.completion import VARIABLE

    context = click.get_current_context(silent=True)
    said: set[str] = set() if context is None else context.meta.setdefault(__name__, set())
    for notice in notices:
        if notice not in said and VARIABLE not in os.environ:
            said.add(notice)
            click.echo(notice, err=True)


def model(name: str, *beside: Path) -> ModelSpec:
    """Return a model by its name. Raises UnknownName, ConfigError."""
    return find("model", name, catalog(*beside).models)


def find(noun: str, name: str, known: Mapping[str, T]) -> T:
    """Return what has a name. Raises UnknownName with a suggestion."""
    if name not in known:
        raise UnknownName(noun, name, known)
    return known[name]
