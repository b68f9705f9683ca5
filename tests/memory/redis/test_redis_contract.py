"""The store in Redis is held to what every store of passages keeps, by a real server."""

from __future__ import annotations

from uuid import uuid4

import pytest

from gemma_eval.memory.redis.store import open_store
from gemma_eval.protocols import StoreFactory
from tests.contract.store_contract import StoreContract
from tests.redis_server import RedisServer


class TestRedisStore(StoreContract):
    """Each test has a namespace of its own."""

    @pytest.fixture
    def open_store(self) -> StoreFactory:
        """Return what opens a store."""
        return open_store

    @pytest.fixture
    def location(self, redis_server: RedisServer) -> str:
        """Return a namespace that is empty."""
        return redis_server.url(uuid4().hex)
