"""What the test server is to stream and when: a script that travels as the model's name of a request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from typing import Any, Literal

Usage = Literal["end", "each", "never"]
"""When the token counts are sent, to a client that asks for them: once, with every piece too, or not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """A stream of `pieces`: the first `first_ms` after the request had come, then one after each gap.

    `gaps_ms`, `tokens` and `texts` go round as often as is needed. With `role` a piece that names the role
    and carries nothing is sent at once, as most servers do.
    """

    pieces: int = 16
    first_ms: float = 5.0
    gaps_ms: tuple[float, ...] = (5.0,)
    tokens: tuple[int, ...] = (1,)
    texts: tuple[str, ...] = (" word",)
    prompt_tokens: int = 8
    role: bool = True
    usage: Usage = "end"

    def __post_init__(self) -> None:
        """Refuse a stream of nothing. Raises ValueError."""
        if self.pieces < 1 or not (self.gaps_ms and self.tokens and self.texts):
            raise ValueError("a script has at least one piece, with a text, tokens and a gap")

    @classmethod
    def named(cls, name: str) -> Script:
        """Return the script that a model's name spells. Raises ValueError when it spells none."""
        try:
            given: Mapping[str, Any] = json.loads(name)
            return cls(**{key: _frozen(value) for key, value in given.items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{name!r} is not the name of a script: {error}") from error

    @property
    def name(self) -> str:
        """The script as a model's name: JSON, from which `named` makes it again."""
        return json.dumps(asdict(self))

    @property
    def due_ms(self) -> tuple[float, ...]:
        """When each piece is due, in milliseconds after the request had come."""
        due = [self.first_ms]
        for gap in islice(cycle(self.gaps_ms), self.pieces - 1):
            due.append(due[-1] + gap)
        return tuple(due[: self.pieces])

    def contents(self) -> Iterator[tuple[str, int]]:
        """Yield the text of each piece and the tokens that it carries."""
        return islice(zip(cycle(self.texts), cycle(self.tokens), strict=False), self.pieces)

    @property
    def output_tokens(self) -> int:
        """The tokens of all pieces."""
        return sum(tokens for _, tokens in self.contents())


def _frozen(value: Any) -> Any:  # noqa: ANN401 - what JSON has
    return tuple(value) if isinstance(value, list) else value
