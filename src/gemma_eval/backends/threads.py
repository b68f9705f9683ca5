"""How many threads compute where nobody says."""

from __future__ import annotations

SMALL_PARAMETERS = 50_000_000
"""Below this size a second thread costs more in waiting than it gives."""


def default_threads(parameters: int, *, available: int) -> int:
    """Return one thread for a small model, and all that are available but one for a larger one.

    With as many threads as cores, one that has to stop for another program keeps all the others waiting.
    """
    return 1 if parameters < SMALL_PARAMETERS else max(1, available - 1)
