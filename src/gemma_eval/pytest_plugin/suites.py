"""The suites that `--gemma-suite` names, and what pytest is to collect for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from gemma_eval.config import suite_files
from gemma_eval.config.shipped import suite_path
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.pytest_plugin.ids import is_elsewhere, suite_id
from gemma_eval.pytest_plugin.options import settings

_SUFFIXES = (".toml", suite_files.SUFFIX)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A suite that was asked for; `within` is the name of a case or cell in it, empty for all."""

    path: Path
    within: str

    @property
    def argument(self) -> str:
        """What pytest is given to collect it."""
        return f"{self.path}::{self.within}" if self.within else str(self.path)

    def selects(self, label: str) -> bool:
        """Whether a cell was asked for, by its label `case[model/profile/template]` or by its case."""
        return self.within in ("", label, label.partition("[")[0])


def find(given: Sequence[str], *, here: Path, folders: Sequence[Path]) -> tuple[Asked, ...]:
    """Return the suites named by `--gemma-suite`, each once. Raises pytest.UsageError.

    A name is looked up in `folders`, then among the shipped suites, then among the `*.gemma.toml` below
    `here`; a path starts there. The `@name` of a node id is understood, so that a failed item's id can be
    given back as it was printed.
    """
    found: dict[Asked, None] = {}
    for name in given:
        where, _, within = name.removeprefix("@").partition("::")
        try:
            path = _path(where, here=here, folders=folders)
        except UsageError as error:
            raise pytest.UsageError(f"--gemma-suite {name}: {error}") from error
        # Without `..`, as pytest writes the paths of the files that it collects; links are kept.
        found[Asked(path=Path(os.path.abspath(path)), within=within)] = None  # noqa: PTH100
    return tuple(found)


def refuse_unknown(asked: Asked, labels: Iterable[str]) -> None:
    """Refuse a case or cell that is none of a suite with these labels. Raises pytest.UsageError."""
    known = set(labels)
    if known and not any(map(asked.selects, known)):
        noun = "cell" if "[" in asked.within else "case"
        names = known if noun == "cell" else {label.partition("[")[0] for label in known}
        raise pytest.UsageError(f"--gemma-suite {asked.path.name}: {UnknownName(noun, asked.within, names)}")


def add_arguments(config: pytest.Config, args: list[str]) -> None:
    """Append the asked suites of this project to `args`, and have the conftest.py beside them loaded.

    A suite from elsewhere is no argument: pytest would walk to it through folders of other projects, and
    run the conftest.py of each. Raises pytest.UsageError: no such suite, or two suites with one node id.
    """
    options = config.known_args_namespace
    here = config.invocation_params.dir
    folders = [here / folder for folder in settings(config).suite_paths]
    asked = find(options.gemma_suite, here=here, folders=folders)
    _refuse_equal_ids(asked, rootdir=config.rootpath)
    inside = [suite for suite in asked if not is_elsewhere(suite.path, rootdir=config.rootpath)]
    args.extend(suite.argument for suite in inside if suite.argument not in args)
    if inside:
        usual = options.file_or_dir or [*config.getini("testpaths"), str(config.invocation_params.dir)]
        options.file_or_dir = [*usual, *(str(suite.path) for suite in inside)]


def collect_nothing_else(config: pytest.Config) -> None:
    """Keep pytest from its usual places when only suites from elsewhere were asked for."""
    if config.args_source != config.ArgsSource.ARGS:
        config.args[:] = []
        config.args_source = config.ArgsSource.ARGS


def _path(name: str, *, here: Path, folders: Sequence[Path]) -> Path:
    """Return the file of a suite. Raises UnknownName with those that are near, UsageError."""
    try:
        return _in(folders, name) or suite_path(name, folder=here)
    except UnknownName as error:
        of_project = suite_files.of_project(here)
        if name in of_project:
            return of_project[name]
        known = {*error.known, *suite_files.in_folders(folders), *of_project}
        raise UnknownName(error.noun, error.given, known) from error


def _in(folders: Sequence[Path], name: str) -> Path | None:
    candidates = (folder / f"{name}{suffix}" for folder in folders for suffix in _SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def _refuse_equal_ids(asked: Sequence[Asked], *, rootdir: Path) -> None:
    paths: dict[str, Path] = {}
    for suite in asked:
        name = suite_id(suite.path, rootdir=rootdir)
        other = paths.setdefault(name, suite.path)
        if other != suite.path:
            raise pytest.UsageError(
                f"--gemma-suite: {other} and {suite.path} are both called {name}; rename one of them"
            )
