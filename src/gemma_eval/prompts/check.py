"""What is wrong with a template by itself, and what it wants that a case does not give."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase

from gemma_eval.errors import TemplateError, suggestion
from gemma_eval.files import variables
from gemma_eval.prompts import sandbox, templates
from gemma_eval.records import Case, Template


def check(template: Template, *, given: Collection[str] = ()) -> None:
    """Raise TemplateError when a template is malformed, blank, or names a variable that there is not.

    `given` are the variables that cases give, besides those of the template itself.
    """
    for flaw in flaws(template, given=given):
        raise flaw


def flaws(template: Template, *, given: Collection[str] = ()) -> Iterator[TemplateError]:
    """Yield all that `check` raises the first of."""
    if not template.text.strip():
        yield sandbox.said(template.name, "it is blank; a model would be asked nothing")
        return
    for name in template.variables:
        if what := variables.flaw(name):
            yield sandbox.said(template.name, f"a variable {what}")
    try:
        found = templates.names(template)
    except TemplateError as error:
        yield error
        return
    known = templates.VARIABLES | set(template.variables) | set(given)
    for name, place in found.of.items():
        if name not in known and name not in found.set:
            what = f'unknown variable "{name}"{suggestion(name, known)}'
            line = templates.line_of_file(template, place.part, place.line)
            yield sandbox.said(template.name, what, part=place.part, line=line)


def wants(template: Template, case: Case) -> str | None:
    """Return what a template needs of a case that does not give it, with what would; `None` for nothing.

    Raises TemplateError.
    """
    found = templates.names(template).of
    if "now" in found and case.now is None:
        what = f'the template "{template.name}" uses now'
        return f'{what}; give the suite a now, as now = "2026-11-29", so that two runs read the same prompt'
    of_case = {*case.texts, *case.variables}
    without = [name for name, default in template.variables.items() if default is None]
    for name in [*without, *found]:
        lacks = name in without or not (name in templates.VARIABLES or name in template.variables)
        if lacks and name not in of_case and name not in templates.names(template).set:
            what = f'the template "{template.name}" needs the variable "{name}"'
            return f'{what}; give it, as variables = {{ {name} = "…" }}'
    return None


def unknown_text(case: Case, used: Iterable[Template]) -> str | None:
    """Say which text a case gives that no template of it names; `None` when there is none."""
    shown = tuple(used)
    known = {name for each in shown for name in (*each.variables, *templates.names(each).of)}
    for name in case.texts:
        if name not in known:
            own = sorted(known - templates.VARIABLES)
            return f'no template of the case names the variable "{name}"{suggestion(name, own)}'
    return None


def unfit(template: Template, model: str) -> str | None:
    """Return why a template is not for a model, by the names of those that it is for; `None` when it is."""
    if not template.models or any(fnmatchcase(model, glob) for glob in template.models):
        return None
    return f'the template "{template.name}" is for {" and ".join(template.models)}'


def malformed(template: Template, *, given: Collection[str] = ()) -> str | None:
    """Return what `check` raises, as a line."""
    try:
        check(template, given=given)
    except TemplateError as error:
        return str(error)
    return None
