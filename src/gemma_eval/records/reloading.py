"""What an edit of the files that people choose in came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ChoiceKind = Literal["case", "model", "profile", "template", "setting"]
Choice = tuple[ChoiceKind, str]
"""What can be chosen, and its name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reloaded:
    """A set of files that was read again and is in use now, and the choices that differ from before.

    `generation` counts from 1, what was read first; `digest` is a hash of all bytes of the files. The edit of
    a comment changes that and no choice.
    """

    generation: int
    digest: str
    added: tuple[Choice, ...] = ()
    changed: tuple[Choice, ...] = ()
    removed: tuple[Choice, ...] = ()
