"""What a row of a dataset makes of a case: each of its texts is a template over the columns of the row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, cast

from gemma_eval.cases.case import Reading
from gemma_eval.cases.problems import Problems
from gemma_eval.cases.schema import CaseRow
from gemma_eval.cases.text_rows import Columns
from gemma_eval.errors import TemplateError
from gemma_eval.files import locate, rows
from gemma_eval.records import Case, Judgement, Message


class RowTemplate(Protocol):
    """A text that is filled from a row; one that is an expression alone has the value of that."""

    @property
    def needed(self) -> frozenset[str]:
        """The columns without which it cannot be filled."""

    @property
    def names(self) -> frozenset[str]:
        """All columns that it names."""

    def value(self, row: Columns) -> object:
        """Fill it. Raises TemplateError."""


Compile = Callable[[str, str], str | RowTemplate]
"""Makes a template of a text, given a name for messages; a text without a place to fill stays one.

Raises TemplateError.
"""
Wrong = tuple[locate.Path, str]
"""A place in the table of a case, and what is wrong there."""
Table = Mapping[str, object]

_CHECK_KEYS = frozenset({"scorer", "pass_at", "weight", "must_pass", "not"})
"""What is the same for every row; all other keys of a check may be filled."""
_FILLED: Mapping[str, Callable[[str], bool]] = {
    "messages": "content".__eq__,
    "documents": "text".__eq__,
    "checks": lambda name: name not in _CHECK_KEYS,
    "check": lambda name: name not in _CHECK_KEYS,
}
"""Which keys of the tables in these lists have texts that may be filled."""
_TEXTS = frozenset({"prompt", "content", "continuation", "cluster", "text"})
"""Keys of texts, for which a number of a row is written out; a value of others is taken as it is."""
_FEWEST = 2


@dataclass(frozen=True, kw_only=True)
class RowReading:
    """Reads the case of a row as the table of a case is read, once its templates are filled.

    `at` is the place of the table in the suite, `reading` what reads it, `shots` the turns that go before the
    last one of each case, and `before` a text that goes before that.
    """

    at: locate.Path
    table: Table
    reading: Reading
    templates: Mapping[locate.Path, RowTemplate]
    shots: tuple[Message, ...] = ()
    before: str = ""

    def case(
        self, row: Columns, *, name: str, relevant: Sequence[Judgement] | None = None
    ) -> tuple[Case, tuple[Wrong, ...]]:
        """Return the case of a row under a name, and what is wrong with it; nobody may use it then.

        `relevant` is what a file of judgements says of the row.
        """
        outer = self.reading.problems
        problems = _RowProblems(path=outer.path, lines=outer.lines)
        filled = cast(dict[str, object], self._filled(self.table, (), row, problems))
        choices = filled.pop("choices", None)
        filled["id"] = name
        if relevant is not None:
            filled["relevant"] = [{"passage": each.passage, "grade": each.grade} for each in relevant]
        case_row, flaws = rows.check(CaseRow, filled)
        for flaw in flaws:
            problems.note(self.at, flaw)
        if choices is not None:
            case_row = self._with_choices(case_row, choices, problems)
        checks = replace(self.reading.checks, problems=problems)
        case = replace(self.reading, problems=problems, checks=checks).case(self.at, case_row)
        return self._with_shots(case), tuple(problems.wrong)

    def _filled(self, value: object, at: locate.Path, row: Columns, problems: _RowProblems) -> object:
        """Return a value of the table with all templates at or in it filled."""
        if isinstance(value, str):
            template = self.templates.get(at)
            return value if template is None else self._value(template, at, row, problems)
        if isinstance(value, Mapping):
            return {key: self._filled(item, (*at, key), row, problems) for key, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item, (*at, n), row, problems) for n, item in enumerate(value)]
        return value

    def _value(self, template: RowTemplate, at: locate.Path, row: Columns, problems: _RowProblems) -> object:
        try:
            value = template.value(row)
        except TemplateError as error:
            problems.note(self.at, rows.Flaw(at, str(error), whole=True))
            return "?"
        is_text = at[-1] in _TEXTS or at[0] == "choices" or (at[0] == "relevant" and at[-1] != "grade")
        return str(value) if is_text and isinstance(value, int | float) else value

    def _with_choices(self, row: CaseRow, choices: object, problems: _RowProblems) -> CaseRow:
        """Return the row with its choices; two may be alike where it is clear which one is right."""
        texts = [str(each) if isinstance(each, int | float) else each for each in _items(choices)]
        if not all(isinstance(each, str) and each.strip() for each in texts) or len(texts) < _FEWEST:
            what = f"is {rows.show(choices)}; it should be a list of at least {_FEWEST} texts"
            problems.note(self.at, rows.Flaw(("choices",), what))
            return row
        target = row.target
        if isinstance(target, str) and target not in texts and target.isdecimal():
            target = int(target)  # a table knows no numbers
        elif isinstance(target, str) and texts.count(target) > 1:
            problems.note(
                self.at, rows.Flaw(("target",), f"is {rows.show(target)}, which several choices are")
            )
        return row.model_copy(update={"choices": texts, "target": target})

    def _with_shots(self, case: Case) -> Case:
        if not case.messages or (not self.shots and not self.before):
            return case
        last = replace(case.messages[-1], content=self.before + case.messages[-1].content)
        return replace(case, messages=(*case.messages[:-1], *self.shots, last))


def templates(
    table: Table, compile_text: Compile, *, say: Callable[[locate.Path, str], None]
) -> dict[locate.Path, RowTemplate]:
    """Return the templates in the table of a case by their places; `say` is told what is wrong with one."""
    found = {}
    for at, text in _texts(table):
        try:
            made = compile_text(rows.dotted(at), text)
        except TemplateError as error:
            say(at, str(error))
            continue
        if not isinstance(made, str):
            found[at] = made
    return found


def _texts(table: Table) -> Iterator[tuple[locate.Path, str]]:
    """Yield each text of a case that may be filled, with its place."""
    for key in ("prompt", "continuation", "choices", "target", "cluster", "variables", "relevant"):
        yield from _in(table.get(key), (key,))
    for key, is_filled in _FILLED.items():
        for n, each in enumerate(_items(table.get(key))):
            for name, value in each.items() if isinstance(each, Mapping) else ():
                if is_filled(name):
                    yield from _in(value, (key, n, name))


def _in(value: object, at: locate.Path) -> Iterator[tuple[locate.Path, str]]:
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _in(item, (*at, key))
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from _in(item, (*at, n))


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


@dataclass(kw_only=True, slots=True)
class _RowProblems(Problems):
    """What is wrong with one row, whichever line of the suite it follows from."""

    wrong: list[Wrong] = field(default_factory=list)

    def say(self, at: locate.Path, what: str) -> None:
        """Note a problem at a path of the suite."""
        self.wrong.append((at, what))

    def note(self, at: locate.Path, flaw: rows.Flaw) -> None:
        """Note a flaw of the table at a place, and that what follows from it is not to be said."""
        self.flawed.update((*at, *flaw.path[:n]) for n in range(1, len(flaw.path) + 1))
        self.wrong.append(((*at, *flaw.path), flaw.text()))
