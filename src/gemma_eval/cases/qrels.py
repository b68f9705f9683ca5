"""Judgements of a whole collection: for each query the passages that bear on it, as TREC and BEIR write them.

    301 0 FR940202-2-00150 1            TREC: query, iteration, passage, grade, with space between them
    query-id  corpus-id  score          BEIR: query, passage, grade, with tabs between them, and a header

Lines that begin with # are comments. A grade below 0, which TREC gives to what nobody looked at, is 0.
Source: usnistgov/trec_eval, `get_qrels.c` and README; beir-cellar/beir, `qrels/test.tsv`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from gemma_eval.cases.documents import Folder
from gemma_eval.cases.problems import Problems, note
from gemma_eval.cases.text_rows import Found, opened
from gemma_eval.files import locate
from gemma_eval.files.read import ReadError
from gemma_eval.files.rows import show
from gemma_eval.records import Judgement

MOST_BYTES = 256 << 20
"""The largest file; the judgements of MS MARCO take 10 MB."""
MOST_GRADE = 1000
_MOST_LINE = 10_000
_HEADER = ("query-id", "corpus-id", "score")


@dataclass(frozen=True, kw_only=True, slots=True)
class Qrels:
    """The judgements of each query, in the order of the file, and the hash of that."""

    of: Mapping[str, tuple[Judgement, ...]]
    sha256: str

    def has(self, query: str) -> bool:
        """Return whether something is relevant to a query."""
        return any(each.grade > 0 for each in self.of.get(query, ()))


def read(path: Path) -> tuple[Qrels, tuple[Found, ...]]:
    """Read the judgements of a file, and what is wrong with its lines. Raises ReadError."""
    found: list[Found] = []
    judged: dict[str, dict[str, int]] = {}
    lines: dict[tuple[str, str], int] = {}
    whole = hashlib.sha256()
    for number, text in _lines(path, whole):
        try:
            query, passage, grade = _judgement(text)
        except ReadError as error:
            found.append(Found(number, error.what))
            continue
        if grade is None:
            if lines:
                found.append(Found(number, "is a header, and belongs before all judgements"))
            continue
        first = lines.setdefault((query, passage), number)
        if first != number:
            found.append(
                Found(number, f"judges {show(passage)} for query {show(query)} as line {first} does")
            )
        judged.setdefault(query, {})[passage] = grade
    if not judged and not found:
        raise ReadError("has no judgements")
    return Qrels(of=_records(judged), sha256=whole.hexdigest()), tuple(found)


def open_qrels(
    file: str,
    *,
    at: locate.Path,
    folder: Folder,
    problems: Problems,
    known: MutableMapping[str, Qrels | None],
) -> Qrels | None:
    """Read a file that a suite names at `at`, once, and note what is wrong with it; then there is `None`."""
    if file not in known:
        known[file] = None
        try:
            judged, found = read(folder.path_of(file))
        except ReadError as error:
            where = f" in line {error.line}" if error.line else ""
            problems.say(at, f"qrels {show(file)}{where} {error.what}")
        else:
            folder.sha256_of[file] = judged.sha256
            note(found, file=file, problems=problems)
            known[file] = None if found else judged
    if known[file] is None:
        problems.flawed.add(at)
    return known[file]


def of_query(query: str, judged: Qrels, *, at: locate.Path, problems: Problems) -> tuple[Judgement, ...]:
    """Return the judgements of the query with the id of a case, and note where nothing is relevant to it."""
    if not judged.has(query):
        problems.say(at, f"qrels has nothing that is relevant to a query {show(query)}, the id of the case")
        problems.flawed.add(at)
    return judged.of.get(query, ())


def _records(judged: Mapping[str, Mapping[str, int]]) -> dict[str, tuple[Judgement, ...]]:
    return {
        query: tuple(Judgement(passage=passage, grade=grade) for passage, grade in of.items())
        for query, of in judged.items()
    }


def _lines(path: Path, whole: hashlib._Hash) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, with their numbers, and hash all of the file. Raises ReadError."""
    with opened(path) as file:
        size = number = 0
        while raw := file.readline(_MOST_LINE + 1):
            number, size = number + 1, size + len(raw)
            whole.update(raw)
            if len(raw) > _MOST_LINE:
                raise ReadError(f"is longer than {_MOST_LINE:,} bytes, and no judgement", line=number)
            if size > MOST_BYTES:
                raise ReadError(f"is larger than {MOST_BYTES >> 20} MB; leave out what is not asked")
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise ReadError("is not UTF-8 here; save it as UTF-8", line=number) from error
            if text.strip() and not text.startswith("#"):
                yield number, text


def _judgement(text: str) -> tuple[str, str, int | None]:
    """Return query, passage and grade of a line; a header has none. Raises ReadError."""
    tabbed = text.count("\t") == 2
    cells = tuple(cell.strip() for cell in text.split("\t")) if tabbed else tuple(text.split())
    if cells == _HEADER:
        return "", "", None
    if tabbed:
        query, passage, grade = cells
    elif len(cells) == 4:
        query, _, passage, grade = cells
    else:
        wanted = '"query 0 passage grade", or query, passage and grade with tabs between them'
        raise ReadError(f"has {len(cells)} columns; a judgement is {wanted}")
    if not query or not passage:
        raise ReadError(f"has no {'passage' if query else 'query'}")
    if not _is_whole(grade) or int(grade) > MOST_GRADE:
        raise ReadError(f"has the grade {show(grade)}; it should be a whole number of at most {MOST_GRADE}")
    return query, passage, max(int(grade), 0)


def _is_whole(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdecimal() and len(digits) <= 9
