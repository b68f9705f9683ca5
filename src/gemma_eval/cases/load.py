"""Read a suite file into a Suite, or say everything that is wrong with it at once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gemma_eval.cases.case import CheckProblem, Names, Reading
from gemma_eval.cases.documents import Folder
from gemma_eval.cases.problems import Problems
from gemma_eval.cases.schema import CaseRow, DefaultsRow, RetrievalRow, SuiteFileRow, SuiteRow
from gemma_eval.errors import Problem, SuiteError
from gemma_eval.files import decode, read, rows
from gemma_eval.records import Case, Retrieval, Suite

__all__ = ["CheckProblem", "Names", "load"]


def load(path: Path, *, names: Names, check_problem: CheckProblem) -> Suite:
    """Return the suite of a TOML file. Raises SuiteError with every problem of the file."""
    try:
        data = read.read_bytes(path)
        table, lines = decode.toml(read.decode(data))
    except read.ReadError as error:
        raise SuiteError([Problem(path=path, line=error.line, what=error.what)]) from error
    row, flaws = rows.check(SuiteFileRow, table)
    problems = Problems(path=path, lines=lines, case_ids=[case.id for case in row.case or ()])
    for flaw in flaws:
        problems.say_flaw(flaw)
    folder = Folder(path.parent)
    reading = Reading(
        problems=problems,
        names=names,
        check_problem=check_problem,
        defaults=row.defaults or DefaultsRow(),
        folder=folder,
    )
    suite = Suite(
        name=_name(row.suite or SuiteRow(), problems),
        path=str(path),
        description=(row.suite or SuiteRow()).description or "",
        seed=reading.defaults.seed or 0,
        retrieval=_retrieval(row.retrieval or RetrievalRow(), names, problems),
        cases=_cases(row.case or (), reading),
        sha256=_sha256(data, folder),
    )
    if problems.found:
        raise SuiteError(problems.found)
    return suite


def _name(row: SuiteRow, problems: Problems) -> str:
    """Return the suite's name: the given one, or that of its file."""
    name = row.name or problems.path.name.removesuffix(".toml").removesuffix(".gemma")
    flaw = rows.name_flaw(name)
    if flaw and ("suite", "name") not in problems.flawed:
        problems.say(("suite",), f'the name of the file {flaw}; or write name = "…" below [suite]')
    return name


def _retrieval(row: RetrievalRow, names: Names, problems: Problems) -> Retrieval:
    if row.retriever is not None and row.retriever not in names.retrievers:
        at = ("retrieval", "retriever")
        problems.say(at, rows.unknown("retriever", row.retriever, names.retrievers))
    return Retrieval(**row.model_dump(exclude_none=True))


def _cases(given: list[CaseRow] | tuple[()], reading: Reading) -> tuple[Case, ...]:
    problems = reading.problems
    reading.check_defaults()
    if not given and ("case",) not in problems.flawed:
        problems.say((), "has no case; begin each one with [[case]]")
    first: dict[str, int] = {}
    for index, row in enumerate(given):
        at = ("case", index, "id")
        if row.id is None:
            if at not in problems.flawed:
                problems.say(at, 'needs an id, as id = "capital"')
        elif row.id in first:
            problems.say(at, f"has the id of the case in line {first[row.id]}; ids are unique in a suite")
        else:
            first[row.id] = problems.lines.at(at)
    return tuple(reading.case(("case", index), row) for index, row in enumerate(given))


def _sha256(data: bytes, folder: Folder) -> str:
    """Hash the bytes of a suite and of the documents it names, each with its name and length."""
    whole = hashlib.sha256(data)
    for name, content in sorted(folder.bytes_of.items()):
        whole.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()
