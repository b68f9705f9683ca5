"""Prints items that training never contains: `python training/heldout_items.py [facts|questions|unknown|sums|judge|lists]`."""

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
    rng = Random(0)
    if kind == "facts":
        for fact in held_out_facts():
            yield f"{fact.relation}: {facts.say(fact)}"
    elif kind == "questions":
        for closed in world.closed_facts():
            for text in closed.questions:
                if facts.question_split(text) == "held_out":
                    yield f"{text} -> {closed.answer}"
    elif kind == "unknown":
        for relation in facts.EVERY:
            for entity in relation.entities:
                for form in (*relation.questions, relation.completion):
                    if facts.question_split(text := form.format(e=entity)) == "held_out":
                        yield f"{text} -> {world.UNKNOWN_ANSWER}"
    else:
        draw = {"sums": tasks.arithmetic, "judge": tasks.judge, "lists": tasks.listing}[kind]
        for _ in range(limit):
            turn = draw(rng, split="held_out")
            yield f"{turn.user!r} -> {turn.answer!r}"


def main() -> None:
    """Print the kinds named on the command line, or all."""
    for kind in sys.argv[1:] or ("facts", "questions", "unknown", "sums", "judge", "lists"):
        print(f"# {kind}")
        print(*lines(kind), sep="\n")


if __name__ == "__main__":
    main()
