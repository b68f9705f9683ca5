"""The tokens of a Gemma, as sampling transforms ask about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gemma_eval.gemma.tokenizer import Tokenizer


@dataclass(eq=False, slots=True, weakref_slot=True)
class TokenizerVocabulary:
    """Answers with a tokenizer; `size` is that of the logits, which may be larger than its vocabulary."""

    size: int
    tokenizer: Tokenizer
    _known: int = field(init=False)
    _markup: Mapping[int, str] = field(init=False)
    _before: list[int] = field(init=False)
    _text_before: str = field(init=False)

    def __post_init__(self) -> None:
        """Read a first token, so that the space of a second one is kept where a first would lose its own."""
        self._known = self.tokenizer.largest_id + 1
        self._markup = self.tokenizer.markup
        self._before = list(self.tokenizer.encode("a"))
        self._text_before = self.tokenizer.decode(self._before)

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids of `text`, none added."""
        return self.tokenizer.encode(text)

    def piece(self, token: int) -> str:
        """Return the text of one token within a text; that of a control token is its markup."""
        if token in self._markup:
            return self._markup[token]
        if token >= self._known:
            return ""
        return self.tokenizer.decode([*self._before, token])[len(self._text_before) :]
