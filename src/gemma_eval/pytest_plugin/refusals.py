"""What an engine cannot do is said when cells are collected, before anything is loaded; they are skipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import get_type_hints

from gemma_eval.errors import BackendError, GemmaEvalError, PluginError, UnknownName, UsageError
from gemma_eval.plugins import Registry
from gemma_eval.protocols import (
    CapableBackendFactory,
    CheckingBackendFactory,
    ChoosyBackendFactory,
    ConcurrentBackendFactory,
)
from gemma_eval.records import Case, Cell, ModelSpec, SamplingProfile, Skipped


def refuse_unknown_backends(cells: Iterable[Cell], registry: Registry) -> None:
    """Raise UnknownName when nothing is registered under the backend of a model."""
    for cell in cells:
        name = cell.model.backend
        if name not in registry.backends:
            raise UnknownName(f'backend (of model "{cell.model.name}")', name, registry.backends)


def refuse_malformed(cells: Iterable[Cell], registry: Registry) -> None:
    """Raise UsageError with what is wrong with the options of each model, before anything of it is stored."""
    lines: dict[str, None] = {}
    for model in {cell.model.name: cell.model for cell in cells}.values():
        factory = _factory(model, registry)
        if not isinstance(factory, CheckingBackendFactory):
            continue
        try:
            factory.check(model)
        except GemmaEvalError as error:
            lines[str(error)] = None
    if lines:
        raise UsageError("\n".join(lines))


def refused(cells: Sequence[Cell], registry: Registry) -> dict[str, str]:
    """Return why the engine of a cell cannot run it, by the label of each such cell.

    The backend is asked about model and profile, and whether it can read a continuation and serve a load. One
    that cannot be imported is not asked: its cells fail later, with the reason. Raises PluginError when a
    backend fails to answer.
    """
    answers: dict[tuple[str, str], str | None] = {}
    found = {}
    for cell in cells:
        factory = _factory(cell.model, registry)
        pair = cell.model.name, cell.profile.name
        if pair not in answers:
            answers[pair] = _answer(factory, cell.model, cell.profile)
        reason = (
            answers[pair] or _cannot_read(factory, cell.case) or _cannot_serve(factory, cell.model, cell.case)
        )
        if reason:
            found[cell.label] = _clause(cell.model, reason)
    return found


def skipped(cells: Iterable[Cell], reasons: Mapping[str, str]) -> tuple[Skipped, ...]:
    """Return the cells that have a reason, those of one model, profile and reason together."""
    counts = Counter(
        (cell.model.name, cell.profile.name, reasons[cell.label]) for cell in cells if cell.label in reasons
    )
    return tuple(
        Skipped(model=model, profile=profile, reason=reason, cells=count)
        for (model, profile, reason), count in counts.items()
    )


def in_words(each: Skipped) -> str:
    """Return a line that says what was skipped and why."""
    return f'model "{each.model}" with profile "{each.profile}": {each.reason}'


def cannot_read(cells: Iterable[Cell], *, model: ModelSpec) -> str | None:
    """Return the line that refuses the readings that `cells` want of a model, `None` when they want none."""
    wanted = [cell.case.id for cell in cells if cell.model == model and cell.case.continuation is not None]
    if not wanted:
        return None
    more = len(dict.fromkeys(wanted)) - 1
    asking = f'as {more + 1} cases ask, first "{wanted[0]}"' if more else f'as the case "{wanted[0]}" asks'
    reason = f"cannot read a continuation, {asking}"
    return f'model "{model.name}": {_clause(model, reason)}'


def _cannot_read(factory: object | None, case: Case) -> str | None:
    if case.continuation is None or factory is None or _may_read(factory):
        return None
    return "cannot read a continuation"


def _cannot_serve(factory: object | None, model: ModelSpec, case: Case) -> str | None:
    """Say why an engine cannot be put under the load of a case; requests of an open loop wait for room."""
    if case.load is None or case.load.concurrency == 1:
        return None
    most = _max_in_flight(factory, model)
    wanted = 2 if case.load.concurrency is None else case.load.concurrency
    if most is None or most >= wanted:
        return None
    return f"answers {_requests(most)} at once, and the load needs {wanted}"


def _max_in_flight(factory: object | None, model: ModelSpec) -> int | None:
    """Return how many requests an engine will serve at once; one that says nothing is asked when loaded."""
    if isinstance(factory, ConcurrentBackendFactory):
        return factory.max_in_flight(model)
    declared = factory.capabilities if isinstance(factory, CapableBackendFactory) else ("concurrent",)
    return None if "concurrent" in declared else 1


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count} requests"


def _factory(model: ModelSpec, registry: Registry) -> object | None:
    try:
        return registry.backends.find(model.backend)
    except (PluginError, BackendError):
        return None


def _answer(factory: object, model: ModelSpec, profile: SamplingProfile) -> str | None:
    if not isinstance(factory, ChoosyBackendFactory):
        return None
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
