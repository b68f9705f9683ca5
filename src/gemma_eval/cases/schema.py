"""What a suite file may say: a row for each of its tables."""

from __future__ import annotations

import math
from typing import Annotated, cast

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag

from gemma_eval.files.rows import ALTERNATIVE, Name, Names, Row, Seed, Share, Text, show
from gemma_eval.records import CaseKind, Role

_PATH, _INLINE = f"{ALTERNATIVE}a path in quotes", f'{ALTERNATIVE}a path in quotes, or {{text = "…"}}'
_LARGEST_WHOLE = 2**63 - 1

Repeats = Annotated[int, Field(ge=1, le=10_000)]
Warmup = Annotated[int, Field(ge=0, le=1000)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000)]


def _option(value: object) -> object:
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | bool | int | float) for item in items):
        raise ValueError(f"is {show(value)}; an option is a text, a number, true, false or a list of these")
    if any(isinstance(item, int) and abs(item) > _LARGEST_WHOLE for item in items):
        raise ValueError("is too large a number")
    if any(isinstance(item, float) and not math.isfinite(item) for item in items):
        raise ValueError(f"is {show(value)}; it should be finite")
    return value


class CheckRow(Row):
    """`{scorer = "contains", text = "Paris", pass_at = 1.0}`: all other keys are options of the scorer."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[object, AfterValidator(_option)]]

    scorer: Name | None = None
    pass_at: Share | None = None


class MessageRow(Row):
    """One turn: `{role = "user", content = "…"}`."""

    role: Role | None = None
    content: Text | None = None


class InlineDocument(Row):
    """A document written in the suite itself: `{name = "people", text = "…"}`."""

    name: Text | None = None
    text: Text | None = None


def _is_path(value: object) -> str:
    return _PATH if isinstance(value, str) else _INLINE


DocumentRow = Annotated[
    Annotated[Text, Tag(_PATH)] | Annotated[InlineDocument, Tag(_INLINE)], Discriminator(_is_path)
]


class Choices(Row):
    """What `[defaults]` gives to every case and a `[[case]]` may give for itself."""

    kind: CaseKind | None = None
    tags: Names | None = None
    repeats: Repeats | None = None
    warmup: Warmup | None = None
    max_tokens: Tokens | None = None
    models: Names | None = None
    profiles: Names | None = None
    templates: Names | None = None


class DefaultsRow(Choices):
    """`[defaults]`."""

    seed: Seed | None = None


class CaseRow(Choices):
    """`[[case]]`."""

    id: Name | None = None
    prompt: Text | None = None
    messages: list[MessageRow] | None = None
    documents: list[DocumentRow] | None = None
    checks: list[CheckRow] | None = None
    cluster: Text | None = None


class SuiteRow(Row):
    """`[suite]`."""

    name: Name | None = None
    description: str | None = None


class RetrievalRow(Row):
    """`[retrieval]`."""

    retriever: Name | None = None
    top_k: Annotated[int, Field(ge=1, le=1000)] | None = None
    budget_tokens: Tokens | None = None


class SuiteFileRow(Row):
    """A whole suite file."""

    suite: SuiteRow | None = None
    defaults: DefaultsRow | None = None
    retrieval: RetrievalRow | None = None
    case: list[CaseRow] | None = None


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of a suite file, for editors that complete and check TOML."""
    return cast(dict[str, object], SuiteFileRow.model_json_schema())
