"""A location says by its scheme which store it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval import plugins
from gemma_eval.errors import StoreError, UnknownName
from gemma_eval.memory.sqlite.store import SqliteStore, path_of
from gemma_eval.memory.stores import open_store, scheme_of


@pytest.mark.parametrize(
    ("location", "scheme"),
    [
        ("memory.db", "sqlite"),
        ("a folder/memory.sqlite", "sqlite"),
        ("sqlite:memory.db", "sqlite"),
        ("SQLite:memory.db", "sqlite"),
        ("C:\\memory.db", "sqlite"),
        ("redis://localhost:6379/0", "redis"),
        ("rediss://user@host", "rediss"),
    ],
)
def test_the_scheme_of_a_path_is_sqlite(location: str, scheme: str) -> None:
    """One letter is a drive."""
    assert scheme_of(location) == scheme


def test_a_path_and_a_url_open_the_same_file(tmp_path: Path) -> None:
    """Through the factories that plugins register."""
    stores = plugins.load().stores
    for location in (str(tmp_path / "m.db"), f"SQLite:{tmp_path / 'm.db'}", f"sqlite://{tmp_path / 'm.db'}"):
        store = open_store(location, stores)
        assert isinstance(store, SqliteStore)
        assert store.location == str(tmp_path / "m.db")
        store.close()


def test_an_unknown_scheme_is_refused_with_the_nearest() -> None:
    """Before anything is opened."""
    with pytest.raises(UnknownName, match='did you mean "redis"'):
        open_store("reddis://localhost", plugins.load().stores)


@pytest.mark.parametrize("location", ["", "sqlite:", "sqlite://", "a\0b"])
def test_a_location_without_a_file_is_refused(location: str) -> None:
    """With an example."""
    with pytest.raises(StoreError, match=r"memory\.db"):
        path_of(location)
