"""Spread a suite over models, profiles and templates into cells, and a cell over its repeats into trials."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from gemma_eval.records import (
    NOBODY,
    Case,
    Cell,
    ModelSpec,
    Retrieval,
    SamplingProfile,
    Suite,
    Template,
    Trial,
)


def expand(
    suite: Suite,
    *,
    models: Mapping[str, ModelSpec],
    profiles: Mapping[str, SamplingProfile],
    templates: Mapping[str, Template],
    also: Sequence[str] = (),
    shows_passages: Callable[[Template], bool] = lambda _: True,
) -> tuple[Cell, ...]:
    """Return a cell for each case with each model, profile, template and retrieval it names, in that order.

    The models in `also` run every case, whichever it names. Of the named retrievals, a template that shows no
    passages has *none* alone, and so has a text that is read after nothing; a case that asks for passages
    alone has no model, profile and template.
    """

    def of_case(case: Case) -> Iterator[Cell]:
        if case.kind == "retrieval":
            for retrieval in _retrievals(suite, case):
                yield _cell(suite, case, _NOBODY_ASKED, retrieval, models)
            return
        every_model = dict.fromkeys((*case.models, *also))
        for model, profile, template in product(every_model, case.profiles, case.templates):
            shown = templates[template]
            is_shown = bool(case.messages) and shows_passages(shown)
            only_none = bool(case.retrievals) and not is_shown
            ways = [suite.retrievals["none"]] if only_none else _retrievals(suite, case)
            for way in ways:
                yield _cell(suite, case, (models[model], profiles[profile], shown), way, models)

    return tuple(cell for case in suite.cases for cell in of_case(case))


def trials(cell: Cell) -> tuple[Trial, ...]:
    """Return the trials of a cell, one for each repeat.

    A seed that the profile does not fix follows from the suite's seed, the case and the repeat alone, so
    that cells which differ in model, profile or template are paired.
    """
    fixed = cell.profile.seed
    return tuple(
        Trial(
            cell=cell,
            repeat=repeat,
            seed=derived_seed(cell.seed, cell.case.id, repeat) if fixed is None else fixed,
        )
        for repeat in range(cell.case.repeats)
    )


def derived_seed(suite_seed: int, case_id: str, repeat: int) -> int:
    """Return a seed in 0..2³¹-1, which every engine can carry: the first bits of a hash."""
    digest = hashlib.sha256(f"{suite_seed}/{case_id}/{repeat}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


_NOBODY_ASKED = (
    ModelSpec(name=NOBODY, backend=NOBODY, location=NOBODY),
    SamplingProfile(name=NOBODY),
    Template(name=NOBODY, text=""),
)


def _retrievals(suite: Suite, case: Case) -> Sequence[Retrieval]:
    return [suite.retrievals[name] for name in case.retrievals] or [suite.retrieval]


def _cell(
    suite: Suite,
    case: Case,
    asked: tuple[ModelSpec, SamplingProfile, Template],
    retrieval: Retrieval,
    models: Mapping[str, ModelSpec],
) -> Cell:
    model, profile, template = asked
    cache = None if case.cache is None else case.cache.embedder
    reranker = None if retrieval.asked_reranker is None else retrieval.reranker_model
    embedders = sorted({name for name in (retrieval.asked_embedder, cache) if name is not None})
    return Cell(
        suite=suite.name,
        case=case,
        model=model,
        profile=_limited(profile, case),
        template=template,
        retrieval=retrieval,
        seed=suite.seed,
        judges=tuple(models[name] for name in _judges(case)),
        embedders=tuple(models[name] for name in embedders),
        rerankers=() if reranker is None else (models[reranker],),
    )


def _judges(case: Case) -> list[str]:
    """Return the names of the models that the checks of a case ask, each once."""
    return sorted({name for check in case.checks for name in check.judges})


def _limited(profile: SamplingProfile, case: Case) -> SamplingProfile:
    """Let the cell carry what ends its answers: what the case says, or else the profile."""
    if case.max_tokens is not None:
        profile = replace(profile, max_tokens=case.max_tokens)
    return profile if case.ignore_eos is None else replace(profile, ignore_eos=case.ignore_eos)
