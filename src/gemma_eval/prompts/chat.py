"""Write a conversation in the markup that a model was trained on, with the chat template it brings along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gemma_eval.prompts import sandbox
from gemma_eval.records import Message

GEMMA_TOKENS: Mapping[str, str] = {"bos_token": "<bos>", "eos_token": "<eos>"}
"""The special tokens that chat templates name, as Gemma writes them."""


def render(
    chat_template: str, messages: Sequence[Message], *, tokens: Mapping[str, str] = GEMMA_TOKENS
) -> str:
    """Return the whole prompt up to where the model's turn begins. Raises TemplateError.

    A chat template gets `messages`, the special tokens and `add_generation_prompt`, as in Hugging Face
    tokenizers. The date of the day (`strftime_now`) is not among them: the same trial would read another
    prompt tomorrow.
    """
    turns = [{"role": message.role, "content": message.content} for message in messages]
    variables: dict[str, sandbox.Plain] = {**tokens, "messages": turns, "add_generation_prompt": True}
    return sandbox.render("chat template", chat_template, variables)
