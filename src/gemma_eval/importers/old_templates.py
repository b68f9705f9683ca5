"""Make a template of one in the single braces of gemma-cli: `{rag_context}` and `{% if name %}`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gemma_eval.errors import ConfigError, Problem
from gemma_eval.files import parted, yaml12
from gemma_eval.files.read import ReadError
from gemma_eval.files.rows import name_flaw, show
from gemma_eval.files.variables import clash, flaw
from gemma_eval.records import PROMPT_VARIABLES

_MARKED = re.compile(
    r"\{%[-+]?(?P<tag>.*?)[-+]?%\}|\{\{[ \t]*(?P<twice>[A-Za-z_]\w*)[ \t]*\}\}"
    r"|\{(?P<name>[A-Za-z_]\w*)\}|(?P<other>\{[{%#])",
    re.DOTALL,
)
_CONDITION = re.compile(r"if\s+(?:not\s+)?(?P<name>[A-Za-z_]\w*)")
_ASKED = "{{ query }}"

Value = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A template as it is to be written, under which name, and what a person should know of it."""

    name: str
    text: str
    notes: tuple[str, ...] = ()


def convert(text: str, *, path: Path, name: str | None = None) -> Template:
    """Return what a template in single braces becomes; `name` is another one than that of the file.

    A brace that is none of a variable, as in JSON, stays. Raises ConfigError with each line that cannot be
    carried over.
    """
    found = parted.part(text)
    reading = _Reading(path=path, first_line=found.line)
    table = _front(found, reading)
    declared = _declared(table.get("variables"), reading)
    body = _Body(reading=reading, declared=declared).convert(found.body)
    called = name or str(table.get("name") or path.name.partition(".")[0])
    if what := name_flaw(called):
        reading.say(1, f"the name {what}")
    if reading.problems:
        raise ConfigError(sorted(reading.problems, key=lambda problem: problem.line))
    if not reading.asks:
        body = f"{body.rstrip()}\n\n{_ASKED}\n"
        reading.notes.append("it names no {query}, so the question was added at its end")
    written = f"{parted.MARK}\n{_written(table, reading.variables)}{parted.MARK}\n{body}"
    return Template(name=called, text=written, notes=tuple(dict.fromkeys(reading.notes)))


@dataclass(kw_only=True, slots=True)
class _Reading:
    """What is wrong with a file, what is to be said, and the variables that it turns out to have."""

    path: Path
    first_line: int
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    variables: dict[str, Value] = field(default_factory=dict)
    asks: bool = False

    def say(self, line: int, what: str) -> None:
        self.problems.append(Problem(path=self.path, line=line, what=what))


@dataclass(kw_only=True, slots=True)
class _Body:
    """Turns the marks of a text into those of Jinja2, one after the other."""

    reading: _Reading
    declared: Mapping[str, Value] | None
    text: str = ""
    open_: list[int] = field(default_factory=list)

    def convert(self, text: str) -> str:
        """Return the text; what cannot be carried over is noted."""
        self.text = text
        made = _MARKED.sub(self._one, text)
        for line in self.open_:
            self.reading.say(line, "{% if %} has no {% endif %}")
        return made

    def _one(self, mark: re.Match[str]) -> str:
        line = self.reading.first_line + self.text.count("\n", 0, mark.start())
        if mark["tag"] is not None:
            return self._tag(mark, line)
        if mark["twice"]:
            what = f"{show(mark[0])} is no mark of this format; write {{{mark['twice']}}} for the variable"
            self.reading.say(line, what)
            return mark[0]
        if mark["name"]:
            return self._name(mark["name"], line)
        if mark["other"] == "{%":
            self.reading.say(line, "{% has no %} after it")
        return f'{{{{ "{mark["other"]}" }}}}'

    def _name(self, name: str, line: int) -> str:
        if self._is_variable(name):
            self._use(name, None, line)
            return f"{{{{ {name} }}}}"
        note = f"line {line}: {{{name}}} stays as it is written, for no variable of that name is declared"
        self.reading.notes.append(note)
        return f"{{{name}}}"

    def _tag(self, mark: re.Match[str], line: int) -> str:
        tag = mark["tag"].strip()
        condition = _CONDITION.fullmatch(tag)
        if condition:
            self.open_.append(line)
            self._use(condition["name"], "", line)
        elif tag == "endif" and self.open_:
            self.open_.pop()
        elif tag != "else" or not self.open_:
            self.reading.say(line, f"{show(mark[0])} cannot be carried over; there are if, else and endif")
        before = self.text[: mark.start()].rpartition("\n")[2]
        begins = "{%+" if before and before.isspace() else "{%"
        ends = "+%}" if self.text[mark.end() : mark.end() + 1] == "\n" else "%}"
        return f"{begins} {tag} {ends}"

    def _is_variable(self, name: str) -> bool:
        return name in PROMPT_VARIABLES or self.declared is None or name in self.declared

    def _use(self, name: str, default: Value, line: int) -> None:
        """Note that a variable is named: in a condition it may be absent, which is "" here."""
        self.reading.asks |= name == "query"
        if clash(name):
            return
        if what := flaw(name):
            self.reading.say(line, f"the variable {what}")
        given = (self.declared or {}).get(name)
        known = self.reading.variables.get(name)
        if known is None:
            self.reading.variables[name] = default if given is None else given


def _front(found: parted.Parted, reading: _Reading) -> Mapping[str, object]:
    """Return the front matter of a file, an empty table where there is none."""
    if found.is_open:
        reading.say(1, f"the front matter does not end; close it with a line {parted.MARK}")
        return {}
    try:
        written = yaml12.parse(found.front or "")
    except ReadError as error:
        reading.say(error.line + 1, error.what)
        return {}
    for line, what in written.refused:
        reading.say(line + 1, what)
    return written.table


def _declared(given: object, reading: _Reading) -> Mapping[str, Value] | None:
    """Return the variables that front matter declares, `None` where it declares none at all."""
    if given is None:
        return None
    found: dict[str, Value] = {}
    entries: Iterable[tuple[object, object]]
    if isinstance(given, Mapping):
        entries = given.items()
    elif isinstance(given, list):
        entries = [(each.get("name"), each) if isinstance(each, Mapping) else (each, None) for each in given]
    else:
        reading.say(1, "variables should be a list of names, or a table of defaults")
        return None
    for name, about in entries:
        default = about.get("default") if isinstance(about, Mapping) else about
        if not isinstance(name, str) or not isinstance(default, str | int | float | bool | None):
            reading.say(1, f"variables: {show(name)} is no name with a text or a number as its default")
            continue
        found[name] = default
    return found


def _written(table: Mapping[str, object], variables: Mapping[str, Value]) -> str:
    """Return front matter: what there is here, and the rest as comments."""
    lines = [
        f"{key}: {json.dumps(str(table[key]), ensure_ascii=False)}"
        for key in ("version", "description")
        if table.get(key) not in (None, "")
    ]
    if variables:
        values = (f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in variables.items())
        lines += ["variables:", *values]
    for key, value in table.items():
        if key not in ("name", "version", "description", "variables"):
            lines.append(f"# {json.dumps({key: value}, ensure_ascii=False, default=str)[1:-1]}")
    return "".join(f"{line}\n" for line in lines)
