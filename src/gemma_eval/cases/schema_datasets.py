"""What a suite file may say of the rows that a case is asked with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from gemma_eval.files.rows import ALTERNATIVE, Row, Seed, Text, show

_PATH, _TABLE = f"{ALTERNATIVE}a path in quotes", f'{ALTERNATIVE}a path in quotes, or {{path = "…"}}'

Granularity = Literal["row", "dataset"]
"""Whether each row is an item of pytest, or all of them together are one."""


def _named(columns: dict[str, str]) -> dict[str, str]:
    for name in columns:
        if not (name.isidentifier() and name.isascii()):
            raise ValueError(f"has the key {show(name)}; use letters, digits and _")
    return columns


class DatasetRow(Row):
    """`[case.dataset]`: the file, which of its rows are asked, and how they are run."""

    path: Text | None = None
    columns: Annotated[dict[str, Text] | None, AfterValidator(lambda given: given and _named(given))] = None
    limit: Annotated[int, Field(ge=1)] | None = None
    shuffle: bool | None = None
    seed: Seed | None = None
    id_column: Text | None = None
    cluster_column: Text | None = None
    granularity: Granularity | None = None
    concurrency: Annotated[int, Field(ge=1, le=1024)] | None = None


class FewShotRow(Row):
    """`[case.few_shot]`: examples that are shown before each question, the same for every row."""

    path: Text | None = None
    n: Annotated[int, Field(ge=1, le=1000)] | None = None
    seed: Seed | None = None
    prompt: Text | None = None
    answer: Text | None = None
    form: Annotated[Literal["turns", "text"] | None, Field(alias="as")] = None
    separator: str | None = None


DatasetTable = Annotated[
    Annotated[Text, Tag(_PATH)] | Annotated[DatasetRow, Tag(_TABLE)],
    Discriminator(lambda value: _PATH if isinstance(value, str) else _TABLE),
]
"""`dataset = "data/qa.jsonl"`, or a table with that path and more."""


def dataset_row(given: str | DatasetRow) -> DatasetRow:
    """Return the table of a dataset, also where only its path is given."""
    return DatasetRow(path=given) if isinstance(given, str) else given
