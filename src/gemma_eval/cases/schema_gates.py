"""What a suite or a file of gates may say of a gate: a row for each of its tables."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, FiniteFloat, Tag

from gemma_eval.files.rows import ALTERNATIVE, Name, Row, Text
from gemma_eval.records import CaseKind, Percentile, Tier

_TEXT = f"{ALTERNATIVE}a text"
_SHARE, _QUANTITY = (
    f'{ALTERNATIVE}a share, as "5%" or 0.05',
    f'{ALTERNATIVE}a number, or a text with a unit, as "200 ms"',
)

Glob = Annotated[Text, Field(max_length=200)]
"""A name in which `*`, `?` and `[…]` stand for others."""


class WhereRow(Row):
    """`where = {tag = "rag", model = "pocket*"}`: globs of names, and the kind of a case."""

    suite: Glob | None = None
    case: Glob | None = None
    tag: Glob | None = None
    kind: CaseKind | None = None
    model: Glob | None = None
    profile: Glob | None = None
    template: Glob | None = None
    retrieval: Glob | None = None


def _fraction(number: float) -> float:
    if number >= 1:
        raise ValueError(f'is {number:g}, a growth by {number:.0%}; write "{number:g}%" or {number / 100:g}')
    return number


Tolerance = Annotated[
    Annotated[str, Tag(_TEXT)] | Annotated[FiniteFloat, Field(gt=0), AfterValidator(_fraction), Tag(_SHARE)],
    Discriminator(lambda value: _TEXT if isinstance(value, str) else _SHARE),
]
Quantity = Annotated[
    Annotated[str, Tag(_TEXT)] | Annotated[FiniteFloat, Tag(_QUANTITY)],
    Discriminator(lambda value: _TEXT if isinstance(value, str) else _QUANTITY),
]
Margin = Annotated[FiniteFloat, Field(gt=0, lt=1)]
Blocks = Annotated[int, Field(ge=2, le=200)]


class GateRow(Row):
    """`[[gate]]`."""

    id: Name | None = None
    metric: Text | None = None
    percentile: Percentile | None = None
    tolerance: Tolerance | None = None
    margin: Margin | None = None
    limit: Quantity | None = None
    tier: Tier | None = None
    where: WhereRow | None = None
    min_blocks: Blocks | None = None
    max_blocks: Blocks | None = None


class GatesFileRow(Row):
    """A whole gates file."""

    gate: list[GateRow] | None = None
