"""The right choice of a row, written so that a suite means the same choice by it."""

from __future__ import annotations

from collections.abc import Sequence


def meant(text: str, choices: Sequence[str]) -> int | None:
    """Return the choice that a suite means by a text: the choice itself, or else its index or letter."""
    if text in choices:
        return choices.index(text)
    if text.isascii() and text.isdigit():
        return int(text)
    return ord(text) - ord("A") if len(text) == 1 else None


def said(index: int, choices: Sequence[str]) -> int | str | None:
    """Return the index of a choice, or its text where the index would be taken for another choice.

    `None` where neither says it: another choice is that index, and another one has that text.
    """
    for way in (index, choices[index]):
        if meant(str(way), choices) == index:
            return way
    return None
