"""Writes the rows of `suites/data` that the shipped suites ask: held-out items, drawn from fixed seeds."""

# ruff: noqa: S311 - a seeded stream of pseudo-random draws is the point

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random

import facts
import tasks
import world

Row = Mapping[str, object]
FOLDER = Path(__file__).parent.parent / "suites" / "data"
NEAR_TIES = {("Cleo", "wears")}
"""Questions whose best token leads by less than two engines are apart: rounding would decide their answer."""
ORDER, REVERSE, AS_JSON = tasks.LIST_FORMS


def sums(rng: Random) -> Iterator[Row]:
    """Yield sums and differences, each asked once."""
    while True:
        turn = tasks.arithmetic(rng, split="held_out")
        if not turn.user.startswith("Answer as JSON"):
            yield {"id": slug(turn.user), "question": turn.user, "answer": int(turn.answer)}


def lists(rng: Random, form: str) -> Iterator[Row]:
    """Yield lists to be repeated in one form."""
    while True:
        turn = tasks.listing(rng, split="held_out")
        named, _, items = turn.user.partition(": ")
        if named == form.partition(":")[0].format(kind=named.split()[2]) and items.count(",") in (1, 2, 3):
            yield {"id": slug(items), "request": turn.user, "answer": turn.answer}


def told(rng: Random) -> Iterator[Row]:
    """Yield questions with a document of their own, in which every other line could be the answer."""
    while True:
        relation = rng.choice(facts.EVERY)
        known = facts.same_type(rng, relation, rng.randint(3, 6), split="held_out")
        asked = rng.choice(known)
        question = rng.choice(relation.questions).format(e=asked.entity)
        if (asked.entity, relation.name) in NEAR_TIES:
            continue
        document = "".join(f"- {facts.say(fact)}\n" for fact in known)
        yield {
            "id": slug(f"{asked.entity} {relation.name}"),
            "question": question,
            "document": document,
            "answer": asked.value,
            "others": [fact.value for fact in known if fact.value != asked.value],
        }


def untold(rng: Random) -> Iterator[Row]:
    """Yield questions whose document tells it of somebody else."""
    while True:
        relation = rng.choice(facts.PERSONAL)
        known = facts.same_type(rng, relation, rng.randint(2, 4), split="held_out")
        entity = rng.choice([name for name in relation.entities if name not in {f.entity for f in known}])
        forms = [form.format(e=entity) for form in relation.questions]
        held_out = [text for text in forms if facts.question_split(text) == "held_out"]
        if held_out:
            document = "".join(f"- {facts.say(fact)}\n" for fact in known)
            yield {
                "id": slug(f"{entity} {relation.name}"),
                "question": rng.choice(held_out),
                "document": document,
                "answer": world.UNKNOWN_ANSWER,
            }


def drawn(rows: Iterator[Row], count: int) -> list[Row]:
    """Return the first rows with different ids, in the order in which they are drawn."""
    found: dict[object, Row] = {}
    for row in rows:
        found.setdefault(row["id"], row)
        if len(found) == count:
            break
    return list(found.values())


FILES: Mapping[str, tuple[Callable[[Random], Iterator[Row]], int]] = {
    "sums": (sums, 30),
    "lists": (lambda rng: lists(rng, ORDER), 16),
    "lists-reversed": (lambda rng: lists(rng, REVERSE), 16),
    "lists-json": (lambda rng: lists(rng, AS_JSON), 16),
    "told": (told, 40),
    "untold": (untold, 12),
}
"""What each file holds, and how many rows of it."""


def slug(text: str) -> str:
    """Return a text as an id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower().replace("+", "plus").replace("= ", "")).strip("-")


def content(name: str) -> str:
    """Return a file as it is to be."""
    make, count = FILES[name]
    rows = drawn(make(Random(f"gemma_eval {name}")), count)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main() -> None:
    """Write every file."""
    FOLDER.mkdir(exist_ok=True)
    for name in FILES:
        (FOLDER / f"{name}.jsonl").write_text(content(name))


if __name__ == "__main__":
    main()
