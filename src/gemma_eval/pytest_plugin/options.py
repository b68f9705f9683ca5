"""What was asked for on the command line, and in the ini file, the environment and settings.yaml."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from gemma_eval.config import settings as settings_of
from gemma_eval.config.places import places
from gemma_eval.errors import UsageError
from gemma_eval.pytest_plugin.problems import usage_error
from gemma_eval.records import CaseKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The `--gemma-*` options and what else chooses where results go, with paths made absolute.

    `models`, `profiles`, `templates` and `retrievals` are globs that narrow the matrix; empty means all.
    `resume` is a run id or `latest`; `notices` say what a person should know of how settings were read.
    """

    suites: tuple[str, ...]
    models: tuple[str, ...]
    profiles: tuple[str, ...]
    templates: tuple[str, ...]
    retrievals: tuple[str, ...]
    kind: CaseKind | None
    repeats: int | None
    database: Path
    reports: Path
    resume: str | None
    suite_folders: tuple[Path, ...]
    notices: tuple[str, ...]


def read(config: pytest.Config) -> Settings:
    """Read the settings. Raises pytest.UsageError."""
    repeats = cast(int | None, config.getoption("gemma_repeats"))
    if repeats is not None and repeats < 1:
        raise pytest.UsageError(f"--gemma-repeats {repeats}: must be at least 1")
    here, chosen = config.invocation_params.dir, settings(config)
    return Settings(
        suites=_names(config, "gemma_suite"),
        models=_names(config, "gemma_model"),
        profiles=_names(config, "gemma_profile"),
        templates=_names(config, "gemma_template"),
        retrievals=_names(config, "gemma_retrieval"),
        kind=cast(CaseKind | None, config.getoption("gemma_kind")),
        repeats=repeats,
        database=here / (cast(str | None, config.getoption("gemma_db")) or chosen.database),
        reports=here / (cast(str | None, config.getoption("gemma_report")) or chosen.reports),
        resume=cast(str | None, config.getoption("gemma_resume")),
        suite_folders=tuple(here / folder for folder in chosen.suite_paths),
        notices=chosen.notices,
    )


def settings(config: pytest.Config) -> settings_of.Settings:
    """Return what the ini file, the environment and settings.yaml choose together. Raises pytest.UsageError.

    A path of the ini file starts at the root folder, one of the environment at the current one.
    """
    here = config.invocation_params.dir
    folders = cast(list[Path], config.getini("gemma_suite_paths"))
    ini = {
        "database": _of_ini(config, "gemma_db"),
        "reports": _of_ini(config, "gemma_reports"),
        "suite_paths": [str(folder) for folder in folders] or None,
    }
    try:
        known = places(here=here, environment=os.environ)
        return settings_of.load(known, environment=os.environ, ini=ini)
    except UsageError as error:
        raise usage_error(error, here=here) from error


def _names(config: pytest.Config, option: str) -> tuple[str, ...]:
    return tuple(cast(list[str], config.getoption(option)))


def _of_ini(config: pytest.Config, name: str) -> Path | None:
    configured = cast(str, config.getini(name))
    return config.rootpath / configured if configured else None
