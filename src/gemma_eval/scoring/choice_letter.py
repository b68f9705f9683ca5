"""Which letter a free answer to a multiple-choice question commits to, and the scorer that compares it.

The strongest sign in an answer decides:

1. the answer is nothing but letters: `B`, `(b)`, `**B.**`;
2. it says so: `answer is B`, `Answer: (B)`, `I choose B`, `\\boxed{B}`; the last time that it does counts;
3. a letter opens a line as a choice is written: `B) Oslo`, `(B) Oslo`, `B. Oslo`;
4. a letter stands alone in the text, where `A` and `I` before a word are words, and what *not* precedes
   is turned down.

Signs 3 and 4 commit to nothing where they name different letters, and no sign does that says *or*.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gemma_eval.errors import UsageError
from gemma_eval.protocols import Scorer
from gemma_eval.records import Options
from gemma_eval.scoring.findings import Finding, right, scorer_of, wrong
from gemma_eval.scoring.options import CheckOptions


@dataclass(frozen=True, slots=True)
class Named:
    """The letters that an answer names, and whether it commits to them."""

    letters: frozenset[str] = frozenset()
    commits: bool = False


def choice_letter(options: Options) -> Scorer:
    """The answer commits to `letter`, one of A to J or of those of `letters`.

    Of several letters (`"AC"`, `"A, C"` or a list) it must name each and no other.
    """
    given = CheckOptions("choice_letter", options, known=("letter", "letters"))
    letters = given.text_or("letters", "ABCDEFGHIJ").upper()
    if not re.fullmatch("[A-Z]+", letters) or len(set(letters)) < len(letters):
        raise given.wrong("letters", "different letters of A to Z", letters)
    wanted = _wanted(given, letters)
    signs = Signs(letters, joined=len(wanted) > 1)

    def find(text: str) -> Finding:
        named = signs.read(text)
        shown = ", ".join(sorted(named.letters))
        if not named.commits:
            why = f"names {shown} and commits to none" if shown else "names no letter"
            return wrong(text.strip(), why)
        expected = f"expected {', '.join(sorted(wanted))}"
        return right(shown) if named.letters == wanted else wrong(shown, expected)

    return scorer_of("choice_letter", find)


class Signs:
    """What in an answer says which of `letters` is meant; every expression takes time linear in the text."""

    def __init__(self, letters: str = "ABCDEFGHIJ", *, joined: bool = False) -> None:
        """Prepare the expressions; with `joined`, letters may stand together as in `AC`."""
        upper, lower = f"[{letters}]", f"[{letters.lower()}]"
        run = f"{upper}{{1,26}}" if joined else upper
        stands = rf"(?<![A-Za-z0-9'\u2019])(?![AI]{_A_WORD}){run}{_END}"
        one = rf"(?:{stands}|{lower}(?=[ ]{{0,3}}(?:[).,:;*\]}}]|$)))"
        listed = rf"{one}(?:{_AND}{one}){{0,25}}"
        self._whole = re.compile(rf"(?:{run}|{lower})(?:{_AND}(?:{run}|{lower})){{0,25}}")
        self._said = re.compile(rf"(?:{_SAYS}|{_BOXED})(?P<letters>{listed})", re.MULTILINE)
        self._opening = re.compile(
            rf"^[ \t*_(\[]{{0,6}}(?P<letters>{upper}(?=[*_]{{0,2}}[).:\]])|{lower}(?=[*_]{{0,2}}\)))",
            re.MULTILINE,
        )
        self._alone = re.compile(rf"(?<!not )(?<!n't )(?<!not \()(?<!n't \()(?P<letters>{stands})")
        self._joined = joined

    def read(self, text: str) -> Named:
        """Return what `text` names, and whether it commits to it."""
        bare = text.strip(_AROUND)
        if len(bare) <= 100 and self._whole.fullmatch(bare):
            return _named(bare)
        said = [match["letters"] for match in self._said.finditer(text)]
        if said:
            return _named(said[-1])
        for sign in (self._opening, self._alone):
            found = frozenset().union(*(match["letters"].upper() for match in sign.finditer(text)))
            if found:
                return Named(found, commits=len(found) == 1 or (self._joined and sign is self._alone))
        return Named()


_AROUND = " \t\r\n*_`()[]{}.:;,$\"'"
_A_WORD = r"[ ]{1,3}(?!(?:is|was|because|since|as|and|or|with|for)\b)[a-z]"
_END = r"(?![A-Za-z0-9'\u2019])"
_AND = r"[ *_)]{0,4}(?:,|&|/|\+|\b(?:and|or)\b)[ *_(]{0,4}(?:(?:and|or)\b)?[ *_(]{0,4}"
_GAP = r"[^\w\\]{0,10}"
_IS = r"(?:is|are|was|would[ ]be|should[ ]be|must[ ]be)\b"
_SAYS = (
    rf"(?i:\b(?:answers?(?:[ ](?:to|for)[ ][^.\n:]{{0,80}}?[ ]{_IS}|{_GAP}(?:{_IS})?)"
    rf"|(?:choice|option|letter){_GAP}(?:{_IS}|:)"
    rf"|\bi(?:['\u2019](?:d|ll)|[ ]would|[ ]will)?[ ](?:choose|pick|select|go[ ]with))"
    rf"{_GAP}(?:(?:option|choice|letter)\b)?){_GAP}"
)
_BOXED = r"\\boxed\{[ ]{0,3}(?:\\text\{)?\(?"


def _named(text: str) -> Named:
    """Read a list of letters; one with *or* in it commits to none."""
    words = re.sub(r"\b(?:and|or)\b", "", text)
    either = re.search(r"\bor\b", text) is not None
    return Named(frozenset(sign.upper() for sign in words if sign.isascii() and sign.isalpha()), not either)


def _wanted(given: CheckOptions, letters: str) -> frozenset[str]:
    texts = given.texts("letter")
    wanted = frozenset("".join(re.sub(r"[\s,;]", "", text) for text in texts).upper())
    if not wanted or not wanted <= frozenset(letters):
        raise UsageError(
            f'choice_letter: "letter" must be of the letters {letters}, not "{", ".join(texts)}"'
        )
    return wanted
