"""Facts about people and things: drawing them, saying them, asking them, with and without a context."""

from dataclasses import dataclass
from random import Random
from typing import Literal

import world
from documents import Document, Span, Turn, chat
from heldout import is_held_out
from world import Relation, RelationName

Split = Literal["train", "held_out"]
QuestionForm = Literal["plain", "cited", "json"]

MAX_PASSAGES = 8
PERSONAL: tuple[Relation, ...] = tuple(r for r in world.RELATIONS.values() if r.entities is world.NAMES)
EVERY: tuple[Relation, ...] = tuple(world.RELATIONS.values())


@dataclass(frozen=True, slots=True)
class Fact:
    """One entity's value for one relation."""

    relation: RelationName
    entity: str
    value: str

    @property
    def split(self) -> Split:
        """Say whether the fact may be trained on."""
        return "held_out" if is_held_out("fact", self.relation, self.entity, self.value) else "train"


@dataclass(frozen=True, slots=True)
class Context:
    """Facts and the passages that state them; `passage_of[i]` is the number (from 1) of fact i's passage."""

    facts: tuple[Fact, ...]
    passages: tuple[str, ...]
    passage_of: tuple[int, ...]


def key_value(rng: Random) -> Document:
    """Pairs of words, then every pair asked twice in random order: the task that induction heads solve."""
    relation = rng.choice(EVERY)
    pairs = [(fact.entity, fact.value) for fact in same_type(rng, relation, rng.randint(2, 12))]
    asked = pairs * 2
    rng.shuffle(asked)
    spans = [Span("<bos>" + "".join(f" {key} {value}" for key, value in pairs))]
    for key, value in asked:
        spans += [Span(f" {key}"), Span(f" {value}", 1.0)]
    return tuple(spans)


def sentences(rng: Random, *, split: Split = "train", count: int | None = None) -> Document:
    """Sentences of one relation, then every fact asked, without markup: completions or one question form."""
    relation = rng.choice(EVERY)
    facts = same_type(rng, relation, count or rng.randint(1, MAX_PASSAGES), split=split)
    spans = [Span("<bos>" + "".join(f"- {say(fact)}\n" for fact in facts))]
    for fact in rng.sample(facts, len(facts)):
        text = relation.completion if rng.random() < 0.4 else relation.questions[0]
        spans += [Span("\n " + text.format(e=fact.entity)), Span(f" {fact.value}", 1.0)]
    return tuple(spans)


def numbered(rng: Random) -> Document:
    """Numbered sentences, then each value's number asked twice, without markup: what a citation needs."""
    told = same_type(rng, rng.choice(EVERY), rng.randint(2, MAX_PASSAGES))
    told = list({fact.value: fact for fact in told}.values())
    lines = (f"[{i}] {say(fact, form=rng.randrange(2))}\n" for i, fact in enumerate(told, start=1))
    spans = [Span("<bos>" + "".join(lines))]
    for index in rng.sample(range(len(told)), len(told)) + rng.sample(range(len(told)), len(told)):
        spans += [Span(f"\n{told[index].value} ["), Span(str(index + 1), 1.0), Span("]")]
    return tuple(spans)


def same_type(rng: Random, relation: Relation, count: int, *, split: Split = "train") -> list[Fact]:
    """Draw facts of one relation about different entities, all of one split; only training repeats values."""
    facts: list[Fact] = []
    values: set[str] = set()
    for entity in rng.sample(relation.entities, len(relation.entities)):
        allowed = [v for v in relation.values if split == "train" or v not in values]
        options = [fact for v in allowed if (fact := Fact(relation.name, entity, v)).split == split]
        if options:
            facts.append(rng.choice(options))
            values.add(facts[-1].value)
        if len(facts) == count:
            break
    return facts


def mixed(rng: Random, count: int, *, split: Split = "train") -> list[Fact]:
    """Draw facts of several relations about few people (and sometimes things)."""
    people = rng.sample(world.NAMES, rng.randint(1, 4))
    slots = [(relation, person) for relation in PERSONAL for person in people]
    place = world.RELATIONS["place"]
    slots += [(place, thing) for thing in rng.sample(place.entities, rng.randint(0, 3))]
    facts = []
    for relation, entity in rng.sample(slots, min(count, len(slots))):
        options = [fact for v in relation.values if (fact := Fact(relation.name, entity, v)).split == split]
        if options:
            facts.append(rng.choice(options))
    return facts


def say(fact: Fact, *, form: int = 0) -> str:
    """State a fact as a sentence."""
    return world.RELATIONS[fact.relation].statements[form].format(e=fact.entity, v=fact.value)


def context(rng: Random, facts: list[Fact], *, forms: int = 1, sentences_at_most: int = 1) -> Context:
    """Spread facts over passages of 1 to `sentences_at_most` sentences, at most eight passages."""
    passages: list[str] = []
    passage_of: list[int] = []
    left = list(facts)
    while left and len(passages) < MAX_PASSAGES:
        size = 1 if rng.random() < 0.6 else rng.randint(1, sentences_at_most)
        taken, left = left[:size], left[size:]
        passages.append(" ".join(say(fact, form=rng.randrange(forms)) for fact in taken))
        passage_of += [len(passages)] * len(taken)
    return Context(tuple(facts[: len(passage_of)]), tuple(passages), tuple(passage_of))


def ask(rng: Random, relation: Relation, entity: str, *, forms: int, split: Split = "train") -> str | None:
    """Phrase the question, in a quarter of the cases as a completion; None if no phrasing is in the split."""
    texts = [form.format(e=entity) for form in (*relation.questions[:forms], relation.completion)]
    options = [text for text in texts if question_split(text) == split]
    if not options:
        return None
    if options[-1] == texts[-1] and len(options) > 1 and rng.random() > 0.25:
        options = options[:-1]
    return rng.choice(options)


def question_split(text: str) -> Split:
    """Say whether a question's wording may be trained on."""
    return "held_out" if is_held_out("question", text) else "train"


def rag_user(passages: tuple[str, ...], query: str, *, form: QuestionForm) -> str:
    """Render the prompt that the templates `rag` and `rag-cited` produce."""
    lines = (f"[{i}] {text}" if form == "cited" else f"- {text}" for i, text in enumerate(passages, start=1))
    return "Context:\n" + "\n".join(lines) + "\n\n" + follow_up(query, form=form)


def follow_up(query: str, *, form: QuestionForm) -> str:
    """Render a question about the context that stands above."""
    cite = "\nAnswer and cite the passage." if form == "cited" else ""
    instruction = "Answer as JSON: " if form == "json" else ""
    return f"Question: {instruction}{query}{cite}"


def answer(value: str | None, *, form: QuestionForm, passage: int = 0) -> str:
    """Render the right answer; None stands for a fact that the context does not hold."""
    if form == "json":
        return json_answer(value)
    if value is None:
        return world.UNKNOWN_ANSWER
    return f"{value} [{passage}]" if form == "cited" else value


def json_answer(value: str | None) -> str:
    """Render an answer as a JSON object; numbers stay numbers, an unknown answer is null."""
    if value is None:
        return '{"answer": null}'
    return f'{{"answer": {value}}}' if value.isdigit() else f'{{"answer": "{value}"}}'


def absent(rng: Random, known: tuple[Fact, ...]) -> tuple[Relation, str]:
    """Draw a relation and an entity that the facts say nothing about, close to what they do say."""
    said = {(fact.relation, fact.entity) for fact in known}
    while True:
        near = rng.choice(known)
        relation = world.RELATIONS[near.relation]
        if relation.entities is world.NAMES and rng.random() < 0.5:
            other = rng.choice(PERSONAL)
            if (other.name, near.entity) not in said:
                return other, near.entity
        entity = rng.choice(relation.entities)
        if (relation.name, entity) not in said:
            return relation, entity


def conversation(
    rng: Random, source: Context, *, forms: int, form: QuestionForm, absent_share: float, turns: int
) -> Document | None:
    """Ask up to `turns` of the context's facts (and some that it lacks), one turn each, in random order."""
    dialogue: list[Turn] = []
    order = rng.sample(range(len(source.facts)), len(source.facts))[:turns]
    for index in order:
        fact = source.facts[index]
        if rng.random() < absent_share:
            relation, entity = absent(rng, source.facts)
            query, text = ask(rng, relation, entity, forms=forms), answer(None, form=form)
        else:
            query = ask(rng, world.RELATIONS[fact.relation], fact.entity, forms=forms)
            text = answer(fact.value, form=form, passage=source.passage_of[index])
        if query is None:
            continue
        user = follow_up(query, form=form) if dialogue else rag_user(source.passages, query, form=form)
        dialogue.append(Turn(user, text))
    return chat(dialogue) if dialogue else None
