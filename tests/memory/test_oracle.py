"""What a case says is relevant is given as if it had been found, amid what is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gemma_eval.errors import UsageError
from gemma_eval.memory.oracle import oracle
from gemma_eval.memory.source import InMemory
from gemma_eval.protocols import PassageSource
from gemma_eval.records import Among, Hit, Judgement, Piece, Retrieval
from tests.memory.letters import pieces

PIECES = (
    *pieces("Finn lives in Oslo.", "Ada lives in Rome.", "Leo lives in Lima.", "Mia lives in Oslo."),
    Piece(id="m0", text="Nothing of note.", document="many"),
    Piece(id="m1", text="Zoe lives in Kyiv.", document="many"),
)
SOURCE = InMemory(PIECES)
ADA = Judgement(passage="p1")


def given(
    *relevant: Judgement,
    query: str = "Who lives in Oslo?",
    source: PassageSource = SOURCE,
    top_k: int = 9,
    distractors: int = 0,
    gold_at: float | None = None,
) -> list[str]:
    """Return the ids that the oracle gives."""
    retrieval = Retrieval(retriever="oracle", top_k=top_k, distractors=distractors, gold_at=gold_at)
    found = oracle(query, source=source, retrieval=retrieval, relevant=relevant, among=Among())
    assert [each.score for each in found] == [1 / rank for rank in range(1, len(found) + 1)]
    return [each.piece.id for each in found]


@pytest.mark.parametrize(
    ("relevant", "ids"),
    [
        ((), []),
        ((ADA,), ["p1"]),
        ((Judgement(passage="d2"),), ["p2"]),
        ((Judgement(text="lives in oslo"),), ["p0", "p3"]),
        ((Judgement(text="?!"),), []),
        ((Judgement(passage="nowhere"), Judgement(text="nothing like it")), []),
        ((ADA, Judgement(passage="p2", grade=2)), ["p2", "p1"]),
        ((ADA, Judgement(passage="p2", grade=0)), ["p1"]),
        ((ADA, Judgement(passage="d1"), Judgement(text="Ada")), ["p1"]),
    ],
)
def test_relevant_passages_are_given_by_id_document_or_text(
    relevant: Sequence[Judgement], ids: list[str]
) -> None:
    """The highest grades first, each once, none of grade 0."""
    assert given(*relevant) == ids


@pytest.mark.parametrize(
    "judgement", [Judgement(passage="old"), Judgement(passage="news"), Judgement(text="lives in Oslo")]
)
def test_what_a_search_may_not_find_is_not_given_either(judgement: Judgement) -> None:
    """However it is named, for it would be more than any search can give at best."""
    old = Piece(id="old", text="Finn lives in Oslo.", document="news", expires_s=5.0)
    young = Piece(id="young", text="Finn lives in Oslo now.", document="news")
    source, retrieval = InMemory([old, young]), Retrieval(retriever="oracle")
    found = [
        [
            each.piece.id
            for each in oracle(
                "Finn?", source=source, retrieval=retrieval, relevant=[judgement], among=Among(now_s=now_s)
            )
        ]
        for now_s in (4.0, 6.0)
    ]
    assert "old" in found[0]
    assert "old" not in found[1]


def test_of_a_document_the_passages_that_fit_the_question_come_first() -> None:
    """For its answer may stand in any of them."""
    assert given(Judgement(passage="many"), query="Where is Kyiv?") == ["m1", "m0"]


def test_every_judgement_is_served_before_one_is_served_twice() -> None:
    """So that `top_k` holds something of each."""
    assert given(Judgement(text="lives in Oslo"), ADA, top_k=2) == ["p0", "p1"]


@pytest.mark.parametrize(
    ("gold_at", "ids"),
    [
        (None, ["p1", "p0", "p3"]),
        (0.0, ["p1", "p0", "p3"]),
        (0.5, ["p0", "p1", "p3"]),
        (1.0, ["p0", "p3", "p1"]),
    ],
)
def test_the_relevant_ones_stand_where_they_are_wanted_amid_the_best_others(
    gold_at: float | None, ids: list[str]
) -> None:
    """Those are the best by BM25 that no judgement finds relevant."""
    assert given(ADA, distractors=2, gold_at=gold_at) == ids


def test_what_is_judged_relevant_is_no_distractor_and_what_is_judged_not_to_be_is_one() -> None:
    """However well it matches."""
    assert given(ADA, Judgement(text="Mia"), Judgement(passage="p0", grade=0), distractors=1) == [
        "p1",
        "p3",
        "p0",
    ]


def test_distractors_take_the_room_that_there_is() -> None:
    """Never that of a relevant passage."""
    assert given(ADA, top_k=2, distractors=5, gold_at=1.0) == ["p0", "p1"]
    assert given(ADA, Judgement(passage="p2"), top_k=1, distractors=5) == ["p1"]


class Unlisted:
    """A source that finds, and cannot be read through."""

    def lexical(self, query: str, *, k: int, among: Among) -> tuple[Hit, ...]:
        """Search."""
        return SOURCE.lexical(query, k=k, among=among)

    def nearest(self, vector: object, *, k: int, embedder: str, among: Among) -> tuple[Hit, ...]:
        """Find nothing."""
        return ()

    def pieces(self, ids: Sequence[str]) -> tuple[Piece, ...]:
        """Return what is there."""
        return SOURCE.pieces(ids)

    def vectors(self, ids: Sequence[str], *, embedder: str) -> None:
        """Have none."""


def test_a_source_that_cannot_be_read_through_serves_ids_and_texts_that_a_search_finds() -> None:
    """For anything else the message says what would help."""
    assert given(ADA, Judgement(text="lives in Oslo"), source=Unlisted()) == ["p1", "p0", "p3"]
    with pytest.raises(UsageError, match="name the relevant passages by their ids"):
        given(Judgement(passage="many"), source=Unlisted())
