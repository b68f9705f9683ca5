"""Make the prompt of a cell: passages into the budget, template, earlier turns, chat markup."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from gemma_eval.prompts import budget, chat, templates, truncate
from gemma_eval.prompts.budget import CountTokens
from gemma_eval.records import Cell, Message, Passage, Prompt


def build(
    cell: Cell,
    *,
    passages: Sequence[Passage],
    chat_template: str | None,
    count_tokens: CountTokens,
    context_tokens: int | None = None,
    nonce: str | None = None,
) -> Prompt:
    """Return what the model reads. Raises TemplateError, ContextOverflow.

    The template makes the last user turn; earlier turns stay turns of the chat. Without a `chat_template`
    the engine applies its own markup, so `text` and `n_tokens` are `None`. Only with `overflow = "truncate"`
    is anything left out, so that prompt and answer fit into the `context_tokens` of the model. A `nonce`
    begins the first turn, so that no engine has read the beginning of this prompt before. Of a case without
    turns the prompt is empty: no template, no markup.
    """
    if not cell.case.messages:
        return Prompt(messages=(), text="", n_tokens=0)
    found = passages if templates.uses_retrieval(cell.template) else ()
    kept = budget.fit(found, budget_tokens=cell.retrieval.budget_tokens, count_tokens=count_tokens)
    make = partial(_prompt, cell, chat_template=chat_template, count_tokens=count_tokens, nonce=nonce)
    if cell.retrieval.overflow == "truncate" and context_tokens is not None:
        prompt = truncate.fit(
            kept,
            cell.case.messages,
            made=make,
            context_tokens=context_tokens,
            answer_tokens=budget.answer_tokens(cell, count_tokens=count_tokens),
        )
    else:
        prompt = make(kept, cell.case.messages)
    dropped = Counter(found) - Counter(prompt.passages)
    return replace(prompt, dropped=tuple(dropped.elements()))


def _prompt(
    cell: Cell,
    passages: tuple[Passage, ...],
    messages: tuple[Message, ...],
    *,
    chat_template: str | None,
    count_tokens: CountTokens,
    nonce: str | None,
) -> Prompt:
    """Return the prompt of these passages and these turns, the last of which is asked."""
    case = replace(cell.case, messages=messages)
    asked = Message(role="user", content=templates.fill(cell.template, case, passages))
    turns = (*messages[:-1], asked)
    if nonce is not None:
        turns = (replace(turns[0], content=f"{nonce} {turns[0].content}"), *turns[1:])
    text = None if chat_template is None else chat.render(chat_template, turns)
    n_tokens = None if text is None else count_tokens(text)
    return Prompt(messages=turns, text=text, n_tokens=n_tokens, passages=passages)
