"""What a text says: its numbers and the words that carry meaning, so that two texts can be held together.

Words that only join others are left out. Others are compared without case, accents, possessive and the
endings -s, -es, -ed and -ing; numbers by their value, those up to twenty also as words. That is of English,
and rough: what two texts share is found, whether they mean the same is not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal

from gemma_eval.scoring.numbers import numbers

Key = str | Decimal
"""What is the same in two texts: the stem of a word, or the value of a number."""


def said(text: str) -> Mapping[Key, str]:
    """Return what a text says, each thing with the form in which it first occurs."""
    found: dict[Key, str] = {}
    for number in numbers(text):
        found.setdefault(number.value.normalize(), number.written)
    for match in _WORD.finditer(text):
        word = match.group()
        if (key := _key(word)) is not None:
            found.setdefault(key, word)
    return found


def in_a_row(text: str) -> tuple[str, ...]:
    """Return all words and numbers of a text in their order, without case and accents."""
    return tuple(_plain(match.group()) for match in _TOKEN.finditer(text))


def occurs(part: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    """Return whether words stand somewhere in others, without a gap; no words stand nowhere."""
    n = len(part)
    return bool(n) and any(whole[at : at + n] == part for at in range(len(whole) - n + 1))


_WORD = re.compile(r"(?<!\w)[^\W\d_]\w*(?:['\u2019]\w+)*")
"""A word begins with a letter; of `3rd` the number counts."""
_TOKEN = re.compile(r"\w+")
_CONTRACTED = re.compile(r"(?:n't|'\w+)$")
_POSSESSIVE = re.compile(r"['\u2019]s?$")
_FEWEST_LETTERS = 3
"""An ending is only taken from what has so many letters without it."""
_NUMBERS = (
    "zero", "", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
"""One is left out: it is more often a pronoun."""
_VALUES = {word: Decimal(value).normalize() for value, word in enumerate(_NUMBERS) if word}
# The last ones are what is left of ain't, can't, shan't and won't.
_JOINING = frozenset(
    _TOKEN.findall(
        "a about above after again all also am an and any are as at be because been before being below "
        "between both but by can could did do does doing down during each either few for from further had "
        "has have having he her here hers herself him himself his how however i if in into is it its itself "
        "just may me might more most must my myself neither no nor not of off on once one only or other our "
        "ours out over own per same shall she should so some such than that the their theirs them then "
        "there these they this those though through thus to too under until up upon us very was we were "
        "what when where whether which while who whom whose why will with within without would yes you your "
        "yours according answer based cite cited citing context document documents given passage passages "
        "question source sources text "
        "ain ca sha wo"
    )
)


def _key(word: str) -> Key | None:
    plain = _plain(_POSSESSIVE.sub("", word))
    if plain in _JOINING or _CONTRACTED.sub("", plain) in _JOINING:
        return None
    return _VALUES.get(plain, _stem(plain))


def _plain(word: str) -> str:
    """Return a word without case and accents; letters of scripts that have none stay."""
    parts = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter)).replace("\u2019", "'")


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and not word.endswith("ss") and len(word) >= len(ending) + _FEWEST_LETTERS:
            word = word.removesuffix(ending)
            break
    if len(word) > _FEWEST_LETTERS and word[-1] == word[-2]:
        word = word[:-1]
    if len(word) > _FEWEST_LETTERS and word.endswith("e"):
        word = word[:-1]
    return f"{word[:-1]}i" if len(word) > _FEWEST_LETTERS and word.endswith("y") else word
