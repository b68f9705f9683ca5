"""A judgement is about the first passage that it names, or that contains its text."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.records import Judgement, Passage, Piece
from gemma_eval.stats.judgements import first_places, fits, fitting, grades

PIECES = tuple(
    Piece(id=id_, text=text, document=document)
    for id_, text, document in (
        ("a", "Dora is a farmer.", "people.md"),
        ("b", "Finn lives in Oslo.", "people.md"),
        ("c", "Oslo is cold, and Dora is\na  farmer.", "cities.md"),
    )
)
PLACES = st.lists(st.sampled_from(PIECES), max_size=6)
JUDGED = st.lists(
    st.builds(Judgement, passage=st.sampled_from(["a", "b", "c", "people.md", "z"]), grade=st.integers(0, 3))
    | st.builds(
        Judgement, text=st.sampled_from(["dora IS a farmer", "oslo", "x", ""]), grade=st.integers(0, 3)
    ),
    max_size=6,
)


def oracle(pieces: Sequence[Piece], relevant: Sequence[Judgement], *, again: bool = False) -> list[int]:
    """Walk down the passages, and use each judgement up, or not."""
    open_, found = list(relevant), []
    for piece in pieces:
        about = [each for each in open_ if fits(each, id=piece.id, document=piece.document, text=piece.text)]
        found.append(max((each.grade for each in about), default=0))
        open_ = [each for each in open_ if again or each not in about]
    return found


@pytest.mark.parametrize(
    ("judgement", "which"),
    [
        (Judgement(passage="b"), "b"),
        (Judgement(passage="people.md"), "ab"),
        (Judgement(passage="B"), ""),
        (Judgement(text="Dora is a farmer"), "ac"),
        (Judgement(text="dora\nis A farmer"), "ac"),
        (Judgement(text="farmer Dora"), ""),
        (Judgement(text=" "), ""),
    ],
)
def test_a_judgement_names_a_passage_or_its_document_or_is_part_of_its_text(
    judgement: Judgement, which: str
) -> None:
    """Names to the letter; a text without regard to white space and case, an empty one fits nothing."""
    about = [p.id for p in PIECES if fits(judgement, id=p.id, document=p.document, text=p.text)]
    assert "".join(about) == which


@given(PLACES, JUDGED)
def test_each_judgement_counts_once(pieces: list[Piece], relevant: list[Judgement]) -> None:
    """As when each is crossed out where it has counted; its place is that of the first that fits it."""
    assert list(grades(pieces, relevant)) == oracle(pieces, relevant)
    for judgement, at in zip(relevant, first_places(pieces, relevant), strict=True):
        about = [fits(judgement, id=p.id, document=p.document, text=p.text) for p in pieces]
        assert at == (about.index(True) if any(about) else None)


def test_a_judgement_that_counts_again_is_noticed() -> None:
    """The oracle can fail: without crossing out, two passages of one document are both relevant."""
    relevant = [Judgement(passage="people.md", grade=2)]
    assert list(grades(PIECES, relevant)) == [2, 0, 0] != oracle(PIECES, relevant, again=True)


def test_passages_are_judged_as_pieces_are() -> None:
    """Both have an id, a document and a text."""
    passages = [
        Passage(id=p.id, text=p.text, document=p.document, score=1.0, rank=rank)
        for rank, p in enumerate(PIECES, start=1)
    ]
    relevant = [Judgement(text="oslo"), Judgement(passage="c", grade=3)]
    assert grades(passages, relevant) == grades(PIECES, relevant) == (0, 1, 3)


def test_what_fits_is_named_by_the_judgement() -> None:
    """All passages of a document or with a text, not the first alone; what is not relevant is left out."""
    relevant = (
        Judgement(passage="people.md"),
        Judgement(text="oslo", grade=2),
        Judgement(passage="z"),
        Judgement(passage="a", grade=0),
    )
    assert fitting(PIECES, relevant) == {"people.md": ("a", "b"), "oslo": ("b", "c"), "z": ()}


@given(st.lists(st.sampled_from(PIECES), max_size=3, unique=True), JUDGED)
def test_what_fits_is_what_fits_one_by_one(pieces: list[Piece], relevant: list[Judgement]) -> None:
    """Though each text is looked at once, however many judgements there are."""
    assert fitting(pieces, relevant) == {
        each.passage or each.text or "": tuple(
            p.id for p in pieces if fits(each, id=p.id, document=p.document, text=p.text)
        )
        for each in relevant
        if each.grade > 0
    }
