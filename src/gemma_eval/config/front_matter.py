"""What a Markdown file says about itself between two lines `---`, in YAML, before its text begins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, cast

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from gemma_eval.config.files import Problems
from gemma_eval.errors import ConfigError, Problem
from gemma_eval.files import parted, read, rows, variables, yaml12
from gemma_eval.files.locate import Lines
from gemma_eval.files.rows import Name, OptionValue, Row, Text
from gemma_eval.records import Option, Template


def _version(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    what = (
        "write it in quotes, for 1.10 and 1.1 are one number" if isinstance(value, float) else "give a text"
    )
    raise ValueError(f"is {rows.show(value)}; {what}")


def _variables(named: dict[str, object]) -> dict[str, object]:
    for name in named:
        if what := variables.flaw(name):
            raise ValueError(f"has a name that {what}")
    return named


Version = Annotated[
    str, PlainValidator(_version), WithJsonSchema({"type": ["string", "integer"], "pattern": r"\S"})
]
Variables = Annotated[dict[str, OptionValue | None], AfterValidator(_variables)]


class FrontMatterRow(Row):
    """The keys of the front matter of a template."""

    name: Name | None = None
    version: Version | None = None
    description: Text | None = None
    variables: Variables | None = None
    models: Annotated[list[Text], Field(max_length=100)] | None = None


KEYS = tuple(FrontMatterRow.model_fields)
"""What front matter may say."""


def parse(text: str, *, path: Path, name: str) -> Template:
    """Return the template that a Markdown text is, without its parts. Raises ConfigError."""
    found = parted.part(text)
    if found.front is None:
        return Template(name=name, text=found.body)
    problems = Problems(path, Lines({}))
    row = _row(found, problems)
    if row.name is not None and row.name != name:
        what = f'name is "{row.name}", and the file is {name}{path.suffix}; the file\'s name is what counts'
        problems.say(("name",), f"{what}, so leave it out or make it the same")
    problems.stop()
    return Template(
        name=name,
        text=found.body,
        version=row.version or "",
        description=row.description or "",
        variables=cast("Mapping[str, Option | None]", row.variables or {}),
        models=tuple(row.models or ()),
        first_lines={"": found.line},
    )


def _row(found: parted.Parted, problems: Problems) -> FrontMatterRow:
    if found.is_open:
        what = f"the front matter does not end; close it with a line {parted.MARK}"
        raise ConfigError([Problem(path=problems.path, line=1, what=what)])
    try:
        written = yaml12.parse(found.front or "")
    except read.ReadError as error:
        raise ConfigError([Problem(path=problems.path, line=error.line + 1, what=error.what)]) from error
    problems.lines = Lines({at: line + 1 for at, line in written.lines.of.items()})
    for line, what in written.refused:
        problems.found.append(Problem(path=problems.path, line=line + 1, what=what))
    row, flaws = rows.check(FrontMatterRow, written.table)
    problems.say_flaws("", (), flaws)
    return row
