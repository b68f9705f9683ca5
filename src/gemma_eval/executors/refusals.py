"""What an engine cannot do is said before anything is loaded, and the cells that ask for it are skipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gemma_eval.backends.model_files import lacking
from gemma_eval.backends.refusals import clause, flaw, of_case, of_profile, what_is_read
from gemma_eval.errors import BackendError, ConfigError, PluginError, UnknownName
from gemma_eval.plugins import Registry
from gemma_eval.prompts.check import unfit
from gemma_eval.records import NOBODY, Cell, ModelSpec, Skipped


def refuse_unknown_backends(cells: Iterable[Cell], registry: Registry) -> None:
    """Raise UnknownName when nothing is registered under the backend of a model, or of one that is asked."""
    for cell in cells:
        asked = (cell.model, *cell.judges) if cell.asks_model else cell.judges
        for spec in asked:
            known = registry.backends if spec is cell.model else {*registry.backends, *registry.embedders}
            if spec.backend not in known:
                raise UnknownName(f'backend (of model "{spec.name}")', spec.backend, known)


def refuse_malformed(cells: Sequence[Cell], registry: Registry, *, suite: Path) -> None:
    """Raise ConfigError with what is wrong with the options of each model, before anything is stored."""
    asked = (spec for cell in cells for spec in cell.judges if spec.backend in registry.backends)
    models = {
        spec.name: spec for spec in (*(cell.model for cell in cells if cell.asks_model), *asked)
    }.values()
    found = [flaw(_factory(model, registry), model, suite=suite) for model in models]
    problems = [problem for problem in found if problem is not None]
    if problems:
        raise ConfigError(problems)


def refused(cells: Sequence[Cell], registry: Registry) -> dict[str, str]:
    """Return why the engine of a cell cannot run it, or its search, by the label of each such cell.

    One that cannot be imported is not asked: its cells fail later, with the reason. Raises PluginError when a
    backend fails to answer.
    """
    answers: dict[tuple[str, str], str | None] = {}
    found = {}
    for cell in cells:
        if lacked := _lacked(cell):
            found[cell.label] = lacked
            continue
        factory = _factory(cell.model, registry) if cell.asks_model else None
        if factory is None:
            continue
        pair = cell.model.name, cell.profile.name
        if pair not in answers:
            answers[pair] = of_profile(factory, cell.model, cell.profile)
        reason = answers[pair] or of_case(factory, cell.model, cell.case)
        if reason:
            found[cell.label] = clause(cell.model, reason)
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
    if each.model == NOBODY:
        return each.reason
    return f'model "{each.model}" with profile "{each.profile}": {each.reason}'


def cannot_read(cells: Iterable[Cell], *, model: ModelSpec) -> str | None:
    """Return the line that refuses the readings that `cells` want of a model, `None` when they want none."""
    wanted = {cell.case.id: cell.case for cell in cells if cell.model == model and cell.case.is_read}
    if not wanted:
        return None
    first = next(iter(wanted.values()))
    more = len(wanted) - 1
    asking = f'as {more + 1} cases ask, first "{first.id}"' if more else f'as the case "{first.id}" asks'
    reason = f"cannot read {what_is_read(first)}, {asking}"
    return f'model "{model.name}": {clause(model, reason)}'


def _lacked(cell: Cell) -> str | None:
    """Return why its template is for other models, or which embedder is not installed and how it is."""
    if cell.asks_model and (what := unfit(cell.template, cell.model.name)):
        return what
    for spec in cell.embedders:
        if what := lacking(spec.location):
            return f'the embedder "{spec.name}" is missing: {what}'
    return None


def _factory(model: ModelSpec, registry: Registry) -> object | None:
    try:
        return registry.backends.find(model.backend)
    except (PluginError, BackendError):
        return None
