"""What an engine cannot do is said when cells are collected, before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import get_type_hints

from gemma_eval.errors import BackendError, PluginError, UnknownName, UsageError
from gemma_eval.plugins import Registry
from gemma_eval.protocols import ChoosyBackendFactory
from gemma_eval.records import Cell, ModelSpec, SamplingProfile


def refuse_unknown_backends(cells: Iterable[Cell], registry: Registry) -> None:
    """Raise UnknownName when nothing is registered under the backend of a model."""
    for cell in cells:
        name = cell.model.backend
        if name not in registry.backends:
            raise UnknownName(f'backend (of model "{cell.model.name}")', name, registry.backends)


def refuse_impossible(cells: Sequence[Cell], registry: Registry) -> None:
    """Ask the backend of each model about the profiles and the readings that the cells want of it.

    A backend that cannot be imported is not asked: its cells fail later, with the reason. Raises UsageError,
    with a line for each model and profile, and PluginError when a backend fails to answer.
    """
    lines: dict[str, None] = {}
    pairs = {(cell.model.name, cell.profile.name): (cell.model, cell.profile) for cell in reversed(cells)}
    for model, profile in reversed(pairs.values()):
        factory = _factory(model, registry)
        if isinstance(factory, ChoosyBackendFactory) and (reason := _answer(factory, model, profile)):
            lines[f'model "{model.name}" with profile "{profile.name}": {_clause(model, reason)}'] = None
    lines |= dict.fromkeys(_unreadable(cells, registry))
    if lines:
        raise UsageError("\n".join(lines))


def cannot_read(cells: Iterable[Cell], *, model: ModelSpec) -> str | None:
    """Return the line that refuses the readings that `cells` want of a model, `None` when they want none."""
    wanted = [cell.case.id for cell in cells if cell.model == model and cell.case.continuation is not None]
    if not wanted:
        return None
    more = len(dict.fromkeys(wanted)) - 1
    asking = f'as {more + 1} cases ask, first "{wanted[0]}"' if more else f'as the case "{wanted[0]}" asks'
    reason = f"cannot read a continuation, {asking}"
    return f'model "{model.name}": {_clause(model, reason)}'


def _unreadable(cells: Sequence[Cell], registry: Registry) -> Iterator[str]:
    for model in {
        cell.model.name: cell.model for cell in cells if cell.case.continuation is not None
    }.values():
        factory = _factory(model, registry)
        line = cannot_read(cells, model=model)
        if factory is not None and line is not None and not _may_read(factory):
            yield line


def _factory(model: ModelSpec, registry: Registry) -> object | None:
    try:
        return registry.backends.find(model.backend)
    except (PluginError, BackendError):
        return None


def _answer(factory: ChoosyBackendFactory, model: ModelSpec, profile: SamplingProfile) -> str | None:
    try:
        return factory.refusal(model, profile)
    except Exception as error:  # whatever a plugin does when it is asked
        what = f'backend "{model.backend}": refusal failed: {type(error).__name__}: {error}'
        raise PluginError(what) from error


def _clause(model: ModelSpec, reason: str) -> str:
    return f'the backend "{model.backend}" {reason}'


def _may_read(factory: object) -> bool:
    """Whether what a factory says it returns can read; one that says nothing is asked when it has loaded."""
    if isinstance(factory, type):
        return hasattr(factory, "read")
    called = factory if hasattr(factory, "__annotations__") else type(factory).__call__
    try:
        made = get_type_hints(called).get("return")
    except (NameError, TypeError):
        return True
    return not isinstance(made, type) or hasattr(made, "read") or getattr(made, "_is_protocol", False)
