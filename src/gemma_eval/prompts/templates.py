"""Fill a prompt template with the question, the passages found for it and the turns before it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from jinja2 import nodes

from gemma_eval.errors import TemplateError, suggestion
from gemma_eval.prompts import sandbox
from gemma_eval.records import Case, Passage, Template

RETRIEVED = frozenset({"rag_context", "passages"})
"""The variables for whose sake documents are searched."""
VARIABLES = RETRIEVED | {"query", "rag_recent"}
"""All that a template can name."""


def check(template: Template) -> None:
    """Raise TemplateError when a template is malformed or names a variable that there is not."""
    tree = sandbox.parse(template.name, template.text)
    unknown = sandbox.variables_of(template.name, tree) - VARIABLES
    for named in tree.find_all(nodes.Name):
        if named.name in unknown:
            what = f'unknown variable "{named.name}"{suggestion(named.name, VARIABLES)}'
            raise TemplateError(f'template "{template.name}": line {named.lineno}: {what}')


def uses_retrieval(template: Template) -> bool:
    """Whether a template shows passages, so that documents have to be searched. Raises TemplateError."""
    return _mentions_passages(template.name, template.text)


def fill(template: Template, case: Case, passages: Sequence[Passage]) -> str:
    """Return the user's turn that a template makes of the question of a case. Raises TemplateError."""
    return sandbox.render(
        template.name,
        template.text,
        {
            "query": case.query,
            "rag_context": rag_context(passages),
            "rag_recent": rag_recent(case),
            "passages": [
                {"number": number, "text": passage.text, "document": passage.document}
                for number, passage in enumerate(passages, start=1)
            ],
        },
    )


def rag_context(passages: Sequence[Passage]) -> str:
    """Return the passages as `- text` lines."""
    return "\n".join(f"- {passage.text}" for passage in passages)


def rag_recent(case: Case) -> str:
    """Return the turns before the question as `user: …` and `assistant: …` lines."""
    turns = (turn for turn in case.messages[:-1] if turn.role != "system")
    return "\n".join(f"{turn.role}: {turn.content}" for turn in turns)


@lru_cache(maxsize=256)
def _mentions_passages(name: str, text: str) -> bool:
    return bool(sandbox.variables_of(name, sandbox.parse(name, text)) & RETRIEVED)
