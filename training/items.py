"""Reads items (facts, questions, sums, judged triples) back out of texts, to hold them against the rule."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import world
from heldout import ItemKind, is_held_out

JSON_PREFIX = "Answer as JSON: "
TURN = re.compile(
    r"<start_of_turn>user\n(.*?)<end_of_turn>\n<start_of_turn>model\n(.*?)<end_of_turn>", re.DOTALL
)
JUDGE = re.compile(r"Question: (.*)\nReference: (.*)\nAnswer: (.*)\nIs the answer correct or incorrect\?")
QUERY = re.compile(r"(?:^|\n)Question: (?P<query>[^\n]*)(?:\nAnswer and cite the passage\.)?$")
WHOLE = re.compile(
    r"\s*Context:\n(?P<context>.*)\n\nQuestion: (?P<query>[^\n]*)(?:\nAnswer and cite the passage\.)?\s*",
    re.DOTALL,
)
ADDITION = re.compile(r"(?:What is |^)(\d+) \+ (\d+)|Add (\d+) and (\d+)\.|sum of (\d+) and (\d+)\?")
DIFFERENCE = re.compile(r"(?:What is |^)(\d+) - (\d+)|difference of (\d+) and (\d+)\?")
SUBTRACTION = re.compile(r"Subtract (\d+) from (\d+)\.")
OPEN_ENDED = frozenset(world.CHOICES) | {
    form.format(hero=hero) for form in world.STORY_PROMPTS for hero in world.STORY_HEROES
}


@dataclass(frozen=True, slots=True)
class Item:
    """Something that is either trained on or held out."""

    kind: ItemKind
    parts: tuple[str, ...]

    @property
    def held_out(self) -> bool:
        """Say whether the item must never be trained on."""
        return is_held_out(self.kind, *self.parts)


def fact_items(text: str) -> Iterator[Item]:
    """Yield every fact that a text states, in any of the statements' wordings."""
    for relation, pattern in _STATEMENTS:
        for match in pattern.finditer(text):
            yield Item("fact", (relation, match["e"], match["v"]))


def asked_item(query: str) -> Item | None:
    """Return what a query asks without a context; None for stories and choices of known probability."""
    if query in OPEN_ENDED:
        return None
    if judged := JUDGE.fullmatch(query):
        return Item("judge", judged.groups())
    query = query.removeprefix(JSON_PREFIX)
    return _sum_item(query) or Item("question", (query,))


def personal(query: str) -> tuple[str, str] | None:
    """Return relation and entity of a question about a person or thing, None for any other query."""
    return _QUESTIONS.get(query.removeprefix(JSON_PREFIX))


def case_items(query: str, context: str) -> Iterator[Item]:
    """Yield the items of a case: each fact of its context, and the query unless a fact answers it."""
    if within := WHOLE.fullmatch(query):
        context, query = f"{context}\n{within['context']}", within["query"]
    told = list(fact_items(context))
    yield from told
    wanted = personal(query)
    if wanted is None or all(item.parts[:2] != wanted for item in told):
        item = asked_item(query)
        if item is not None:
            yield item


def training_items(document: str) -> Iterator[Item]:
    """Yield all items of a training document's text, question wordings of context questions included."""
    yield from fact_items(document)
    for user, _ in TURN.findall(document):
        if JUDGE.fullmatch(user):
            query = user
        else:
            match = QUERY.search(user)
            query = match["query"] if match else user
        item = asked_item(query)
        if item is not None:
            yield item


def _sum_item(query: str) -> Item | None:
    if match := ADDITION.search(query):
        first, second = sorted(int(group) for group in match.groups() if group)
        return Item("sum", (str(first), "+", str(second)))
    if match := DIFFERENCE.search(query):
        left, right = (group for group in match.groups() if group)
        return Item("sum", (left, "-", right))
    if match := SUBTRACTION.search(query):
        return Item("sum", (match[2], "-", match[1]))
    return None


def _statements() -> Iterator[tuple[str, re.Pattern[str]]]:
    for relation in world.RELATIONS.values():
        entity, value = "|".join(relation.entities), "|".join(relation.values)
        for form in relation.statements:
            source = (
                re.escape(form).replace(r"\{e\}", f"(?P<e>{entity})").replace(r"\{v\}", f"(?P<v>{value})")
            )
            yield relation.name, re.compile(source)


_STATEMENTS = tuple(_statements())
_QUESTIONS = {
    form.format(e=entity): (str(relation.name), entity)
    for relation in world.RELATIONS.values()
    for entity in relation.entities
    for form in (*relation.questions, relation.completion)
}
