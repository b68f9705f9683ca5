"""Split a document into passages: its bullets and its paragraphs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from gemma_eval.records import Document, Piece

LONGEST_CHARACTERS = 800
"""A longer paragraph is cut between sentences, for one that fills the budget alone is never used."""

_BULLET = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+(?=\S)")
_HEADING = re.compile(r"\s{0,3}#{1,6}(?:\s|$)")
_RULE = re.compile(r"\s{0,3}(?:(?:[-*_]\s*){3,}|=+|```.*|~~~.*)$")
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")


def split(document: Document) -> tuple[Piece, ...]:
    """Return the passages of a text or Markdown document in their order, each on one line and only once.

    A bullet is a passage without its mark, and so is a paragraph; headings, rules and fences are none.
    """
    texts = (part for block in _blocks(document.text) for part in _parts(block))
    return tuple(
        Piece(id=_id(document.name, text), text=text, document=document.name) for text in dict.fromkeys(texts)
    )


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


def _parts(block: str) -> Iterator[str]:
    """Yield a block, or groups of its sentences when it is too long."""
    part = ""
    for sentence in _SENTENCE_END.split(block):
        if part and len(part) + 1 + len(sentence) > LONGEST_CHARACTERS:
            yield part
            part = sentence
        else:
            part = f"{part} {sentence}" if part else sentence
    if part:
        yield part


def _id(document: str, text: str) -> str:
    return hashlib.sha256(f"{document}\0{text}".encode()).hexdigest()[:16]
