"""Split a document into passages: its bullets and its paragraphs, none longer than it may be."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gemma_eval.errors import UsageError
from gemma_eval.records import Document, Piece

LONGEST_CHARACTERS = 800
"""A longer paragraph is cut between sentences, for one that fills the budget alone is never used."""

MOST_PER_TOKEN = 64
"""Letters that a token has at most, in the mean of a passage."""

_BULLET = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+(?=\S)")
_HEADING = re.compile(r"\s{0,3}#{1,6}(?:\s|$)")
_RULE = re.compile(r"\s{0,3}(?:(?:[-*_]\s*){3,}|=+|```.*|~~~.*)$")
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Splitting:
    """How long passages are: without `max_tokens` at most `LONGEST_CHARACTERS`, or one sentence.

    With it none has more tokens as `count_tokens` counts them: a sentence that has is cut between words, and
    such a word between letters. The passages of a paragraph that is cut share `overlap_sentences` with the
    one before, where they fit.
    """

    count_tokens: Callable[[str], int] | None = None
    max_tokens: int | None = None
    overlap_sentences: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be. Raises UsageError."""
        if self.max_tokens is not None and (self.count_tokens is None or self.max_tokens < 1):
            raise UsageError("max_tokens of a passage is at least 1, and needs a model that counts tokens")
        if self.overlap_sentences < 0:
            raise UsageError("overlap_sentences of passages is 0 or more")

    def fits(self, text: str) -> bool:
        """Whether a text is short enough for a passage."""
        if self.max_tokens is None or self.count_tokens is None:
            return len(text) <= LONGEST_CHARACTERS
        # So long a text is not counted, which may take long: no tokens have so many letters.
        return len(text) <= MOST_PER_TOKEN * self.max_tokens and self.count_tokens(text) <= self.max_tokens


WHOLE = Splitting()


def split(document: Document, splitting: Splitting = WHOLE) -> tuple[Piece, ...]:
    """Return the passages of a text or Markdown document in their order, each on one line and only once.

    A bullet is a passage without its mark, and so is a paragraph; headings, rules and fences are none.
    """
    texts = (part for block in _blocks(document.text) for part in parts(block, splitting))
    return tuple(
        Piece(id=id_of(document.name, text), text=text, document=document.name)
        for text in dict.fromkeys(texts)
    )


def parts(block: str, splitting: Splitting = WHOLE) -> Iterator[str]:
    """Yield a paragraph, or groups of its sentences when it is too long."""
    group: list[str] = []
    n_shared = 0
    for sentence in _sentences(block, splitting):
        if len(group) > n_shared and not splitting.fits(" ".join([*group, sentence])):
            yield " ".join(group)
            group = _shared(group, sentence, splitting)
            n_shared = len(group)
        group.append(sentence)
    if group:
        yield " ".join(group)


def id_of(document: str, text: str) -> str:
    """Return the id of a passage that was given none: it follows from its document's name and its text."""
    return hashlib.sha256(f"{document}\0{text}".encode(errors="surrogatepass")).hexdigest()[:16]


def _blocks(text: str) -> Iterator[str]:
    """Yield bullets and paragraphs with their white space made single spaces."""
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        bullet = _BULLET.match(line)
        ends = not line.strip() or _HEADING.match(line) or _RULE.match(line)
        if (ends or bullet) and lines:
            yield " ".join(" ".join(lines).split())
            lines = []
        if not ends:
            lines.append(line[bullet.end() :] if bullet else line)


def _shared(group: Sequence[str], sentence: str, splitting: Splitting) -> list[str]:
    """Return the last sentences of a group that the next one repeats: as many as fit beside its first."""
    for n in range(min(splitting.overlap_sentences, len(group) - 1), 0, -1):
        if splitting.fits(" ".join([*group[-n:], sentence])):
            return list(group[-n:])
    return []


def _sentences(block: str, splitting: Splitting) -> Iterator[str]:
    for sentence in filter(None, _SENTENCE_END.split(block)):
        if splitting.max_tokens is None or splitting.fits(sentence):
            yield sentence
        else:
            yield from _pieces_of(sentence, splitting)


def _pieces_of(sentence: str, splitting: Splitting) -> Iterator[str]:
    """Cut a sentence between words, a word that does not fit alone between letters."""
    words = sentence.split()
    begin = 0
    while begin < len(words):
        if n := _longest(words, splitting, begin=begin, joint=" "):
            yield " ".join(words[begin : begin + n])
            begin += n
        else:
            word = words[begin]
            letters = max(1, _longest(word, splitting, begin=0, joint=""))
            yield word[:letters]
            words[begin] = word[letters:]
            begin += not words[begin]


def _longest(parts: Sequence[str], splitting: Splitting, *, begin: int, joint: str) -> int:
    """Return how many of the parts from `begin` on fit together, 0 for none.

    A longer text has no fewer tokens, but for a few: so it is looked for by doubling, then by halves, and
    then made sure of. What is far longer than a passage is never counted.
    """

    def fit(n: int) -> bool:
        return splitting.fits(joint.join(parts[begin : begin + n]))

    most, high = len(parts) - begin, 1
    while high < most and fit(high):
        high *= 2
    low, high = high // 2, min(high, most)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fit(middle) else (low, middle - 1)
    while low and not fit(low):
        low -= 1
    return low
