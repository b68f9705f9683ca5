"""What a retrieval asks, embedder, reranker or engine, is what it needs, and nothing is held longer."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from gemma_eval import hookimpl, plugins
from gemma_eval.backends.nobody import Nobody
from gemma_eval.cases.expand import trials
from gemma_eval.errors import BackendError, UsageError
from gemma_eval.memory.rerankers.sanity import PAIRS
from gemma_eval.protocols import Backend, RegisterReranker, RerankerParts
from gemma_eval.records import Cell, Judgement, ModelSpec, Retrieval, Retrieved, Trial
from gemma_eval.retrieving import Retrieving
from gemma_eval.stages import stages
from tests.examples import a_cell

HASHING = ModelSpec(name="hashing", backend="hashing", location="-")
ANSWERS = {pair.relevant for pair in PAIRS}


@dataclass(eq=False)
class Reading:
    """A reranker that knows the answers, with the engine that it asks."""

    backend: Backend | None

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return 1 for an answer, and for what says where Finn lives."""
        del query
        return [float(text in ANSWERS or "Oslo" in text) for text in texts]


class Same:
    """A reranker to which everything is the same."""

    def __init__(self, parts: RerankerParts) -> None:
        self.parts = parts

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return one score for all."""
        del query
        return [0.5] * len(texts)


class Added:
    """A plugin with two rerankers; it counts how often each is made."""

    def __init__(self) -> None:
        self.made: list[str] = []

    @hookimpl
    def register_rerankers(self, register: RegisterReranker) -> None:
        """Add one that works and one that is refused."""
        register("reading", self._reading)
        register("same", self._same)

    def _reading(self, parts: RerankerParts) -> Reading:
        self.made.append("reading")
        return Reading(backend=parts.backend)

    def _same(self, parts: RerankerParts) -> Same:
        self.made.append("same")
        return Same(parts)


@pytest.fixture
def added() -> Added:
    """Return the plugin."""
    return Added()


@pytest.fixture
def retrieving(added: Added) -> Retrieving:
    """Return what finds passages, with the plugin."""
    ticks = iter(range(0, 10**9, 1000))
    return Retrieving(registry=plugins.load([added]), clock=lambda: next(ticks))


@pytest.fixture
def find(retrieving: Retrieving) -> Callable[..., Retrieved]:
    """Return what finds the passages of a cell."""
    return lambda cell, backend=None: retrieving.retrieve(trials(cell)[0], backend)


def asking(**retrieval: object) -> Cell:
    """Return a cell that asks where Finn lives, with a retrieval, and says what is relevant."""
    cell = a_cell()
    relevant = (Judgement(text="Finn lives in Oslo"),)
    return replace(
        cell,
        case=replace(cell.case, relevant=relevant),
        retrieval=Retrieval(**retrieval),  # type: ignore[arg-type]
        embedders=(HASHING,),
    )


@pytest.mark.parametrize(
    ("retrieval", "asks"),
    [
        ({"retriever": "bm25"}, False),
        ({"retriever": "oracle", "near_duplicate": 0.9}, False),
        ({"retriever": "bm25", "reranker": "reading"}, False),
        ({"retriever": "bm25", "near_duplicate": 0.9}, True),
        ({"retriever": "hybrid"}, True),
    ],
)
def test_passages_are_embedded_where_their_vectors_are_looked_at(
    find: Callable[..., Retrieved], retrieving: Retrieving, retrieval: dict[str, object], asks: bool
) -> None:
    """What named retrievals begin with may name an embedder for others."""
    assert find(asking(embedder="hashing", **retrieval)).passages
    ((key, _),) = retrieving._sources
    assert isinstance(key, tuple)
    assert (key[-1] is not None) == asks


def test_what_is_known_is_not_reranked(find: Callable[..., Retrieved], added: Added) -> None:
    """Nor is a reranker made that the others begin with, and that might be refused."""
    assert find(asking(retriever="oracle", reranker="same")).passages
    assert added.made == []


def test_a_reranker_is_made_once_for_an_engine_and_orders_what_was_found(
    find: Callable[..., Retrieved], added: Added
) -> None:
    """Another engine has another one."""
    one, other = Nobody(), Nobody()
    cell = asking(reranker="reading")
    found = [find(cell, engine) for engine in (one, one, other)]
    assert all("Oslo" in each.passages[0].text for each in found)
    assert added.made == ["reading", "reading"]


def test_no_reranker_holds_an_engine_that_is_no_longer_asked(
    find: Callable[..., Retrieved], retrieving: Retrieving
) -> None:
    """Neither one that works nor one that is refused, whose error is kept."""
    engine = Nobody()
    watched = weakref.ref(engine)
    find(asking(reranker="reading"), engine)
    with pytest.raises(BackendError, match="refused"):
        find(asking(reranker="same"), engine)
    del engine
    retrieving.forget_rerankers()
    gc.collect()
    assert watched() is None


def test_what_is_refused_again_and_again_gathers_nothing(
    find: Callable[..., Retrieved], added: Added
) -> None:
    """Its error is one object, which would keep what each trial was made of."""
    depths = []
    for _ in range(3):
        with pytest.raises(BackendError, match="refused") as refused:
            find(asking(reranker="same"))
        depths.append(len(refused.traceback))
    assert added.made == ["same"]
    assert len(set(depths[1:])) == 1


def test_where_nobody_answers_the_reranker_engine_says_what_it_lacks(find: Callable[..., Retrieved]) -> None:
    """A model of its own."""
    with pytest.raises(UsageError, match="needs an engine: a reranker_model, or a case whose answers"):
        find(asking(reranker="engine"))


def test_where_passages_are_all_that_is_asked_for_no_engine_is_at_hand() -> None:
    """What stands in its place has none of an engine's skills, and is not named to a reranker as one."""
    seen: list[Backend | None] = []

    def find(_: Trial, backend: Backend | None) -> Retrieved:
        seen.append(backend)
        return Retrieved()

    nobody = Nobody()
    (trial,) = trials(a_cell())
    alone = replace(trial, cell=replace(trial.cell, case=replace(trial.cell.case, kind="retrieval")))
    stage = stages(plugins.load(), nobody, retrieve=find)
    stage.retrieve(trial)
    stage.retrieve(alone)
    assert seen == [nobody, None]
