"""What a suite may say of a check: a row for it and for each filter before it."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import ConfigDict, Discriminator, Field, FiniteFloat, Tag

from gemma_eval.files.rows import ALTERNATIVE, Name, OptionValue, Row, Share
from gemma_eval.records import Options

_NAMED, _STEP, _STEPS = (
    f"{ALTERNATIVE}the name of a filter",
    f'{ALTERNATIVE}the name of a filter, or {{filter = "regex", …}}',
    f"{ALTERNATIVE}a list of filters",
)

Weight = Annotated[FiniteFloat, Field(ge=0, le=1_000_000)]


class FilterRow(Row):
    """`{filter = "regex", pattern = '(\\d+)'}`: all other keys are options of the filter."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, OptionValue]

    filter: Name | None = None

    @property
    def options(self) -> Options:
        """The keys beside `filter`."""
        return cast(Options, self.model_extra or {})


Step = Annotated[
    Annotated[Name, Tag(_NAMED)] | Annotated[FilterRow, Tag(_STEP)],
    Discriminator(lambda value: _NAMED if isinstance(value, str) else _STEP),
]
Steps = Annotated[list[Step], Field(min_length=1, max_length=100)]
"""Filters in the order in which they run."""
Pipeline = Annotated[
    Annotated[Step, Tag(_STEP)] | Annotated[Steps, Tag(_STEPS)],
    Discriminator(lambda value: _STEPS if isinstance(value, list) else _STEP),
]


class CheckRow(Row):
    """`{scorer = "contains", text = "Paris", pass_at = 1.0}`: all other keys are options of the scorer."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, OptionValue]

    scorer: Name | None = None
    pass_at: Share | None = None
    weight: Weight | None = None
    must_pass: bool | None = None
    negated: Annotated[bool | None, Field(alias="not")] = None
    filter: Pipeline | None = None

    @property
    def options(self) -> Options:
        """The keys that are none of those above."""
        return cast(Options, self.model_extra or {})
