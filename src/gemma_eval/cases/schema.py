"""What a suite file may say: a row for each of its tables."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import ConfigDict, Discriminator, Field, Tag

from gemma_eval.files.rows import ALTERNATIVE, Name, Names, OptionValue, Row, Seed, Share, Text
from gemma_eval.records import CaseKind, Options, Role

_PATH, _INLINE = f"{ALTERNATIVE}a path in quotes", f'{ALTERNATIVE}a path in quotes, or {{text = "…"}}'

Repeats = Annotated[int, Field(ge=1, le=10_000)]
Warmup = Annotated[int, Field(ge=0, le=1000)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000)]


class CheckRow(Row):
    """`{scorer = "contains", text = "Paris", pass_at = 1.0}`: all other keys are options of the scorer."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, OptionValue]

    scorer: Name | None = None
    pass_at: Share | None = None

    @property
    def options(self) -> Options:
        """The keys that are neither `scorer` nor `pass_at`."""
        return cast(Options, self.model_extra or {})


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
