"""The evaluation's splits: held-out items of one kind each, the bar for it, and what guessing would score."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import corpus
import facts
import tasks
import world
from documents import Document, Turn, chat
from facts import QuestionForm


@dataclass(frozen=True, slots=True)
class Split:
    """How to draw a held-out document, the accuracy asked for, and that of guessing the answer's type."""

    draw: Callable[[Random], Document]
    bar: float | None = None
    guess: float | None = None


def same_type(rng: Random, *, count: int, form: QuestionForm = "plain") -> Document:
    """Ask one of `count` held-out facts of one relation: guessing the type scores 1 / count."""
    while True:
        source = corpus.same_type_context(rng, count=count, split="held_out", forms=2)
        index = rng.randrange(len(source.facts))
        fact = source.facts[index]
        query = facts.ask(rng, world.RELATIONS[fact.relation], fact.entity, forms=3)
        if len(source.facts) == count and query is not None:
            text = facts.answer(fact.value, form=form, passage=source.passage_of[index])
            return chat([Turn(facts.rag_user(source.passages, query, form=form), text)])


def mixed(rng: Random, *, form: QuestionForm = "plain") -> Document:
    """Ask a held-out fact among facts of several relations, passages of 1 to 3 sentences."""
    while True:
        source = facts.context(rng, facts.mixed(rng, 8, split="held_out"), forms=2, sentences_at_most=3)
        if not source.facts:
            continue
        index = rng.randrange(len(source.facts))
        fact = source.facts[index]
        query = facts.ask(rng, world.RELATIONS[fact.relation], fact.entity, forms=3)
        if query is not None:
            text = facts.answer(fact.value, form=form, passage=source.passage_of[index])
            return chat([Turn(facts.rag_user(source.passages, query, form=form), text)])


def absent(rng: Random, *, form: QuestionForm = "plain") -> Document:
    """Ask, in a held-out wording, what a context of held-out facts does not say."""
    while True:
        told = (
            facts.same_type(rng, rng.choice(facts.EVERY), rng.randint(1, 8), split="held_out")
            if rng.random() < 0.5
            else facts.mixed(rng, rng.randint(1, 8), split="held_out")
        )
        if not told:
            continue
        source = facts.context(rng, told, forms=2, sentences_at_most=3)
        relation, entity = facts.absent(rng, source.facts)
        query = facts.ask(rng, relation, entity, forms=3, split="held_out")
        if query is not None:
            return chat(
                [Turn(facts.rag_user(source.passages, query, form=form), facts.answer(None, form=form))]
            )


def _alone(draw: Callable[..., Turn]) -> Callable[[Random], Document]:
    return lambda rng: chat([draw(rng, split="held_out")])


SPLITS: Mapping[str, Split] = {
    "context, 2 facts of one type": Split(lambda rng: same_type(rng, count=2), 0.95, 1 / 2),
    "context, 4 facts of one type": Split(lambda rng: same_type(rng, count=4), 0.95, 1 / 4),
    "context, 8 facts of one type": Split(lambda rng: same_type(rng, count=8), 0.95, 1 / 8),
    "context, mixed relations": Split(mixed, 0.95),
    "context, cited, 8 facts of one type": Split(
        lambda rng: same_type(rng, count=8, form="cited"), None, 1 / 8
    ),
    "context, JSON, 8 facts of one type": Split(
        lambda rng: same_type(rng, count=8, form="json"), None, 1 / 8
    ),
    "absent from the context": Split(absent, 0.9),
    "absent from the context, cited": Split(lambda rng: absent(rng, form="cited")),
    "absent from the context, JSON": Split(lambda rng: absent(rng, form="json")),
    "no context": Split(_alone(tasks.personal_without_context), 0.9),
    "closed facts": Split(_alone(tasks.closed), 0.95),
    "sums and differences": Split(_alone(tasks.arithmetic), 0.8),
    "judge": Split(_alone(tasks.judge), 0.9, 1 / 2),
    "lists": Split(_alone(tasks.listing)),
}
