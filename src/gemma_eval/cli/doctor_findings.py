"""What `gemma-eval doctor` finds: one line for each thing that it looks at, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "FAIL"]
"""It works; something is missing that not everybody needs, or could be better; nothing works without it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one thing is like, and what to do if it is not as it might be."""

    what: str
    told: str
    state: State = "ok"
    advice: str = ""


Check = Callable[[], Iterable[Finding]]


def guarded(what: str, check: Check, *, needed: bool = False) -> Iterator[Finding]:
    """Yield what a check finds; one that breaks down is a finding too, and never ends the others."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the machine is what is looked for
        first = str(error).partition("\n")[0] or type(error).__name__
        yield Finding(what=what, told=f"cannot be told: {first}", state="FAIL" if needed else "note")
