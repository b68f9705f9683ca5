"""Examples that go before a question: a fixed few rows of a file, the same ones for every question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from gemma_eval.cases.case import Reading
from gemma_eval.cases.dataset_rows import Rows
from gemma_eval.cases.problems import note
from gemma_eval.cases.row_cases import Compile, RowTemplate
from gemma_eval.cases.row_source import Naming, open_rows, unknown_column
from gemma_eval.cases.schema import CaseRow
from gemma_eval.cases.schema_datasets import FewShotRow
from gemma_eval.cases.text_rows import Columns, Found
from gemma_eval.errors import TemplateError
from gemma_eval.files import locate
from gemma_eval.records import Message

SEPARATOR = "\n\n"
"""What follows each example that is given as text, where the suite does not say."""

_NEEDED = {"path": '"data/train.jsonl"', "n": "3", "answer": '"{{ answer }}"', "prompt": '"{{ question }}"'}

Piece = str | RowTemplate
Pair = tuple[str, str]
"""A question and its answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Examples:
    """Examples as turns, or as one text that goes before the question; one of the two is empty.

    `rows` are those of the file that is asked, which may not be asked themselves.
    """

    turns: tuple[Message, ...] = ()
    text: str = ""
    rows: frozenset[int] = frozenset()


def shuffled(n: int, *, seed: int) -> list[int]:
    """Return the numbers from 0 to n - 1 in an order that follows from the seed on every machine."""
    return sorted(range(n), key=lambda index: sha256(f"{seed}/{index}".encode()).digest())


def read(
    at: locate.Path, case: CaseRow, asked: Rows, naming: Naming, reading: Reading, compile_text: Compile
) -> Examples:
    """Return the examples of a case whose questions are rows of `asked`; none after a problem."""
    row, problems, place = case.few_shot, reading.problems, (*at, "few_shot")
    if row is None:
        return Examples()
    before = len(problems.found)
    pieces = _pieces(place, row, case, reading, compile_text)
    if len(problems.found) > before or row.path is None:
        return Examples()
    source = asked
    if row.path != naming.file:
        found = open_rows(row.path, at=(*place, "path"), reading=reading)
        if found is None or len(problems.found) > before:
            return Examples()
        source = found
    own = source.sha256 == asked.sha256  # another path, a link or a copy gives the answers away as well
    naming = Naming(file=row.path, case=naming.case, columns=naming.columns)
    _check(place, row, source, pieces, naming, reading)
    if len(problems.found) > before:
        return Examples()
    seed = row.seed if row.seed is not None else reading.defaults.seed or 0
    chosen = shuffled(len(source), seed=seed)[: row.n]
    pairs = _pairs(chosen, source, pieces, naming, reading)
    used = frozenset(chosen if own else ())
    if row.form == "text":
        return Examples(text=_text(pairs, case, row), rows=used)
    turns = [(Message(role="user", content=q), Message(role="assistant", content=a)) for q, a in pairs]
    return Examples(turns=tuple(turn for pair in turns for turn in pair), rows=used)


def _check(
    place: locate.Path,
    row: FewShotRow,
    source: Rows,
    pieces: Mapping[str, Piece],
    naming: Naming,
    reading: Reading,
) -> None:
    """Note columns that the file lacks, and more examples than it has rows."""
    for key, piece in pieces.items():
        for name in () if isinstance(piece, str) else sorted(piece.needed):
            if what := unknown_column(name, naming, source):
                reading.problems.say(place, f"few_shot.{key}: {what}")
    if row.n is not None and row.n > len(source):
        what = f"few_shot.n is {row.n}, and {row.path} has {len(source):,} rows"
        reading.problems.say((*place, "n"), what)


def _pieces(
    place: locate.Path, row: FewShotRow, case: CaseRow, reading: Reading, compile_text: Compile
) -> Mapping[str, Piece]:
    """Return the templates of question and answer, and note what is absent."""
    if case.continuation is not None and case.prompt is None and case.messages is None:
        what = "few_shot goes before a question, and this text is read after nothing"
        reading.problems.say(place, f"{what}; give a prompt, or leave few_shot out")
        return {}
    turns = case.messages or []
    asked = row.prompt or case.prompt or (turns[-1].content if turns else None)
    given = {"path": row.path, "n": row.n, "answer": row.answer, "prompt": asked}
    for key, value in given.items():
        if value is None and (*place, key) not in reading.problems.flawed:
            reading.problems.say(place, f"few_shot needs {key}, as {key} = {_NEEDED[key]}")
    pieces = {}
    for key in ("prompt", "answer"):
        try:
            pieces[key] = compile_text(f"few_shot.{key}", str(given[key] or ""))
        except TemplateError as error:
            reading.problems.say(place, str(error))
    return pieces


def _pairs(
    chosen: list[int], source: Rows, pieces: Mapping[str, Piece], naming: Naming, reading: Reading
) -> list[Pair]:
    pairs, found = [], []
    for index in chosen:
        row = naming.named(source[index])
        try:
            pairs.append((_filled(pieces["prompt"], row), _filled(pieces["answer"], row)))
        except TemplateError as error:
            found.append(Found(source.line(index), f"cannot be an example: {error}"))
    note(found, file=naming.file, problems=reading.problems)
    return pairs


def _filled(piece: Piece, row: Columns) -> str:
    value = piece if isinstance(piece, str) else piece.value(row)
    if isinstance(value, str | int | float):
        return str(value)
    raise TemplateError(f"{'null' if value is None else 'a list or a table'} is no text")


def _text(pairs: list[Pair], case: CaseRow, row: FewShotRow) -> str:
    """Join examples: an answer follows its question after the delimiter of the case, or else a space."""
    separator = SEPARATOR if row.separator is None else row.separator
    delimiter = " " if case.delimiter is None else case.delimiter
    return "".join(f"{question}{delimiter}{answer}{separator}" for question, answer in pairs)
