"""Make profiles of those of gemma-cli and of other tools: what has the same name here is carried over."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from gemma_eval.errors import ConfigError, Problem
from gemma_eval.files import decode
from gemma_eval.files.locate import Lines
from gemma_eval.files.locate import Path as At
from gemma_eval.files.read import ReadError
from gemma_eval.files.rows import name_flaw, show
from gemma_eval.importers.written import slug

TOLD = ("description", "use_case", "author", "tags", "created", "modified")
"""What says something of a profile and sets nothing: it is left out, and said."""
UNDER = ("profiles", "performance_profiles")
_DEFAULT_TOP_K = 40
"""That of gemma-cli's `PerformanceProfile`, where none is given."""
_AROUND = '{"profiles": '

Table = dict[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Profiles:
    """The profiles by name, and what a person should know of them.

    `text` is a profiles.json that says the same with each key on its line of the file that was read, so that
    whoever checks it names the right lines.
    """

    of: Mapping[str, Mapping[str, object]]
    text: str
    notes: tuple[str, ...] = ()


def convert(text: str, *, path: Path) -> Profiles:
    """Return the profiles of a JSON text: a list of them, or by name, or either under `profiles`.

    Raises ConfigError with each line that cannot be carried over; values and keys that this package lacks
    are left to who reads `text`.
    """
    try:
        is_list = text.lstrip().startswith("[")
        table, lines = decode.json_table(f"{_AROUND}{text}}}" if is_list else text)
    except ReadError as error:
        raise ConfigError([Problem(path=path, line=error.line, what=error.what)]) from error
    reading = _Reading(path=path, lines=lines)
    for at, line in lines.repeated:
        reading.problems.append(
            Problem(path=path, line=line, what=f"key {show(str(at[-1]))} is given twice; keep one")
        )
    reading.all(table)
    if reading.problems:
        raise ConfigError(sorted(reading.problems, key=lambda problem: problem.line))
    return Profiles(of=reading.found, text=reading.text(), notes=tuple(reading.notes))


@dataclass(slots=True)
class _Reading:
    """What was found in one file: profiles by their new names, with the line of each and of its keys."""

    path: Path
    lines: Lines
    found: dict[str, Table] = field(default_factory=dict)
    places: dict[str, At] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def all(self, table: Mapping[str, object]) -> None:
        """Take up every profile of a file."""
        at: At = next(((key,) for key in UNDER if key in table), ())
        others = {key: part for key, part in table.items() if (key,) != at and key != "version"}
        held = table[str(at[0])] if at else others
        for key in others if at else ():
            self.note((key,), f"{show(key)} is left out: it is no profile")
        self.each(at, held)
        if not self.found and not self.problems:
            self.say((), "has no profile")

    def each(self, at: At, held: object) -> None:
        """Take up the profiles of a list, or of an object by name."""
        if isinstance(held, Mapping):
            for name, profile in held.items():
                self.one((*at, name), str(name), profile)
        elif isinstance(held, list):
            for number, profile in enumerate(cast("Sequence[object]", held)):
                name = profile.get("name") if isinstance(profile, Mapping) else None
                if isinstance(name, str):
                    self.one((*at, number), name, profile)
                else:
                    self.say((*at, number), f"profile {number + 1} of the list has no name")
        else:
            self.say(at, f"{show(at[0])} is {show(held)}; it should be a list or an object of profiles")

    def one(self, at: At, name: str, profile: object) -> None:
        """Take up one profile under the name that it has here."""
        called = name if name_flaw(name) is None else slug(name, default="")
        if not isinstance(profile, Mapping):
            what = f"profile {show(name)} is {show(profile)}; it should be an object"
            return self.say(at, what)
        if not called:
            return self.say(at, f"profile {show(name)}: nothing of that can be a name; give it another")
        if called in self.found:
            return self.say(at, f"profile {show(name)}: there is one called {show(called)} already")
        if called != name:
            self.note(at, f"profile {show(name)} is called {show(called)}, for names have no such letters")
        table = {str(key): value for key, value in profile.items() if key != "name" and value is not None}
        for key in [key for key in table if key in TOLD]:
            self.note((*at, key), f"profile {show(called)}: {key} is left out: {show(table.pop(key))}")
        if "use_case" in profile and "top_k" not in table:
            self.note(
                at, f"profile {show(called)}: top_k is {_DEFAULT_TOP_K}, as gemma-cli has it if not given"
            )
            table["top_k"] = _DEFAULT_TOP_K
        self.found[called] = table
        self.places[called] = at
        return None

    def say(self, at: At, what: str) -> None:
        self.problems.append(Problem(path=self.path, line=self.lines.at(at) or 1, what=what))

    def note(self, at: At, what: str) -> None:
        self.notes.append(f"{self.path}:{self.lines.at(at) or 1}: {what}")

    def text(self) -> str:
        """Return a profiles.json with every key on the line that it was on."""
        text = _AROUND + "{"
        for number, (name, table) in enumerate(self.found.items()):
            text = self._on(self.lines.at(self.places[name]), text + ("," if number else ""))
            text += f"{json.dumps(name)}: {{"
            for position, (key, value) in enumerate(table.items()):
                text = self._on(self.lines.at((*self.places[name], key)), text + (", " if position else ""))
                text += f"{json.dumps(key)}: {json.dumps(value)}"
            text += "}"
        return text + '}, "version": 1}\n'

    @staticmethod
    def _on(line: int, text: str) -> str:
        return text + "\n" * (line - 1 - len(re.findall("\n", text)))
