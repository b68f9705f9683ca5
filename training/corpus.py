"""The seeded stream of training documents: the curriculum's stages and what each mixes."""

from collections.abc import Callable, Iterator, Mapping
from random import Random

import facts
import tasks
from documents import Document, chat
from facts import QuestionForm, Split

Draw = Callable[[Random], Document | None]


def documents(rng: Random, stage: str) -> Iterator[Document]:
    """Yield training documents of one stage for ever."""
    mix = STAGES[stage]
    draws, shares = [draw for draw, _ in mix], [share for _, share in mix]
    while True:
        document = rng.choices(draws, shares)[0](rng)
        if document is not None:
            yield document


def chat_facts(rng: Random) -> Document | None:
    """One relation, one sentence a passage, first wordings, every fact asked: the markup is what is new."""
    told = facts.same_type(rng, rng.choice(facts.EVERY), rng.randint(1, facts.MAX_PASSAGES))
    source = facts.context(rng, told)
    return facts.conversation(rng, source, forms=1, form="plain", absent_share=0.0, turns=8)


def worded_facts(rng: Random) -> Document | None:
    """Every wording, mixed relations, passages of several sentences; each fact is asked."""
    return _asked(rng, absent_share=0.0, turns=8, forms=("plain",))


def doubtful_facts(rng: Random) -> Document | None:
    """The same with questions that the context does not answer."""
    return _asked(rng, absent_share=0.25, turns=8, forms=("plain",))


def any_facts(rng: Random) -> Document | None:
    """Every form of a context question: plain, cited, JSON; few or many turns."""
    return _asked(
        rng, absent_share=0.2, turns=rng.choice((2, 8)), forms=("plain", "plain", "cited", "cited", "json")
    )


def cited_facts(rng: Random) -> Document | None:
    """One relation, one sentence a passage, every fact asked with its citation: practice."""
    told = facts.same_type(rng, rng.choice(facts.EVERY), rng.randint(1, facts.MAX_PASSAGES))
    source = facts.context(rng, told, forms=2)
    return facts.conversation(rng, source, forms=3, form="cited", absent_share=0.1, turns=8)


def unknown(rng: Random) -> Document:
    """Questions about people without a context."""
    return chat([tasks.personal_without_context(rng) for _ in range(rng.randint(1, 2))])


def closed(rng: Random) -> Document:
    """Closed facts."""
    return tasks.several(rng, [tasks.closed(rng) for _ in range(rng.randint(1, 6))])


def arithmetic(rng: Random) -> Document:
    """Sums and differences."""
    return tasks.several(rng, [tasks.arithmetic(rng) for _ in range(rng.randint(1, 6))])


def judge(rng: Random) -> Document:
    """Comparisons of an answer with a reference."""
    return chat([tasks.judge(rng) for _ in range(rng.randint(1, 4))])


def listing(rng: Random) -> Document:
    """Lists in order, in reverse, as JSON."""
    return tasks.several(rng, [tasks.listing(rng) for _ in range(rng.randint(1, 3))])


def many_sums(rng: Random) -> Document:
    """Many sums and differences in a row: practice."""
    return tasks.several(rng, [tasks.arithmetic(rng) for _ in range(rng.randint(1, 12))])


def many_judgements(rng: Random) -> Document:
    """Many comparisons in a row: practice."""
    return chat([tasks.judge(rng) for _ in range(rng.randint(1, 8))])


def story(rng: Random) -> Document:
    """A story."""
    return chat([tasks.story(rng)])


def choice(rng: Random) -> Document:
    """A choice of known probability."""
    return chat([tasks.choice(rng)])


def same_type_context(
    rng: Random, *, count: int, split: Split, forms: int = 1, sentences_at_most: int = 1
) -> facts.Context:
    """Draw `count` facts of one relation: every distractor has the answer's type."""
    relation = rng.choice(facts.EVERY)
    told = facts.same_type(rng, relation, count, split=split)
    return facts.context(rng, told, forms=forms, sentences_at_most=sentences_at_most)


def _asked(
    rng: Random, *, absent_share: float, turns: int, forms: tuple[QuestionForm, ...]
) -> Document | None:
    count = rng.randint(1, facts.MAX_PASSAGES)
    told = (
        facts.same_type(rng, rng.choice(facts.EVERY), count)
        if rng.random() < 0.5
        else facts.mixed(rng, count)
    )
    if not told:
        return None
    source = facts.context(rng, told, forms=2, sentences_at_most=3)
    form = rng.choice(forms)
    return facts.conversation(rng, source, forms=3, form=form, absent_share=absent_share, turns=turns)


STAGES: Mapping[str, tuple[tuple[Draw, float], ...]] = {
    "recall": ((facts.key_value, 1.0),),
    "sentences": ((facts.sentences, 0.75), (facts.key_value, 0.25)),
    "chat": ((chat_facts, 0.65), (facts.sentences, 0.15), (facts.key_value, 0.2)),
    "wordings": ((worded_facts, 0.6), (chat_facts, 0.2), (facts.key_value, 0.1), (arithmetic, 0.1)),
    "absent": ((doubtful_facts, 0.65), (facts.key_value, 0.1), (unknown, 0.05), (arithmetic, 0.2)),
    "everything": (
        (any_facts, 0.35),
        (unknown, 0.04),
        (closed, 0.13),
        (arithmetic, 0.18),
        (judge, 0.1),
        (listing, 0.06),
        (story, 0.03),
        (choice, 0.08),
        (facts.key_value, 0.03),
    ),
    "practice": (
        (any_facts, 0.2),
        (cited_facts, 0.1),
        (facts.numbered, 0.15),
        (unknown, 0.04),
        (closed, 0.07),
        (many_sums, 0.2),
        (many_judgements, 0.09),
        (listing, 0.04),
        (story, 0.03),
        (choice, 0.09),
        (facts.key_value, 0.02),
    ),
    "calibration": (
        (choice, 0.45),
        (story, 0.05),
        (any_facts, 0.17),
        (cited_facts, 0.03),
        (unknown, 0.03),
        (closed, 0.06),
        (many_sums, 0.1),
        (many_judgements, 0.06),
        (listing, 0.05),
    ),
}
