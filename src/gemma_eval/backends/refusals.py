"""What an engine cannot do of what a cell asks, known from its backend before anything is loaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar, get_type_hints

from gemma_eval.backends.capabilities import OTHERS, SAMPLING, lack
from gemma_eval.config.catalog import about_model
from gemma_eval.config.places import folders
from gemma_eval.errors import GemmaEvalError, PluginError, Problem, UnknownName, WrongSetting
from gemma_eval.protocols import (
    CapableBackendFactory,
    CheckingBackendFactory,
    ChoosyBackendFactory,
    ConcurrentBackendFactory,
    DiscerningBackendFactory,
    WidenableBackendFactory,
)
from gemma_eval.records import Case, Cell, ModelSpec, SamplingProfile

T = TypeVar("T")


def refusal(factory: object, cell: Cell) -> str | None:
    """Return why no engine of a factory can run a cell, as a sentence; `None` when one may.

    Raises PluginError when the factory fails to answer.
    """
    reason = of_profile(factory, cell.model, cell.profile) or of_case(factory, cell.model, cell.case)
    return None if reason is None else clause(cell.model, reason)


def of_profile(factory: object, model: ModelSpec, profile: SamplingProfile) -> str | None:
    """Return what is lacking for a model with a profile (`has no mirostat`), whatever is asked.

    A factory is asked with its `refusal`, for engines of one factory may differ; of one without it the
    declared capabilities are held against the profile. Raises PluginError.
    """
    declared = _declared(factory, model)
    reason = None
    if isinstance(factory, ChoosyBackendFactory):
        reason = _told(model, "refusal", lambda: factory.refusal(model, profile))
    elif declared is not None:
        reason = lack(profile, declared)
    if reason is None and model.rope_scaling is not None and not _can("rope_scaling", declared):
        return "has no rope_scaling"
    return reason


def of_case(factory: object, model: ModelSpec, case: Case) -> str | None:
    """Return what is lacking for a case: reading what it gives, or its load. Raises PluginError."""
    if case.is_read and not (_can("logprobs", _declared(factory, model)) and _reads(factory)):
        return f"cannot read {what_is_read(case)}"
    return _cannot_serve(factory, model, case)


def what_is_read(case: Case) -> str:
    """Return what a model reads in a case instead of writing, in words."""
    return "choices" if case.choices else "a continuation"


def flaw(factory: object, model: ModelSpec, *, suite: Path) -> Problem | None:
    """Return what a factory says against the options of a model, at its line of the file beside the suite."""
    if not isinstance(factory, CheckingBackendFactory):
        return None
    try:
        factory.check(model)
    except GemmaEvalError as error:
        what = str(error)
        of_suite = folders(here=Path.cwd(), environment=os.environ, suite=suite)
        problem = about_model(model, what, keys=_keys(error), folders=of_suite)
        return problem or Problem(path=suite, line=0, what=what)
    return None


def clause(model: ModelSpec, reason: str) -> str:
    """Return a reason with the backend that it is of."""
    return f'the backend "{model.backend}" {reason}'


def _keys(error: GemmaEvalError) -> tuple[str, ...]:
    """Return what leads to the wrong thing in the table of a model; nothing where the error does not tell."""
    match error:
        case WrongSetting():
            return error.keys
        case UnknownName():
            return ("options", error.given)
        case _:
            return ()


def _cannot_serve(factory: object, model: ModelSpec, case: Case) -> str | None:
    """Say why an engine cannot be put under the load of a case; requests of an open loop wait for room."""
    if case.load is None or case.load.concurrency == 1:
        return None
    most = _max_in_flight(factory, model)
    wanted = 2 if case.load.concurrency is None else case.load.concurrency
    if most is None or most >= wanted:
        return None
    reason = f"answers {_requests(most)} at once, and the load needs {wanted}"
    if not isinstance(factory, WidenableBackendFactory):
        return reason
    return f"{reason}; give the model options = {{ {factory.in_flight_option} = {wanted} }} or more"


def _max_in_flight(factory: object, model: ModelSpec) -> int | None:
    """Return how many requests an engine will serve at once; one that says nothing is asked when loaded."""
    if isinstance(factory, ConcurrentBackendFactory):
        return _told(model, "max_in_flight", lambda: factory.max_in_flight(model))
    return None if _can("concurrent", _declared(factory, model)) else 1


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count} requests"


def _can(word: str, declared: Collection[str] | None) -> bool:
    """Whether a word is declared; a factory that declares nothing is asked when it has loaded."""
    return declared is None or word in declared


def _declared(factory: object, model: ModelSpec) -> Collection[str] | None:
    """Return what a factory declares, `None` when nothing. Raises PluginError for what is no capability."""

    def tell() -> Collection[str] | None:
        if isinstance(factory, DiscerningBackendFactory):
            return frozenset(factory.capabilities_of(model))
        return frozenset(factory.capabilities) if isinstance(factory, CapableBackendFactory) else None

    declared = _told(model, "capabilities", tell)
    for word in sorted(map(str, declared or ())):
        if word not in SAMPLING and word not in OTHERS:
            unknown = UnknownName("capability", word, (*SAMPLING, *OTHERS))
            raise PluginError(f'backend "{model.backend}": capabilities: {unknown}')
    return declared


def _told(model: ModelSpec, what: str, ask: Callable[[], T]) -> T:
    """Return what a factory tells. Raises PluginError when it fails to."""
    try:
        return ask()
    except Exception as error:  # whatever a plugin does when it is asked
        failed = f'backend "{model.backend}": {what} failed: {type(error).__name__}: {error}'
        raise PluginError(failed) from error


def _reads(factory: object) -> bool:
    """Whether what a factory says it returns can read; one that says nothing is asked when it has loaded."""
    if isinstance(factory, type):
        return hasattr(factory, "read")
    called = factory if hasattr(factory, "__annotations__") else type(factory).__call__
    try:
        made = get_type_hints(called).get("return")
    except (NameError, TypeError):
        return True
    return not isinstance(made, type) or hasattr(made, "read") or getattr(made, "_is_protocol", False)
