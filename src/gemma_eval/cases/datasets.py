"""A case with a dataset becomes a case for each row, now or when it is asked; what is wrong is said before.

A small dataset is read row by row into cases as if each was written out. Of a large one the file is read
once to know its rows, and the first of them become cases to see what is wrong; the others do when they are
run.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

from gemma_eval.cases import few_shot
from gemma_eval.cases.case import Reading
from gemma_eval.cases.checks import unlooked
from gemma_eval.cases.dataset_rows import Rows
from gemma_eval.cases.problems import note
from gemma_eval.cases.qrels import Qrels
from gemma_eval.cases.row_cases import Compile, RowReading, RowTemplate, Table, Wrong, templates
from gemma_eval.cases.row_source import Naming, RowCheck, open_rows, unknown_column
from gemma_eval.cases.schema import CaseRow
from gemma_eval.cases.schema_datasets import DatasetRow, dataset_row
from gemma_eval.cases.text_rows import Found
from gemma_eval.errors import UsageError
from gemma_eval.files import locate, rows
from gemma_eval.files.read import ReadError
from gemma_eval.records import Case, Dataset, RowCase

MOST_ITEMS = 2_000
"""With more rows a dataset is one item of pytest, unless the suite says otherwise."""
LOOKED_AT = 100
"""So many rows of such a dataset become cases when it is collected."""

_STAND_INS = ["a", "b"]
_OF_DATASET = ("dataset", "few_shot", "qrels")


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """The cases of one dataset: one for each row, or a single one that stands for those of `rows`."""

    cases: tuple[Case, ...] = ()
    rows: Sequence[RowCase] = ()


@dataclass(frozen=True, kw_only=True)
class DatasetCases(Sequence[RowCase]):
    """The cases of the rows that are asked, each made of the file when it is asked for."""

    source: Rows
    order: Sequence[int]
    reading: RowReading
    naming: Naming
    qrels: Qrels | None = None

    def __len__(self) -> int:
        """Return how many rows are asked."""
        return len(self.order)

    @overload
    def __getitem__(self, index: int) -> RowCase: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[RowCase, ...]: ...
    def __getitem__(self, index: int | slice) -> RowCase | tuple[RowCase, ...]:
        """Return the case of a row. Raises UsageError when the file is no longer as it was."""
        if isinstance(index, slice):
            return tuple(self[each] for each in range(*index.indices(len(self))))
        case, wrong = self.read(index)
        where = self.naming.where(self.order[index], self.source)
        return RowCase(case=case, flaw=f"{where}: {wrong[0][1]}" if wrong else None)

    def read(self, index: int) -> tuple[Case, tuple[Wrong, ...]]:
        """Return the case of a row and all that is wrong with it. Raises UsageError."""
        number = self.order[index]
        try:
            row = self.source[number]
            name = self.naming.name(number, row)
        except ReadError as error:
            raise UsageError(f"{self.naming.file} {error.what}; start again") from error
        judged = None if self.qrels is None else self.qrels.of.get(self.naming.query(row), ())
        case, wrong = self.reading.case(self.naming.named(row), name=name, relevant=judged)
        cluster = self.naming.cluster(row)
        return case if cluster is None else replace(case, cluster=cluster), wrong


def read(
    at: locate.Path,
    row: CaseRow,
    table: Table,
    reading: Reading,
    *,
    compile_text: Compile,
    taken: Collection[str],
) -> Spread:
    """Return the cases of the case with a dataset at a place of the suite; none after a problem.

    `taken` are the ids of the other cases.
    """
    problems, given = reading.problems, dataset_row(row.dataset or DatasetRow())
    before = len(problems.found)
    _check(at, row, given, reading)
    found = templates(table, compile_text, say=lambda where, what: problems.say((*at, *where), what))
    naming = Naming(
        file=given.path or "",
        case=row.id or "",
        columns=given.columns or {},
        id_column=given.id_column,
        cluster_column=given.cluster_column,
    )
    if given.path is None:
        return Spread()
    qrels = reading.qrels(at, row)
    source, check = _open(at, found, naming, reading, taken, qrels=qrels)
    if source is None or len(problems.found) > before or problems.flawed & {at}:
        return Spread()
    shots = few_shot.read(at, row, source, naming, reading, compile_text)
    if len(problems.found) > before:
        return Spread()
    order = _order(at, row, source, shots, reading, check=check)
    if len(problems.found) > before:
        return Spread()
    plain = {key: value for key, value in table.items() if key not in _OF_DATASET}
    row_reading = RowReading(
        at=at,
        table={"series": row.id, **plain},
        reading=reading,
        templates=found,
        shots=shots.turns,
        before=shots.text,
    )
    cases = DatasetCases(source=source, order=order, reading=row_reading, naming=naming, qrels=qrels)
    return _spread(at, cases, given, reading, clusters=check.clusters(len(order)))


def _check(at: locate.Path, row: CaseRow, given: DatasetRow, reading: Reading) -> None:
    """Note what is wrong with the case whatever a row says, and what does not go together."""
    problems = reading.problems
    stand_ins = {
        "choices": None if row.choices is None else _STAND_INS,
        "target": None if row.target is None else 0,
        "qrels": None,
    }
    unseen = replace(reading, checks=replace(reading.checks, look=unlooked))
    unseen.case(at, row.model_copy(update=stand_ins))
    if given.path is None and not problems.flawed & {(*at, "dataset"), (*at, "dataset", "path")}:
        problems.say((*at, "dataset"), 'dataset needs a path, as path = "data/qa.jsonl"')
    if row.cluster is not None and given.cluster_column is not None:
        problems.say((*at, "cluster"), "has both cluster and dataset.cluster_column; give one of them")
    if row.qrels is not None and given.id_column is None:
        what = 'qrels judges queries by their ids; name the column of these, as dataset.id_column = "id"'
        problems.say((*at, "qrels"), what)
    if given.seed is not None and not given.shuffle:
        problems.say((*at, "dataset", "seed"), "dataset.seed is for shuffle = true")


def _open(
    at: locate.Path,
    found: Mapping[locate.Path, RowTemplate],
    naming: Naming,
    reading: Reading,
    taken: Collection[str],
    *,
    qrels: Qrels | None,
) -> tuple[Rows | None, RowCheck]:
    """Read the file, and note each column that is asked for and not in it."""
    places = {name: place for place, template in found.items() for name in template.needed}
    needed = map(naming.column, [*places, *filter(None, [naming.id_column])])
    check = RowCheck(naming=naming, needed=frozenset(needed), taken=taken, qrels=qrels)
    source = open_rows(naming.file, at=(*at, "dataset"), reading=reading, check=check)
    if source is None or not source.columns:
        return source, check
    asked = {name: place for name, place in places.items() if name not in naming.columns}
    asked |= {name: ("dataset", "columns", name) for name in naming.columns}
    for key in ("id_column", "cluster_column"):
        if (name := getattr(naming, key)) is not None:
            asked[name] = ("dataset", key)
    for name, place in asked.items():
        if what := unknown_column(name, naming, source):
            reading.problems.say((*at, *place), f"{rows.dotted(place)}: {what}")
    return source, check


def _order(
    at: locate.Path,
    row: CaseRow,
    source: Rows,
    shots: few_shot.Examples,
    reading: Reading,
    *,
    check: RowCheck,
) -> Sequence[int]:
    """Return which rows are asked, in their order: none that is an example, or that judgements leave out."""
    given = dataset_row(row.dataset or DatasetRow())
    seed = given.seed if given.seed is not None else reading.defaults.seed or 0
    every = few_shot.shuffled(len(source), seed=seed) if given.shuffle else range(len(source))
    left = (index for index in every if index not in shots.rows)
    judged = left if check.qrels is None else (index for index in left if index in check.judged)
    asked = array("Q", judged)[: given.limit]
    if not asked and check.qrels is not None and not check.judged:
        first = rows.show(next(iter(check.qrels.of)))
        what = (
            f"{row.qrels} has nothing that is relevant to a row of {given.path}; its first query is {first}"
        )
        reading.problems.say((*at, "qrels"), what)
    elif not asked:
        what = f"all rows of {given.path} are examples of few_shot, so that none is asked; give a smaller n"
        reading.problems.say((*at, "few_shot"), what)
    return asked


def _spread(
    at: locate.Path, cases: DatasetCases, given: DatasetRow, reading: Reading, *, clusters: int
) -> Spread:
    """Make cases of the rows, or of the first ones, and note what is wrong with each."""
    by_rows = len(cases) <= MOST_ITEMS if given.granularity is None else given.granularity == "row"
    made = []
    wrong: dict[Wrong, list[int]] = {}
    n = len(cases) if by_rows else min(len(cases), LOOKED_AT)
    for index in range(n):
        case, flaws = cases.read(index)
        made.append(case)
        for flaw in flaws:
            wrong.setdefault(flaw, []).append(cases.order[index])
    if wrong:
        _note_wrong(at, wrong, n, cases, reading)
        return Spread()
    if by_rows:
        return Spread(cases=tuple(made))
    dataset = Dataset(
        path=given.path or "", rows=len(cases), clusters=clusters, concurrency=given.concurrency or 1
    )
    whole = replace(made[0], id=cases.naming.case, dataset=dataset, cluster=None)
    return Spread(cases=(whole,), rows=cases)


def _note_wrong(
    at: locate.Path, wrong: Mapping[Wrong, Sequence[int]], n: int, cases: DatasetCases, reading: Reading
) -> None:
    """Note what is wrong with rows: at the line of the row, or of the suite where it is so with every row."""
    found = []
    for (place, what), numbers in wrong.items():
        if len(numbers) == n > 1:
            reading.problems.say(place, what)
            continue
        more = f" (and so in {len(numbers) - 1:,} more rows)" if len(numbers) > 1 else ""
        line = cases.source.line(numbers[0])
        row = "" if line else f"row {numbers[0] + 1}: "
        found.append(Found(line, f'{row}case "{cases.naming.case}": {what}{more}'))
    note(found, file=cases.naming.file, problems=reading.problems)
