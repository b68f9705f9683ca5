"""Write a conversation in the markup that a model was trained on, by its own chat template or by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gemma_eval.errors import TemplateError
from gemma_eval.prompts import chat_formats, sandbox
from gemma_eval.records import Message

GEMMA_TOKENS: Mapping[str, str] = {"bos_token": "<bos>", "eos_token": "<eos>"}
"""The special tokens that chat templates name, as Gemma writes them."""


def render(
    chat_template: str, messages: Sequence[Message], *, tokens: Mapping[str, str] = GEMMA_TOKENS
) -> str:
    """Return the whole prompt up to where the model's turn begins. Raises TemplateError.

    A chat template is Jinja2, or `@` and the name of a format, as `@gemma3`. It gets `messages`, the special
    tokens and `add_generation_prompt`, as in Hugging Face tokenizers. The date of the day (`strftime_now`) is
    not among them: the same trial would read another prompt tomorrow. One that refuses a turn of *system* is
    given it before the user's turn, as Gemma 3 has it and llama.cpp does. One that begins with two `<bos>` is
    refused, for no tokenizer here adds one to what has it.
    """
    bos = tokens.get("bos_token", "")
    if name := chat_formats.NAMED.fullmatch(chat_template.strip()):
        text = chat_formats.render(name[1], messages, bos=bos)
    else:
        text = _of_jinja(chat_template, messages, tokens)
    if double_bos(text, bos=bos):
        raise TemplateError(f"chat template: the prompt begins with {bos} twice; write it once")
    return text


def double_bos(text: str, *, bos: str = GEMMA_TOKENS["bos_token"]) -> bool:
    """Whether a prompt begins with `<bos>` twice, which no model has seen in training."""
    first = text.lstrip()
    return bool(bos) and first.startswith(bos) and first.removeprefix(bos).lstrip().startswith(bos)


def _of_jinja(chat_template: str, messages: Sequence[Message], tokens: Mapping[str, str]) -> str:
    try:
        return _rendered(chat_template, messages, tokens)
    except TemplateError:
        if not any(message.role == "system" for message in messages):
            raise
        try:
            return _rendered(chat_template, chat_formats.merged(messages), tokens)
        except TemplateError:
            pass
        raise


def _rendered(chat_template: str, messages: Sequence[Message], tokens: Mapping[str, str]) -> str:
    turns = [{"role": message.role, "content": message.content} for message in messages]
    variables: dict[str, sandbox.Plain] = {**tokens, "messages": turns, "add_generation_prompt": True}
    return sandbox.render("chat template", chat_template, variables)
