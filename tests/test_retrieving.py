"""Passages of a trial come from its documents, its corpus or a store, as its retrieval says."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gemma_eval import hookimpl, plugins
from gemma_eval.cases.documents import Folder
from gemma_eval.cases.expand import trials
from gemma_eval.errors import StoreError, UsageError
from gemma_eval.memory.sqlite.store import open_store
from gemma_eval.protocols import Embedder, MemoryStore, RegisterEmbedder, RegisterRetriever, RegisterStore
from gemma_eval.records import Cell, Corpus, Document, ModelSpec, Passage, Piece, Retrieval, Retrieved, Trial
from gemma_eval.retrieving import Retrieving
from tests.examples import a_cell

if TYPE_CHECKING:
    from gemma_eval.protocols.scorers import Embeddings

SMALL = ModelSpec(name="small", backend="letters", location="-")


class Letters:
    """An embedder whose vectors count letters; it remembers what it was given."""

    id = "letters/1"

    def __init__(self) -> None:
        self.given: list[Sequence[str]] = []

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Return how often each letter of the alphabet is there, scaled to length 1."""
        self.given.append(tuple(texts))
        counts = np.array([[text.casefold().count(chr(97 + i)) + 1e-3 for i in range(26)] for text in texts])
        return np.asarray(counts / np.linalg.norm(counts, axis=1, keepdims=True), np.float32)


class Backwards:
    """A retriever that finds the documents from the last to the first."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents

    def search(self, query: str, *, k: int) -> tuple[Passage, ...]:
        """Return the last `k` documents, whatever is asked."""
        del query
        return tuple(
            Passage(id=each.name, text=each.text, document=each.name, score=1 / rank, rank=rank)
            for rank, each in enumerate(self._documents[::-1][:k], start=1)
        )


class Added:
    """A plugin with an embedder, a retriever, and a store that cannot be reached."""

    def __init__(self) -> None:
        self.letters = Letters()
        self.opened: list[str] = []
        self.indexed: list[int] = []

    @hookimpl
    def register_embedders(self, register: RegisterEmbedder) -> None:
        """Add the letters."""
        register("letters", self._load)

    @hookimpl
    def register_retrievers(self, register: RegisterRetriever) -> None:
        """Add the last first."""
        register("backwards", self._backwards)

    @hookimpl
    def register_stores(self, register: RegisterStore) -> None:
        """Add what is down."""
        register("down", self._open)

    def _backwards(self, documents: Sequence[Document]) -> Backwards:
        self.indexed.append(len(documents))
        return Backwards(documents)

    def _load(self, spec: ModelSpec) -> Embedder:
        del spec
        return self.letters

    def _open(self, location: str) -> MemoryStore:
        self.opened.append(location)
        raise StoreError(f"{location}: nobody answers")


@pytest.fixture
def added() -> Added:
    """Return the plugin."""
    return Added()


@pytest.fixture
def find(added: Added, tmp_path: Path) -> Callable[[Cell], Retrieved]:
    """Return what finds the passages of a cell, with a suite in a folder of its own."""
    ticks = iter(range(0, 10**9, 1000))
    made = Retrieving(registry=plugins.load([added]), clock=lambda: next(ticks), folder_of=lambda _: tmp_path)
    return lambda cell: made.retrieve(trial_of(cell))


def trial_of(cell: Cell) -> Trial:
    """Return the first trial of a cell."""
    return trials(cell)[0]


def with_corpus(folder: Path, *texts: str) -> Corpus:
    """Write a corpus of one passage per text, with the ids p1, p2 and so on."""
    rows = [json.dumps({"id": f"p{n}", "text": text}) for n, text in enumerate(texts, start=1)]
    (folder / "corpus.jsonl").write_text("\n".join(rows) + "\n")
    return Corpus(path="corpus.jsonl", sha256=Folder(folder).digest("corpus.jsonl"))


def asking(corpus: Corpus | None = None, **retrieval: object) -> Cell:
    """Return a cell that asks where Finn lives, with a retrieval."""
    cell = a_cell()
    documents = cell.case.documents if corpus is None else ()
    return replace(
        cell,
        case=replace(cell.case, corpus=corpus, documents=documents),
        retrieval=Retrieval(**retrieval),  # type: ignore[arg-type]
        embedders=(SMALL,) if "embedder" in retrieval else (),
    )


def texts(found: Retrieved) -> list[str]:
    """Return the texts of the passages, best first."""
    return [passage.text for passage in found.passages]


def test_documents_of_a_case_are_searched_by_words(find: Callable[[Cell], Retrieved]) -> None:
    """The best one comes first, and each step has its time."""
    found = find(asking())
    assert texts(found)[0] == "Finn lives in Oslo."
    assert found.trace is not None
    assert "lexical" in [step.name for step in found.trace.steps]
    assert all(step.ended_ns > step.began_ns for step in found.trace.steps)


def test_a_corpus_is_embedded_once_for_all_its_questions(
    find: Callable[[Cell], Retrieved], added: Added, tmp_path: Path
) -> None:
    """What is embedded later are the questions alone."""
    corpus = with_corpus(tmp_path, "Finn lives in Oslo.", "Zzz zzz.")
    cell = asking(corpus, retriever="hybrid", embedder="small")
    assert texts(find(cell))[0] == "Finn lives in Oslo."
    assert texts(find(replace(cell, profile=replace(cell.profile, name="hot"))))[0] == "Finn lives in Oslo."
    assert [len(given) for given in added.letters.given] == [2, 1, 1]


def test_the_retrieval_none_finds_nothing(find: Callable[[Cell], Retrieved]) -> None:
    """No passage, and no trace that says how."""
    assert find(asking(retriever="none")) == Retrieved()


def test_the_retriever_of_a_plugin_is_given_the_passages_of_the_corpus(
    find: Callable[[Cell], Retrieved], tmp_path: Path
) -> None:
    """It is one step, whatever it does."""
    found = find(asking(with_corpus(tmp_path, "one", "two", "three"), retriever="backwards", top_k=2))
    assert texts(found) == ["three", "two"]
    assert found.trace is not None
    assert [step.name for step in found.trace.steps] == ["retrieve"]
    assert found.trace.found == {"retrieve": ("p3", "p2")}


def test_the_retriever_of_a_plugin_indexes_a_corpus_once(
    find: Callable[[Cell], Retrieved], added: Added, tmp_path: Path
) -> None:
    """And before the clock runs: its step is the search, as those of others are."""
    cell = asking(with_corpus(tmp_path, "one", "two", "three"), retriever="backwards", top_k=2)
    assert find(cell).passages == find(replace(cell, seed=2)).passages
    assert added.indexed == [3]


def test_a_store_that_cannot_be_reached_leaves_a_mark_and_no_passage(
    find: Callable[[Cell], Retrieved],
) -> None:
    """The trial is asked without."""
    found = find(asking(memory="down://somewhere"))
    assert found.passages == ()
    assert found.trace is not None
    assert found.trace.degraded == "down://somewhere: nobody answers"


def test_a_memory_that_is_not_there_is_not_made(find: Callable[[Cell], Retrieved], tmp_path: Path) -> None:
    """A name that was mistyped is said, with the command that fills such a file."""
    with pytest.raises(UsageError, match=r"memory nots\.db: there is no such file .* gemma-eval memory add"):
        find(asking(memory="nots.db"))
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_memory_is_an_error(find: Callable[[Cell], Retrieved], tmp_path: Path) -> None:
    """It is no outage that passes: nobody would notice a run without passages."""
    (tmp_path / "notes.db").write_text("Finn lives in Oslo.")
    with pytest.raises(StoreError, match=r"notes\.db"):
        find(asking(memory="notes.db"))


def test_a_memory_without_vectors_is_said_before_it_is_searched_by_them(
    find: Callable[[Cell], Retrieved], added: Added, tmp_path: Path
) -> None:
    """What a search by vectors cannot find would count as not there; the command that makes them is named."""
    with closing(open_store(str(tmp_path / "notes.db"))) as store:
        piece = Piece(id="p1", text="Finn lives in Oslo.", document="notes")
        store.add([piece], now_s=0.0)
        cell = asking(memory="notes.db", retriever="hybrid", embedder="small")
        with pytest.raises(UsageError, match=r"no vectors of letters/1; make them: gemma-eval memory embed"):
            find(cell)
        store.add_vectors(["p1"], added.letters.embed([piece.text]), embedder="letters/1")
    assert texts(find(cell)) == ["Finn lives in Oslo."]
    assert texts(find(asking(memory="sqlite:notes.db"))) == ["Finn lives in Oslo."]


def test_memories_of_two_suites_may_have_one_name(added: Added, tmp_path: Path) -> None:
    """That one has vectors says nothing of the other."""
    for suite in ("a", "b"):
        (tmp_path / suite).mkdir()
        with closing(open_store(str(tmp_path / suite / "notes.db"))) as store:
            store.add([Piece(id="p1", text=f"Finn lives in {suite}.", document="notes")], now_s=0.0)
            if suite == "a":
                store.add_vectors(["p1"], added.letters.embed(["Finn"]), embedder="letters/1")
    made = Retrieving(registry=plugins.load([added]), folder_of=lambda suite: tmp_path / suite)
    cell = asking(memory="notes.db", retriever="hybrid", embedder="small")
    first, second = (trial_of(replace(cell, suite=suite)) for suite in ("a", "b"))
    with closing(made):
        assert texts(made.retrieve(first)) == ["Finn lives in a."]
        with pytest.raises(UsageError, match="no vectors of letters/1"):
            made.retrieve(second)


def test_a_corpus_that_has_changed_since_is_refused(
    find: Callable[[Cell], Retrieved], tmp_path: Path
) -> None:
    """A run is of the passages that its suite was read with."""
    corpus = with_corpus(tmp_path, "Finn lives in Oslo.")
    with_corpus(tmp_path, "Finn lives in Rome.")
    with pytest.raises(UsageError, match=r"corpus\.jsonl: has changed since the suite was read"):
        find(asking(corpus))
