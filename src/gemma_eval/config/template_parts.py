"""The parts of templates: files of the same folder that a template includes, extends or imports by name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gemma_eval.config import front_matter
from gemma_eval.config.files import read_text
from gemma_eval.errors import ConfigError, Problem, suggestion
from gemma_eval.files.read import exists
from gemma_eval.files.rows import show
from gemma_eval.records import Option, Template

SUFFIXES = (".md", ".jinja")
DEEPEST = 8
"""Parts of parts may go this deep."""
LONGEST = 1 << 16
"""Characters of a text that may name parts; a longer one is refused when it is rendered."""

_BEGIN = re.compile(r"\{[{%#]")
_STRING = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
_WHOLE: Mapping[str, re.Pattern[str]] = {
    "{#": re.compile(r"\{#.*?#\}", re.DOTALL),
    "{{": re.compile(rf"""\{{\{{(?:{_STRING}|[^"'}}]|\}}(?!\}}))*\}}\}}""", re.DOTALL),
    "{%": re.compile(rf"""\{{%[-+]?((?:{_STRING}|[^"'%]|%(?!\}}))*)%\}}""", re.DOTALL),
}
_RAW_ENDS = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_NAMED = re.compile(
    rf"\s*(?:include|extends|import|from)\s*(?P<name>{_STRING})"
    r"\s*(?=[-+]?$|(?:ignore|with|without|as|import)\b)",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """A part: its text, the line on which that begins, and the defaults of its variables."""

    text: str
    line: int
    variables: Mapping[str, Option | None]


@dataclass(slots=True)
class Parts:
    """The parts of the templates in one folder, each read once."""

    folder: Path
    problems: list[Problem] = field(default_factory=list)
    _read: dict[str, _Read] = field(default_factory=dict)
    _flaws: dict[str, str | None] = field(default_factory=dict)

    def of(self, template: Template, *, path: Path) -> Template:
        """Return a template with the parts that can be reached from it; what is wrong is noted."""
        found: dict[str, _Read] = {}
        own = path.relative_to(self.folder).as_posix()
        self._follow(template.text, template.first_lines.get("", 1), path, (own,), found)
        if not found:
            return template
        defaults: dict[str, Option | None] = {}
        for each in found.values():
            defaults |= each.variables
        first_lines = {name: each.line for name, each in found.items() if each.line > 1}
        return Template(
            name=template.name,
            text=template.text,
            version=template.version,
            description=template.description,
            variables={**defaults, **template.variables},
            models=template.models,
            parts={name: found[name].text for name in sorted(found)},
            first_lines={**template.first_lines, **first_lines},
        )

    def _follow(
        self, text: str, first_line: int, path: Path, above: tuple[str, ...], found: dict[str, _Read]
    ) -> None:
        """Read what a text names, and what that names; `above` are the names that led to it."""
        for name, line in references(text):
            line_of_file = line + first_line - 1
            if what := self._refused(name, above):
                self._say(Problem(path=path, line=line_of_file, what=what))
                continue
            if name in found:
                continue
            try:
                each = self._part(name)
            except ConfigError as error:
                for problem in error.problems:
                    self._say(problem)
                continue
            self._follow(each.text, each.line, self.folder / name, (*above, name), found)
            found[name] = each

    def _refused(self, name: str, above: tuple[str, ...]) -> str | None:
        if name in above:
            chain = " → ".join((*above[above.index(name) :], name))
            return f"{show(name)} names itself in the end: {chain}"
        if len(above) > DEEPEST:
            return f"{show(name)} is more than {DEEPEST} parts deep; make one part of some of them"
        if name not in self._flaws:
            self._flaws[name] = flaw(name, self.folder)
        return self._flaws[name]

    def _part(self, name: str) -> _Read:
        if name not in self._read:
            path = self.folder / name
            text = read_text(path)
            if path.suffix == ".md":
                made = front_matter.parse(text, path=path, name=path.stem)
                line = made.first_lines.get("", 1)
                self._read[name] = _Read(text=made.text, line=line, variables=made.variables)
            else:
                self._read[name] = _Read(text=text, line=1, variables={})
        return self._read[name]

    def _say(self, problem: Problem) -> None:
        if problem not in self.problems:  # several templates may share a part
            self.problems.append(problem)


def references(text: str) -> Iterator[tuple[str, int]]:
    """Yield the names that a template gives in quotes as its parts, with their lines.

    Tags in comments and in what is `raw` are none. A text that is malformed is read as far as it is not:
    whoever renders it says what is wrong.
    """
    at = 0
    while len(text) <= LONGEST and (begin := _BEGIN.search(text, at)):
        whole = _WHOLE[begin[0]].match(text, begin.start())
        if whole is None:
            return
        at = whole.end()
        if begin[0] != "{%":
            continue
        if whole[1].strip(" \t\n-+") == "raw":
            ended = _RAW_ENDS.search(text, at)
            if ended is None:
                return
            at = ended.end()
        elif named := _NAMED.match(whole[1]):
            yield named["name"][1:-1], text.count("\n", 0, begin.start()) + 1


def flaw(name: str, folder: Path) -> str | None:
    """Say why a name is no part of the templates in a folder, `None` when it is one."""
    path = PurePosixPath(name)
    plain = name == path.as_posix() and not {"..", ".", "~"} & set(path.parts)
    if not plain or path.is_absolute() or any(letter in name for letter in "\\\0:") or not name.isprintable():
        return f"{show(name)} is no name of a part; give a path below the folder of the template, without .."
    if path.suffix not in SUFFIXES:
        return f"{show(name)} is no name of a part; a part ends in {' or '.join(SUFFIXES)}"
    real, below = os.path.realpath(folder / name), os.path.realpath(folder)
    if os.path.commonpath((real, below)) != below:
        return f"{show(name)} leads out of the folder of the template"
    if not Path(real).is_file():
        return f"there is no part {show(name)}{suggestion(name, names(folder))}"
    return None


def names(folder: Path) -> list[str]:
    """Return what can be a part in a folder of templates."""
    found = (path for suffix in SUFFIXES for path in folder.rglob(f"*{suffix}") if exists(path, "file"))
    paths = (path.relative_to(folder) for path in found)
    return sorted(path.as_posix() for path in paths if not any(each.startswith(".") for each in path.parts))
