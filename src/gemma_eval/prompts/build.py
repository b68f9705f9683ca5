"""Make the prompt of a cell: passages into the budget, template, earlier turns, chat markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from gemma_eval.prompts import budget, chat, packing, templates, truncate
from gemma_eval.prompts.budget import CountTokens
from gemma_eval.protocols import Clock
from gemma_eval.records import Cell, Message, Packed, Passage, Prompt, Step


def build(  # noqa: PLR0913 - what a prompt depends on, each by its name
    cell: Cell,
    *,
    passages: Sequence[Passage],
    chat_template: str | None,
    count_tokens: CountTokens,
    context_tokens: int | None = None,
    nonce: str | None = None,
    clock: Clock | None = None,
) -> Prompt:
    """Return what the model reads. Raises TemplateError, ContextOverflow.

    The template makes the last user turn; earlier turns stay turns of the chat. Without a `chat_template`
    the engine applies its own markup, so `text` and `n_tokens` are `None`. `passages`, given best first, are
    packed into their budget. Only with `overflow = "truncate"` is more left out, so that prompt and answer
    fit into the `context_tokens` of the model. A `nonce` begins the first turn, so that no engine has read
    the beginning of this prompt before. Where the template shows passages a `clock` stamps the steps. Of a
    case without turns the prompt is empty: no template, no markup.
    """
    if not cell.case.messages:
        return Prompt(messages=(), text="", n_tokens=0)
    make = partial(_prompt, cell, chat_template=chat_template, count_tokens=count_tokens, nonce=nonce)
    fit = partial(_fitting, cell, make=make, count_tokens=count_tokens, context_tokens=context_tokens)
    if not templates.uses_retrieval(cell.template):
        unshown = (Packed(passage=each.id, fate="dropped", reason=packing.UNSHOWN) for each in passages)
        return replace(fit(()), packing=tuple(unshown))
    now_ns = clock or (lambda: 0)
    began_ns = now_ns()
    kept, packed = packing.pack(passages, retrieval=cell.retrieval, count_tokens=count_tokens)
    packed_ns = now_ns()
    prompt = fit(kept)
    steps = (
        Step(name="pack", began_ns=began_ns, ended_ns=packed_ns),
        Step(name="render", began_ns=packed_ns, ended_ns=now_ns(), after=("pack",)),
    )
    packed = packing.without(packed, kept=kept, read=prompt.passages)
    dropped = (each for each, became in zip(passages, packed, strict=True) if became.fate != "kept")
    return replace(prompt, dropped=tuple(dropped), packing=packed, steps=steps if clock else ())


def _fitting(
    cell: Cell,
    passages: tuple[Passage, ...],
    *,
    make: truncate.Make,
    count_tokens: CountTokens,
    context_tokens: int | None,
) -> Prompt:
    """Return the prompt of these passages, or of what the context holds where anything may be left out."""
    messages = cell.case.messages
    if cell.retrieval.overflow == "error" or context_tokens is None:
        return make(passages, messages)
    answer_tokens = budget.answer_tokens(cell, count_tokens=count_tokens)
    return truncate.fit(
        passages, messages, made=make, context_tokens=context_tokens, answer_tokens=answer_tokens
    )


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
    asked = Message(role="user", content=templates.fill(cell.template, case, passages, model=cell.model.name))
    turns = (*messages[:-1], asked)
    if nonce is not None:
        turns = (replace(turns[0], content=f"{nonce} {turns[0].content}"), *turns[1:])
    text = None if chat_template is None else chat.render(chat_template, turns)
    n_tokens = None if text is None else count_tokens(text)
    return Prompt(messages=turns, text=text, n_tokens=n_tokens, passages=passages)
