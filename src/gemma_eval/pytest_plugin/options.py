"""What was asked for on the command line and in the ini file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from gemma_eval.records import CaseKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The `--gemma-*` options and `gemma_*` ini values, with paths made absolute.

    `models`, `profiles`, `templates` and `retrievals` are globs that narrow the matrix; empty means all.
    `resume` is a run id or `latest`.
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


def read(config: pytest.Config) -> Settings:
    """Read the settings. Raises pytest.UsageError."""
    repeats = cast(int | None, config.getoption("gemma_repeats"))
    if repeats is not None and repeats < 1:
        raise pytest.UsageError(f"--gemma-repeats {repeats}: must be at least 1")
    return Settings(
        suites=_names(config, "gemma_suite"),
        models=_names(config, "gemma_model"),
        profiles=_names(config, "gemma_profile"),
        templates=_names(config, "gemma_template"),
        retrievals=_names(config, "gemma_retrieval"),
        kind=cast(CaseKind | None, config.getoption("gemma_kind")),
        repeats=repeats,
        database=_path(config, "gemma_db", ini="gemma_db", default="reports/gemma_eval.db"),
        reports=_path(config, "gemma_report", ini="gemma_reports", default="reports"),
        resume=cast(str | None, config.getoption("gemma_resume")),
        suite_folders=tuple(cast(list[Path], config.getini("gemma_suite_paths"))),
    )


def _names(config: pytest.Config, option: str) -> tuple[str, ...]:
    return tuple(cast(list[str], config.getoption(option)))


def _path(config: pytest.Config, option: str, *, ini: str, default: str) -> Path:
    """A path of the command line starts at the current folder, one of the ini file at the root folder."""
    given = cast(str | None, config.getoption(option))
    if given:
        return config.invocation_params.dir / given
    configured = cast(str, config.getini(ini))
    return config.rootpath / configured if configured else config.invocation_params.dir / default
