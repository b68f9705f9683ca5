"""The contract, kept by the backends that ship."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gemma_eval import plugins
from gemma_eval.protocols import Backend
from gemma_eval.records import ModelSpec
from tests.contract.backend_contract import BackendContract
from tests.contract.batch_contract import BatchContract
from tests.contract.choosing_contract import ChoosingContract
from tests.contract.reading_contract import ReadingContract
from tests.contract.streaming_contract import StreamingContract
from tests.gemma.tiny import write_model

POCKET = Path(__file__).parents[2] / "src" / "gemma_eval" / "pocket" / "model.safetensors"


def load(backend: str, location: str = "", **fields: object) -> Backend:
    """Load through the door that a run uses."""
    registry = plugins.load()
    spec = ModelSpec(name="contract", backend=backend, location=location, **fields)  # type: ignore[arg-type]
    clock = time.perf_counter_ns
    return registry.backends.find(backend)(spec, clock=clock, transforms=registry.transforms)


class TestScripted(BackendContract, StreamingContract):
    """The test double."""

    @pytest.fixture
    def backend(self) -> Backend:
        """Two replies, of which the seed chooses."""
        options = {"replies": ("He lives in Oslo.", "I do not know."), "ttft_ms": 40, "tpot_ms": 5}
        return load("scripted", context_tokens=64, options=options)


class TestNumpyGemma(BackendContract, BatchContract, ReadingContract, ChoosingContract, StreamingContract):
    """The NumPy engine with random weights."""

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend:
        """A model that fits in a test."""
        return load("numpy_gemma", str(write_model(tmp_path)))


@pytest.mark.skipif(not POCKET.exists(), reason="the pocket model has not been exported")
class TestPocket(BackendContract, BatchContract, ReadingContract, ChoosingContract, StreamingContract):
    """The NumPy engine with the model that ships."""

    @pytest.fixture
    def backend(self) -> Backend:
        """The shipped model."""
        return load("numpy_gemma", "@pocket")
