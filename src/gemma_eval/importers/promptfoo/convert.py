"""Make a suite of a configuration of promptfoo: a case for each prompt with the variables of each test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import cast

import jinja2

from gemma_eval.errors import TemplateError
from gemma_eval.files import locate
from gemma_eval.files.rows import show
from gemma_eval.importers import jinja, samples
from gemma_eval.importers import sheet as sheets
from gemma_eval.importers.data import Columns, Plain
from gemma_eval.importers.jinja import Render
from gemma_eval.importers.promptfoo import assertions, config
from gemma_eval.importers.promptfoo.assertions import Assertion, Unfit
from gemma_eval.importers.promptfoo.config import AssertionRow, ConfigRow, TestRow
from gemma_eval.importers.sheet import Sheet
from gemma_eval.importers.written import Choice, Imported, Table, slug

MOST_CASES = 5_000
"""Cases of a suite that is written out case by case."""

Checked = tuple[locate.Path, AssertionRow]
"""An assertion, and where it stands."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedModels:
    """The models that assertions ask, by what for: to judge, or to embed texts."""

    judge: str | None = None
    embedder: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    """What is needed to read the tests of one configuration."""

    sheet: Sheet
    render: Render
    asked: AskedModels

    def fill(self, at: locate.Path, name: str, text: str, values: Columns) -> str:
        """Return a text with variables filled in; what cannot be rendered is noted."""
        try:
            return self.render(name, jinja.whole(jinja.carried(text)), values)
        except jinja2.TemplateSyntaxError as error:
            self.sheet.say(at, f"{name} is not a template: {error.message}")
        except TemplateError as error:
            self.sheet.say(at, f"{name} cannot be rendered: {str(error).partition(': ')[2]}")
        return ""


def convert(path: Path, choice: Choice, *, asked: AskedModels, render: Render) -> Imported:
    """Return the suite of a configuration. Raises SuiteError with what cannot be carried over, by line."""
    sheet = sheets.load(path)
    row = config.read(sheet)
    sheet.stop()
    reading = _Reading(sheet=sheet, render=render, asked=asked)
    n_cases = _n_variants(row) * len(cast("list[str]", row.prompts))
    if n_cases > MOST_CASES:
        what = f"makes {n_cases:,} cases; a suite that is written out has at most {MOST_CASES:,}"
        sheet.say(("tests",), what)
        sheet.stop()
    cases = list(_cases(row, reading))
    sheet.stop()
    name = choice.name or slug(path.stem)
    defaults: Table = {"models": list(choice.models), "profiles": ["greedy"], "templates": ["plain"]}
    if row.evaluateOptions and row.evaluateOptions.repeat:
        defaults["repeats"] = row.evaluateOptions.repeat
    description = row.description if isinstance(row.description, str) else f"{path.name} of promptfoo"
    return Imported(
        name=name,
        framework="promptfoo",
        suite={"suite": {"name": name, "description": description}, "defaults": defaults, "case": cases},
        sources=sheet.sources,
        notes=("The providers are not carried over: who answers is named in [defaults].",),
    )


def _cases(row: ConfigRow, reading: _Reading) -> Iterator[Table]:
    prompts = cast("list[str]", row.prompts)
    shared = row.defaultTest or TestRow()
    for number, test in enumerate(row.tests or ()):
        at: locate.Path = ("tests", number)
        given = [*_checked(("defaultTest",), shared), *_checked(at, test)]
        if not given:
            reading.sheet.say(at, "has no assertions, so that nothing would be scored")
        for index, values in enumerate(_variables(at, {**(shared.vars or {}), **(test.vars or {})}, reading)):
            checks = [_check(where, each, values, reading) for where, each in given]
            for place, prompt in enumerate(prompts):
                own = f"test-{number + 1}" + (f".{index + 1}" if index else "")
                name = own + (f"-prompt-{place + 1}" if len(prompts) > 1 else "")
                text = reading.fill(("prompts", place), f"prompts[{place}]", prompt, values)
                yield {"id": name, **_asked(("prompts", place), text, reading), "check": checks}


def _n_variants(row: ConfigRow) -> int:
    """Return how many ways there are to choose the variables of all tests, before any of them is taken."""
    shared = (row.defaultTest.vars if row.defaultTest else None) or {}
    tables = [{**shared, **(test.vars or {})} for test in row.tests or ()]
    return sum(prod(len(each) for each in table.values() if isinstance(each, list)) for table in tables)


def _checked(at: locate.Path, test: TestRow) -> list[Checked]:
    return [((*at, "assert", number), each) for number, each in enumerate(test.assertions or ())]


def _variables(at: locate.Path, given: Mapping[str, object], reading: _Reading) -> Iterator[Columns]:
    """Yield the variables of each case of a test: one for each way to choose of those that are lists."""
    for name, value in given.items():
        texts = value if isinstance(value, list) else [value]
        if not texts:
            reading.sheet.say((*at, "vars", name), f"vars.{name} is an empty list, so that nothing is asked")
        if any(isinstance(text, str) and text.startswith("file://") for text in texts):
            reading.sheet.say((*at, "vars", name), f"vars.{name} is in another file; write it here")
    chosen = [value if isinstance(value, list) else [value] for value in given.values()]
    for values in product(*chosen):
        yield cast(Columns, dict(zip(given, values, strict=True)))


def _asked(at: locate.Path, text: str, reading: _Reading) -> Table:
    """Return the prompt of a case, or its messages where the prompt is JSON of them."""
    if text.startswith("file://"):
        reading.sheet.say(at, f"{show(text)} is another file; write the prompt here")
    if not text.lstrip().startswith("["):
        if not text.strip() and not reading.sheet.found:
            reading.sheet.say(at, "makes an empty prompt")
        return {"prompt": text}
    try:
        roles, contents = samples.turns(samples.parsed(text))
    except samples.Unfit as error:
        reading.sheet.say(at, f"the prompt is JSON: {error}")
        return {"prompt": text}
    return {"messages": [{"role": role, "content": each} for role, each in zip(roles, contents, strict=True)]}


def _check(at: locate.Path, row: AssertionRow, values: Columns, reading: _Reading) -> Table:
    kind = row.type or ""
    negated, kind = kind.startswith("not-"), kind.removeprefix("not-")
    before = len(reading.sheet.found)
    value = _filled(at, row.value, values, reading)
    if len(reading.sheet.found) > before:
        return {}
    try:
        made = assertions.scoring(
            Assertion(
                kind=kind,
                value=value,
                threshold=row.threshold,
                judge=reading.asked.judge,
                embedder=reading.asked.embedder,
            )
        )
    except Unfit as error:
        reading.sheet.say((*at, "type"), str(error))
        return {}
    check: Table = {"scorer": made.scorer, **made.options}
    if row.weight is not None:
        check["weight"] = float(row.weight)
    if negated:
        check["not"] = True
    if row.weight != 0:
        check["pass_at"] = _pass_at(made.pass_at, negated=negated)
    return check


def _pass_at(pass_at: float, *, negated: bool) -> float:
    """Return the value from which a check passes; a negated one passes below its threshold."""
    return round(1 - pass_at, 12) if negated and pass_at < 1 else pass_at


def _filled(at: locate.Path, value: object, values: Columns, reading: _Reading) -> Plain:
    """Return the value of an assertion with the variables of its test filled into each of its texts."""
    if isinstance(value, str):
        return reading.fill((*at, "value"), "value", value, values)
    if isinstance(value, Sequence):
        return [_filled(at, each, values, reading) for each in value]
    return cast(Plain, value)
