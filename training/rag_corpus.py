"""Writes the corpus of the suite `rag`, the questions on it and the searches in it."""

# ruff: noqa: S311 - a seeded stream of pseudo-random draws is the point

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import parish
from parish import Paper
from suite_rows import Row

SEED = "parish"
"""Of those tried one with which the pocket model answers every question from the paper that tells it."""
SUITES = Path(__file__).parent.parent / "suites"
CORPUS = SUITES / "docs" / "parish.jsonl"
KINDS = ("letter", "page", "note", "census", "untold")
"""Of questions."""
SEARCHES = 8
"""How many there are for each kind of paper."""
OTHERWISE: Mapping[str, tuple[str, ...]] = {
    "lives": ("the town where {e} resides", "home address of {e}"),
    "likes": ("what {e} enjoys eating", "the dish that {e} prefers"),
    "owns": ("the creature that {e} keeps", "{e} and an animal"),
    "works": ("how {e} earns a living", "profession of {e}"),
    "wears": ("the headgear of {e}", "shade of what {e} has on the head"),
    "plays": ("music made by {e}", "what {e} performs on"),
    "coins": ("how much money {e} has", "the savings of {e}"),
    "place": ("whereabouts of the {e}", "where to look for the {e}"),
}
"""What somebody may type who looks for a fact; the pocket model understands none of it."""


def files() -> Iterator[tuple[Path, str]]:
    """Yield each file and what it is to hold."""
    drawn = parish.draw(Random(SEED))
    yield CORPUS, _lines(each.row for each in drawn.papers)
    for kind in KINDS:
        rows = (question.row for question in drawn.questions if question.kind == kind)
        yield SUITES / "data" / f"rag-{kind}.jsonl", _lines(rows)
    yield SUITES / "data" / "rag-searches.jsonl", _lines(searches(Random(SEED), drawn.papers))


def searches(rng: Random, papers: Sequence[Paper]) -> Iterator[Row]:
    """Yield searches in other words than any paper has, with all papers that bear on each.

    A rumour is worth less than the paper that it repeats, and so is what the census has counted before.
    """
    for kind in ("letter", "page", "note", "census"):
        of_kind = [each for each in papers if each.kind == kind]
        for each in rng.sample(of_kind, SEARCHES):
            fact = rng.choice(each.told)
            about = [other for other in papers if parish.subject(fact) in map(parish.subject, other.told)]
            best = max((other for other in about if other.kind == kind), key=lambda other: other.year)
            yield {
                "id": f"{kind}-{parish.named(fact)}",
                "query": rng.choice(OTHERWISE[fact.relation]).format(e=fact.entity),
                "relevant": [{"passage": other.id, "grade": 2 if other is best else 1} for other in about],
            }


def _lines(rows: Iterable[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main() -> None:
    """Write every file."""
    for path, content in files():
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
