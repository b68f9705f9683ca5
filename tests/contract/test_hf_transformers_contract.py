"""The contract, kept by `hf_transformers` with random weights and with the model that ships."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gemma_eval import plugins
from gemma_eval.backends.hf_transformers import backend as hf_transformers
from gemma_eval.protocols import Backend
from gemma_eval.records import ModelSpec
from tests import required
from tests.contract.backend_contract import BackendContract
from tests.contract.choosing_contract import ChoosingContract
from tests.contract.reading_contract import ReadingContract
from tests.contract.streaming_contract import StreamingContract
from tests.gemma.tiny import write_model

required.module("torch", extra="transformers")
required.module("transformers", extra="transformers")


def load(location: str) -> Backend:
    """Load a folder."""
    spec = ModelSpec(name="contract", backend="hf_transformers", location=location)
    return hf_transformers.load(spec, clock=time.perf_counter_ns, transforms=plugins.load().transforms)


class TestTiny(BackendContract, ReadingContract, ChoosingContract, StreamingContract):
    """PyTorch with random weights."""

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend:
        """A folder that was written just now."""
        return load(str(write_model(tmp_path / "model")))


class TestPocket(BackendContract, ReadingContract, ChoosingContract):
    """PyTorch with the model that ships."""

    @pytest.fixture
    def backend(self) -> Backend:
        """The shipped model."""
        return load("@pocket")
