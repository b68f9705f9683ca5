"""Which passages bear on a question, by the judgements of its case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gemma_eval.records import Judgement, Passage, Piece


def fits(judgement: Judgement, *, id: str, document: str, text: str) -> bool:  # noqa: A002 - its field's name
    """Return whether a judgement is about this passage: it names it or its document, or is part of its text.

    White space and the case of letters do not matter to a text. An empty one is part of nothing.
    """
    if judgement.passage is not None:
        return judgement.passage in (id, document)
    sought = _plain(judgement.text or "")
    return bool(sought) and sought in _plain(text)


def first_places(
    passages: Sequence[Passage | Piece], relevant: Sequence[Judgement]
) -> tuple[int | None, ...]:
    """Return for each judgement the index of the first passage that fits it, `None` where none does."""
    by_name: dict[str, int] = {}
    for at, passage in enumerate(passages):
        by_name.setdefault(passage.id, at)
        by_name.setdefault(passage.document, at)
    sought = [_plain(each.text or "") for each in relevant]
    texts = [_plain(passage.text) for passage in passages] if any(sought) else []
    return tuple(
        next((at for at, known in enumerate(texts) if text and text in known), None)
        if judgement.passage is None
        else by_name.get(judgement.passage)
        for judgement, text in zip(relevant, sought, strict=True)
    )


def grades(passages: Sequence[Passage | Piece], relevant: Sequence[Judgement]) -> tuple[int, ...]:
    """Return how relevant each passage is, 0 where no judgement says that it is.

    A judgement counts for the first passage that fits it, so that what was found twice is not relevant twice.
    Of several that count for one passage the highest grade is taken.
    """
    found = [0] * len(passages)
    for judgement, at in zip(relevant, first_places(passages, relevant), strict=True):
        if at is not None:
            found[at] = max(found[at], judgement.grade)
    return tuple(found)


def fitting(
    passages: Sequence[Passage | Piece], relevant: Sequence[Judgement]
) -> Mapping[str, tuple[str, ...]]:
    """Return for each judgement above grade 0, by its name or text, the ids of the passages that fit it."""
    return {
        judgement.passage or judgement.text or "": tuple(
            each.id
            for each in passages
            if fits(judgement, id=each.id, document=each.document, text=each.text)
        )
        for judgement in relevant
        if judgement.grade > 0
    }


def n_relevant(relevant: Sequence[Judgement]) -> int:
    """Return how many passages there are to find: the judgements above grade 0, each counted once."""
    return len({(each.passage, each.text) for each in relevant if each.grade > 0})


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
