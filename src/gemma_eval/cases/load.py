"""Read a suite file into a Suite, or say everything that is wrong with it at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from gemma_eval.cases import datasets, gates, haystack, retrievals
from gemma_eval.cases.case import Names, Reading
from gemma_eval.cases.checks import Checks, Look, Looked, steps
from gemma_eval.cases.documents import Folder
from gemma_eval.cases.problems import Problems
from gemma_eval.cases.row_cases import Compile
from gemma_eval.cases.schema import DefaultsRow, SuiteFileRow, SuiteRow
from gemma_eval.cases.schema_retrieval import RetrievalRow
from gemma_eval.errors import Problem, SuiteError
from gemma_eval.files import decode, read, rows
from gemma_eval.records import Case, Filter, RowCase, Suite

__all__ = ["Look", "Looked", "Names", "load"]


def as_it_is(name: str, text: str) -> str:
    """Take every text of a case for what it says: nothing is filled."""
    del name
    return text


def load(path: Path, *, names: Names, look: Look, compile_text: Compile = as_it_is) -> Suite:
    """Return the suite of a TOML file. Raises SuiteError with every problem of the file.

    `compile_text` makes templates of the texts of a case that has a dataset.
    """
    try:
        data = read.read_bytes(path)
        table, lines = decode.toml(read.decode(data))
    except read.ReadError as error:
        raise SuiteError([Problem(path=path, line=error.line, what=error.what)]) from error
    row, flaws = rows.check(SuiteFileRow, table)
    ids = {"case": [case.id for case in row.case or ()], "haystack": [each.id for each in row.haystack or ()]}
    problems = Problems(path=path, lines=lines, ids=ids)
    for flaw in flaws:
        gates.say_flaw(flaw, row.gate or (), problems)
    folder = Folder(path.parent)
    retrieval, named = retrievals.read(
        row.retrieval or RetrievalRow(), row.retrievals or {}, known=names.of_retrieval, problems=problems
    )
    reading = Reading(
        problems=problems,
        names=names,
        checks=Checks(
            problems=problems,
            look=look,
            models=names.models,
            pipelines=_pipelines(row, names, problems),
            stores=[way.name for way in (retrieval, *named.values()) if way.memory is not None],
        ),
        defaults=row.defaults or DefaultsRow(),
        folder=folder,
        retrievals=tuple(named),
    )
    name = _name(row.suite or SuiteRow(), problems)
    cases, of_rows = _cases(row, reading, table, compile_text)
    suite = Suite(
        name=name,
        path=str(path),
        description=(row.suite or SuiteRow()).description or "",
        seed=reading.defaults.seed or 0,
        retrieval=retrieval,
        retrievals=named,
        cases=cases,
        gates=gates.read(row.gate or (), problems, suite=name),
        sha256=_sha256(data, folder),
        rows=of_rows,
    )
    if not problems.found:
        gates.check_where(suite, names.models, problems)
    if problems.found:
        raise SuiteError(problems.found)
    return suite


def _pipelines(row: SuiteFileRow, names: Names, problems: Problems) -> Mapping[str, tuple[Filter, ...]]:
    """Return the named pipelines, and note one that would stand in a filter's place."""
    given = row.filters or {}
    for name in given:
        if name in names.filters:
            what = f'the pipeline "{name}" has the name of a filter; give it another one'
            problems.say(("filters", name), what)
    return {name: steps(each) for name, each in given.items()}


def _name(row: SuiteRow, problems: Problems) -> str:
    """Return the suite's name: the given one, or that of its file."""
    name = row.name or problems.path.name.removesuffix(".toml").removesuffix(".gemma")
    flaw = rows.name_flaw(name)
    if flaw and ("suite", "name") not in problems.flawed:
        problems.say(("suite",), f'the name of the file {flaw}; or write name = "…" below [suite]')
    return name


def _cases(
    row: SuiteFileRow, reading: Reading, table: Mapping[str, object], compile_text: Compile
) -> tuple[tuple[Case, ...], Mapping[str, Sequence[RowCase]]]:
    """Return the cases as they are written, and after them those that the haystacks make.

    Datasets make several of one, or give the cases of rows to one that stands for them.
    """
    problems = reading.problems
    reading.check_defaults()
    if not row.case and not row.haystack and not problems.flawed & {("case",), ("haystack",)}:
        problems.say((), "has no case; begin each one with [[case]]")
    _check_ids(problems)
    written: list[Case] = []
    of_rows: dict[str, Sequence[RowCase]] = {}
    for index, each in enumerate(row.case or ()):
        at = ("case", index)
        if each.dataset is None and (*at, "dataset") not in problems.flawed:
            written.append(reading.case(at, each))
            continue
        taken = {str(name) for name in problems.ids["case"]} | {case.id for case in written}
        raw = cast("Sequence[Mapping[str, object]]", table["case"])[index]
        spread = datasets.read(at, each, raw, reading, compile_text=compile_text, taken=taken)
        written += spread.cases
        if spread.rows:
            of_rows[spread.cases[0].id] = spread.rows
    return (*written, *_haystacks(row, reading, {case.id for case in written})), of_rows


def _haystacks(row: SuiteFileRow, reading: Reading, taken: set[str]) -> list[Case]:
    """Return the cases of the haystacks, and note one with an id that is taken."""
    problems = reading.problems
    seed = reading.defaults.seed or 0
    spread: list[Case] = []
    for index, each in enumerate(row.haystack or ()):
        at = ("haystack", index)
        made = haystack.cases(at, each, reading, seed=seed)
        twice = next((case.id for case in made if case.id in taken), None)
        if twice is not None:
            problems.say((*at, "id"), f'makes a case "{twice}", and there is one; choose another id')
        taken |= {case.id for case in made}
        spread += made
    return spread


def _check_ids(problems: Problems) -> None:
    """Note each case and haystack without an id, or with the id of one before it."""
    first: dict[str, str] = {}
    for table, ids in problems.ids.items():
        for index, name in enumerate(ids):
            at = (table, index, "id")
            if name is None:
                if at not in problems.flawed:
                    problems.say(at, 'needs an id, as id = "capital"')
            elif name in first:
                problems.say(at, f"has the id of the {first[name]}; ids are unique in a suite")
            else:
                first[name] = f"{table} in line {problems.lines.at(at)}"


def _sha256(data: bytes, folder: Folder) -> str:
    """Hash the bytes of a suite and of the files it names, each with its name and length or hash."""
    whole = hashlib.sha256(data)
    for name, content in sorted(folder.bytes_of.items()):
        whole.update(f"\0{name}\0{len(content)}\0".encode() + content)
    for name, sha256 in sorted(folder.sha256_of.items()):
        whole.update(f"\0{name}\0{sha256}".encode())
    return whole.hexdigest()
