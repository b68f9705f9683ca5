"""Fill a prompt template with the question, the passages found for it, the turns before it and variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from gemma_eval.errors import TemplateError
from gemma_eval.prompts import sandbox
from gemma_eval.prompts.named import Named, named_by
from gemma_eval.records import PROMPT_VARIABLES, Case, Passage, Template

RETRIEVED = frozenset({"rag_context", "passages"})
"""The variables for whose sake documents are searched."""
VARIABLES = frozenset(PROMPT_VARIABLES)
"""What every template can name, beside its own variables and those of the case."""


def names(template: Template) -> Named:
    """Return what a template and its parts name. Raises TemplateError for one that is malformed."""
    with placed(template):
        return named_by(template.name, template.text, tuple(sorted(template.parts.items())))


def uses_retrieval(template: Template) -> bool:
    """Whether a template shows passages, so that documents have to be searched. Raises TemplateError."""
    return not RETRIEVED.isdisjoint(names(template).of)


def fill(template: Template, case: Case, passages: Sequence[Passage], *, model: str = "") -> str:
    """Return the user's turn that a template makes of the question of a case. Raises TemplateError.

    `model` is the name of the one that is asked. A text that is blank is an error: nothing would be asked.
    """
    made = render(template, given(template, case, passages, model=model))
    if not made.strip():
        what = "it makes an empty prompt, and a model is not asked nothing"
        raise sandbox.said(template.name, what)
    return made


def render(template: Template, values: Mapping[str, sandbox.Plain]) -> str:
    """Return what a template makes of the values of its variables. Raises TemplateError."""
    with placed(template):
        return sandbox.render(template.name, template.text, values, others=template.parts)


@contextmanager
def placed(template: Template) -> Iterator[None]:
    """Let the errors of a template name the lines of its files, where texts may begin after front matter."""
    try:
        yield
    except TemplateError as error:
        if not error.line or not template.first_lines:
            raise
        line = line_of_file(template, error.part, error.line)
        raise sandbox.said(template.name, error.what, part=error.part, line=line) from error


def line_of_file(template: Template, part: str, line: int) -> int:
    """Return the line of a file that is a line of its text, front matter counted."""
    return line + template.first_lines.get(part, 1) - 1


def given(
    template: Template, case: Case, passages: Sequence[Passage], *, model: str
) -> dict[str, sandbox.Plain]:
    """Return the values of all that a template can name; a case without a `now` has none."""
    values: dict[str, sandbox.Plain] = {
        **{name: value for name, value in template.variables.items() if value is not None},
        **of_case(case),
        "query": case.query,
        "rag_context": rag_context(passages),
        "rag_recent": rag_recent(case),
        "passages": [
            {"number": number, "text": passage.text, "document": passage.document}
            for number, passage in enumerate(passages, start=1)
        ],
        "history": [{"role": turn.role, "content": turn.content} for turn in case.messages[:-1]],
        "model": model,
    }
    return values if case.now is None else {**values, "now": case.now}


def of_case(case: Case) -> dict[str, str | int | float]:
    """Return the variables of a case, a whole number without a point."""
    numbers = {name: int(value) if value.is_integer() else value for name, value in case.variables.items()}
    return {**numbers, **case.texts}


def rag_context(passages: Sequence[Passage]) -> str:
    """Return the passages as `- text` lines."""
    return "\n".join(f"- {passage.text}" for passage in passages)


def rag_recent(case: Case) -> str:
    """Return the turns before the question as `user: …` and `assistant: …` lines."""
    turns = (turn for turn in case.messages[:-1] if turn.role != "system")
    return "\n".join(f"{turn.role}: {turn.content}" for turn in turns)
