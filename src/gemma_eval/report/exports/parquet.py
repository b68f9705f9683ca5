"""A run as Parquet: `outcomes.parquet` and `scores.parquet`, which pandas, DuckDB and Polars read."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from gemma_eval.errors import MissingDependency
from gemma_eval.records import Report
from gemma_eval.report.exports.files import ExportedFile
from gemma_eval.report.exports.rows import Kind, Table, Value, tables

if TYPE_CHECKING:
    import pyarrow


def parquet_files(report: Report) -> tuple[ExportedFile, ...]:
    """Return the same tables as CSV has, with a type for each column and texts as they are.

    A lone surrogate, which Parquet cannot hold, is written as its escape. Raises MissingDependency.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingDependency("export --format parquet", extra="analysis") from error
    files = []
    for table in tables(report):
        written = io.BytesIO()
        pyarrow.parquet.write_table(_arrow(table), written)
        files.append(ExportedFile(path=f"{table.name}.parquet", data=written.getvalue()))
    return tuple(files)


def _arrow(table: Table) -> pyarrow.Table:
    import pyarrow

    types: dict[Kind, pyarrow.DataType] = {
        "text": pyarrow.string(),
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
        "flag": pyarrow.bool_(),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in table.columns.items()])
    columns = [[_cell(row[name]) for row in table.rows] for name in table.columns]
    arrays = [pyarrow.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
    return pyarrow.Table.from_arrays(arrays, schema=schema)


def _cell(value: Value) -> Value:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
