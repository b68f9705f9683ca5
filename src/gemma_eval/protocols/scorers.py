"""What judges answers: scorers of each kind, and what they may use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, cast, runtime_checkable

from gemma_eval.records import Case, Generation, Given, Options, Question, Reply, Score, Subject

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Embeddings = NDArray[np.float32]
    """One row per text, shape [N, D], float32, each of length 1."""

Need = Literal["relevant", "answer"]
"""What a scorer of passages cannot do without: that the case says what is relevant, or an answer."""


class Scorer(Protocol):
    """Judges one answer; what it judges else is told by its attribute `subject`, see `subject_of`."""

    def __call__(self, case: Case, generation: Generation) -> Score:
        """Return a score; its `passed` is left `None`, the caller sets it from the check's `pass_at`."""


class RepeatsScorer(Protocol):
    """Judges all answers to a case at once; its `subject` is *repeats*."""

    @property
    def subject(self) -> Subject:
        """What is judged."""

    def __call__(self, case: Case, generations: Sequence[Generation]) -> Score:
        """Return a score as a `Scorer` does, from the answers in the order of their repeats."""


class PassagesScorer(Protocol):
    """Judges the passages that were found, and what became of them; its `subject` is *passages*."""

    @property
    def subject(self) -> Subject:
        """What is judged."""

    def __call__(self, case: Case, given: Given) -> Score:
        """Return a score as a `Scorer` does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """What a scorer may use beside the answer, as callables.

    `ask(model, question)` has a model reply; what goes wrong is the reply's `failure`. `embed(embedder,
    texts)` returns vectors. Raises GemmaEvalError where there is no such embedder.
    """

    ask: Callable[[str, Question], Reply]
    embed: Callable[[str, Sequence[str]], Embeddings]


@runtime_checkable
class ServedScorer(Protocol):
    """A scorer that needs a model or an embedder, and judges when it is bound to them."""

    def bind(self, services: Services) -> Scorer:
        """Return the scorer that judges with `services`."""


AnyScorer = Scorer | RepeatsScorer | PassagesScorer | ServedScorer


class ScorerFactory(Protocol):
    """Builds a scorer from the options of a check. Raises UsageError on a wrong option."""

    def __call__(self, options: Options) -> AnyScorer: ...


def subject_of(scorer: AnyScorer) -> Subject:
    """Return what a scorer judges: what its attribute `subject` says, an answer when it has none."""
    return cast(Subject, getattr(scorer, "subject", "answer"))


def needs_unconditional(scorer: AnyScorer) -> bool:
    """Return whether a scorer of choices needs their probabilities after an empty prompt too."""
    return bool(getattr(scorer, "unconditional", False))


def embeds(scorer: AnyScorer) -> bool:
    """Return whether the models of a scorer are embedders, by its attribute `embeds`."""
    return bool(getattr(scorer, "embeds", False))


def repeats_of(scorer: AnyScorer) -> int:
    """Return how many answers a scorer over repeats needs, by its attribute `least`, 1 where it has none."""
    return int(getattr(scorer, "least", 1))


def needs_of(scorer: AnyScorer) -> tuple[Need, ...]:
    """Return what a scorer of passages cannot do without, by its attribute `needs`."""
    return tuple(getattr(scorer, "needs", ()))


def models_of(scorer: AnyScorer) -> tuple[str, ...]:
    """Return the names of the models that a scorer asks, by its attribute `models`."""
    models = getattr(scorer, "models", ())
    return (models,) if isinstance(models, str) else tuple(models)
