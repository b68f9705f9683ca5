"""The file of a dataset: its rows under the names that templates use, each with the name of its case."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from gemma_eval.cases.case import Reading
from gemma_eval.cases.dataset_rows import Rows, scan
from gemma_eval.cases.problems import note
from gemma_eval.cases.qrels import Qrels
from gemma_eval.cases.text_rows import Columns, Found
from gemma_eval.errors import suggestion
from gemma_eval.files import locate, rows
from gemma_eval.files.read import ReadError

_MOST_COLUMNS = 20
_LONGEST = 80
_NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9_.+-]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Naming:
    """How rows and columns are called: `columns` has names of templates with the columns they stand for."""

    file: str
    case: str
    columns: Mapping[str, str] = field(default_factory=dict)
    id_column: str | None = None
    cluster_column: str | None = None

    def column(self, name: str) -> str:
        """Return the column of the file that a name stands for."""
        return self.columns.get(name, name)

    def named(self, row: Columns) -> Columns:
        """Return a row under the names that templates use; columns keep their own names as well."""
        if not self.columns:
            return row
        return {**row, **{name: row[own] for name, own in self.columns.items() if own in row}}

    def name(self, index: int, row: Columns) -> str:
        """Return the id of the case of a row: by its column, or by its number in the file, from 1.

        What a name cannot hold becomes `-`. Raises ReadError when there is no id.
        """
        if self.id_column is None:
            return f"{self.case}-{index + 1}"
        value = row.get(self.column(self.id_column))
        if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
            raise ReadError(f"has no id: column {rows.show(self.id_column)} is {rows.show(value)}")
        return f"{self.case}-{_NOT_OF_A_NAME.sub('-', str(value))}"

    def query(self, row: Columns) -> str:
        """Return the id of a row as its column has it, what a file of judgements knows it by."""
        return str(row.get(self.column(self.id_column or "")))

    def cluster(self, row: Columns) -> str | None:
        """Return what the row shares with others, `None` when nothing is said of it."""
        if self.cluster_column is None:
            return None
        value = row.get(self.column(self.cluster_column))
        return None if value is None or value == "" else str(value)

    def where(self, index: int, source: Rows) -> str:
        """Return the place of a row, as `data/qa.jsonl:17`."""
        line = source.line(index)
        return f"{self.file}:{line}" if line else f"{self.file}: row {index + 1}"


@dataclass(kw_only=True, slots=True)
class RowCheck:
    """Looks at each row as the file is read: its id, its cluster, and the columns that are `needed`.

    `taken` are ids that no row may make. With `qrels` the rows that these judge are `judged`.
    """

    naming: Naming
    needed: frozenset[str]
    taken: Collection[str]
    qrels: Qrels | None = None
    judged: set[int] = field(default_factory=set)
    _count: int = 0
    _seen: dict[int, int] = field(default_factory=dict)
    _clusters: set[int] = field(default_factory=set)
    _lacking: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __call__(self, line: int, row: Columns) -> str | None:
        """Say what is wrong with a row; absent columns are only noted, for all rows may lack them."""
        self._count += 1
        for column in self.needed - row.keys():
            first, count = self._lacking.get(column, (line, 0))
            self._lacking[column] = first, count + 1
        if self.qrels is not None and self.qrels.has(self.naming.query(row)):
            self.judged.add(self._count - 1)
        cluster = self.naming.cluster(row)
        self._clusters.add(hash(("row", self._count) if cluster is None else cluster))
        id_column = self.naming.id_column
        return (
            None
            if id_column is not None and self.naming.column(id_column) not in row
            else self._id(line, row)
        )

    def clusters(self, rows: int) -> int:
        """Return how many data so many rows are at most, where those of one cluster are one."""
        return min(rows, len(self._clusters))

    def lacking(self, source: Rows) -> list[Found]:
        """Return what is to be said of columns that some rows have and some lack."""
        found = []
        for column, (line, count) in sorted(self._lacking.items()):
            if column in source.columns:
                more = f", and {count - 1:,} more rows lack it" if count > 1 else ""
                found.append(Found(line, f"has no column {rows.show(column)}{more}"))
        return found

    def _id(self, line: int, row: Columns) -> str | None:
        try:
            name = self.naming.name(self._count - 1, row)
        except ReadError as error:
            return error.what
        if flaw := rows.name_flaw(name):
            return f"makes an id that {flaw}"
        if name in self.taken:
            return f'makes a case "{name}", and there is one; choose another id for the case'
        first = self._seen.setdefault(hash(name), line)
        where = "row" if self.naming.file.endswith(".parquet") else "line"
        return None if first == line else f'makes a case "{name}" as {where} {first} does; ids are unique'


def open_rows(file: str, *, at: locate.Path, reading: Reading, check: RowCheck | None = None) -> Rows | None:
    """Read a file that a suite names at `at`, and note all that is wrong with it; `None` when it has no rows.

    A `check` looks at each row of a file whose rows become cases.
    """
    try:
        path = reading.folder.path_of(file)
        source, found = scan(path, visit=(lambda line, row: None) if check is None else check)
    except ReadError as error:
        where = f" in line {error.line}" if error.line else ""
        reading.problems.say(at, f"{at[-1]} {rows.show(file)}{where} {error.what}")
        return None
    reading.folder.sha256_of[file] = source.sha256
    note((*found, *(check.lacking(source) if check else ())), file=file, problems=reading.problems)
    return source


def unknown_column(name: str, naming: Naming, source: Rows) -> str | None:
    """Say that no row has the column of a name, `None` when one has it."""
    column = naming.column(name)
    if column in source.columns:
        return None
    known = [rows.show(each)[1:-1] for each in source.columns]
    near = suggestion(column[:_LONGEST], known)
    shown = ", ".join(known[:_MOST_COLUMNS]) + (", …" if len(known) > _MOST_COLUMNS else "")
    meant = near if near.startswith("; did") else ""
    return f"column {rows.show(column)} is not in {naming.file}; it has {shown}{meant}"
