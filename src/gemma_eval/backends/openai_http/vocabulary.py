"""The tokens of a server's model, as a logit bias asks about them, and the tokenizer in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gemma_eval.backends.openai_http.options import tokenizer_folder
from gemma_eval.errors import ModelNotFound, WrongSetting
from gemma_eval.gemma.tokenizer import Tokenizer, load
from gemma_eval.records import ModelSpec


@dataclass(frozen=True)
class ServedVocabulary:
    """What a server tells of its tokens; nobody tells how many there are, so any id may be one."""

    tokens: Callable[[str], tuple[int, ...] | None]
    size: int = 1 << 31

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids of `text`, none added; none where nobody can tell."""
        return self.tokens(text) or ()

    def piece(self, token: int) -> str:
        """Return how a token is called in messages."""
        return f"token {token}"


def tokenizer_of(spec: ModelSpec) -> Tokenizer | None:
    """Load the tokenizer that an option names. Raises WrongSetting, also for one that is damaged."""
    folder = tokenizer_folder(spec)
    try:
        return None if folder is None else load(folder)
    except ModelNotFound as error:
        raise WrongSetting(spec.name, "options", "tokenizer", what=f"tokenizer: {error}") from error
