"""The memory in a SQLite file keeps to the contract of stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval.memory.sqlite.store import open_store
from gemma_eval.protocols import StoreFactory
from tests.contract.store_contract import StoreContract


class TestSqliteStore(StoreContract):
    """In a file of its own for each test."""

    @pytest.fixture
    def open_store(self) -> StoreFactory:
        """Return what opens a file."""
        return open_store

    @pytest.fixture
    def location(self, tmp_path: Path) -> str:
        """Return the path of no file yet."""
        return str(tmp_path / "memory.db")
