"""What a judge is shown of a text that it judges: data behind a fence, which nothing in it can close.

An answer may have been written to be judged well: it may hold a grade, an order to the judge, the markup of
another turn, or a line like the one that ends it. So it stands between two lines with a mark that does not
occur in it, or on one line, and the markup of turns is broken up. Instructions follow it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

Fence = Literal["lines", "line"]
"""Between two lines with a mark, or on one line, for models that were trained on such prompts alone."""

MOST_CHARACTERS = 8000
"""What is shown of a text when nothing else is said: some 2,000 tokens of English."""

EMPTY = "(empty)"
"""What stands for a text of which there is nothing to see."""

_MARK_LENGTH = 8
_TURNS = re.compile(
    r"<(?=/?(?:bos|eos|s|pad|unk|mask|start_of_turn|end_of_turn|start_of_image|end_of_image|unused\d+)>)"
    r"|<(?=\|)|\[(?=/?INST\])|<(?=</?SYS>>)",
    re.IGNORECASE,
)
"""What begins the markup of turns in the chat templates of Gemma, ChatML, Llama and Mistral."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """Texts behind one fence, the mark of it, and how many characters of them were left out."""

    texts: tuple[str, ...]
    mark: str
    left_out: int


def shown(*texts: str, fence: Fence = "lines", most: int = MOST_CHARACTERS) -> Shown:
    """Return texts as a judge is shown them, each of at most `most` characters and a note of what is missing.

    The mark follows from the texts, so that the same answer is always asked about in the same words.
    """
    whole = [harmless(text) if text.strip() else EMPTY for text in texts]
    kept = [_shortened(text, most) for text in whole]
    left_out = sum(max(0, len(text) - most) for text in whole)
    mark = _mark(kept)
    if fence == "line":
        return Shown(texts=tuple(" ".join(text.split()) for text in kept), mark=mark, left_out=left_out)
    fenced = (f"[begin {mark}]\n{text}\n[end {mark}]" for text in kept)
    return Shown(texts=tuple(fenced), mark=mark, left_out=left_out)


def harmless(text: str) -> str:
    """Return a text that any engine can read: no half surrogate pairs, no NUL, no markup of turns."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    return _TURNS.sub(lambda match: f"{match[0]} ", whole)


def _shortened(text: str, most: int) -> str:
    """Return the beginning and the end of a long text, for both may hold what matters."""
    if len(text) <= most:
        return text
    head, tail = most - most // 2, most // 2
    note = f"[… {len(text) - most:,} characters left out …]"
    return f"{text[:head]}\n{note}\n{text[len(text) - tail :]}"


def _mark(texts: list[str]) -> str:
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    while any(digest[:_MARK_LENGTH] in text.lower() for text in texts):
        digest = hashlib.sha256(digest.encode()).hexdigest()
    return digest[:_MARK_LENGTH]
