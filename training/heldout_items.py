"""Prints items that are never trained on: `heldout_items.py [facts|questions|unknown|sums|judge|lists]`."""

# ruff: noqa: S311 - a seeded stream of pseudo-random draws is the point

import sys
from collections.abc import Iterator
from random import Random

import facts
import tasks
import world


def held_out_facts() -> Iterator[facts.Fact]:
    """Yield every held-out fact."""
    for relation in facts.EVERY:
        for entity in relation.entities:
            for value in relation.values:
                fact = facts.Fact(relation.name, entity, value)
                if fact.split == "held_out":
                    yield fact


def lines(kind: str, *, limit: int = 60) -> Iterator[str]:
    """Yield held-out items of one kind as text."""
    if kind == "facts":
        yield from (f"{fact.relation}: {facts.say(fact)}" for fact in held_out_facts())
    elif kind == "questions":
        yield from _closed_questions()
    elif kind == "unknown":
        yield from _unknown_questions()
    else:
        rng, draw = Random(0), {"sums": tasks.arithmetic, "judge": tasks.judge, "lists": tasks.listing}[kind]
        turns = [draw(rng, split="held_out") for _ in range(limit)]
        yield from (f"{turn.user!r} -> {turn.answer!r}" for turn in turns)


def _closed_questions() -> Iterator[str]:
    for fact in world.closed_facts():
        for text in fact.questions:
            if facts.question_split(text) == "held_out":
                yield f"{text} -> {fact.answer}"


def _unknown_questions() -> Iterator[str]:
    for relation in facts.EVERY:
        forms = (*relation.questions, relation.completion)
        for text in (form.format(e=entity) for entity in relation.entities for form in forms):
            if facts.question_split(text) == "held_out":
                yield f"{text} -> {world.UNKNOWN_ANSWER}"


def main() -> None:
    """Print the kinds named on the command line, or all."""
    for kind in sys.argv[1:] or ("facts", "questions", "unknown", "sums", "judge", "lists"):
        print(f"# {kind}")
        print(*lines(kind), sep="\n")


if __name__ == "__main__":
    main()
