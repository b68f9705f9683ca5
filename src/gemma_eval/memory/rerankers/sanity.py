"""Whether a reranker works at all: ten questions, each with a passage that answers it and one that does not.

The passages that answer share few words with their questions, and those that do not share some: an order by
words alone fails here. A reranker may give good scores with one build of an engine, and noise with the next.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gemma_eval.errors import BackendError
from gemma_eval.protocols import Reranker

NEEDED = 9
"""How many pairs must be in order: one that guesses has so many once in 93 times."""
LEAST_SPREAD = 1e-6
"""Scores that lie closer together than this are one score, whatever their order."""
_MOST_LISTED = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A question, a passage that answers it and one that does not."""

    query: str
    relevant: str
    irrelevant: str


PAIRS = (
    Pair(
        query="What is the capital of France?",
        relevant="Paris is the seat of the French government.",
        irrelevant="The capital of a company is what its owners have paid in.",
    ),
    Pair(
        query="How do I stop a tap from dripping?",
        relevant="A leaking faucet usually needs a new washer.",
        irrelevant="Tap dancing began in the United States.",
    ),
    Pair(
        query="Why is the sky blue?",
        relevant="Air scatters short wavelengths of sunlight more than long ones.",
        irrelevant="Blue whales are the largest animals that have ever lived.",
    ),
    Pair(
        query="When was the telephone invented?",
        relevant="Alexander Graham Bell got his patent in 1876, and the first call was made days later.",
        irrelevant="The telephone rang twice and nobody answered.",
    ),
    Pair(
        query="Which planet is the largest?",
        relevant="Jupiter has more than twice the mass of all the others together.",
        irrelevant="Sydney is a larger city than Canberra.",
    ),
    Pair(
        query="How long does it take to boil an egg?",
        relevant="For a firm yolk leave it in hot water for ten minutes.",
        irrelevant="It takes long practice to play the violin.",
    ),
    Pair(
        query="What do cows eat?",
        relevant="Cattle graze on grass and are fed hay in winter.",
        irrelevant="Sailors eat what the cook has on board.",
    ),
    Pair(
        query="Who painted the Mona Lisa?",
        relevant="Leonardo da Vinci made the famous portrait in Florence.",
        irrelevant="Anna has painted the fence of her garden green.",
    ),
    Pair(
        query="How can I sleep better?",
        relevant="A dark, quiet bedroom and regular hours help against insomnia.",
        irrelevant="How can better tyres make a car safer on wet roads?",
    ),
    Pair(
        query="Is it dangerous to eat raw chicken?",
        relevant="Uncooked poultry may carry salmonella and make people ill.",
        irrelevant="Raw silk comes from caterpillars, and chicken wire is made of steel.",
    ),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """A reranker that has passed; what it says later is looked at, too."""

    reranker: Reranker
    name: str

    def score(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """Return the scores of the reranker. Raises BackendError unless each text has a finite one."""
        scores = tuple(float(score) for score in self.reranker.score(query, texts))
        if len(scores) != len(texts):
            raise BackendError(
                f"the reranker {self.name} gave {len(scores)} scores for {len(texts)} passages; "
                "one for each is needed"
            )
        if odd := [score for score in scores if not math.isfinite(score)]:
            raise BackendError(f"the reranker {self.name} gave the score {odd[0]}, which is no number")
        return scores


def checked(reranker: Reranker, *, name: str) -> Reranker:
    """Return the reranker if it puts `NEEDED` of the pairs in order. Raises BackendError, naming the others.

    The passages of every second pair are given the other way round, so that an order that is always the same
    does not pass.
    """
    made = Checked(reranker=reranker, name=name)
    scores = [_scores(made, pair, turned=bool(at % 2)) for at, pair in enumerate(PAIRS)]
    every = [score for pair in scores for score in pair]
    if max(every) - min(every) < LEAST_SPREAD:
        raise BackendError(
            f"the reranker {name} is refused: it gives every passage nearly the same score ({every[0]:g}), "
            "so that their order would be one of chance"
        )
    wrong = [pair.query for pair, (good, bad) in zip(PAIRS, scores, strict=True) if good <= bad]
    if len(PAIRS) - len(wrong) < NEEDED:
        listed = "; ".join(f'"{query}"' for query in wrong[:_MOST_LISTED])
        listed += f" and {more} more" if (more := len(wrong) - _MOST_LISTED) > 0 else ""
        raise BackendError(
            f"the reranker {name} is refused: it puts the passage that answers before the one that does not "
            f"in {len(PAIRS) - len(wrong)} of {len(PAIRS)} pairs, {NEEDED} are needed; wrong are {listed}"
        )
    return made


def _scores(reranker: Reranker, pair: Pair, *, turned: bool) -> tuple[float, float]:
    """Return the scores of the passage that answers and of the one that does not."""
    if turned:
        bad, good = reranker.score(pair.query, [pair.irrelevant, pair.relevant])
    else:
        good, bad = reranker.score(pair.query, [pair.relevant, pair.irrelevant])
    return good, bad
