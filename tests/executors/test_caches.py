"""Cells with the same cache share it; an embedder is loaded when it is needed, the model can be asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from gemma_eval.errors import BackendError
from gemma_eval.executors.caches import Caches
from gemma_eval.protocols import Embedder
from gemma_eval.records import (
    Cached,
    Caching,
    Cell,
    EngineInfo,
    Generation,
    Message,
    ModelSpec,
    Prompt,
    SamplingProfile,
    Trial,
)
from tests.examples import a_cell, a_generation
from tests.memory.cache.made import ENGINE, PROMPT, Meaning

MEANING = ModelSpec(name="meaning", backend="meaning", location="-")
NEAR = {"Where does Finn live?": (1.0, 0.0), "Which town is Finn's home?": (0.96, 0.28)}


@dataclass
class Model:
    """Answers Oslo, and yes where it is asked whether two questions are one."""

    chat_template: str | None = None
    asked: list[str] = field(default_factory=list)

    def info(self) -> EngineInfo:
        """Say what it is."""
        return ENGINE

    def count_tokens(self, text: str) -> int | None:
        """Count words."""
        return len(text.split())

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Answer."""
        self.asked.append(prompt.messages[-1].content)
        return a_generation("yes" if "both of these questions" in prompt.messages[-1].content else "Oslo")

    def close(self) -> None:
        """Free nothing."""


def a_trial(query: str, caching: Caching | None) -> Trial:
    """Return a trial of a case with a cache."""
    cell: Cell = a_cell()
    case = replace(cell.case, cache=caching, messages=(Message(role="user", content=query),))
    return Trial(cell=replace(cell, case=case, embedders=(MEANING,)), repeat=0, seed=1)


def answered(caches: Caches, model: Model, trial: Trial) -> Cached:
    """Have a trial answered, and return how."""
    answer = caches.answer(trial.cell, model)
    assert answer is not None
    profile = SamplingProfile(name="greedy", temperature=0.0)
    return answer(PROMPT, trial, lambda: model.generate(PROMPT, profile=profile, seed=1))[1]


def test_cells_with_the_same_cache_share_it() -> None:
    """Another one knows nothing of it."""
    caches, model = Caches(embedder=lambda _: Meaning(NEAR)), Model()
    one, other = Caching(mode="exact"), Caching(mode="exact", ttl_s=5.0)
    uses = [answered(caches, model, a_trial("Where?", each)).use for each in (one, one, other)]
    assert uses == ["miss", "exact", "miss"]
    caches.close()
    assert answered(caches, model, a_trial("Where?", one)).use == "miss"


def test_a_case_without_a_cache_asks_none() -> None:
    """Its answers are made as ever."""
    assert Caches(embedder=lambda _: Meaning()).answer(a_trial("Where?", None).cell, Model()) is None


def test_verified_asks_the_model_that_answers() -> None:
    """In the words of the question whether two questions are one, and once."""
    caches, model = Caches(embedder=lambda _: Meaning(NEAR)), Model()
    caching = Caching(mode="verified", embedder="meaning", min_cosine=0.9)
    answered(caches, model, a_trial("Where does Finn live?", caching))
    home = a_trial("Which town is Finn's home?", caching)
    assert [answered(caches, model, home).use for _ in range(2)] == ["semantic", "semantic"]
    assert sum("both of these questions" in text for text in model.asked) == 1


def test_an_embedder_that_does_not_load_fails_the_trial() -> None:
    """A suite that asks for one that is not there is mistaken, and is told so."""

    def load(_: ModelSpec) -> Embedder:
        raise BackendError("no such folder")

    caching = Caching(mode="strict", embedder="meaning")
    with pytest.raises(BackendError, match="no such folder"):
        answered(Caches(embedder=load), Model(), a_trial("Where?", caching))
