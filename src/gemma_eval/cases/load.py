"""Read a suite file into a Suite, or say everything that is wrong with it at once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gemma_eval.cases import gates, haystack
from gemma_eval.cases.case import Names, Reading
from gemma_eval.cases.checks import Checks, Look, Looked, steps
from gemma_eval.cases.documents import Folder
from gemma_eval.cases.problems import Problems
from gemma_eval.cases.schema import DefaultsRow, RetrievalRow, SuiteFileRow, SuiteRow
from gemma_eval.errors import Problem, SuiteError
from gemma_eval.files import decode, read, rows
from gemma_eval.records import Case, Retrieval, Suite

__all__ = ["Look", "Looked", "Names", "load"]


def load(path: Path, *, names: Names, look: Look) -> Suite:
    """Return the suite of a TOML file. Raises SuiteError with every problem of the file."""
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
    reading = Reading(
        problems=problems,
        names=names,
        checks=Checks(
            problems=problems,
            look=look,
            models=names.models,
            pipelines={name: steps(given) for name, given in (row.filters or {}).items()},
        ),
        defaults=row.defaults or DefaultsRow(),
        folder=folder,
    )
    name = _name(row.suite or SuiteRow(), problems)
    suite = Suite(
        name=name,
        path=str(path),
        description=(row.suite or SuiteRow()).description or "",
        seed=reading.defaults.seed or 0,
        retrieval=_retrieval(row.retrieval or RetrievalRow(), names, problems),
        cases=_cases(row, reading),
        gates=gates.read(row.gate or (), problems, suite=name),
        sha256=_sha256(data, folder),
    )
    if not problems.found:
        gates.check_where(suite, names.models, problems)
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


def _cases(row: SuiteFileRow, reading: Reading) -> tuple[Case, ...]:
    """Return the cases as they are written, and after them those that the haystacks make."""
    problems = reading.problems
    reading.check_defaults()
    if not row.case and not row.haystack and not problems.flawed & {("case",), ("haystack",)}:
        problems.say((), "has no case; begin each one with [[case]]")
    _check_ids(problems)
    written = [reading.case(("case", index), each) for index, each in enumerate(row.case or ())]
    seed = reading.defaults.seed or 0
    for index, each in enumerate(row.haystack or ()):
        at = ("haystack", index)
        made = haystack.cases(at, each, reading, seed=seed)
        taken = {case.id for case in written}
        twice = next((case.id for case in made if case.id in taken), None)
        if twice is not None:
            problems.say((*at, "id"), f'makes a case "{twice}", and there is one; choose another id')
        written += made
    return tuple(written)


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
    """Hash the bytes of a suite and of the documents it names, each with its name and length."""
    whole = hashlib.sha256(data)
    for name, content in sorted(folder.bytes_of.items()):
        whole.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()
