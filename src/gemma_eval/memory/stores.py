"""Which store a location means: a scheme that a plugin registered, or the path of a SQLite file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gemma_eval.errors import UnknownName
from gemma_eval.protocols import MemoryStore, StoreFactory

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+):")
_SECRET = re.compile(r"([?&][^=&]*pass(?!word_env=)[^=&]*=)[^&]*", re.IGNORECASE)
PATH = "sqlite"
"""The scheme of a location without one."""


def open_store(location: str, stores: Mapping[str, StoreFactory]) -> MemoryStore:
    """Open the store at a URL or a path; it is made where there is none.

    `stores` are what opens them, by scheme. Raises UnknownName, StoreError.
    """
    scheme = scheme_of(location)
    if scheme not in stores:
        raise UnknownName("store", scheme, stores)
    return stores[scheme](location)


def without_password(location: str) -> str:
    """Return a location as it may be shown: a URL, even a malformed one, without user and password.

    A password that is written where none is read, as `?password=…`, is hidden, too.
    """
    found = _SCHEME.match(location)
    if found is None or found[1].lower() == PATH:
        return location
    rest = _SECRET.sub(r"\1…", location[found.end() :])
    return f"{found[0]}{'//' if rest.startswith('//') else ''}{rest.rpartition('@')[2].removeprefix('//')}"


def scheme_of(location: str) -> str:
    """Return the scheme of a location; that of a path is *sqlite*, one letter is the drive of a path."""
    found = _SCHEME.match(location)
    return found[1].lower() if found else PATH
