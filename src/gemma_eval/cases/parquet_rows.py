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

from gemma_eval.cases.text_rows import HAS_NUL, MOST_BYTES, TOO_LARGE
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
        return plain_row(row)

    def each(self) -> Iterator[Mapping[str, object]]:
        """Yield all rows in turn as they are, not yet plain: that is faster than to ask for each."""
        for batch in self.table.to_batches(max_chunksize=_BATCH):
            yield from batch.to_pylist()


def parquet(path: Path) -> ParquetRows:
    """Return the rows of a file. Raises ReadError, MissingDependency."""
    try:
        import pyarrow
        from pyarrow.parquet import read_table
    except ImportError as error:
        raise MissingDependency("reading Parquet", extra="analysis") from error
    try:
        if path.exists() and not path.is_file():
            raise ReadError("is not a regular file")
        whole = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                whole.update(block)
        table = read_table(path, memory_map=True)
    except (OSError, pyarrow.ArrowException) as error:
        raise ReadError("cannot be read as Parquet") from error
    return ParquetRows(table=table, columns=tuple(table.column_names), sha256=whole.hexdigest())


def plain_row(row: Mapping[str, object]) -> Mapping[str, object]:
    """Return a row as plain data. Raises ReadError for what no template can use, and for too much of it."""
    texts: list[str] = []
    plain = {name: _plain(name, value, texts) for name, value in row.items()}
    if any("\0" in text for text in texts):
        raise ReadError(HAS_NUL)
    if sum(len(text.encode()) for text in texts) > MOST_BYTES:
        raise ReadError(TOO_LARGE)
    return plain


def _plain(name: str, value: object, texts: list[str]) -> object:
    """Return a value of a column as plain data, and note the texts in it."""
    if isinstance(value, str):
        texts.append(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and not math.isinf(value):
        return None if math.isnan(value) else value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list):
        return [_plain(name, item, texts) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(name, item, texts) for key, item in value.items()}
    raise ReadError(f"has {show(repr(value))} in column {show(name)}, which no template can use")
