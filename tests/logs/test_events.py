"""The table of events is that of the page, and of what the code tells."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from gemma_eval.logs.events import EVENTS, LEVELS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "logs.md"
BY_OTHERS = {"message"}
"""What is told by whoever uses the standard library's loggers."""


def told() -> dict[str, set[str]]:
    """Return the events that the code tells, with the fields that it gives each."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("emit", "events.emit"):
                assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}"
                fields = {str(each.arg) for each in node.keywords} - {"level"}
                found.setdefault(str(node.args[0].value), set()).update(fields)
    return found


def test_each_event_is_told_somewhere_with_the_fields_that_it_has() -> None:
    """And none that the table does not know."""
    assert {name: set(event.fields) for name, event in EVENTS.items() if name not in BY_OTHERS} == told()


def test_names_are_words_with_underscores_and_levels_are_those_of_logging() -> None:
    """As the fields are."""
    for name, event in EVENTS.items():
        assert event.level in LEVELS
        for word in (name, *event.fields):
            assert re.fullmatch("[a-z]+(_[a-z]+)*", word)


def test_the_page_has_a_row_for_each_event_and_a_word_for_each_field() -> None:
    """In the order of the table, with the meaning that it has there."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [
        (name, event.level, event.meaning, ", ".join(f"`{field}`" for field in event.fields))
        for name, event in EVENTS.items()
    ]
