"""The chat markup of models whose files bring no template, by name; `@gemma3` names one in a models file.

Each writes the turns and then the beginning of the model's. Source: ggml-org/llama.cpp:src/llama-chat.cpp.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from gemma_eval.errors import TemplateError, suggestion
from gemma_eval.records import BRINGS_ITS_OWN, Message

NAMED = re.compile(r"@([\w.-]*)")
"""What is a name, and no Jinja2."""


def render(name: str, messages: Sequence[Message], *, bos: str) -> str:
    """Return the whole prompt in a format. Raises TemplateError with a suggestion for an unknown name."""
    if name in BRINGS_ITS_OWN:
        raise TemplateError(BRINGS_ITS_OWN[name])
    if name not in FORMATS:
        raise TemplateError(f'no chat format named "@{name}"{suggestion(name, FORMATS)}')
    return FORMATS[name](messages, bos)


def merged(messages: Sequence[Message]) -> list[Message]:
    """Return the turns without those of *system*, which stand before the user's turn that follows them."""
    found: list[Message] = []
    told = ""
    for message in messages:
        if message.role == "system":
            told += message.content.strip()
        elif message.role == "user" and told:
            found.append(Message(role="user", content=f"{told}\n\n{message.content.strip()}"))
            told = ""
        else:
            found.append(message)
    return found


def _gemma3(messages: Sequence[Message], bos: str) -> str:
    """Gemma 1 to 3, which know no system role."""
    names = {"assistant": "model"}
    turns = (
        f"<start_of_turn>{names.get(turn.role, turn.role)}\n{turn.content.strip()}<end_of_turn>\n"
        for turn in merged(messages)
    )
    return f"{bos}{''.join(turns)}<start_of_turn>model\n"


def _chatml(messages: Sequence[Message], bos: str) -> str:
    """ChatML, as Qwen and many others were trained on; a tokenizer that begins texts with a token adds it."""
    del bos
    turns = (f"<|im_start|>{turn.role}\n{turn.content}<|im_end|>\n" for turn in messages)
    return f"{''.join(turns)}<|im_start|>assistant\n"


def _generic(messages: Sequence[Message], bos: str) -> str:
    """Names before colons, for a model that was trained on no markup."""
    del bos
    return "\n\n".join((*_lines(messages), "Assistant:"))


def _lines(messages: Sequence[Message]) -> Iterator[str]:
    for turn in messages:
        yield f"{turn.role.capitalize()}: {turn.content.strip()}"


FORMATS: Mapping[str, Callable[[Sequence[Message], str], str]] = {
    "chatml": _chatml,
    "gemma3": _gemma3,
    "generic": _generic,
}
