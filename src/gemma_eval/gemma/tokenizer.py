"""Text to ids, and a stream of ids to text, with the tokenizer that came with the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import tokenizers

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma.folder import read_json, read_optional_json

TURN_ENDS = ("<eos>", "<end_of_turn>")


def load(folder: Path) -> Tokenizer:
    """Read the `tokenizer.json` in `folder`, with what the files beside it say. Raises ModelNotFound."""
    tokenizer = _load(folder / "tokenizer.json")
    return Tokenizer(
        tokenizer,
        chat_template=_chat_template(folder),
        stop_ids=frozenset(_stop_ids(folder, tokenizer)),
        added=_added(folder, tokenizer),
    )


class Tokenizer:
    """The tokenizer of a model, its chat template, and the ids that end an answer.

    `added` is the id of the token that it puts before every text by its own rules, `None` where it puts none.
    """

    def __init__(
        self,
        tokenizer: tokenizers.Tokenizer,
        *,
        chat_template: str | None,
        stop_ids: frozenset[int],
        added: int | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self.chat_template = chat_template
        self.stop_ids = stop_ids
        self.added = added

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids of `text`, special tokens in its markup included and none added.

        Chat markup may begin with `<bos>`: who makes a prompt of the ids puts `added` before others alone.
        """
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    @cached_property
    def beginning(self) -> int | None:
        """The token that an empty prompt consists of: what begins a text, else what ends the last one."""
        put_first: list[int] = self._tokenizer.encode("", add_special_tokens=True).ids
        if put_first:
            return put_first[0]
        known: int | None = self._tokenizer.token_to_id("<bos>")
        return min(self.stop_ids, default=None) if known is None else known

    def decode(self, ids: list[int]) -> str:
        """Return the text of `ids` without special tokens."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def stream(self) -> TextStream:
        """Return a fresh decoder for one answer."""
        return TextStream(self)

    @property
    def markup(self) -> Mapping[int, str]:
        """The text of each control token as chat markup has it, `<end_of_turn>`; `decode` leaves it out."""
        added = self._tokenizer.get_added_tokens_decoder()
        return {token: entry.content for token, entry in added.items() if entry.special}

    @property
    def largest_id(self) -> int:
        """The largest id of the vocabulary; tokens added to it, as one for images, may lie beyond."""
        vocabulary: Mapping[str, int] = self._tokenizer.get_vocab(with_added_tokens=False)
        return max(vocabulary.values())


class TextStream:
    """Decodes the ids of one answer as they come: the pieces joined are the text of all ids.

    A character whose bytes are spread over tokens comes out with the last of them. Text is decoded
    together with the token before it, for some tokenizers drop the space of a first token.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._context: list[int] = []
        self._pending: list[int] = []

    def push(self, token: int) -> str:
        """Take one id; return the text it completes, "" while the bytes of a character are incomplete."""
        self._pending.append(token)
        text = self._pending_text()
        if not text or text.endswith(_INCOMPLETE):
            return ""
        self._context, self._pending = self._pending, []
        return text

    def finish(self) -> str:
        """Return what is left at the end: a replacement character for bytes that never made one."""
        return self._pending_text() if self._pending else ""

    def _pending_text(self) -> str:
        before = self._tokenizer.decode(self._context)
        return self._tokenizer.decode(self._context + self._pending)[len(before) :]


_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"


def _load(path: Path) -> tokenizers.Tokenizer:
    if not path.exists():
        raise ModelNotFound(
            f"{path}: no such file; a model folder holds config.json, tokenizer.json and weights"
        )
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception for a damaged file
        raise ModelNotFound(f"{path}: not a tokenizer file: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _chat_template(folder: Path) -> str | None:
    """Return the chat template: a file of its own, or in older folders a key of tokenizer_config.json."""
    path = folder / "chat_template.jinja"
    if path.exists():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise ModelNotFound(f"{path}: cannot be read as UTF-8 text: {error}") from error
    template = read_optional_json(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(template, list):  # several, each with a name
        named = {entry.get("name"): entry.get("template") for entry in template if isinstance(entry, Mapping)}
        template = named.get("default")
    return template if isinstance(template, str) else None


def _added(folder: Path, tokenizer: tokenizers.Tokenizer) -> int | None:
    """Return what the tokenizer puts before a text, unless its configuration says that it must not.

    What it puts after one, as the `</s>` of T5, is no beginning.
    """
    config = read_optional_json(folder / "tokenizer_config.json")
    says = config.get("add_bos_token")
    own, bare = (tokenizer.encode("a", add_special_tokens=special).ids for special in (True, False))
    if says is False:
        return None
    if len(own) > len(bare) and own[1 : 1 + len(bare)] == bare:
        first: int = own[0]
        return first
    if not says:
        return None
    named = config.get("bos_token")
    text = named.get("content") if isinstance(named, Mapping) else named
    known: int | None = tokenizer.token_to_id(text if isinstance(text, str) else "<bos>")
    return known


def _stop_ids(folder: Path, tokenizer: tokenizers.Tokenizer) -> Iterator[int]:
    """Yield what config.json and generation_config.json call the end, and Gemma's own end tokens."""
    configs = (read_json(folder / "config.json"), read_optional_json(folder / "generation_config.json"))
    for config in configs:
        ids = config.get("eos_token_id")
        yield from (token for token in (ids if isinstance(ids, list) else [ids]) if isinstance(token, int))
    known = (tokenizer.token_to_id(token) for token in TURN_ENDS)
    yield from (token for token in known if token is not None)
