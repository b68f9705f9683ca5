"""Whether our scorers and statistics give what others have published: each vector computed and compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from gemma_eval.errors import GemmaEvalError, UnknownName
from gemma_eval.plugins import Registry
from gemma_eval.protocols import AnyScorer, PassagesScorer, RepeatsScorer, Scorer, subject_of
from gemma_eval.records import Score
from gemma_eval.selftest.quantities import QUANTITIES
from gemma_eval.selftest.vector_case import answer_of, case_of, found_of
from gemma_eval.selftest.vectors import Published, Vector

_INSTALL = 'pip install "gemma_eval['
"""What every message says that is about a package which is not installed."""

State = Literal["agrees", "differs by design", "differs", "not run"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A vector, what we compute of it, and whether that is what was published; `why` says more of it."""

    source: Published
    vector: Vector
    value: float | None
    state: State
    why: str = ""


def check_published(registry: Registry, sources: Iterable[Published]) -> tuple[Checked, ...]:
    """Compute every vector of the sources and compare."""
    return tuple(check_vector(registry, source, vector) for source in sources for vector in source.vectors)


def check_vector(registry: Registry, source: Published, vector: Vector) -> Checked:
    """Compute a vector and compare; one that needs a package which is not installed is not run."""
    try:
        value = _computed(registry, vector)
    except GemmaEvalError as error:
        state: State = "not run" if _INSTALL in str(error) else "differs"
        return Checked(source=source, vector=vector, value=None, state=state, why=str(error))
    state, why = _compared(vector, value)
    return Checked(source=source, vector=vector, value=value, state=state, why=why)


def _computed(registry: Registry, vector: Vector) -> float | None:
    if vector.quantity:
        if vector.quantity not in QUANTITIES:
            raise UnknownName("quantity", vector.quantity, QUANTITIES)
        quantity = QUANTITIES[vector.quantity](vector.given)
        return None if quantity is None else quantity * vector.scale
    score = _score(registry.scorers.find(vector.scorer)(vector.options), vector)
    value = score.figures.get(vector.figure) if vector.figure else score.value
    return None if value is None else value * vector.scale


def _score(scorer: AnyScorer, vector: Vector) -> Score:
    case = case_of(vector)
    if subject_of(scorer) == "passages":
        return cast(PassagesScorer, scorer)(case, found_of(vector))
    if subject_of(scorer) == "repeats":
        return cast(RepeatsScorer, scorer)(case, [answer_of(vector, text) for text in vector.answers])
    return cast(Scorer, scorer)(case, answer_of(vector, vector.answer))


def _compared(vector: Vector, value: float | None) -> tuple[State, str]:
    theirs = _is_near(value, vector.expected, vector.tolerance)
    if not vector.differs:
        why = "" if theirs else f"{_shown(value)} instead of {_shown(vector.expected)}"
        return ("agrees" if theirs else "differs"), why
    if _is_near(value, vector.ours, vector.tolerance) and not theirs:
        return "differs by design", vector.differs
    return "differs", f"{_shown(value)} instead of {_shown(vector.ours)}, which is ours by decision"


def _is_near(value: float | None, other: float | None, tolerance: float) -> bool:
    if value is None or other is None:
        return value is other
    return math.isclose(value, other, rel_tol=0, abs_tol=tolerance)


def _shown(value: float | None) -> str:
    return "no value" if value is None else f"{value:.10g}"


def by_source(checked: Sequence[Checked]) -> Iterator[tuple[Published, tuple[Checked, ...]]]:
    """Yield each source with what was checked of it."""
    for source in dict.fromkeys(each.source.name for each in checked):
        members = tuple(each for each in checked if each.source.name == source)
        yield members[0].source, members
