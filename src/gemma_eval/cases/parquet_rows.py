"""The rows of a Parquet file, which is read whole: its columns are packed in memory as they are on disk."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gemma_eval.errors import MissingDependency
from gemma_eval.files.read import ReadError
from gemma_eval.files.rows import show

if TYPE_CHECKING:
    from pyarrow import Table

_BLOCK = 1 << 20
_BATCH = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class ParquetRows:
    """Rows of a table of pyarrow."""

    table: Table
    columns: Sequence[str]
    sha256: str

    def __len__(self) -> int:
        return cast(int, self.table.num_rows)

    def line(self, index: int) -> int:
        """Return 0: there are no lines."""
        del index
        return 0

    def __getitem__(self, index: int) -> Mapping[str, object]:
        """Return a row as plain data: times as ISO 8601 writes them, a NaN as null. Raises ReadError."""
        (row,) = self.table.slice(index, 1).to_pylist()
        return _plain_row(row)

    def each(self) -> Iterator[Mapping[str, object]]:
        """Yield all rows in turn, which is faster than to ask for each. Raises ReadError."""
        for batch in self.table.to_batches(max_chunksize=_BATCH):
            yield from map(_plain_row, batch.to_pylist())


def parquet(path: Path) -> ParquetRows:
    """Return the rows of a file. Raises ReadError, MissingDependency."""
    try:
        import pyarrow
        from pyarrow.parquet import read_table
    except ImportError as error:
        raise MissingDependency("reading Parquet", extra="analysis") from error
    try:
        whole = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                whole.update(block)
        table = read_table(path, memory_map=True)
    except (OSError, pyarrow.ArrowException) as error:
        raise ReadError("cannot be read as Parquet") from error
    return ParquetRows(table=table, columns=tuple(table.column_names), sha256=whole.hexdigest())


def _plain_row(row: Mapping[str, object]) -> Mapping[str, object]:
    return {name: _plain(name, value) for name, value in row.items()}


def _plain(name: str, value: object) -> object:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and not math.isinf(value):
        return None if math.isnan(value) else value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list):
        return [_plain(name, item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(name, item) for key, item in value.items()}
    raise ReadError(f"has {show(repr(value))} in column {show(name)}, which no template can use")
