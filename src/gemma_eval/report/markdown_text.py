"""Text that came from elsewhere, made safe for Markdown: in a line or cell, and in a fence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gemma_eval.report.visible import visible

MOST_NAME = 120
"""Names are cut to this many characters."""
MOST_TEXT = 4_000
"""Answers and messages are cut to this many characters."""

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# A bracket is markup only where a link or a footnote begins; an underscore only at the edge of a word.
_MARKUP = re.compile(r"[\\`*~|$]|\[(?=\^)|\](?=[(\[:])|(?<![^\W_])_|_(?![^\W_])")


def inline(text: str) -> str:
    """Return a name for a line or a table cell: nothing in it is markup, a tag, a new line or a mention."""
    return sentence(_cut(text, MOST_NAME))


def sentence(text: str) -> str:
    """Do the same with a sentence that is made of names."""
    line = " ".join(visible(_cut(text, MOST_TEXT)).split())
    return _MARKUP.sub(r"\\\g<0>", line).translate(_ENTITIES).replace("@", "@\u2060")


def fence(text: str) -> str:
    """Return `text` in a code fence that is longer than any run of backticks in it."""
    shown = visible(_cut(text, MOST_TEXT))
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}text\n{shown}\n{ticks}"


def row_size(row: Sequence[str]) -> int:
    """Return how many bytes a row of a table takes."""
    return sum(size(sentence(cell)) + 3 for cell in row) + 2


def line_size(line: str) -> int:
    """Return how many bytes a sentence takes."""
    return size(sentence(line)) + 2


def size(text: str) -> int:
    """Return how many bytes a text takes."""
    return len(text.encode())


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text) - most:,} more characters)".replace(",", " ")
