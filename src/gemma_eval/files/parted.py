"""A text in its two parts: front matter between two lines `---`, and what comes after it."""

from __future__ import annotations

from dataclasses import dataclass

MARK = "---"


@dataclass(frozen=True, kw_only=True, slots=True)
class Parted:
    """A file in its two parts: the YAML, `None` where there is none, and the text that begins on `line`."""

    front: str | None = None
    body: str
    line: int = 1
    is_open: bool = False


def part(text: str) -> Parted:
    """Return the front matter and the body of a text; `is_open` when its front matter does not end.

    A body may begin with `---` itself: the second line of that kind ends the front matter.
    """
    first, *lines = text.split("\n")
    if first.rstrip() != MARK:
        return Parted(body=text)
    for number, line in enumerate(lines):
        if line.rstrip() == MARK:
            body = "\n".join(lines[number + 1 :])
            return Parted(front="\n".join(lines[:number]), body=body, line=number + 3)
    return Parted(front="\n".join(lines), body="", is_open=True)
