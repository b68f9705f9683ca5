"""A step of a sampling chain, and what it may ask about tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from gemma_eval.records import SamplingProfile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Logits = NDArray[np.float32]
    """Logits of one position, shape [V], float32; a token that may not be drawn is -inf."""


class Vocabulary(Protocol):
    """What a sampling transform may ask about the tokens of a model."""

    @property
    def size(self) -> int:
        """The number of ids that logits have a value for."""

    def encode(self, text: str) -> Sequence[int]:
        """Return the ids of `text`, none added."""

    def piece(self, token: int) -> str:
        """Return the text of one token as it stands within a text."""


class Transform(Protocol):
    """One step of a sampling chain: logits in, logits out, the token never chosen set to -inf."""

    def __call__(self, logits: Logits, seen: Sequence[int]) -> Logits:
        """Return new logits [V]; `seen` are the ids of prompt and answer so far."""


class TransformFactory(Protocol):
    """Builds a transform for one generation from a profile; `None` when the profile has it off.

    `seed` is the generation's, for a transform that draws by itself; a transform may keep state, for each
    generation has its own.
    """

    def __call__(
        self, profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int
    ) -> Transform | None: ...
