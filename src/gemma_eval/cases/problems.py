"""Collect what is wrong with one suite file, each problem with its line and the case it is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gemma_eval.cases.text_rows import Found
from gemma_eval.errors import Problem
from gemma_eval.files import locate, rows

MOST_SAID = 20
"""So many problems of one file are said, and how many more there are."""


@dataclass(kw_only=True, slots=True)
class Problems:
    """Whoever reads the file goes on after a problem, so that all of them are found.

    `ids` has the ids of the `[[case]]` and of the `[[haystack]]` tables, in their order. `flawed` has each
    path at or inside of which something is wrong, so that what follows from it is not said.
    """

    path: Path
    lines: locate.Lines
    ids: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    flawed: set[locate.Path] = field(default_factory=set)
    found: list[Problem] = field(default_factory=list)

    def say(self, at: locate.Path, what: str) -> None:
        """Note a problem at a path of the file, after the name of the case it is in."""
        line = self.lines.at(at) or 1
        self.found.append(Problem(path=self.path, line=line, what=f"{self._case_name(at)}{what}"))

    def say_flaw(self, flaw: rows.Flaw) -> None:
        """Note a flaw of the file's tables; its key is named from within its case."""
        self.flawed.update(flaw.path[:n] for n in range(1, len(flaw.path) + 1))
        if len(flaw.path) == 1 and flaw.path[0] in self.ids:
            table = flaw.path[0]
            self.say(flaw.path, f"{table} should be a list of tables; begin each {table} with [[{table}]]")
        else:
            self.say(flaw.path, flaw.text(below=2 if self._case_name(flaw.path) else 0))

    def _case_name(self, at: locate.Path) -> str:
        match at:
            case ("case" | "haystack" as table, int(index), *_):
                known = self.ids.get(table, ())
                name = known[index] if index < len(known) else None
                return f"{table} {rows.show(name)}: " if name else f"{table} number {index + 1}: "
        return ""


def note(found: Sequence[Found], *, file: str, problems: Problems) -> None:
    """Note what is wrong with the rows of a file."""
    path = problems.path.parent / file
    ordered = sorted(found, key=lambda each: each.line)
    for number, each in enumerate(ordered[:MOST_SAID], start=1):
        more = len(ordered) - MOST_SAID if number == MOST_SAID else 0
        said = f"{each.what} (and {more:,} more problems in this file)" if more > 0 else each.what
        problems.found.append(Problem(path=path, line=each.line, what=said))
