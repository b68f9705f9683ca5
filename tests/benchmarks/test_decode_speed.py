"""How fast the NumPy Gemma reads and writes; figures for docs/performance.md, ratios for the tests.

pytest tests/benchmarks -m slow --benchmark-columns=min,median,iqr,ops
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Protocol

import pytest
from threadpoolctl import threadpool_limits

from gemma_eval.gemma import decode
from gemma_eval.gemma.decode import Decoding
from gemma_eval.gemma.transformer import Transformer
from tests.gemma.tiny import write_model

pytestmark = pytest.mark.slow

POCKET_SHAPE = {
    "vocab_size": 2048,
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 6,
    "head_dim": 32,
    "query_pre_attn_scalar": 32,
    "sliding_window": 64,
    "max_position_embeddings": 2048,
}
"""The size of the model that ships: 1.3 million parameters."""


class Benchmark(Protocol):
    """What is used of the fixture of pytest-benchmark, which has no types."""

    def pedantic(
        self, action: Callable[..., object], args: tuple[object, ...] = (), *, rounds: int, warmup_rounds: int
    ) -> object:
        """Measure `action(*args)`, `rounds` times."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Transformer:
    """Random weights in the pocket model's shape; speed does not depend on their values."""
    return decode.load(write_model(tmp_path_factory.mktemp("pocket-shape"), config=POCKET_SHAPE))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with threadpool_limits(limits=1, user_api="blas"):
        yield


def after(model: Transformer, tokens: int) -> Decoding:
    """Return a generation that has read some tokens and has room for 2,000 more."""
    decoding = Decoding(model, capacity=tokens + 2000)
    decoding.prefill([1 + n % 2000 for n in range(tokens)])
    return decoding


def fastest(action: Callable[[], object], *, times: int = 30) -> float:
    """Return the seconds of the fastest of several calls: what the machine can do when it is left alone."""
    durations = []
    for _ in range(times):
        started = perf_counter()
        action()
        durations.append(perf_counter() - started)
    return min(durations)


@pytest.mark.parametrize("tokens", [64, 512])
def test_decode_speed(benchmark: Benchmark, model: Transformer, tokens: int) -> None:
    """One token after a context of some length."""
    decoding = after(model, tokens)
    benchmark.pedantic(decoding.step, ((7,),), rounds=500, warmup_rounds=20)


@pytest.mark.parametrize("tokens", [64, 256])
def test_prefill_speed(benchmark: Benchmark, model: Transformer, tokens: int) -> None:
    """A whole prompt, up to its logits: the time to the first token."""
    benchmark.pedantic(lambda: after(model, tokens), rounds=20, warmup_rounds=2)


def test_reading_a_prompt_at_once_is_much_faster_than_token_by_token(model: Transformer) -> None:
    """A matrix product reads 256 tokens in less than half the time of 256 steps."""
    decoding = after(model, 64)
    at_once = fastest(lambda: after(model, 256), times=5) / 256
    assert at_once < fastest(lambda: decoding.step((7,))) / 2


def test_a_step_does_not_grow_with_the_context_as_attention_over_all_of_it_would(model: Transformer) -> None:
    """Half the layers are local: 16 times the context costs less than twice the time at this size."""
    near, far = after(model, 64), after(model, 1024)
    assert fastest(lambda: far.step((7,))) < 2 * fastest(lambda: near.step((7,)))
