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
    wanted = [each for each in relevant if each.grade > 0]
    named: dict[str, dict[str, None]] = {}
    for passage in passages:
        for name in (passage.id, passage.document):
            named.setdefault(name, {})[passage.id] = None
    has_texts = any(each.passage is None for each in wanted)
    texts = [(passage.id, _plain(passage.text)) for passage in passages] if has_texts else []

    def ids(judgement: Judgement) -> tuple[str, ...]:
        if judgement.passage is not None:
            return tuple(named.get(judgement.passage, ()))
        sought = _plain(judgement.text or "")
        return tuple(id_ for id_, text in texts if sought and sought in text)

    return {each.passage or each.text or "": ids(each) for each in wanted}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
