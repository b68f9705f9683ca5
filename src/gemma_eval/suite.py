"""A suite file and all that it names become cells; what is wrong with it is said before anything runs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from gemma_eval.cases.expand import expand
from gemma_eval.cases.load import Looked, Names
from gemma_eval.cases.load import load as load_cases
from gemma_eval.config.catalog import load as load_catalog
from gemma_eval.config.places import folders
from gemma_eval.errors import PluginError, Problem, SuiteError, UnknownName, UsageError
from gemma_eval.plugins import Registry
from gemma_eval.prompts.check import malformed, unknown_text, wants
from gemma_eval.prompts.row_template import compile_row
from gemma_eval.prompts.templates import uses_retrieval
from gemma_eval.protocols import embeds, models_of, needs_of, repeats_of, subject_of
from gemma_eval.records import Cell, Check, ModelSpec, Suite, Template
from gemma_eval.scoring import filters


def load_suite(
    path: Path,
    registry: Registry,
    *,
    models: Sequence[str] = (),
    say: Callable[[str], object] = warnings.warn,
    damaged: Literal["recover", "refuse"] = "recover",
) -> tuple[Suite, tuple[Cell, ...]]:
    """Read a suite with the shipped profiles, models, templates and those beside it. Raises UsageError.

    Those of `models` that a file of models knows run every case, also where the suite does not name them.
    `say` is told a line for each file that is damaged, and of which an earlier version was used; whoever has
    a good one in use already has it refused (`damaged`).
    """
    catalog = load_catalog(folders(here=Path.cwd(), environment=os.environ, suite=path), damaged=damaged)
    for notice in catalog.notices:
        say(notice)
    names = Names(
        models=tuple(catalog.models),
        profiles=tuple(catalog.profiles),
        templates=tuple(catalog.templates),
        retrievers=tuple(registry.retrievers),
        embedders=[name for name, spec in catalog.models.items() if spec.backend in registry.embedders],
        rerankers=tuple(registry.rerankers),
        filters=filters.filter_names(),
    )
    known = catalog.models
    suite = load_cases(
        path, names=names, look=lambda check: look(check, registry, known), compile_text=compile_row
    )
    _refuse_templates(suite, path, catalog.templates)
    cells = expand(
        suite,
        models=known,
        profiles=catalog.profiles,
        templates=catalog.templates,
        also=[name for name in models if name in known],
        shows_passages=uses_retrieval,
    )
    _refuse_unknown_transforms({cell.profile.name: cell.profile.order for cell in cells}, registry)
    return suite, cells


def look(check: Check, registry: Registry, models: Mapping[str, ModelSpec]) -> Looked:
    """Say what a check is, or what is wrong with it, by building its filters and its scorer once."""
    try:
        filters.build(check.filters)
        scorer = registry.scorers.find(check.scorer)(check.options)
    except (UsageError, PluginError) as error:
        return Looked(problem=str(error))
    except Exception as error:  # noqa: BLE001 - a plugin that looks an option up and does not find it
        what = f"{check.scorer}: cannot be built with these options: {type(error).__name__}: {error}"
        return Looked(problem=what)
    asked = models_of(scorer)
    for name in asked if embeds(scorer) else ():
        if name in models and models[name].backend not in registry.embedders:
            known = " or ".join(f'"{each}"' for each in registry.embedders)
            what = f'the model "{name}" has the backend "{models[name].backend}", which makes no vectors'
            return Looked(problem=f"{check.scorer}: {what}; name one with the backend {known}")
    return Looked(
        subject=subject_of(scorer), models=asked, repeats=repeats_of(scorer), needs=needs_of(scorer)
    )


def model_names(path: Path) -> tuple[str, ...]:
    """Return the models that a suite file may run: the shipped ones and those beside it."""
    return tuple(load_catalog(folders(here=Path.cwd(), environment=os.environ, suite=path)).models)


def _refuse_unknown_transforms(orders: Mapping[str, tuple[str, ...]], registry: Registry) -> None:
    """A plugin may bring transforms, so only here, where plugins are known, can an order be checked."""
    for profile, order in orders.items():
        try:
            for name in order:
                registry.transforms.find(name)
        except UnknownName as error:
            raise UsageError(f'profile "{profile}": order: {error}') from error


def _refuse_templates(suite: Suite, path: Path, known: Mapping[str, Template]) -> None:
    """Say what is wrong with every template, and what one lacks of a case, before the first is needed."""
    given: dict[str, set[str]] = {}
    for case in suite.cases:
        for name in case.templates:
            given.setdefault(name, set()).update(case.texts, case.variables)
    flaws = [malformed(known[name], given=variables) for name, variables in given.items()]
    if any(flaws):
        raise UsageError("\n".join(filter(None, flaws)))
    problems = []
    for case in suite.cases:
        shown = [known[name] for name in case.templates]
        for what in dict.fromkeys((unknown_text(case, shown), *(wants(each, case) for each in shown))):
            if what is not None:
                whose = f'case "{case.id}": {what}'
                problems.append(Problem(path=path, line=case.source.line, what=whose))
    if problems:
        raise SuiteError(problems)
