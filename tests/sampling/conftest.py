"""One llama.cpp for all the tests that compare sampling with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests import required

if TYPE_CHECKING:
    from tests.sampling.differential.bench import Bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Serve the shipped model; skips where xllamacpp or gguf is not installed."""
    required.module("xllamacpp", extra="llama-cpp")
    required.module("gguf", extra="gguf")
    from tests.sampling.differential.bench import shipped

    with shipped(tmp_path_factory.mktemp("gguf")) as running:
        yield running
