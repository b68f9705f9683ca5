"""What a suite file may say: a row for each of its tables."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator, Discriminator, Field, FiniteFloat, PlainValidator, Tag

from gemma_eval.cases.schema_checks import CheckRow, Pipeline
from gemma_eval.cases.schema_datasets import DatasetTable, FewShotRow
from gemma_eval.cases.schema_gates import GatesFileRow
from gemma_eval.cases.schema_retrieval import CachingRow, Judgements, RetrievalRow
from gemma_eval.cases.schema_variables import Now, Variables
from gemma_eval.files.rows import (
    ALTERNATIVE,
    Name,
    Names,
    Row,
    Seed,
    Share,
    Text,
    show,
)
from gemma_eval.records import Arrival, CaseKind, Reduction, Role

_INDEX, _CHOICE = (
    f"{ALTERNATIVE}an index from 0, a letter, or the text of a choice",
    f"{ALTERNATIVE}the text of a choice, its letter, or its index from 0",
)
_CHOICES, _EXPRESSION = (
    f'{ALTERNATIVE}a list of texts, as ["Oslo", "Rome"]',
    f'{ALTERNATIVE}an expression that gives the list, as "{{{{ options }}}}"',
)
_PATH, _INLINE = f"{ALTERNATIVE}a path in quotes", f'{ALTERNATIVE}a path in quotes, or {{text = "…"}}'

T = TypeVar("T")

Repeats = Annotated[int, Field(ge=1, le=10_000)]
Warmup = Annotated[int, Field(ge=0, le=1000)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000)]
InFlight = Annotated[int, Field(ge=1, le=1024)]
"""How many requests there may be at once, each of which takes a thread."""
Rate = Annotated[FiniteFloat, Field(ge=0.001, le=100_000)]
Edge = Annotated[int, Field(ge=0, le=10_000)]
Limit = Annotated[FiniteFloat, Field(gt=0)]

NeedleValue = str | int
"""What a needle of a haystack may say under a name."""


def _needle_value(value: object) -> NeedleValue:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    raise ValueError(f"is {show(value)}; it should be a text or a whole number")


def _needle(needle: dict[str, NeedleValue]) -> dict[str, NeedleValue]:
    if not needle:
        raise ValueError('is empty; it should name texts, as {name = "Finn"}')
    for name in needle:
        if not (name.isidentifier() and name.isascii()) or name == "haystack":
            raise ValueError(f"has the key {show(name)}; use letters, digits and _, and not haystack")
    return needle


def _once(items: list[T]) -> list[T]:
    if not items:
        raise ValueError("is an empty list; give at least one")
    repeated = [item for item in items if items.count(item) > 1]
    if repeated:
        raise ValueError(f"has {show(repeated[0])} more than once")
    return items


NeedleRow = Annotated[
    dict[str, Annotated[NeedleValue, PlainValidator(_needle_value)]], AfterValidator(_needle)
]
Needles = Annotated[list[NeedleRow], Field(max_length=1000), AfterValidator(_once)]
Lengths = Annotated[list[Tokens], Field(max_length=1000), AfterValidator(_once)]
Depths = Annotated[list[Share], Field(max_length=1000), AfterValidator(_once)]
ChoiceTexts = Annotated[
    Annotated[list[Text], Field(min_length=2, max_length=1000), AfterValidator(_once), Tag(_CHOICES)]
    | Annotated[Text, Tag(_EXPRESSION)],
    Discriminator(lambda value: _EXPRESSION if isinstance(value, str) else _CHOICES),
]
"""Several choices, or the one expression that gives them where the case has a dataset."""
Target = Annotated[
    Annotated[int, Field(ge=0, le=999), Tag(_INDEX)] | Annotated[Text, Tag(_CHOICE)],
    Discriminator(lambda value: _CHOICE if isinstance(value, str) else _INDEX),
]
"""The right one of several choices: its index from 0, its letter from A, or its text."""


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


class LoadRow(Row):
    """`load = {concurrency = 4}`, a closed loop, or `load = {rate_per_s = 5.0}`, an open one."""

    concurrency: InFlight | None = None
    rate_per_s: Rate | None = None
    arrival: Arrival | None = None
    max_in_flight: InFlight | None = None
    warmup: Edge | None = None
    cooldown: Edge | None = None


class SloRow(Row):
    """`slo = {ttft_s = 0.5, tpot_s = 0.05}`: the most that a latency may be, by its name in `Measurement`."""

    ttft_s: Limit | None = None
    ttft_sched_s: Limit | None = None
    ttfo_s: Limit | None = None
    time_to_first_chunk_s: Limit | None = None
    queue_delay_s: Limit | None = None
    tpot_s: Limit | None = None
    ntpot_s: Limit | None = None
    e2e_s: Limit | None = None
    e2e_sched_s: Limit | None = None
    operation_duration_s: Limit | None = None
    max_stall_s: Limit | None = None
    may_miss: Names | None = None


class Choices(Row):
    """What `[defaults]` gives to every case and a `[[case]]` may give for itself."""

    kind: CaseKind | None = None
    tags: Names | None = None
    repeats: Repeats | None = None
    warmup: Warmup | None = None
    max_tokens: Tokens | None = None
    ignore_eos: bool | None = None
    models: Names | None = None
    profiles: Names | None = None
    templates: Names | None = None
    reduce: Reduction | None = None
    k: Repeats | None = None
    corpus: Text | None = None
    retrievals: Names | None = None
    cache: CachingRow | None = None
    now: Now | None = None
    load: LoadRow | None = None
    slo: SloRow | None = None


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
    check: list[CheckRow] | None = None
    cluster: Text | None = None
    continuation: Text | None = None
    choices: ChoiceTexts | None = None
    target: Target | None = None
    delimiter: str | None = None
    series: Name | None = None
    variables: Variables | None = None
    relevant: Judgements | None = None
    qrels: Text | None = None
    dataset: DatasetTable | None = None
    few_shot: FewShotRow | None = None


class HaystackRow(Choices):
    """`[[haystack]]`: a case for each needle at each depth of each length."""

    id: Name | None = None
    prompt: Text | None = None
    needle: Text | None = None
    needles: Needles | None = None
    hay: Text | None = None
    lengths: Lengths | None = None
    depths: Depths | None = None
    checks: list[CheckRow] | None = None
    continuation: Text | None = None


class SuiteRow(Row):
    """`[suite]`."""

    name: Name | None = None
    description: str | None = None


class SuiteFileRow(GatesFileRow):
    """A whole suite file."""

    suite: SuiteRow | None = None
    defaults: DefaultsRow | None = None
    retrieval: RetrievalRow | None = None
    retrievals: dict[str, RetrievalRow] | None = None
    filters: dict[Name, Pipeline] | None = None
    case: list[CaseRow] | None = None
    haystack: list[HaystackRow] | None = None
