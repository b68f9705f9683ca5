"""Whether two questions differ in form alone: gates that refuse what may change the answer.

A list of what differs in meaning is never complete, so it is the other way round: each difference has to be
one of a few that are known to mean nothing (question.py, spelling.py). The gates say which one is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gemma_eval.memory.cache.question import PREPOSITIONS, QUANTIFIERS, Question, Word, read

Gate = Literal["language", "numbers", "polarity", "names", "asking", "modality", "words", "order", "articles"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """The first gate that two questions do not pass, and what it saw."""

    gate: Gate
    what: str


def refusal(first: str, second: str) -> Refusal | None:
    """Return why an answer to `first` may not serve `second`, `None` where they differ in form alone."""
    one, other = read(first), read(second)
    for gate, look in GATES.items():
        what = look(one, other)
        if what is not None:
            return Refusal(gate=gate, what=what)
    return None


def _language(one: Question, other: Question) -> str | None:
    return None if one.is_english and other.is_english else "not in English, as far as can be told"


def _numbers(one: Question, other: Question) -> str | None:
    return _differ(one.numbers, other.numbers)


def _polarity(one: Question, other: Question) -> str | None:
    return _differ(one.negations, other.negations)


def _names(one: Question, other: Question) -> str | None:
    """Compare names: where only one writer used capitals, that word must stand in the other question."""
    if one.tells_capitals and other.tells_capitals:
        return _differ(sorted(one.names), sorted(other.names))
    known = {*one.texts} & {*other.texts}
    lost = [name for name in (*one.names, *other.names) if name not in known]
    return f"{lost[0]} is not in both" if lost else None


def _asking(one: Question, other: Question) -> str | None:
    return _differ(one.asking, other.asking)


def _modality(one: Question, other: Question) -> str | None:
    return _differ(one.auxiliaries, other.auxiliaries)


def _words(one: Question, other: Question) -> str | None:
    """Compare the words whatever their order; a verb may have the *s* that *does* took from it."""
    verb = _verb(one, other)
    more = Counter(_plain(one.texts, verb)) - Counter(_plain(other.texts, verb))
    less = Counter(_plain(other.texts, verb)) - Counter(_plain(one.texts, verb))
    if not more and not less:
        return None
    quantity = sorted({*more, *less} & QUANTIFIERS)
    return f"{_listed(more)} against {_listed(less)}" + (" (how many)" if quantity else "")


def _order(one: Question, other: Question) -> str | None:
    """Compare the order of the words, of which a part with a preposition may have come first."""
    verb = _verb(one, other)
    first, second = _plain(one.texts, verb), _plain(other.texts, verb)
    if second in (first, _fronted(one, first)) or first == _fronted(other, second):
        return None
    moved = [place for place, pair in enumerate(zip(first, second, strict=True)) if pair[0] != pair[1]]
    if len(moved) == 2:
        return f"{first[moved[0]]} and {first[moved[1]]} change places"
    return f"{' '.join(first[moved[0] :])} against {' '.join(second[moved[0] :])}"


def _articles(one: Question, other: Question) -> str | None:
    """Compare *a* and *the* where both have one before the same word."""
    given = {word.text: word.article for word in one.words if word.article}
    for word in other.words:
        if word.article and given.get(word.text, word.article) != word.article:
            return f"{given[word.text]} {word.text} against {word.article} {word.text}"
    return None


GATES: Mapping[Gate, Callable[[Question, Question], str | None]] = {
    "language": _language,
    "numbers": _numbers,
    "polarity": _polarity,
    "names": _names,
    "asking": _asking,
    "modality": _modality,
    "words": _words,
    "order": _order,
    "articles": _articles,
}
"""In the order in which they are asked; what passes all of them has the same words in the same order."""


def _verb(one: Question, other: Question) -> tuple[str, str] | None:
    """Return a verb with and without the *s* that one question has where the other has *does*."""
    if one.has_does == other.has_does:
        return None
    plain, spelled = (one, other) if one.has_does else (other, one)
    more = list((Counter(spelled.texts) - Counter(plain.texts)).elements())
    less = list((Counter(plain.texts) - Counter(spelled.texts)).elements())
    if len(more) != 1 or len(less) != 1:
        return None
    is_it = more[0] in (less[0] + "s", less[0] + "es") or (more[0], less[0]) == ("has", "have")
    return (more[0], less[0]) if is_it else None


def _plain(texts: Sequence[str], verb: tuple[str, str] | None) -> tuple[str, ...]:
    if verb is None:
        return tuple(texts)
    return tuple(verb[1] if text == verb[0] else text for text in texts)


def _fronted(question: Question, texts: Sequence[str]) -> tuple[str, ...] | None:
    """Return the words with a part that came first put last: *in Python, how …* asks *how … in Python*."""
    words: Sequence[Word] = question.words
    if not words or words[0].text not in PREPOSITIONS:
        return None
    at = next((place + 1 for place, word in enumerate(words) if word.comma), 0)
    return (*texts[at:], *texts[:at]) if 0 < at < len(words) else None


def _differ(one: Sequence[str], other: Sequence[str]) -> str | None:
    if tuple(one) == tuple(other):
        return None
    return f"{' '.join(one) or 'none'} against {' '.join(other) or 'none'}"


def _listed(words: Counter[str]) -> str:
    return " ".join(words.elements()) or "nothing"
