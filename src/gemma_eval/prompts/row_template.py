"""Texts of a case as templates over the columns of a row: compiled once, filled for each row.

Most of them are text with names of columns in it, and those are filled without Jinja2, to the same effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import jinja2
from jinja2 import nodes
from jinja2.environment import TemplateExpression
from jinja2.runtime import Undefined

from gemma_eval.prompts import limits, sandbox

Row = Mapping[str, object]
"""The columns of a row, which are plain data."""
_MARKS = ("{{", "{%", "{#")
_ASKING = frozenset({"defined", "undefined"})
_DEFAULTING = frozenset({"default", "d"})
_RESULT = "result"


@dataclass(frozen=True, slots=True)
class RowTemplate:
    """A template; `needed` are the columns that it cannot do without, `names` all that it names."""

    needed: frozenset[str]
    names: frozenset[str]
    _name: str
    _fill: Callable[[Row], object]

    def value(self, row: Row) -> object:
        """Return the text that is filled with a row, or the value itself of one expression alone.

        Such a value is plain: null, a truth value, a number, a text, or a list or table of these.
        Raises TemplateError.
        """
        token = limits.METER.set(limits.Meter())
        try:  # whatever a template provokes becomes one typed error
            return self._fill(row)
        except Exception as error:
            raise sandbox.template_error(self._name, error, row) from error
        finally:
            limits.METER.reset(token)


def compile_row(name: str, text: str) -> RowTemplate | str:
    """Return the template of a text, or the text where nothing in it is to be filled.

    `name` is for messages alone. Raises TemplateError.
    """
    if not any(mark in text for mark in _MARKS):
        return text
    tree = sandbox.parse(name, text)
    names = frozenset(sandbox.variables_of(name, tree))
    try:
        fill = _filling(tree, text)
    except Exception as error:
        raise sandbox.template_error(name, error, ()) from error
    return RowTemplate(names - _guarded(tree), names, name, fill)


def _guarded(tree: nodes.Template) -> frozenset[str]:
    """Return the names whose absence a template asks about or makes up for."""
    tests = (each.node for each in tree.find_all(nodes.Test) if each.name in _ASKING)
    filters = (each.node for each in tree.find_all(nodes.Filter) if each.name in _DEFAULTING)
    return frozenset(node.name for node in (*tests, *filters) if isinstance(node, nodes.Name))


def _filling(tree: nodes.Template, text: str) -> Callable[[Row], object]:
    pieces = list(_pieces(tree))
    alone = pieces[0] if len(pieces) == 1 and text.startswith("{{") and text.endswith("}}") else None
    if isinstance(alone, nodes.Name):
        return _column(alone.name)
    if isinstance(alone, nodes.Expr) and not isinstance(alone, nodes.TemplateData):
        return _expression(alone)
    if all(isinstance(piece, nodes.TemplateData | nodes.Name) for piece in pieces):
        return _joined(pieces, text)
    return _rendered(text)


def _pieces(tree: nodes.Template) -> Iterator[nodes.Node]:
    """Yield what a template prints in turn, and each statement of it."""
    for node in tree.body:
        if isinstance(node, nodes.Output):
            yield from node.nodes
        else:
            yield node


def _column(name: str) -> Callable[[Row], object]:
    return lambda row: row[name] if name in row else _undefined(name)


def _joined(pieces: list[nodes.Node], text: str) -> Callable[[Row], str]:
    """Fill names in text, as Jinja2 does where there is nothing else."""
    parts = [
        (piece.data, "") if isinstance(piece, nodes.TemplateData) else ("", cast(nodes.Name, piece).name)
        for piece in pieces
    ]
    end = "\n" if text.endswith("\n") else ""

    def fill(row: Row) -> str:
        made = [
            _printed(row[name] if name in row else _undefined(name)) if name else data for data, name in parts
        ]
        return limits.concat([*made, end])

    return fill


def _rendered(text: str) -> Callable[[Row], str]:
    """Fill by Jinja2, which drops the last line end of a text; here it is kept."""
    template = sandbox.compiled(text)
    end = "\n" if text.endswith("\n") else ""
    return lambda row: template.render(row) + end


def _expression(node: nodes.Expr) -> Callable[[Row], object]:
    """Return what gives the value of an expression instead of its text."""
    result = nodes.Assign(nodes.Name(_RESULT, "store"), node, lineno=node.lineno)
    template = sandbox.compiled_tree(nodes.Template([result], lineno=1))
    expression = TemplateExpression(template, False)  # noqa: FBT003 - what is undefined stays so

    def fill(row: Row) -> object:
        try:
            return _plain(expression(row))
        except Exception:  # noqa: BLE001 - raised again, with the lines of the text in place of those of its code
            template.environment.handle_exception()

    return fill


def _plain(value: object) -> object:
    """Return a value of an expression as plain data. Raises RefusedError for what is none."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Undefined):
        return str(value)  # a strict one raises and says its name
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range) or hasattr(value, "__next__"):
        return [_plain(item) for item in limits.metered(cast("list[object]", value))]
    raise limits.RefusedError(f"a {type(value).__name__} is no value of a row")


def _printed(value: object) -> str:
    return str(limits.present(value))


def _undefined(name: str) -> object:
    raise jinja2.UndefinedError(f"'{name}' is undefined")
