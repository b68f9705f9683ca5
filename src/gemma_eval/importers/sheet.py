"""What a file of another framework says, with what it includes, and the place of each value for messages."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from gemma_eval.errors import Problem, SuiteError
from gemma_eval.files import locate, read, rows
from gemma_eval.importers import yaml_file

MOST_FILES = 32
"""Files that may include one another for one import."""

Place = tuple[Path, int]


@dataclass(slots=True)
class Sheet:
    """The keys of a file, over those of the files that it includes; problems are collected, then raised."""

    path: Path
    table: dict[str, object] = field(default_factory=dict)
    places: dict[locate.Path, Place] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    """The SHA-256 of each file that was read, by its path from the folder of the first, or else its name."""
    n_read: int = 0
    found: list[Problem] = field(default_factory=list)

    def say(self, at: locate.Path, what: str) -> None:
        """Note a problem of the value at a path, or of the nearest thing around it."""
        while at and at not in self.places:
            at = at[:-1]
        path, line = self.places.get(at, (self.path, 0))
        self.found.append(Problem(path=path, line=line, what=what))

    def say_of(self, path: Path, line: int, what: str) -> None:
        """Note a problem of another file, as one of data."""
        self.found.append(Problem(path=path, line=line, what=what))

    def stop(self) -> None:
        """Raise SuiteError when there is a problem."""
        if self.found:
            raise SuiteError(dict.fromkeys(self.found))

    def note_source(self, path: Path, data: bytes) -> None:
        """Keep the hash of a file that was read."""
        folder = self.path.parent.resolve()
        real = path.resolve()
        name = real.relative_to(folder).as_posix() if real.is_relative_to(folder) else path.name
        self.sources[name] = hashlib.sha256(data).hexdigest()


def load(path: Path, *, root: Path | None = None) -> Sheet:
    """Return what a YAML file says, `include` resolved inside of `root` (its folder, if not given).

    Raises SuiteError with every tag, include and value that cannot be used.
    """
    sheet = Sheet(path)
    _read(sheet, path, root=(root or path.parent).resolve(), above=())
    sheet.stop()
    return sheet


def _read(sheet: Sheet, path: Path, *, root: Path, above: tuple[Path, ...]) -> None:
    """Put what `path` says over what the sheet holds, after what it includes."""
    sheet.n_read += 1
    try:
        data = read.read_bytes(path)
        written = yaml_file.parse(read.decode(data))
    except read.ReadError as error:
        sheet.say_of(path, error.line, error.what)
        return
    sheet.note_source(path, data)
    for line, what in written.refused:
        sheet.say_of(path, line, what)
    table, lines = dict(written.table), written.lines
    for at, name in _includes(table.pop("include", None)):
        line, chain = lines.at(at), (*above, path.resolve())
        included = _inside(name, path.parent, root=root)
        if isinstance(included, str):
            sheet.say_of(path, line, f"include {rows.show(name)} {included}")
        elif included in chain:
            sheet.say_of(path, line, f"include {rows.show(name)} leads back to this file; remove one of them")
        elif sheet.n_read >= MOST_FILES:
            sheet.say_of(path, line, f"includes more than {MOST_FILES} files")
        else:
            _read(sheet, included, root=root, above=chain)
    for key in table:
        sheet.places = {at: place for at, place in sheet.places.items() if at[:1] != (key,)}
    sheet.places |= {at: (path, line) for at, line in lines.of.items() if at and at[0] in table}
    sheet.table |= table


def _includes(given: object) -> list[tuple[locate.Path, object]]:
    if given is None:
        return []
    if isinstance(given, list):
        return [(("include", number), name) for number, name in enumerate(given)]
    return [(("include",), given)]


def _inside(name: object, folder: Path, *, root: Path) -> Path | str:
    """Return the real path of an included file, or say why it is none that may be read."""
    if not isinstance(name, str) or not name:
        return 'should be the name of a file, as "_template.yaml"'
    if Path(name).is_absolute() or "\\" in name or "\0" in name or name.startswith("~"):
        return "is not a path inside the folder; give one that is relative to this file"
    try:
        real = (folder / name).resolve()
    except (OSError, RuntimeError, ValueError):
        return "is not a possible path"
    if not real.is_relative_to(root):
        return f"leads out of {rows.show(str(root))}; copy the file into it, or allow more with --root"
    if not real.is_file():
        return "does not exist"
    return real
