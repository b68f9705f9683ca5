"""Spread a suite over models, profiles and templates into cells, and a cell over its repeats into trials."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from gemma_eval.records import Case, Cell, ModelSpec, SamplingProfile, Suite, Template, Trial


def expand(
    suite: Suite,
    *,
    models: Mapping[str, ModelSpec],
    profiles: Mapping[str, SamplingProfile],
    templates: Mapping[str, Template],
    also: Sequence[str] = (),
) -> tuple[Cell, ...]:
    """Return a cell for each case with each model, profile and template it names, in that order.

    The models in `also` run every case, whichever it names.
    """
    return tuple(
        Cell(
            suite=suite.name,
            case=case,
            model=models[model],
            profile=_limited(profiles[profile], case),
            template=templates[template],
            retrieval=suite.retrieval,
            seed=suite.seed,
            judges=tuple(models[name] for name in _judges(case)),
        )
        for case in suite.cases
        for model, profile, template in product(
            dict.fromkeys((*case.models, *also)), case.profiles, case.templates
        )
    )


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


def _judges(case: Case) -> list[str]:
    """Return the names of the models that the checks of a case ask, each once."""
    return sorted({name for check in case.checks for name in check.judges})


def _limited(profile: SamplingProfile, case: Case) -> SamplingProfile:
    """Let the cell carry what ends its answers: what the case says, or else the profile."""
    if case.max_tokens is not None:
        profile = replace(profile, max_tokens=case.max_tokens)
    return profile if case.ignore_eos is None else replace(profile, ignore_eos=case.ignore_eos)
