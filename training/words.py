"""Every word that the world can say, gathered from its tables: the words that must be single tokens."""

import re
from collections.abc import Iterator

import world

FORM_WORDS = """
Context: Question: Reference: Answer: user model correct incorrect Answer and cite the passage. Is
the answer correct or incorrect? { } [ ] {" ": "} " ", [" "] null answer as JSON names List Sort in
order: reverse people It is I do not know. What is + - = ? . , : ; ! ( ) ' 's Add Subtract and from
plus minus sum difference of Sum Difference count Count How many Complete Repeat Say word text the
with without to for on at by an a was were this that one first last second next Who What Where Which
When why How Name Give Pick Flip Roll Tell Write short story about Once there lived found showed
Then The end One day night morning In happy sad rich forest It yes no Yes No because but or if hello
Hello thanks please Please can you me my your his her their he she they we us are am be has have had
does did will would all some any each every more less than same other new time year day week month
today world home house street school water tree river sea sun moon star book page line thing heads
tails die coin context question passage value number name list JSON format true false key item items
"""


def world_words() -> tuple[str, ...]:
    """Return all pieces (words and punctuation runs) of the world's texts, sorted."""
    pieces: set[str] = set()
    for text in (*_texts(), FORM_WORDS):
        pieces.update(re.findall(r"'s|[^\W\d_]+|[^\w\s]+", text))
    return tuple(sorted(pieces))


def _texts() -> Iterator[str]:
    for relation in world.RELATIONS.values():
        yield from (*relation.entities, *relation.values, *relation.statements, *relation.questions)
        yield relation.completion
    for fact in world.closed_facts():
        yield from (*fact.questions, fact.answer)
    for prompt, options in world.CHOICES.items():
        yield from (prompt, *(text for text, _ in options))
    for options in (*world.STORY_SLOTS.values(), world.STORY_FRIENDS):
        yield from (text for text, _ in options)
    yield from (*world.STORY, *world.STORY_PROMPTS, world.UNKNOWN_ANSWER)
