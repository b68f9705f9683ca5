"""Make the prompt of a cell: passages into the budget, template, earlier turns, chat markup."""

from __future__ import annotations

from collections.abc import Sequence

from gemma_eval.prompts import budget, chat, templates
from gemma_eval.prompts.budget import CountTokens
from gemma_eval.records import Cell, Message, Passage, Prompt


def build(
    cell: Cell, *, passages: Sequence[Passage], chat_template: str | None, count_tokens: CountTokens
) -> Prompt:
    """Return what the model reads. Raises TemplateError.

    The template makes the last user turn; earlier turns stay turns of the chat. Without a `chat_template`
    the engine applies its own markup, so `text` and `n_tokens` are `None`.
    """
    found = passages if templates.uses_retrieval(cell.template) else ()
    kept, dropped = budget.fit(found, budget_tokens=cell.retrieval.budget_tokens, count_tokens=count_tokens)
    asked = Message(role="user", content=templates.fill(cell.template, cell.case, kept))
    messages = (*cell.case.messages[:-1], asked)
    text = None if chat_template is None else chat.render(chat_template, messages)
    return Prompt(
        messages=messages,
        text=text,
        n_tokens=None if text is None else count_tokens(text),
        passages=kept,
        dropped=dropped,
    )
