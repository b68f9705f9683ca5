"""Texts that a template includes, extends or imports: given beforehand, and accounted for like its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.environment import TemplateModule
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer

from gemma_eval.prompts import limits

_FILE = "<template>"
"""What Jinja2 calls the file of a template that has none, and here what that of a part begins with."""
_FILES = (_FILE, "<unknown>")
_WHOLE = "\n"
"""Ends the name of a part that is included, which keeps the line end that Jinja2 takes from the others."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A part that a template names, and the line on which it does."""

    name: str
    line: int


class References(NodeTransformer):
    """Lets a template name its parts in quotes alone, and has included ones stand as their files do."""

    def visit_Include(self, node: nodes.Include) -> nodes.Include:  # noqa: N802 - the name that is looked for
        """Mark the name of a part that is written out where the tag stands."""
        name = name_of(node)
        node.template = nodes.Const(f"{name}{_WHOLE}", lineno=node.lineno)
        return node

    def visit_Extends(self, node: nodes.Extends) -> nodes.Extends:  # noqa: N802 - as above
        """Refuse a name that only rendering could tell."""
        name_of(node)
        return node

    visit_Import = visit_FromImport = visit_Extends  # noqa: N815 - as above


def name_of(node: nodes.Include | nodes.Extends | nodes.Import | nodes.FromImport) -> str:
    """Return the part that a tag names. Raises TemplateSyntaxError for one that rendering would decide."""
    named = node.template
    if isinstance(named, nodes.Const) and isinstance(named.value, str):
        return named.value.removesuffix(_WHOLE)
    tag = "import" if isinstance(node, nodes.FromImport) else type(node).__name__.lower()
    what = f'{tag} should name one file in quotes, as {{% {tag} "parts/head.md" %}}'
    raise jinja2.TemplateSyntaxError(what, node.lineno)


def asked(tree: nodes.Template) -> Iterator[Asked]:
    """Yield what a parsed template includes, extends and imports."""
    for node in tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
        if isinstance(node, nodes.Include | nodes.Extends | nodes.Import | nodes.FromImport):
            yield Asked(name_of(node), node.lineno)


class Given(jinja2.BaseLoader):
    """Loads what was given, and looks nowhere else."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Keep the texts by their names."""
        self._texts = texts

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        """Return a text and what it is known as in tracebacks. Raises TemplateNotFound."""
        del environment
        name = template.removesuffix(_WHOLE)
        if name not in self._texts:
            raise jinja2.TemplateNotFound(name, f'there is no part "{name}"')
        text = self._texts[name]
        ends = _WHOLE if template.endswith(_WHOLE) and text.endswith("\n") else ""
        return text + ends, f"{_FILE}{name}", lambda: True


class Metered(jinja2.Template):
    """A template that is run anew wherever it is imported, so that no rendering leaves anything behind."""

    def make_module(self, *args: Any, **kwargs: Any) -> TemplateModule:  # noqa: ANN401 - for Jinja2 to know
        """Return what the template defines, with what it writes in one piece that was accounted for."""
        context = self.new_context(*args, **kwargs)
        return TemplateModule(self, context, [limits.concat(self.root_render_func(context))])

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        del ctx
        return self.make_module()


class Counted(Context):
    """The variables of a template, of which every part gets a copy."""

    def get_all(self) -> dict[str, object]:
        """Return the variables, and account for them."""
        limits.METER.get().charge(2 * (len(self.parent) + len(self.vars)))
        return super().get_all()


def place(error: Exception) -> tuple[str, int]:
    """Return the part and the line in it that an error comes from: "" for the template, 0 for none known."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        name = error.name or ""  # in angle brackets where Jinja2 looks at a tree and at no file
        return "" if name.startswith("<") else name.removesuffix(_WHOLE), error.lineno
    trace, found = error.__traceback__, ("", 0)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file in _FILES or file.startswith(_FILE):
            found = (file.removeprefix(_FILE) if file.startswith(_FILE) else "", trace.tb_lineno)
        trace = trace.tb_next
    return found


def overlaid(environment: jinja2.Environment, texts: Mapping[str, str]) -> jinja2.Environment:
    """Return an environment that knows these parts."""
    return environment.overlay(loader=Given(texts), cache_size=2 * len(texts))
