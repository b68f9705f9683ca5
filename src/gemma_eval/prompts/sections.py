"""Which part of a prompt comes from where, and how many tokens each takes by the model's own tokenizer.

Marks that no text has are put around what is filled in, and the prompt is made once more with them. Only
where it is the same prompt without its marks are they believed: a template may change what it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, get_args

from gemma_eval.errors import TemplateError
from gemma_eval.prompts import chat, templates
from gemma_eval.prompts.budget import CountTokens
from gemma_eval.prompts.sandbox import Plain
from gemma_eval.records import Cell, Message, Passage, Prompt

Section = Literal["question", "passages", "history", "template", "markup"]
SECTIONS: tuple[Section, ...] = get_args(Section)
"""What a prompt is made of: *template* is what that writes itself, *markup* what stands around turns."""

_BEGIN = {section: chr(0xF0000 + number) for number, section in enumerate(SECTIONS)}
_OF = {mark: section for section, mark in _BEGIN.items()}
_END = chr(0xF00FF)
_MARKS = {ord(mark): None for mark in (*_BEGIN.values(), _END)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A run of a prompt that comes from one section."""

    section: Section
    text: str


def pieces(cell: Cell, prompt: Prompt, *, chat_template: str | None) -> tuple[Piece, ...] | None:
    """Return a prompt in the order of its text, piece by piece; `None` where that cannot be told.

    Without a `chat_template` they are those of the turns alone.
    """
    case = replace(cell.case, messages=(*prompt.messages[:-1], cell.case.messages[-1]))
    whole = _joined(prompt.messages) if prompt.text is None else prompt.text
    if any(mark in whole for mark in map(chr, _MARKS)):
        return None
    try:
        asked = _marked(
            "template", templates.render(cell.template, _values(cell, case.messages, prompt.passages))
        )
        earlier = [replace(turn, content=_marked("history", turn.content)) for turn in case.messages[:-1]]
        turns = (*earlier, Message(role="user", content=asked))
        made = _joined(turns) if chat_template is None else chat.render(chat_template, turns)
    except TemplateError:  # marks may lead where the text itself does not
        return None
    return tuple(_parsed(made)) if made.translate(_MARKS) == whole else None


def counted(found: Sequence[Piece], *, count_tokens: CountTokens) -> dict[Section, int] | None:
    """Return how many tokens each section takes; together they are those of the whole prompt.

    A token that two pieces share belongs to the one in which it ends: each piece counts by how much longer
    the prompt is with it. `None` where tokens cannot be counted.
    """
    lengths, text = [count_tokens("")], ""
    for piece in found:
        text += piece.text
        lengths.append(count_tokens(text))
    known = [length for length in lengths if length is not None]
    if len(known) < len(lengths):
        return None
    taken: dict[Section, int] = dict.fromkeys(SECTIONS, 0)
    for piece, (before, after) in zip(found, pairwise([0, *known[1:]]), strict=True):
        taken[piece.section] += after - before
    return taken


def _values(cell: Cell, turns: tuple[Message, ...], passages: tuple[Passage, ...]) -> dict[str, Plain]:
    """Return what a template is given, with marks around what has a section of its own."""
    case = replace(cell.case, messages=turns)
    values = templates.given(cell.template, case, passages, model=cell.model.name)
    shown: list[Plain] = [
        {
            "number": number,
            "text": _marked("passages", passage.text),
            "document": _marked("passages", passage.document),
        }
        for number, passage in enumerate(passages, start=1)
    ]
    earlier: list[Plain] = [
        {"role": turn.role, "content": _marked("history", turn.content)} for turn in turns[:-1]
    ]
    return values | {
        "query": _marked("question", case.query),
        "rag_context": _marked("passages", templates.rag_context(passages)),
        "rag_recent": _marked("history", templates.rag_recent(case)),
        "passages": shown,
        "history": earlier,
    }


def _marked(section: Section, text: str) -> str:
    """Put marks around a text, within the blanks that a chat template may trim; around nothing, nothing."""
    bare = text.strip()
    if not bare:
        return text
    begin = text.index(bare)
    return f"{text[:begin]}{_BEGIN[section]}{bare}{_END}{text[begin + len(bare) :]}"


def _joined(turns: Sequence[Message]) -> str:
    return "\n".join(turn.content for turn in turns)


def _parsed(marked: str) -> Iterator[Piece]:
    """Yield the pieces of a marked text; what is inside of another one is its own."""
    open_: list[Section] = ["markup"]
    text = ""
    for letter in marked:
        if letter not in _OF and letter != _END:
            text += letter
            continue
        if text:
            yield Piece(section=open_[-1], text=text)
            text = ""
        if letter in _OF:
            open_.append(_OF[letter])
        elif len(open_) > 1:
            open_.pop()
    if text:
        yield Piece(section=open_[-1], text=text)
