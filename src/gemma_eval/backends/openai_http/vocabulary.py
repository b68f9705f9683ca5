"""The tokens of a server's model, as a logit bias asks about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


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
