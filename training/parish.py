"""The papers of a parish and questions on them: held-out facts, told so that ways to search differ.

Each kind of paper in the chest of a parish makes another search fail:

- *letter*: a place, and a fact. Questions call both by other words, and share words with other letters.
- *page*: a fact, asked for in other words.
- *note*: a number, and facts about several people. Questions name the number of a text that is about much.
- *census*: the same fact in several years, of which the last holds.
- *rumour*: a fact of a letter or of a page, once more.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import facts
import world
from facts import Fact
from suite_rows import Row, slug

PLACES: Mapping[str, str] = {
    "prison": "jail",
    "harbour": "port",
    "shop": "store",
    "inn": "tavern",
    "bazaar": "market",
    "hospital": "clinic",
    "cemetery": "graveyard",
    "castle": "fortress",
    "beach": "seaside",
    "airfield": "airport",
    "theatre": "playhouse",
    "college": "university",
    "stable": "barn",
    "chapel": "church",
    "ship": "vessel",
    "sea": "ocean",
}
"""Where letters come from, and what questions call it."""
HEARD_AT = ("well", "mill", "bridge", "gate")
YEARS = range(2012, 2025)
WRITTEN_OF, PAGED = 18, 14
"""Of so many people there are letters, of so many pages; of the others there are notes."""
COUNTED = 45
"""So many facts are in the census, each with 3 values or more."""
FACTS_OF_A_NOTE = 4
QUESTIONS, COUNTED_QUESTIONS = 30, 20
"""How many there are at most on each kind of paper, and on the census."""
COMMON = frozenset({"the", "of", "is", "a", "in", "does", "what", "which", "where", "how", "many"})
"""Words that say nothing of what is asked."""
MISLEADING = frozenset({"the", "of", "is"})
"""Those that second phrasings of facts have, and first ones do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A passage of the corpus and the facts that it tells."""

    kind: str
    name: str
    text: str
    told: tuple[Fact, ...]
    year: int

    @property
    def id(self) -> str:
        """What judgements call it."""
        return f"{self.kind}-{self.name}"

    @property
    def row(self) -> Row:
        """It as a line of the corpus."""
        return {"id": self.id, "text": self.text, "time": f"{self.year}-06-01", "tags": [self.kind]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question, the answer, and the paper that tells it; none where nothing does."""

    kind: str
    text: str
    answer: str
    paper: Paper | None = None

    @property
    def row(self) -> Row:
        """It as a row of the suite."""
        asked = {"id": slug(self.text), "question": self.text, "answer": self.answer}
        return asked if self.paper is None else {**asked, "relevant": [self.paper.id]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parish:
    """Papers, and questions on them."""

    papers: tuple[Paper, ...] = ()
    questions: tuple[Question, ...] = ()


def draw(rng: Random) -> Parish:
    """Draw all papers and questions; only the census contradicts itself."""
    known = values()
    pairs = sorted(known)
    rng.shuffle(pairs)
    people = rng.sample(world.NAMES, len(world.NAMES))
    counted = [pair for pair in pairs if len(known[pair]) >= 3][:COUNTED]
    told = [Fact(*pair, rng.choice(known[pair])) for pair in pairs if pair not in counted]
    written_of, paged = people[:WRITTEN_OF], people[WRITTEN_OF : WRITTEN_OF + PAGED]
    kinds = [
        letters(rng, [fact for fact in told if fact.entity in written_of]),
        pages(rng, [fact for fact in told if fact.entity in paged]),
        notes(rng, [fact for fact in told if fact.entity not in {*written_of, *paged}]),
        census(rng, [[Fact(*pair, value) for value in known[pair]] for pair in counted]),
    ]
    papers = [paper for kind in kinds for paper in kind.papers]
    papers += rumours(rng, [*kinds[0].papers, *kinds[1].papers], kinds[0].questions + kinds[1].questions)
    questions = [question for kind in kinds for question in kind.questions]
    return Parish(papers=tuple(papers), questions=(*questions, *untold(rng, papers)))


def values() -> Mapping[tuple[world.RelationName, str], tuple[str, ...]]:
    """Return the values of all held-out facts, by relation and entity."""
    found = {
        (relation.name, entity): tuple(
            value for value in relation.values if Fact(relation.name, entity, value).split == "held_out"
        )
        for relation in facts.EVERY
        for entity in relation.entities
    }
    return {pair: each for pair, each in found.items() if each}


def letters(rng: Random, told: Sequence[Fact]) -> Parish:
    """Draw a letter about each fact, and questions on some that share more words with other letters."""

    def letter(fact: Fact, *, place: str, form: int) -> Paper:
        text = f"Letter from the {place}: {facts.say(fact, form=form)}"
        return paper(rng, "letter", f"{place}-{named(fact)}", text, fact)

    papers: list[Paper] = []
    questions: list[Question] = []
    for fact in told:
        options = [
            (place, form, f"Letter from the {called}: {text}")
            for place, called in PLACES.items()
            for form, text in reworded(fact)
        ]
        found = [option for option in options if facts.question_split(option[2]) == "held_out"]
        if found and len(questions) < QUESTIONS and rng.random() < 0.5:
            misleading = [len(words(text) & MISLEADING) for *_, text in found]
            most = [each for each, n in zip(found, misleading, strict=True) if n == max(misleading)]
            place, form, text = rng.choice(most)
            papers.append(letter(fact, place=place, form=form))
            questions.append(Question(kind="letter", text=text, answer=fact.value, paper=papers[-1]))
        else:
            papers.append(letter(fact, place=rng.choice(list(PLACES)), form=1))
    return Parish(papers=tuple(papers), questions=tuple(questions))


def pages(rng: Random, told: Sequence[Fact]) -> Parish:
    """Draw a page about each fact, and questions on some that share no more than the name with it."""
    papers: list[Paper] = []
    questions: list[Question] = []
    for fact in told:
        options = reworded(fact)
        is_asked = bool(options) and len(questions) < QUESTIONS and rng.random() < 0.5
        form, text = rng.choice(options) if is_asked else (1, "")
        papers.append(paper(rng, "page", named(fact), f"Neighbours say: {facts.say(fact, form=form)}", fact))
        if is_asked:
            questions.append(Question(kind="page", text=text, answer=fact.value, paper=papers[-1]))
    return Parish(papers=tuple(papers), questions=tuple(questions))


def notes(rng: Random, told: Sequence[Fact]) -> Parish:
    """Draw notes about several facts each, and a question on one of those facts that is not the first."""
    papers: list[Paper] = []
    questions: list[Question] = []
    order = rng.sample(list(told), len(told))
    numbers = iter(rng.sample(range(1000, 10_000), 9000))
    for at in range(0, len(order) - FACTS_OF_A_NOTE + 1, FACTS_OF_A_NOTE):
        noted = order[at : at + FACTS_OF_A_NOTE]
        asked = rng.choice(noted[1:])
        number, text = next(
            (number, text)
            for number in numbers
            for text in (f"Note no. {number}: {question}" for question in questions_on(asked))
            if facts.question_split(text) == "held_out"
        )
        said = " ".join(facts.say(fact, form=rng.randrange(2)) for fact in noted)
        papers.append(paper(rng, "note", str(number), f"Note no. {number}: {said}", *noted))
        questions.append(Question(kind="note", text=text, answer=asked.value, paper=papers[-1]))
    return Parish(papers=tuple(papers), questions=tuple(questions[:QUESTIONS]))


def census(rng: Random, told: Sequence[Sequence[Fact]]) -> Parish:
    """Draw what was counted over the years of each fact, and questions whose answer is the last of it."""
    papers: list[Paper] = []
    questions: list[Question] = []
    for values_ in told:
        drawn = rng.sample(values_, min(5, len(values_)))
        form = rng.randrange(2)
        counted = [
            Paper(
                kind="census",
                name=f"{named(fact)}-{year}",
                text=f"Census: {facts.say(fact, form=form)}",
                told=(fact,),
                year=year,
            )
            for fact, year in zip(drawn, sorted(rng.sample(YEARS, len(drawn))), strict=True)
        ]
        text = rng.choice(questions_on(drawn[-1]))
        questions.append(Question(kind="census", text=text, answer=drawn[-1].value, paper=counted[-1]))
        papers += rng.sample(counted, len(counted))
    return Parish(papers=tuple(papers), questions=tuple(questions[:COUNTED_QUESTIONS]))


def rumours(rng: Random, papers: Sequence[Paper], questions: Sequence[Question]) -> list[Paper]:
    """Draw what is said once more of those papers that no question is on."""
    asked = {question.paper for question in questions}
    return [
        paper(
            rng,
            "rumour",
            named(each.told[0]),
            f"Heard at the {rng.choice(HEARD_AT)}: {facts.say(each.told[0], form=1)}",
            each.told[0],
        )
        for each in papers
        if each not in asked
    ]


def untold(rng: Random, papers: Sequence[Paper]) -> list[Question]:
    """Draw questions that no paper answers, in held-out wordings."""
    told = {(fact.relation, fact.entity) for each in papers for fact in each.told}
    nothing = [
        Fact(relation.name, entity, "")
        for relation in facts.EVERY
        for entity in relation.entities
        if (relation.name, entity) not in told
    ]
    texts = [
        [text for text in questions_on(fact) if facts.question_split(text) == "held_out"] for fact in nothing
    ]
    asked = [rng.choice(each) for each in texts if each]
    return [
        Question(kind="untold", text=text, answer=world.UNKNOWN_ANSWER)
        for text in rng.sample(asked, min(QUESTIONS, len(asked)))
    ]


def reworded(fact: Fact) -> list[tuple[int, str]]:
    """Return questions on a fact, each with a phrasing of it that shares no word with it but the name."""
    return [
        (form, text)
        for form in (0, 1)
        for text in questions_on(fact)
        if words(text) & words(facts.say(fact, form=form)) - COMMON == {fact.entity.lower()}
    ]


def questions_on(fact: Fact) -> list[str]:
    """Return all questions on a fact that the pocket model understands."""
    return [form.format(e=fact.entity) for form in world.RELATIONS[fact.relation].questions]


def paper(rng: Random, kind: str, name: str, text: str, *told: Fact) -> Paper:
    """Return a paper of some year."""
    return Paper(kind=kind, name=name, text=text, told=told, year=rng.choice(YEARS))


def named(fact: Fact) -> str:
    """Return what a fact is about as a part of an id."""
    return f"{fact.entity}-{fact.relation}".lower()


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(re.findall(r"\w+", text.lower()))


def subject(fact: Fact) -> tuple[str, str]:
    """Return what a fact is about."""
    return fact.relation, fact.entity
