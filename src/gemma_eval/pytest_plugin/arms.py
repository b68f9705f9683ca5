"""Both sides of an interleaved comparison as processes of pytest that run the same cells."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.errors import UsageError, suggestion
from gemma_eval.executors.arm import Arm
from gemma_eval.executors.pinned import Pinned
from gemma_eval.executors.refusals import refused
from gemma_eval.pytest_plugin import pins
from gemma_eval.pytest_plugin.evaluation import Evaluation
from gemma_eval.pytest_plugin.matrix import LoadedSuite
from gemma_eval.pytest_plugin.passed_on import passed_on
from gemma_eval.records import NOBODY, CaseKind, Cell, Template
from gemma_eval.suite import load_suite, model_names
from gemma_eval.verdict.sides import AXES, Axis

_SLOW_TO_START = "no:hypothesispytest"
"""Hypothesis takes a second to summarise what it did not do; it stays where options of it are set."""

Instead = tuple[Axis, str]
"""The axis on which the base has another name than the candidate, and that name."""


def candidate(evaluation: Evaluation, cells: Sequence[Cell]) -> Arm:
    """Return the side that is tested: the cells of this session, in this folder."""
    return _arm("candidate", evaluation, cells, None)


def base(evaluation: Evaluation, cells: Sequence[Cell], instead: Instead) -> Arm:
    """Return the side that it is held against: the same cells with another name on one axis."""
    return _arm("base", evaluation, cells, instead)


def instead_of(name: str, evaluation: Evaluation, cells: Sequence[Cell]) -> Instead:
    """Return the axis that a name of `--gemma-ab` is on. Raises UsageError: none, or several."""
    prefix, separator, rest = name.partition(":")
    named = [axis for axis in AXES if separator and prefix == axis]
    wanted = rest if named else name
    known = _names(evaluation)
    found = [axis for axis in named or AXES if wanted in known[axis]]
    if not found:
        every = [each for axis in named or AXES for each in known[axis]]
        kinds = named[0] if named else "model, profile, template or retrieval"
        raise UsageError(f'--gemma-ab {name}: no {kinds} named "{wanted}"{suggestion(wanted, every)}')
    if len(found) > 1:
        raise UsageError(f"--gemma-ab {name} is of two kinds; write {found[0]}:{wanted}")
    axis = found[0]
    if what := _several(axis, {_on(axis, cell) for cell in cells}):
        raise UsageError(f"--gemma-ab {name}: {what}")
    return axis, wanted


def counterparts(evaluation: Evaluation, cells: Sequence[Cell], instead: Instead) -> Pinned:
    """Return what the other side is made of.

    Raises UsageError when the suites cannot run the cells with the other name, or its engine cannot.
    """
    axis, name = instead
    found: dict[str, str] = {}
    for loaded in evaluation.suites.values():
        models = (*evaluation.settings.models, name) if axis == "model" else evaluation.settings.models
        _, everything = load_suite(loaded.path, evaluation.registry, models=models, say=evaluation.notice)
        there = {_key(cell, instead=None): cell for cell in everything}
        wanted = [_key(cell, instead=instead) for cell in cells if cell.suite == loaded.suite.name]
        lacking = [key for key in wanted if key not in there]
        if lacking:
            case = lacking[0][1]
            raise UsageError(
                f'--gemma-ab {name}: case "{case}" of {loaded.path} does not run {axis} "{name}"'
            )
        reasons = refused([there[key] for key in wanted], evaluation.registry)
        if reasons:
            raise UsageError(f"--gemma-ab {name}: {next(iter(reasons.values()))}")
        found |= pins.of_counterpart(loaded, everything, evaluation, instead)
    return found


def _arm(name: str, evaluation: Evaluation, cells: Sequence[Cell], instead: Instead | None) -> Arm:
    timed = [cell for cell in cells if cell.case.kind == "benchmark"]
    return Arm(
        name=name,
        folder=evaluation.here,
        options=tuple(_options(evaluation.config)),
        whole=tuple(_choice(evaluation, cells, evaluation.settings.kind, instead)),
        timed=tuple(_choice(evaluation, timed, "benchmark", instead)),
        has_cache=evaluation.config.pluginmanager.hasplugin("cacheprovider"),
        pinned=pins.of_session(evaluation) if instead is None else None,
    )


def _choice(
    evaluation: Evaluation, cells: Sequence[Cell], kind: CaseKind | None, instead: Instead | None
) -> Iterator[str]:
    """Yield the options that choose these cells, with the other name if there is one."""
    for loaded in evaluation.suites.values():
        yield from _suite(loaded, cells, kind, instead)
    yield from _matrix(evaluation, instead)
    if kind is not None:
        yield f"--gemma-kind={kind}"


def _options(config: pytest.Config) -> Iterator[str]:
    """Yield the options of this session that a block needs as well, and where it finds its files."""
    yield from passed_on(config)
    yield f"--rootdir={config.rootpath}"
    if config.option.inifilename:
        yield f"--config-file={Path(config.invocation_params.dir, config.option.inifilename)}"
    if config.pluginmanager.hasplugin("terminalreporter"):
        yield from ("-q", "--no-header")
    words = (*config.invocation_params.args, *config.getini("addopts"), os.environ.get("PYTEST_ADDOPTS", ""))
    if not any("hypothesis" in str(word) for word in words):
        yield from ("-p", _SLOW_TO_START)


def _suite(
    loaded: LoadedSuite, cells: Sequence[Cell], kind: CaseKind | None, instead: Instead | None
) -> Iterator[str]:
    """Yield the suite, whole or cell by cell where only some of its cells were chosen."""
    ours = [cell for cell in cells if cell.suite == loaded.suite.name]
    runnable = [
        cell for cell in loaded.cells if cell.label not in loaded.refused and kind in (None, cell.case.kind)
    ]
    if not ours:
        return
    if len(ours) == len(runnable):
        yield f"--gemma-suite={loaded.path}"
        return
    for cell in ours:
        yield f"--gemma-suite={loaded.path}::{_with(cell, instead).label}"


def _matrix(evaluation: Evaluation, instead: Instead | None) -> Iterator[str]:
    settings = evaluation.settings
    given = {
        "model": settings.models,
        "profile": settings.profiles,
        "template": settings.templates,
        "retrieval": settings.retrievals,
    }
    for axis, globs in given.items():
        chosen = (instead[1],) if instead is not None and instead[0] == axis else globs
        for glob in chosen:
            yield f"--gemma-{axis}={glob}"
    if settings.repeats is not None:
        yield f"--gemma-repeats={settings.repeats}"


def _with(cell: Cell, instead: Instead | None) -> Cell:
    """Return the cell with another name, of which nothing but the name is right."""
    if instead is None:
        return cell
    axis, name = instead
    if axis == "model":
        return replace(cell, model=replace(cell.model, name=name))
    if axis == "profile":
        return replace(cell, profile=replace(cell.profile, name=name))
    if axis == "retrieval":
        return replace(cell, retrieval=replace(cell.retrieval, name=name))
    return replace(cell, template=Template(name=name, text=cell.template.text))


def _several(axis: Axis, ours: set[str]) -> str | None:
    """Return why the candidate has not one name on an axis, and how it is chosen; `None` where it has."""
    named = sorted(ours - {NOBODY})
    if len(named) > 1:
        return f"the candidate has {len(named)} {axis}s ({', '.join(named)}); choose one with --gemma-{axis}"
    if named and len(ours) > 1:
        what = f"cases that ask for passages alone have no {axis}"
        return f"{what}; leave them out with --gemma-{axis} {named[0]}"
    return None


def _key(cell: Cell, *, instead: Instead | None) -> tuple[str, ...]:
    other = _with(cell, instead)
    return cell.suite, cell.case.id, *other.group.names


def _on(axis: Axis, cell: Cell) -> str:
    name: str = getattr(cell, axis).name
    return name


def _names(evaluation: Evaluation) -> Mapping[Axis, set[str]]:
    """Return what can be chosen by name on each axis: all models of the files, and what the suites name."""
    cells = [cell for loaded in evaluation.suites.values() for cell in loaded.everything]
    found: dict[Axis, set[str]] = {axis: {_on(axis, cell) for cell in cells} - {NOBODY} for axis in AXES}
    for loaded in evaluation.suites.values():
        found["model"] |= set(model_names(loaded.path))
    return found
