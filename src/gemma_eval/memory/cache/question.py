"""What a question in English consists of, however it is put: its words in order, and its auxiliaries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gemma_eval.memory.cache.spelling import expanded, spelt


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


NEGATIONS = _set("not no never none nobody nothing nowhere neither nor without except unless hardly barely")
ASKING = _set("what who whom whose which where when why how howto")
QUANTIFIERS = _set(
    "all some any every each most many much few a-few little a-little both either several enough half only "
    "always often sometimes usually more less fewer least"
)
PREPOSITIONS = _set(
    "in on at by with without for from to of into onto over under before after during since until between "
    "about against through within if when while"
)

_BE = {"is": "be", "are": "be", "am": "be"}
_AUXILIARIES = _set("be was were did will would can could shall should must may might ought")
_DO = ("do", "does")
_ARTICLES = frozenset({"a", "an", "the"})
_CLEARLY_ENGLISH = _set(
    "the what who whose how why where when which does did should can could would will my your this with "
    "and for have has"
)
_MAYBE_ENGLISH = _set("is are do am was of to a in i explain list name give")
_FOREIGN = _set(
    "de het een wat hoe waar wie el los las la le les des une der die das den und ist ein eine wie wo il che "
    "que qui quel och det er hvad hvor os um uma como"
)
_ACRONYMS = frozenset({"US", "IT", "WHO", "AM", "OR", "IN", "ME", "NO", "DO", "AN", "ON", "AND"})
"""Names that in lower case would be other words."""
_KEPT_AS_WRITTEN = frozenset({"mb", "gb", "tb", "kb", "mw", "mhz", "ma", "mg"})
"""Units that mean another thing in capital letters."""
_PARTS = re.compile(
    r"(?:(?<!\S)-)?\d+(?:st|nd|rd|th)\b|(?:(?<!\S)-)?\d+(?:[.,:/]\d+)*"
    r"|\ba-(?:few|little)\b|[^\W\d_]+[+#]*|'s\b|!=|\S",
    re.IGNORECASE,
)
_STOPS = frozenset(".!?:;")
_PAUSES = _STOPS | {","}
_DASHES = frozenset("-\u2013\u2014")
_SAYS_NOTHING = frozenset("'`…¿¡·•") | _DASHES
"""What is left out; other signs count, for a formula, a line of code or an emoji means something by them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """One word as it is compared; `article` is *a* or *the* before it, and `capital` how it was written."""

    text: str
    article: str = ""
    capital: bool = False
    comma: bool = False
    """Whether a comma follows it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A question taken apart.

    `auxiliaries` are taken out of the `words`, for they stand elsewhere where a question is part of a
    sentence; *do* and *does* are left out of both, and `has_does` tells of the latter. `tells_capitals` says
    whether the writer used any beyond the first word.
    """

    words: tuple[Word, ...]
    auxiliaries: tuple[str, ...]
    has_does: bool
    tells_capitals: bool
    is_english: bool

    @property
    def texts(self) -> tuple[str, ...]:
        """The words in order."""
        return tuple(word.text for word in self.words)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers in order, as figures."""
        return tuple(word.text for word in self.words if word.text.lstrip("-")[:1].isdigit())

    @property
    def negations(self) -> tuple[str, ...]:
        """The words that deny."""
        return tuple(word for word in (*self.auxiliaries, *self.texts) if word in NEGATIONS)

    @property
    def asking(self) -> tuple[str, ...]:
        """The words that ask."""
        return tuple(word for word in self.texts if word in ASKING)

    @property
    def names(self) -> tuple[str, ...]:
        """What is written with a capital letter, beyond the first word."""
        return tuple(word.text for word in self.words if word.capital)


@lru_cache(maxsize=4096)
def read(text: str) -> Question:
    """Take a question apart."""
    parts = _parts(text)
    lower = [part.lower() for part in parts]
    shouted = not any(part.islower() for part in parts)
    words = _with_of(tuple(_words(parts, lower, shouted=shouted)))
    auxiliaries, rest = _apart(words)
    return Question(
        words=rest,
        auxiliaries=auxiliaries,
        has_does=next((word.text for word in words if _is_auxiliary(word)), "") == "does",
        tells_capitals=any(word.capital for word in rest),
        is_english=_is_english(lower),
    )


def _parts(text: str) -> list[str]:
    """Return words, numbers, pauses and signs; a dash counts after a number alone: it may be a minus."""
    found: list[str] = []
    for part in _PARTS.findall(expanded(text)):
        is_minus = part in _DASHES and bool(found) and found[-1][-1:].isdigit()
        if part not in _SAYS_NOTHING or is_minus:
            found.append("-" if is_minus else part)
    return found


def _words(parts: Sequence[str], lower: Sequence[str], *, shouted: bool) -> Iterator[Word]:
    """Yield the words with what surrounds them: articles and commas are part of them, full stops of none."""
    article, number, first = "", False, True
    for place, part in enumerate(parts):
        if part in _PAUSES:
            first = first or part in _STOPS
            continue
        if lower[place] in _ARTICLES:
            article, first = ("the" if lower[place] == "the" else "a"), False
            continue
        keeps = not shouted and (part in _ACRONYMS or lower[place] in _KEPT_AS_WRITTEN)
        text = part if keeps else spelt(lower[place], after_number=number)
        capital = not shouted and not first and part != "I" and part[:1].isupper()
        comma = place + 1 < len(parts) and parts[place + 1] == ","
        yield Word(text=text, article=article, capital=capital or keeps, comma=comma)
        article, number, first = "", text.lstrip("-")[:1].isdigit(), False


def _with_of(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Return *the capital of France* where there was *France's capital*; two owners are left as they are."""
    places = [place for place, word in enumerate(words) if word.text == "'s"]
    if len(places) != 1 or places[0] == 0:
        return words
    at = places[0]
    begin = at - 1
    while words[begin].capital and begin > 0 and words[begin - 1].capital:
        begin -= 1
    end = at + 1
    while end < len(words) and _may_be_owned(words[end].text):
        end += 1
    if end == at + 1:
        return words
    owner, owned = words[begin:at], words[at + 1 : end]
    owned = (_with(owned[0], article="the"), *owned[1:])
    return (*words[:begin], *owned, Word(text="of"), *owner, *words[end:])


def _may_be_owned(text: str) -> bool:
    return not (text in PREPOSITIONS or text in ASKING or text in _AUXILIARIES or text in _BE)


def _with(word: Word, *, article: str) -> Word:
    return Word(text=word.text, article=word.article or article, capital=word.capital, comma=word.comma)


def _apart(words: Sequence[Word]) -> tuple[tuple[str, ...], tuple[Word, ...]]:
    """Return the first auxiliary, with a *not* that follows it, and the other words; *do* is neither.

    Further ones stay in their place, for they may belong to another clause.
    """
    first = next((place for place, word in enumerate(words) if _is_auxiliary(word)), None)
    if first is None:
        return (), tuple(words)
    text = _BE.get(words[first].text, words[first].text)
    end = first + 1
    found = [] if text in _DO else [text]
    if end < len(words) and words[end].text == "not":
        found.append("not")
        end += 1
    return tuple(found), (*words[:first], *words[end:])


def _is_auxiliary(word: Word) -> bool:
    known = word.text in _DO or word.text in _BE or word.text in _AUXILIARIES
    return known and not word.capital and not word.article


def _is_english(lower: Sequence[str]) -> bool:
    """Whether the rules may be applied: of another language they would be wrong."""
    words = set(lower)
    if any(ord(char) > _LAST_LATIN for word in lower for char in word if char.isalpha()):
        return False
    if words & _FOREIGN - _CLEARLY_ENGLISH and not words & _CLEARLY_ENGLISH:
        return False
    return bool(words & (_CLEARLY_ENGLISH | _MAYBE_ENGLISH)) or "howto" in words


_LAST_LATIN = 0x24F
