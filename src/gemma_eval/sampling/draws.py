"""How the last step takes one of the candidates: the best, or one by its probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gemma_eval.sampling.candidates import Candidates
from gemma_eval.sampling.stream import Uniform, draw


class Draw(Protocol):
    """The last step of a chain; one object serves one generation and may keep state."""

    def draw(self, candidates: Candidates) -> int:
        """Return the id of the token that is taken."""


@dataclass(frozen=True, slots=True)
class Best:
    """Takes the first of the highest logits."""

    def draw(self, candidates: Candidates) -> int:
        """Return the id of the best token."""
        return int(candidates.best().bag.ids[0])


@dataclass(frozen=True, slots=True)
class ByProbability:
    """Draws by probability, spending one random number even on a single candidate."""

    uniform: Uniform

    def draw(self, candidates: Candidates) -> int:
        """Return the id of the drawn token."""
        return int(candidates.bag.ids[draw(candidates, self.uniform)])
