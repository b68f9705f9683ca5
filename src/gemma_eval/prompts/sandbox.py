"""Render Jinja2 texts that somebody else wrote: plain data in, bounded text out, nothing else reachable.

What is allowed is listed and all else is refused. Turns of loops, calls, and the sizes of texts, lists and
numbers are bounded while they grow, in this process; docs/security.md says what that leaves open.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import cast

import jinja2
from jinja2 import meta, nodes
from jinja2.environment import TemplateModule
from jinja2.exceptions import SecurityError
from jinja2.ext import loopcontrols
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from gemma_eval.errors import TemplateError, suggestion
from gemma_eval.prompts import limits, parts

MOST_SOURCE_CHARACTERS = 1 << 16

Plain = None | bool | int | float | str | Sequence["Plain"] | Mapping[str, "Plain"]

_STR = """
    capitalize count endswith find isdigit lower lstrip removeprefix removesuffix replace rfind rsplit rstrip
    split splitlines startswith strip title upper
"""
_LOOP = "cycle changed depth depth0 first index index0 last length nextitem previtem revindex revindex0"
_TEXT_FILTERS = "capitalize lower string title trim upper"
_FILTERS = """
    abs count d default first float int items last length list reject rejectattr reverse round select
    selectattr
"""
_ATTRIBUTES: Mapping[type, frozenset[str]] = {
    str: frozenset(_STR.split()),
    dict: frozenset(("get", "items", "keys", "values")),
    list: frozenset(("count", "index")),
    LoopContext: frozenset(_LOOP.split()),
    BlockReference: frozenset(("super",)),
}
_COMPARING = "!= < <= == > >= eq equalto ge greaterthan gt in le lessthan lt ne"
METHODS = frozenset().union(*_ATTRIBUTES.values())
"""What may be called on a value, whichever it is."""
_BACKWARDS = frozenset(("lstrip", "rfind", "rsplit", "rstrip", "strip"))
"""Methods that may look at all of what they are given for each letter of a text."""
_COST_OF_A_PIECE = 16
"""A piece of a split text takes as much memory as this many characters, at least."""


def parse(name: str, text: str, *, part: str = "") -> nodes.Template:
    """Return the syntax tree of a template, or of a part of it. Raises TemplateError."""
    try:  # whatever a template provokes becomes one typed error, here and in render
        tree = _ENVIRONMENT.parse(_sized(text))
    except Exception as error:
        raise template_error(name, error, (), part=part) from error
    return tree


def variables_of(name: str, tree: nodes.Template, *, part: str = "") -> set[str]:
    """Return the variables that a template, or a part of it, names and does not set. Raises TemplateError."""
    try:
        return meta.find_undeclared_variables(tree) - PROVIDED
    except Exception as error:  # of an unknown filter, which parsing does not find
        raise template_error(name, error, (), part=part) from error


def compiled(text: str) -> jinja2.Template:
    """Return a template for plain data that prints no null; whoever renders it sets the meter."""
    return _OF_ROWS.from_string(_sized(text))


def compiled_tree(tree: nodes.Template) -> jinja2.Template:
    """Return the same of a tree that `parse` made, or of parts of one."""
    return _OF_ROWS.from_string(tree)


def render(
    name: str, text: str, variables: Mapping[str, Plain], *, others: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Return the template `text` filled with `variables`, which are copied as JSON. Raises TemplateError.

    `name` is for messages alone; `others` are the texts that it may include, extend and import.
    """
    token = limits.METER.set(limits.Meter())
    try:
        plain = json.loads(json.dumps(dict(variables), allow_nan=False))
        return _compiled(_sized(text, others), tuple(sorted(others.items()))).render(plain)
    except Exception as error:
        raise template_error(name, error, variables) from error
    finally:
        limits.METER.reset(token)


class _Metered(parts.References):
    """Puts a meter on every loop, and on every `~`; the parts of a template are those that it names."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - the name that the visitor looks for
        if node.recursive:
            raise jinja2.TemplateSyntaxError("recursive loops are not allowed", node.lineno)
        self.generic_visit(node)
        node.iter = _filtered(cast(nodes.Expr, node.iter), "metered")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 - as above
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "join")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802 - as above
        self.generic_visit(node)
        node.expr = _filtered(node.expr, "compared")
        for each in node.ops:
            each.expr = _filtered(each.expr, "searched" if each.op in ("in", "notin") else "compared")
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Pair:  # noqa: N802 - as above
        self.generic_visit(node)
        node.key = _filtered(node.key, "compared")
        return node


def _filtered(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, narrowed from *what is not known to be unsafe* to *what is listed*."""

    template_class = parts.Metered
    context_class = parts.Counted
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self) -> None:
        super().__init__(
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,
            finalize=limits.printable,
            loader=parts.Given({}),
            extensions=[loopcontrols],
        )
        self.globals = {
            "range": limits.short_range,
            "namespace": Namespace,
            "raise_exception": limits.raise_exception,
        }
        listed = {name: limits.charged(self.filters[name]) for name in _FILTERS.split()}
        of_text = {name: limits.of_text(self.filters[name]) for name in _TEXT_FILTERS.split()}
        own = {
            "compared": limits.compared,
            "join": limits.join,
            "metered": limits.metered,
            "replace": limits.replace,
            "round": limits.rounded,
            "searched": limits.searched,
            "tojson": limits.to_json,
        }
        self.filters = {**listed, **of_text, **own}
        self.tests |= {
            name: limits.comparing(cast(Callable[..., bool], self.tests[name])) for name in _COMPARING.split()
        }

    concat = staticmethod(limits.concat)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return cast(nodes.Template, _Metered().visit(super()._parse(source, name, filename)))

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        if isinstance(obj, Namespace | TemplateModule):
            return not attr.startswith("_")
        return attr in _ATTRIBUTES.get(type(obj), ())

    def is_safe_callable(self, obj: object) -> bool:
        if isinstance(obj, types.BuiltinMethodType | types.MethodType):
            return self.is_safe_attribute(obj.__self__, obj.__name__, obj)
        if isinstance(obj, Macro | Undefined | BlockReference):
            return True
        return any(obj is listed for listed in self.globals.values())

    def get_template(self, *args: object, **kwargs: object) -> jinja2.Template:
        """Look up a part, and count that."""
        limits.METER.get().step()
        return super().get_template(*args, **kwargs)  # type: ignore[arg-type]

    def wrap_str_format(self, value: object) -> None:
        """Leave `str.format` to `is_safe_attribute`, which does not list it."""

    def getitem(self, obj: object, argument: object) -> object:
        """Look up an item; a slice copies, and a key is compared, so they are charged."""
        if isinstance(argument, slice):
            limits.METER.get().charge(limits.size(obj))
        else:
            limits.compared(argument)
        return super().getitem(obj, argument)

    def call(self, context: Context, obj: object, *args: object, **kwargs: object) -> object:
        """Call what a template may call, and count it."""
        meter = limits.METER.get()
        meter.step()
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str):
            name = getattr(obj, "__name__", "")
            if name == "replace":
                return limits.replace(owner, *cast(tuple[str, str], args))
            meter.charge(len(owner) * (_COST_OF_A_PIECE if "split" in name else 1))
            for arg in args if name in _BACKWARDS else ():
                limits.found_in(owner, arg)
        elif owner is not None:
            for each in (owner if isinstance(owner, list) else None, *args):
                limits.compared(each)
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        """Calculate with small numbers, and join two texts or two lists with `+`."""
        for operand in (left, right):
            if isinstance(operand, Undefined):
                str(operand)  # a strict one raises and says its name
        if isinstance(left, int | float) and isinstance(right, int | float):
            if operator == "**" or limits.bits(left) + limits.bits(right) > limits.MOST_BITS:
                raise limits.RefusedError(f'"{operator}" of such numbers is not allowed')
        elif operator == "+" and isinstance(left, str) and isinstance(right, str):
            return limits.concat((left, right))
        elif operator == "+" and isinstance(left, list) and isinstance(right, list):
            limits.METER.get().charge(len(left) + len(right))
        else:
            kinds = f"{type(left).__name__} and {type(right).__name__}"
            raise limits.RefusedError(f'"{operator}" of {kinds} is not allowed')
        return super().call_binop(context, operator, left, right)


def _sized(text: str, others: Mapping[str, str] = MappingProxyType({})) -> str:
    if len(text) + sum(map(len, others.values())) > MOST_SOURCE_CHARACTERS:
        what = "it and its parts are" if others else "it is"
        raise limits.RefusedError(f"{what} longer than {MOST_SOURCE_CHARACTERS:,} characters")
    return text


_ENVIRONMENT = _Environment()
_OF_ROWS = _ENVIRONMENT.overlay(finalize=limits.present)
PROVIDED = frozenset(_ENVIRONMENT.globals)
"""The names that every template has besides its variables."""


@lru_cache(maxsize=256)
def _compiled(text: str, others: tuple[tuple[str, str], ...] = ()) -> jinja2.Template:
    environment = parts.overlaid(_ENVIRONMENT, dict(others)) if others else _ENVIRONMENT
    return environment.from_string(text)


def template_error(name: str, error: Exception, variables: Iterable[str], *, part: str = "") -> TemplateError:
    """Return the error that a template, or a part of it, has provoked, with its place where that is known."""
    found, line = parts.place(error)
    return said(name, _one_line(_reason(error, variables)), part=found or part, line=line)


def said(name: str, what: str, *, part: str = "", line: int = 0) -> TemplateError:
    """Return the error that says what is wrong with a template, at a line of its text or of a part's."""
    where = "".join((f"{part}: " if part else "", f"line {line}: " if line else ""))
    return TemplateError(f'template "{name}": {where}{what}', what=what, part=part, line=line)


def _reason(error: Exception, variables: Iterable[str]) -> str:
    if isinstance(error, RecursionError | SyntaxError):  # the latter of Python, for loops in loops in loops
        return "it is nested or recurses too deep"
    if isinstance(error, MemoryError):
        return "it needs too much memory"
    if isinstance(error, SecurityError):
        return f"not allowed: {error}"
    if isinstance(error, jinja2.TemplateSyntaxError) and error.message:
        return error.message  # without the place, which its text has as well
    missing = re.fullmatch(r"'(.{1,80})' is undefined", str(error))
    if isinstance(error, jinja2.UndefinedError) and missing:
        return f'unknown variable "{missing[1]}"{suggestion(missing[1], variables)}'
    return str(error) or type(error).__name__


def _one_line(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else "?" for letter in text.replace("\n", " "))
    return shown if len(shown) <= 300 else f"{shown[:299]}…"
