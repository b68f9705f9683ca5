"""The contract, kept by `gemma_cpp` with a stand-in for each build of the program."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gemma_eval.backends.gemma_cpp import backend as gemma_cpp
from gemma_eval.protocols import Backend
from gemma_eval.records import ModelSpec, SamplingProfile
from tests.backends.gemma_cpp import stand_in_gemma
from tests.contract.backend_contract import BackendContract


class TestGemmaCpp2026(BackendContract):
    """The newest build: what it does not know it gives up on."""

    build = "2026"
    context_tokens: int | None = 64

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend:
        """The stand-in with weights of a kind."""
        program = stand_in_gemma.install(tmp_path, build=self.build)
        (tmp_path / "gemma.sbs").write_bytes(b"weights")
        spec = ModelSpec(
            name="contract",
            backend="gemma_cpp",
            location=str(tmp_path / "gemma.sbs"),
            context_tokens=self.context_tokens,
            options={"binary": str(program)},
        )
        return gemma_cpp.load(spec, clock=time.perf_counter_ns, transforms={})

    @pytest.fixture
    def profile(self) -> SamplingProfile:
        """Greedy: no build has a flag for a seed."""
        return SamplingProfile(name="contract", temperature=0.0, max_tokens=12)


class TestGemmaCpp202510(TestGemmaCpp2026):
    """The build before: what it does not know it ignores."""

    build = "2025-10"


class TestGemmaCpp202504(TestGemmaCpp2026):
    """An older build: the length of its context cannot be told."""

    build = "2025-04"
    context_tokens = None
