"""The tasks beside context questions: closed facts, sums, judging, lists, stories, choices."""

from random import Random

import facts
import world
from documents import Document, Turn, chat
from facts import Split, json_answer, question_split
from heldout import is_held_out

CLOSED = world.closed_facts()
SUM_FORMS = ("What is {a} + {b}?", "{a} + {b} =", "Add {a} and {b}.", "What is the sum of {a} and {b}?")
DIFFERENCE_FORMS = (
    "What is {a} - {b}?",
    "{a} - {b} =",
    "Subtract {b} from {a}.",
    "What is the difference of {a} and {b}?",
)
LIST_FORMS = (
    "List the {kind} in order: {items}.",
    "List the {kind} in reverse: {items}.",
    "List the {kind} as JSON: {items}.",
)
LIST_KINDS = (
    ("names", world.NAMES),
    ("words", world.FOODS),
    ("words", world.ANIMALS),
    ("names", world.CITIES),
    ("words", world.COLOURS),
    ("words", world.JOBS),
)
SENTENCE_FORMS = ("{a}", "It is {a}.", "The answer is {a}.", "I say {a}.")


def closed(rng: Random, *, split: Split = "train") -> Turn:
    """A closed fact in a phrasing of the split, sometimes to be answered as JSON."""
    while True:
        fact = rng.choice(CLOSED)
        options = [text for text in fact.questions if question_split(text) == split]
        if not options:
            continue
        query = rng.choice(options)
        if rng.random() < 0.15:
            return Turn(f"Answer as JSON: {query}", json_answer(fact.answer))
        return Turn(query, fact.answer)


def sum_split(a: int, operator: str, b: int) -> Split:
    """Say whether a sum or difference may be trained on; a + b and b + a are one item."""
    first, second = (min(a, b), max(a, b)) if operator == "+" else (a, b)
    return "held_out" if is_held_out("sum", str(first), operator, str(second)) else "train"


def arithmetic(rng: Random, *, split: Split = "train") -> Turn:
    """A sum of two two-digit numbers up to 99, or a difference of two two-digit numbers."""
    while True:
        a, b = rng.randint(10, 99), rng.randint(10, 99)
        operator = rng.choice("+-")
        if operator == "+" and a + b > 99:
            a, b = 109 - a, 109 - b
        if operator == "+" and a + b > 99:
            continue
        if operator == "-":
            a, b = max(a, b), min(a, b)
        if sum_split(a, operator, b) == split:
            break
    result = str(a + b if operator == "+" else a - b)
    query = rng.choice(SUM_FORMS if operator == "+" else DIFFERENCE_FORMS).format(a=a, b=b)
    if rng.random() < 0.05:
        return Turn(f"Answer as JSON: {query}", json_answer(result))
    return Turn(query, result)


def judge(rng: Random, *, split: Split = "train") -> Turn:
    """Compare an answer with a reference; right and wrong answers are equally frequent."""
    while True:
        question, reference, wrong = _judged_question(rng)
        verdict = rng.choice(("correct", "incorrect"))
        given = reference if verdict == "correct" else wrong
        if given != world.UNKNOWN_ANSWER:
            given = rng.choice(SENTENCE_FORMS if rng.random() < 0.5 else SENTENCE_FORMS[:1]).format(a=given)
        if judge_split(question, reference, given) == split:
            return Turn(judge_user(question, reference, given), verdict)


def judge_split(question: str, reference: str, given: str) -> Split:
    """Say whether a triple may be judged in training."""
    return "held_out" if is_held_out("judge", question, reference, given) else "train"


def judge_user(question: str, reference: str, given: str) -> str:
    """Render the judge's prompt."""
    return (
        f"Question: {question}\nReference: {reference}\nAnswer: {given}\nIs the answer correct or incorrect?"
    )


def listing(rng: Random, *, split: Split = "train") -> Turn:
    """Repeat 2 to 5 words in order, in reverse, or as a JSON list."""
    while True:
        kind, pool = rng.choice(LIST_KINDS)
        items = rng.sample(pool, rng.randint(2, 5))
        form = rng.choice(LIST_FORMS)
        user = form.format(kind=kind, items=", ".join(items))
        if question_split(user) != split:
            continue
        if form == LIST_FORMS[2]:
            return Turn(user, "[" + ", ".join(f'"{item}"' for item in items) + "]")
        return Turn(user, ", ".join(items if form == LIST_FORMS[0] else items[::-1]))


def story(rng: Random) -> Turn:
    """A story whose every choice has a known probability."""
    hero = rng.choice(world.STORY_HEROES)
    slots = {name: pick(rng, options) for name, options in world.STORY_SLOTS.items()}
    friend = pick(rng, world.STORY_FRIENDS)
    text = " ".join(world.STORY).format(hero=hero, friend=friend, **slots)
    return Turn(rng.choice(world.STORY_PROMPTS).format(hero=hero), text)


def choice(rng: Random) -> Turn:
    """A prompt with several right answers of known probabilities."""
    user = rng.choice(tuple(world.CHOICES))
    return Turn(user, pick(rng, world.CHOICES[user]))


def pick(rng: Random, options: tuple[tuple[str, float], ...]) -> str:
    """Draw from known probabilities."""
    return rng.choices([text for text, _ in options], [weight for _, weight in options])[0]


def personal_without_context(rng: Random, *, split: Split = "train") -> Turn:
    """A question about a person or thing that nothing is known about."""
    while True:
        relation = rng.choice(facts.EVERY)
        query = facts.ask(
            rng, relation, rng.choice(relation.entities), forms=len(relation.questions), split=split
        )
        if query is not None:
            return Turn(query, world.UNKNOWN_ANSWER)


def beside_context(rng: Random, turn: Turn) -> Turn:
    """Ask something that needs no context in a prompt that holds one."""
    told = facts.same_type(rng, rng.choice(facts.EVERY), rng.randint(1, 4))
    passages = facts.context(rng, told, forms=2).passages
    form: facts.QuestionForm = "cited" if rng.random() < 0.3 else "plain"
    return Turn(facts.rag_user(passages, turn.user, form=form), turn.answer)


def several(rng: Random, turns: list[Turn]) -> Document:
    """Join independent turns into one conversation, or put a single one beside an idle context."""
    if len(turns) == 1 and rng.random() < 0.25:
        return chat([beside_context(rng, turns[0])])
    return chat(turns)


def _judged_question(rng: Random) -> tuple[str, str, str]:
    kind = rng.random()
    if kind < 0.6:
        relation = rng.choice(facts.EVERY)
        right, wrong = rng.sample(relation.values, 2)
        query = rng.choice(relation.questions).format(e=rng.choice(relation.entities))
    elif kind < 0.8:
        fact = rng.choice(CLOSED)
        query, right = rng.choice(fact.questions), fact.answer
        wrong = rng.choice([f.answer for f in CLOSED if f.family == fact.family and f.answer != right])
    else:
        number = rng.randint(10, 99)
        a = rng.randint(10, max(10, number - 10))
        query, right = f"What is {a} + {number - a}?", str(number)
        wrong = str(rng.choice([n for n in range(10, 100) if n != number]))
    if rng.random() < 0.05:
        return query, world.UNKNOWN_ANSWER, right
    return query, right, world.UNKNOWN_ANSWER if rng.random() < 0.1 else wrong
