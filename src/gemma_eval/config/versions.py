"""The version of a file that people edit: it says by which rules the file is read."""

from __future__ import annotations

from collections.abc import Mapping

from gemma_eval.files import rows

KEY = "version"
MIGRATE = "gemma-eval config migrate"


def of(table: Mapping[str, object]) -> int | None:
    """Return the version of a table: 0 when it gives none, `None` when what it gives cannot be one."""
    if KEY not in table:
        return 0
    version = table[KEY]
    is_one = isinstance(version, int) and not isinstance(version, bool) and version >= 1
    return version if is_one else None  # type: ignore[return-value]


def newer(table: Mapping[str, object], *, known: int) -> str | None:
    """Say that a table is of a later version than is `known`, so that nothing else can be said of it."""
    version = of(table)
    if version is None or version <= known:
        return None
    return f"is version {version}; this gemma_eval reads up to {known}; install a newer one"


def flaw(table: Mapping[str, object], *, known: int, written: str) -> str | None:
    """Say what is wrong with the version of a table, `None` when nothing is.

    `written` is how the file has the known one, as `version: 1`.
    """
    if KEY not in table:
        return f"needs {written}; {MIGRATE} adds it"
    if of(table) == known:
        return None
    older = of(table)
    if older is None or older > known:
        return newer(table, known=known) or f"version is {rows.show(table[KEY])}; it should be {known}"
    return f"is version {older}, which is no longer read; {MIGRATE} makes version {known} of it"
