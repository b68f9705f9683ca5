"""How much of the memory's bandwidth decoding uses, beside llama.cpp, at the shape of Gemma 3 270M.

pytest tests/benchmarks/test_bandwidth.py -m slow -s

A token costs the reading of all weights. MBU = bytes of weights · tokens/s / bandwidth, where the bandwidth
is that of one large matrix-vector product in the same run with the same threads. All is measured in turns,
so that what else the machine does falls on all alike. Needs 5 GB of memory and 4 GB of disk for a time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from gemma_eval.gemma import decode
from gemma_eval.gemma.decode import Decoding
from gemma_eval.gemma.gguf_write import Dtype, write
from gemma_eval.gemma.transformer import Transformer
from tests import required
from tests.gemma.tiny import merge_a_pair, write_model
from tests.llama_cpp import LlamaCpp, serve
from tests.oracle.shape_270m import CONFIG, VOCABULARY

pytestmark = pytest.mark.slow

SHAPE_270M = {**CONFIG, "vocab_size": VOCABULARY}
BYTES_PER_VALUE: dict[Dtype, float] = {"F32": 4, "F16": 2, "Q8_0": 34 / 32}
PROMPT = [2, *range(10, 40)]
ROUNDS, TOKENS = 12, 5


@dataclass
class Table:
    """Seconds per token of each way, and per product, as they were measured in turns."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)

    def add(self, way: str, seconds: float, *, weight_bytes: float) -> None:
        """Note one measurement."""
        self.seconds.setdefault(way, []).append(seconds)
        self.weights[way] = weight_bytes

    def bandwidth(self, way: str) -> float:
        """Return the bytes of weights per second, at the median."""
        return self.weights[way] / median(self.seconds[way])

    def mbu(self, way: str) -> float:
        """Return the share of the bandwidth of the product, each at its median."""
        return self.bandwidth(way) / self.bandwidth("sgemv")

    def show(self, threads: int) -> None:
        """Print a row per way."""
        print(f"\n{threads} thread(s)      tokens/s    GB/s     MBU")
        for way in self.seconds:
            speed = "" if way == "sgemv" else f"{1 / median(self.seconds[way]):.1f}"
            print(f"{way:16}{speed:>8}{self.bandwidth(way) / 1e9:10.1f}{self.mbu(way):8.0%}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Write random weights in that shape as safetensors and GGUF; speed does not depend on their values."""
    required.module("gguf", extra="gguf")
    made = write_model(tmp_path_factory.mktemp("shape-270m"), config=SHAPE_270M)
    merge_a_pair(made)
    for dtype in BYTES_PER_VALUE:
        write(made, made / f"{dtype}.gguf", dtype=dtype)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def model(folder: Path) -> Iterator[Transformer]:
    """Load the weights as the engine does."""
    loaded = [decode.load(folder)]
    yield loaded[0]
    loaded.clear()


def seconds(action: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = perf_counter()
    action()
    return perf_counter() - started


def most_threads() -> int:
    """Return how many threads BLAS would take."""
    return max(int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas")


@pytest.mark.parametrize("all_threads", [False, True], ids=["one thread", "all threads"])
def test_decoding_uses_most_of_the_bandwidth(folder: Path, model: Transformer, all_threads: bool) -> None:
    """At least 70 % of what a large matrix-vector product reaches, at medians of measurements in turns."""
    threads = most_threads() if all_threads else 1
    embedding = model.weights.embedding
    vector = np.ones(embedding.shape[1], np.float32)
    values = model.weights.parameters
    table = Table()
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(limits=threads, user_api="blas"))
        engines = {
            dtype: stack.enter_context(serve(folder / f"{dtype}.gguf", threads=threads))
            for dtype in BYTES_PER_VALUE
        }
        decoding = Decoding(model, capacity=len(PROMPT) + ROUNDS * TOKENS)
        decoding.prefill(PROMPT)
        for engine in engines.values():
            seconds_per_token(engine)
        for _ in range(ROUNDS):
            for _ in range(TOKENS):
                table.add("sgemv", seconds(lambda: embedding @ vector), weight_bytes=embedding.nbytes)
                step = seconds(lambda: decoding.step((7,)).argmax())
                table.add("numpy F32", step, weight_bytes=4 * values)
            for dtype, engine in engines.items():
                way = f"llama.cpp {dtype}"
                table.add(way, seconds_per_token(engine), weight_bytes=BYTES_PER_VALUE[dtype] * values)
    table.show(threads)
    assert table.mbu("numpy F32") >= 0.7


def seconds_per_token(engine: LlamaCpp) -> float:
    """Return llama.cpp's own time per token; its clock starts when the first token is there."""
    timings = engine.complete(PROMPT, n_predict=TOKENS + 1, temperature=0.0, ignore_eos=True)["timings"]
    return float(timings["predicted_ms"]) / 1e3 / (int(timings["predicted_n"]) - 1)
