"""A figure of a table: a value with its interval, what stands below it, and warnings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A value in words; `flags` say where it is not what it seems."""

    value: str
    interval: str = ""
    below: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """All of it in one line: `12.3 ms [11.9, 12.8] ms (by the engine)`."""
        more = ", ".join((*self.below, *self.flags))
        return " ".join(filter(None, (self.value, self.interval, f"({more})" if more else "")))
