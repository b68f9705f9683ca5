"""What the templates of a task make of a document, by the rules of lm-evaluation-harness.

Source: EleutherAI/lm-evaluation-harness:lm_eval/api/task.py (`doc_to_text`, `doc_to_target`,
`doc_to_choice`, `build_qa_turn`), version 0.4.13.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

import jinja2

from gemma_eval.errors import TemplateError
from gemma_eval.files.rows import show
from gemma_eval.importers import jinja
from gemma_eval.importers.data import Columns, Plain
from gemma_eval.importers.jinja import Render


class Unfit(Exception):
    """What a row makes of a field cannot be carried over; the message goes on after the field's name."""

    of_task = False
    """Whether the task file is to be mended, and not the row."""

    def __init__(self, key: str, what: str) -> None:
        """Keep the key of the task file that the row was rendered with."""
        self.key = key
        super().__init__(f"{key} {what}")


class UnfitTask(Unfit):
    """What is wrong is so whatever a row says, as a template that the sandbox does not allow."""

    of_task = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Fields:
    """Renders the fields of a task; `columns` are those of the rows that are evaluated."""

    render: Render
    columns: Collection[str]
    has_choices: bool

    def text(self, template: object, doc: Columns, *, key: str = "doc_to_text") -> str:
        """Return the question of a document. Raises Unfit."""
        if isinstance(template, int):
            raise Unfit(key, "is a number, which stands for several inputs; those are not carried over")
        made = (
            self._column(template, doc, key) if template in self.columns else self._made(template, doc, key)
        )
        if not isinstance(made, str):
            raise Unfit(key, f"is {show(made)}, and not a text")
        if self.has_choices and made.isdigit():
            raise Unfit(
                key, f"makes {show(made)}, which stands for one of several inputs; it is not carried over"
            )
        return made

    def plain(self, template: str | None, doc: Columns, *, key: str) -> str:
        """Return a description or a prefix, empty where there is none. Raises Unfit."""
        if not template:
            return ""
        made = doc[template] if template in doc else self._made(template, doc, key)
        if not isinstance(made, str):
            raise Unfit(key, f"is {show(made)}, and not a text")
        return made

    def target(self, template: object, doc: Columns, *, key: str = "doc_to_target") -> Plain:
        """Return the right answer: the index of a choice, a text, or a list of these. Raises Unfit."""
        if not isinstance(template, str):
            return cast(Plain, template)
        if template in self.columns:
            return self._column(template, doc, key)
        native = self._native(template, doc, key)
        if isinstance(native, list):
            return native
        made = native if isinstance(native, str) else str(native)
        if made.isdigit() and self.has_choices:
            return _index(made, key)
        if len(made) >= 2 and made[0] == "[" and made[-1] == "]":
            listed = _literal(made)
            return made if listed is None else listed
        return made

    def choices(self, template: object, doc: Columns, *, key: str = "doc_to_choice") -> list[str]:
        """Return the choices of a document, texts that are not empty. Raises Unfit."""
        found: object = template
        if isinstance(template, str) and template in self.columns:
            found = self._column(template, doc, key)
        elif isinstance(template, str):
            native = self._native(template, doc, key)
            found = _literal(native) if isinstance(native, str) else native
        if not isinstance(found, list) or not all(isinstance(each, str) and each.strip() for each in found):
            raise Unfit(key, f"makes {show(found)}; it should make a list of texts, none of them empty")
        if len(found) < 2:
            raise Unfit(key, f"makes {show(found)}; it should make at least two choices")
        return found

    def _column(self, name: object, doc: Columns, key: str) -> Plain:
        if name not in doc:  # an example need not have what the rows have
            raise Unfit(key, f"names the column {show(name)}, which is not there")
        return doc[name]

    def _made(self, template: object, doc: Columns, key: str) -> str:
        text = str(template)
        try:
            return self.render(key, jinja.whole(jinja.carried(text)), doc)
        except jinja2.TemplateSyntaxError as error:
            raise UnfitTask(key, f"is not a Jinja template: {error.message}") from error
        except TemplateError as error:
            raise UnfitTask(key, f"cannot be rendered: {_without_name(str(error))}") from error

    def _native(self, template: str, doc: Columns, key: str) -> Plain:
        """Return the value of a template that is one expression, or the text that it makes."""
        try:
            expression = jinja.expression(template)
        except jinja2.TemplateSyntaxError as error:
            raise UnfitTask(key, f"is not a Jinja template: {error.message}") from error
        if expression is not None:
            try:
                return cast(Plain, json.loads(self.render(key, f"{{{{ ({expression}) | tojson }}}}", doc)))
            except TemplateError:
                pass  # said below by the template itself, in its own words
        return self._made(template, doc, key)


def _index(digits: str, key: str) -> int:
    """Return the number that a text of digits is, which ² and 10,000 digits are not. Raises Unfit."""
    try:
        return int(digits)
    except ValueError as error:
        raise Unfit(key, f"makes {show(digits)}, which is no index") from error


def _literal(text: str) -> list[Plain] | None:
    """Return the list that a text is as Python would write it, without running anything."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return list(found) if isinstance(found, list) else None


def _without_name(message: str) -> str:
    return message.partition(": ")[2] or message
