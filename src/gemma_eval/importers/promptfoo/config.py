"""What a promptfooconfig.yaml may say, as far as it is data: a row for each of its tables.

Source: promptfoo/promptfoo:site/docs/configuration/reference.md.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, FiniteFloat

from gemma_eval.files import rows
from gemma_eval.files.rows import Row, show
from gemma_eval.importers.sheet import Sheet

REFUSED = {
    "scenarios": "scenarios are not carried over; write their tests out",
    "redteam": "redteam makes its tests by a service, and nothing is fetched",
    "extensions": "extensions are code, and an import runs none",
    "nunjucksFilters": "nunjucksFilters are code, and an import runs none",
    "derivedMetrics": "derivedMetrics are formulas over named metrics; they are not carried over",
    "assertionTemplates": "assertionTemplates are not carried over; write the assertions out",
}


def _nothing(value: object) -> object:
    if value:
        raise ValueError(f"is {show(value)}, and is not carried over")
    return value


def _prompts(value: object) -> object:
    items = value if isinstance(value, list) else [value]
    texts = [item.get("raw") if isinstance(item, dict) else item for item in items]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError(f"is {show(value)}; it should be a list of texts, or of tables with a text as raw")
    return texts


Nothing = Annotated[object, AfterValidator(_nothing)]


class AssertionRow(Row):
    """An entry of `assert`."""

    type: str | None = None
    value: object = None
    threshold: FiniteFloat | None = None
    weight: Annotated[FiniteFloat, Field(ge=0)] | None = None
    metric: object = None
    transform: Nothing = None
    contextTransform: Nothing = None  # noqa: N815 - their name
    config: Nothing = None
    provider: Nothing = None
    rubricPrompt: Nothing = None  # noqa: N815 - their name


class TestRow(Row):
    """An entry of `tests`, and `defaultTest`."""

    description: object = None
    vars: dict[str, object] | None = None
    assertions: Annotated[list[AssertionRow] | None, Field(alias="assert")] = None
    threshold: Nothing = None
    options: Nothing = None
    provider: Nothing = None
    assertScoringFunction: Nothing = None  # noqa: N815 - their name
    metadata: object = None


class EvaluateRow(Row):
    """`evaluateOptions`, of which the number of repeats is carried over."""

    repeat: Annotated[int, Field(ge=1, le=10_000)] | None = None
    maxConcurrency: object = None  # noqa: N815 - their name
    delay: object = None
    showProgressBar: object = None  # noqa: N815 - their name
    cache: object = None


class ConfigRow(Row):
    """A whole configuration; what is an object here has no part in what is asked or checked."""

    description: object = None
    prompts: Annotated[object, AfterValidator(_prompts)] | None = None
    providers: object = None
    targets: object = None
    defaultTest: TestRow | None = None  # noqa: N815 - their name
    tests: Annotated[list[TestRow] | None, Field(min_length=1)] = None
    evaluateOptions: EvaluateRow | None = None  # noqa: N815 - their name
    commandLineOptions: object = None  # noqa: N815 - their name
    outputPath: object = None  # noqa: N815 - their name
    sharing: object = None
    tags: object = None
    metadata: object = None


def read(sheet: Sheet) -> ConfigRow:
    """Return the configuration of a sheet, and note there what cannot be carried over."""
    table = {key: value for key, value in sheet.table.items() if value is not None and key != "$schema"}
    for key in REFUSED.keys() & table.keys():
        sheet.say((key,), REFUSED[key])
        table.pop(key)
    if isinstance(table.get("tests"), str):
        sheet.say(("tests",), f"tests is {show(table.pop('tests'))}, another file; write the tests here")
    row, flaws = rows.check(ConfigRow, table)
    for flaw in flaws:
        sheet.say(flaw.path, flaw.text())
    for key in ("prompts", "tests"):
        if key not in table and not sheet.found:
            sheet.say((), f"needs {key}")
    return row
