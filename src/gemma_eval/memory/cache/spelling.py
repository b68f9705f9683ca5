"""Ways of writing English that mean the same: contractions, courtesy, spellings, numbers and units."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping


def _pairs(text: str) -> dict[str, str]:
    return {word: into for word, _, into in (pair.partition("=") for pair in text.split())}


CONTRACTIONS = (
    (re.compile(r"\bcan(?:'t|not)\b", re.IGNORECASE), "can not"),
    (re.compile(r"\bwon't\b", re.IGNORECASE), "will not"),
    (re.compile(r"n't\b", re.IGNORECASE), " not"),
    (re.compile(r"\b(what|who|where|how|when|why|that|it|there|here)'s\b", re.IGNORECASE), r"\1 is"),
    (re.compile(r"'re\b", re.IGNORECASE), " are"),
    (re.compile(r"'ll\b", re.IGNORECASE), " will"),
    (re.compile(r"'ve\b", re.IGNORECASE), " have"),
    (re.compile(r"\bI'm\b", re.IGNORECASE), "I am"),
)
"""What is written together; `'d` is left alone, for it may be *had* or *would*."""

_WH = r"(?=(?:what|who|whom|whose|which|where|when|why|how|if|whether)\b)"
_TOLD = r"(?:tell me|explain(?: to me)?|list|translate|give me|show me|describe|name|define)\b"
COURTESY = tuple(
    (re.compile(pattern, re.IGNORECASE), into)
    for pattern, into in (
        (r"^(?:hi|hello|hey|excuse me|sorry|quick question|just curious)\s*[,:!.]\s*", ""),
        (r"^(?:please|kindly)\b[\s,]*", ""),
        (r"^(?:could|can|would|will) you (?:please |kindly )?(?=" + _TOLD + ")", ""),
        (r"^do you (?:happen to )?know " + _WH, ""),
        (r"^i (?:would like|want) to know " + _WH, ""),
        (r"^i (?:was wondering|wonder) " + _WH, ""),
        (r"^(?:tell me|explain(?: to me)?) " + _WH, ""),
        (r"^(?:tell|give) me (?=the\b)", "what is "),
        (r"[\s,]*\b(?:please|thanks|thank you)[\s.!?]*$", ""),
        (r"(^explain\b.*\S) to me[\s.!?]*$", r"\1"),
    )
)
"""What is said to be polite, and says nothing else; each is tried until none is found any more."""

_DOES = (
    r"(?! (?:look|feel|seem|appear|know|sound|smell|taste|fit|stand|rank|compare|score|differ|matter|die|do)"
    r"\b)"
)
FRAMES = tuple(
    (re.compile(pattern, re.IGNORECASE), into)
    for pattern, into in (
        (r"(^|, )how (?:to|(?:(?:do|can|could) )?i|(?:does|can|could) one)\b" + _DOES, r"\1howto"),
        (r"^what is the way to\b", "howto"),
        (r"^what is the best way to\b", "howto best"),
        (r"^(why|when|where|how) is it that\b", r"\1"),
        (r"\ba (few|little)\b", r"a-\1"),
        (r"(?<=\d)!(?!=)", " factorial "),
    )
)
"""Beginnings of a question that ask for the same, and words that are one together.

*How do I look?* asks for no way of looking, nor do the other verbs of a state.
"""

VARIANTS: Mapping[str, str] = _pairs("""
    colour=color flavour=flavor favourite=favorite neighbour=neighbor labour=labor metre=meter litre=liter
    kilometre=kilometer centimetre=centimeter millimetre=millimeter millilitre=milliliter centre=center
    theatre=theater tyre=tire grey=gray programme=program licence=license aluminium=aluminum mum=mom
    jewellery=jewelry pyjamas=pajamas travelling=traveling cancelled=canceled catalogue=catalog
    dialogue=dialog okay=ok
""")
"""British and American spellings of one word; the plural goes with the singular."""

NUMBERS: Mapping[str, str] = _pairs("""
    zero=0 one=1 two=2 three=3 four=4 five=5 six=6 seven=7 eight=8 nine=9 ten=10 eleven=11 twelve=12
    thirteen=13 fourteen=14 fifteen=15 sixteen=16 seventeen=17 eighteen=18 nineteen=19 twenty=20 thirty=30
    forty=40 fifty=50 sixty=60 seventy=70 eighty=80 ninety=90 first=1st second=2nd third=3rd fourth=4th
    fifth=5th sixth=6th seventh=7th eighth=8th ninth=9th tenth=10th
""")

UNITS: Mapping[str, str] = _pairs("""
    km=kilometer m=meter cm=centimeter mm=millimeter mi=mile ft=foot kg=kilogram g=gram mg=milligram l=liter
    ml=milliliter h=hour hr=hour min=minute sec=2nd s=2nd
""")
"""What may follow a number in short; *second* is written as the ordinal, whichever is meant."""

_PLURAL_UNITS = {unit + "s": unit for unit in UNITS.values()} | {"feet": "foot", "seconds": "2nd"}
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_SYMBOLS = {"%": "percent", "°": "degrees"}


def expanded(text: str) -> str:
    """Return a question without courtesy, contractions and quotation marks, begun as others like it."""
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    text = " ".join(text.split())
    for pattern, into in CONTRACTIONS:
        text = pattern.sub(into, text)
    before = None
    while before != text:
        before = text
        for pattern, into in COURTESY:
            text = pattern.sub(into, text).strip()
    for pattern, into in FRAMES:
        text = pattern.sub(into, text)
    return text


def spelt(word: str, *, after_number: bool = False) -> str:
    """Return one way of writing a word in lower case, of those that mean the same."""
    if word in _SYMBOLS:
        return _SYMBOLS[word]
    if _THOUSANDS.fullmatch(word):
        return word.replace(",", "")
    if after_number and word in UNITS:
        return UNITS[word]
    if word in NUMBERS:
        return NUMBERS[word]
    plural = word[:-1] if word.endswith("s") and word[:-1] in VARIANTS else None
    word = VARIANTS.get(word, word) if plural is None else VARIANTS[plural] + "s"
    if after_number and word in _PLURAL_UNITS:
        return _PLURAL_UNITS[word]
    return _WITH_Z.sub(r"\1z\2", word) if len(word) >= _LONG else word


_QUOTES = str.maketrans(
    {"\u2019": "'", "\u2018": "'", "\u201c": None, "\u201d": None, '"': None, "«": None, "»": None}
)
_WITH_Z = re.compile(r"^(.+i)s(e|es|ed|ing|er|ers|ation|ations)$")
_LONG = 8
"""Shorter words end in *ise* by themselves: *promise*, *advise*."""
