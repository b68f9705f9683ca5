"""Read the files of a configuration folder, and collect what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gemma_eval.config import versions
from gemma_eval.errors import ConfigError, Problem
from gemma_eval.files import decode, locate, read, rows

VERSION = 1
"""The version of profiles.json and models.toml that this package reads."""


class NotParsed(ConfigError):
    """The text of a file is not of its format, so that nothing of it is known."""


@dataclass(slots=True)
class Problems:
    """What is wrong with one file; nothing is raised before all of it is known."""

    path: Path
    lines: locate.Lines
    found: list[Problem] = field(default_factory=list)

    def say(self, at: locate.Path, what: str) -> None:
        """Note a problem at a path of the file."""
        self.found.append(Problem(path=self.path, line=self.lines.at(at) or 1, what=what))

    def say_flaws(self, prefix: str, at: locate.Path, flaws: Iterable[rows.Flaw]) -> None:
        """Note the flaws of the table at a path of the file, after the name of what it describes."""
        for flaw in flaws:
            self.say((*at, *flaw.path), f"{prefix}{flaw.text()}")

    def stop(self) -> None:
        """Raise ConfigError when there is a problem."""
        if self.found:
            raise ConfigError(sorted(self.found, key=lambda problem: problem.line))


def read_text(path: Path) -> str:
    """Return the text of a file. Raises ConfigError."""
    return decoded(read_bytes(path), path=path)


def read_bytes(path: Path) -> bytes:
    """Return what is in a file. Raises ConfigError."""
    try:
        return read.read_bytes(path)
    except read.ReadError as error:
        raise ConfigError([_problem(path, error)]) from error


def decoded(data: bytes, *, path: Path) -> str:
    """Return the text of what is in the file at `path`. Raises NotParsed."""
    try:
        return read.decode(data)
    except read.ReadError as error:
        raise NotParsed([_problem(path, error)]) from error


def read_table(path: Path) -> tuple[decode.Table, Problems]:
    """Return the table of a `.json` or `.toml` file, and where to note its problems. Raises ConfigError."""
    return parse_table(read_text(path), path=path)


def parse_table(text: str, *, path: Path) -> tuple[decode.Table, Problems]:
    """Return what `read_table` does of the text of a file that is, or is to be, at `path`.

    Raises NotParsed.
    """
    try:
        table, lines = decode.json_table(text) if path.suffix == ".json" else decode.toml(text)
    except read.ReadError as error:
        raise NotParsed([_problem(path, error)]) from error
    problems = Problems(path, lines)
    if what := versions.newer(table, known=VERSION):
        problems.say((versions.KEY,), what)
        problems.stop()
    version = table.get(versions.KEY, VERSION)
    if type(version) is not int and version in (None, VERSION):  # true and 1.0 equal 1 in Python
        problems.say((versions.KEY,), versions.flaw(table, known=VERSION, written="") or "")
    for repeated, line in lines.repeated:
        what = f"key {rows.show(str(repeated[-1]))} is given twice; keep one"
        problems.found.append(Problem(path=path, line=line, what=what))
    return table, problems


def _problem(path: Path, error: read.ReadError) -> Problem:
    return Problem(path=path, line=error.line, what=error.what)
