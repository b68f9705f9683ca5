"""The scorer of meaning: how near the vector of an answer is to that of a reference."""

from __future__ import annotations

from dataclasses import dataclass

from gemma_eval.protocols import Scorer, Services
from gemma_eval.records import Case, Generation, Options, Score
from gemma_eval.scoring.findings import quoted
from gemma_eval.scoring.options import CheckOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class Similarity:
    """Compares an answer with references by the vectors of an embedder; `models` names that."""

    references: tuple[str, ...]
    models: tuple[str, ...]
    embeds: bool = True

    def bind(self, services: Services) -> Scorer:
        """Return the scorer that judges with the embedder of `services`."""

        def score(case: Case, generation: Generation) -> Score:
            answer = generation.text.strip()
            if not answer:
                return Score(scorer="similarity", value=0.0, passed=None, explanation="the answer is empty")
            vectors = services.embed(self.models[0], (answer, *self.references))
            cosines = [float(cosine) for cosine in vectors[1:] @ vectors[0]]
            best = max(cosines)
            nearest = self.references[cosines.index(best)]
            return Score(
                scorer="similarity",
                value=min(1.0, max(0.0, best)),
                passed=None,
                answer=answer,
                explanation=f"cosine {best:.3f} to {quoted(nearest)}",
                figures={"cosine": best},
            )

        return score


def similarity(options: Options) -> Similarity:
    """The cosine between the vectors of the answer and of the nearest `reference`, 0 where it is negative.

    `embedder` is the name of one in models.toml, as all-MiniLM-L6-v2 with the backend sentence_bert. Two
    texts on one matter are near each other even where they contradict: it tells relevance, and no truth.
    """
    given = CheckOptions("similarity", options, known=("reference", "embedder"))
    return Similarity(references=given.texts("reference"), models=(given.text("embedder"),))
