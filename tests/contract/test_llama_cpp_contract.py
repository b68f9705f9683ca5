"""The contract, kept by llama.cpp with the model that ships."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from gemma_eval.backends.llama_cpp import backend as llama_cpp
from gemma_eval.protocols import Backend
from gemma_eval.records import ModelSpec
from tests import required
from tests.contract.backend_contract import BackendContract
from tests.contract.choosing_contract import ChoosingContract
from tests.contract.constrained_contract import ConstrainedContract
from tests.contract.reading_contract import ReadingContract
from tests.contract.streaming_contract import StreamingContract

required.module("xllamacpp", extra="llama-cpp")
required.module("gguf", extra="gguf")


class TestLlamaCpp(
    BackendContract, ReadingContract, ChoosingContract, ConstrainedContract, StreamingContract
):
    """The F32 export, with llama.cpp's own defaults."""

    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        """A server of its own for each test."""
        spec = ModelSpec(name="contract", backend="llama_cpp", location="@pocket.F32.gguf")
        loaded = llama_cpp.load(spec, clock=time.perf_counter_ns, transforms={})
        yield loaded
        loaded.close()
