"""What choosing one token costs; figures for docs/performance.md, ratios for the tests.

pytest tests/benchmarks/test_sampling_speed.py -m slow -s --benchmark-columns=min,median,iqr

The tables give processor time of this thread, which other programs disturb less than the clock does, from
float32 logits [V] to a token, with the checks for NaN and infinity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import thread_time
from typing import Any, Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import required
from tests.sampling.differential import ours
from tests.sampling.logit_shapes import VOCABULARY, Shaped

Logits = NDArray[np.float32]
Parameters = Mapping[str, object]

CHAIN = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
WITHOUT_TOP_K = {"temperature": 0.8, "top_p": 0.95, "min_p": 0.05}
TEMPERATURE_FIRST = ("temperature", "top_k", "top_p", "min_p")
STRATEGIES: Mapping[str, Parameters] = {
    "draw alone": {},
    "greedy": {"temperature": 0.0},
    "temperature": {"temperature": 0.8},
    "dynatemp llama": {"dynatemp_range": 0.5},
    "dynatemp edt": {"dynatemp_mode": "edt", "dynatemp_theta": 1.5},
    "dynatemp threshold": {"dynatemp_mode": "threshold", "dynatemp_threshold": 2.0},
    "top_k": {"top_k": 40},
    "top_p": {"top_p": 0.95},
    "min_p": {"min_p": 0.05},
    "min_p with base_p": {"min_p": 0.05, "base_p": 0.95},
    "typical_p": {"typical_p": 0.95},
    "top_n_sigma": {"top_n_sigma": 1.0},
    "epsilon_cutoff": {"epsilon_cutoff": 3e-4, "order": ("epsilon_cutoff",)},
    "eta_cutoff": {"eta_cutoff": 3e-4, "order": ("eta_cutoff",)},
    "xtc": {"xtc_probability": 1.0},
    "penalties": {"repeat_penalty": 1.1, "frequency_penalty": 0.1, "presence_penalty": 0.1},
    "dry": {"dry_multiplier": 0.8},
    "logit_bias": {"logit_bias": {"15": 2.0}},
    "mirostat 1": {"mirostat": 1},
    "mirostat 2": {"mirostat": 2},
    "adaptive_p": {"adaptive_target": 0.3},
    "default chain": CHAIN,
    "chain, temperature first": {**CHAIN, "order": TEMPERATURE_FIRST},
    "chain without top_k": WITHOUT_TOP_K,
    "typical_p and that chain": {**WITHOUT_TOP_K, "typical_p": 0.95},
}
"""Profiles by what they try; each has a large set to draw from on some shape of logits."""

ORDINARY = ("peaked", "zipf", "gaussian", "flat", "ties", "two levels", "huge spread", "half")
SIZES = (2048, VOCABULARY)
SEEN = tuple(range(100, 164)) * 2


class Benchmark(Protocol):
    """What is used of the fixture of pytest-benchmark, which has no types."""

    def pedantic(self, action: Callable[[], object], *, rounds: int, warmup_rounds: int) -> object:
        """Measure `action()`, `rounds` times."""


@pytest.fixture(autouse=True, scope="module")
def _after_a_model_was_loaded() -> None:
    """Free a block of 16 MB, as whoever loads weights does.

    From then on glibc keeps freed arrays of that size for the next ones; before, it gives them back to the
    system after every token and a third of the time goes into page faults.
    """
    np.ones(16 << 20, dtype=np.uint8)


def logits_of(shape: str, size: int) -> Logits:
    """Return logits [size]; those of `half` are of a plain normal, every second one -inf."""
    if shape != "half":
        return Shaped(shape, size, 1).logits
    logits = np.random.default_rng(1).normal(size=size).astype(np.float32)
    logits[::2] = -np.inf
    return logits


def drawing(parameters: Parameters, logits: Logits) -> Callable[[], int]:
    """Return what draws one token more, of a generation whose prompt repeats itself."""
    sampler = ours.sampler(parameters, vocabulary=ours.Wordless(len(logits)), seen=SEEN)
    return lambda: sampler.draw(logits)


def milliseconds(action: Callable[[], object], *, rounds: int) -> NDArray[np.float64]:
    """Return what each of `rounds` calls took, after three that are not counted."""
    taken = []
    for _ in range(rounds + 3):
        started = thread_time()
        action()
        taken.append((thread_time() - started) * 1e3)
    return np.array(taken[3:])


def fastest(action: Callable[[], object], *, rounds: int = 10) -> float:
    """Return the milliseconds of the fastest of several calls."""
    return float(milliseconds(action, rounds=rounds).min())


# --- always run: ratios with a wide margin ------------------------------------------------------------


@pytest.mark.parametrize("shape", ["peaked", "gaussian", "flat", "ties"])
@pytest.mark.parametrize("name", ["top_p", "min_p", "typical_p", "dynatemp llama", "mirostat 2"])
def test_a_draw_costs_less_than_half_a_sort_of_the_vocabulary(name: str, shape: str) -> None:
    """Half of what a naive nucleus pays for the sort alone, with the keys of a plain normal."""
    keys = np.random.default_rng(0).normal(size=VOCABULARY).astype(np.float32)
    sort = fastest(lambda: np.argsort(keys, kind="stable"), rounds=3)
    assert fastest(drawing(STRATEGIES[name], logits_of(shape, VOCABULARY))) < sort / 2


def test_the_comparison_sees_a_strategy_that_sorts() -> None:
    """The planted error: a nucleus by a stable sort of all tokens costs more than that sort."""
    logits = logits_of("gaussian", VOCABULARY)

    def naive() -> int:
        weights = np.exp(logits - logits.max())
        order = np.argsort(-weights, kind="stable")
        return int(order[np.searchsorted(np.cumsum(weights[order], dtype=np.float64), 0.5 * weights.sum())])

    sort = fastest(lambda: np.argsort(logits, kind="stable"), rounds=3)
    assert fastest(naive, rounds=3) > sort / 2


# --- slow: the tables ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", STRATEGIES)
def test_speed_of_a_strategy(benchmark: Benchmark, name: str, size: int) -> None:
    """Prints the median and the p99 on the shape that costs most, and on one that models have; then that."""
    taken = {
        shape: milliseconds(drawing(STRATEGIES[name], logits_of(shape, size)), rounds=100)
        for shape in ORDINARY
    }
    worst = max(taken, key=lambda shape: float(np.median(taken[shape])))
    p99 = max(float(np.percentile(values, 99)) for values in taken.values())
    usual = float(np.median(taken["peaked"]))
    print(
        f"\n| {name} | {size} | {usual:.2f} | {np.median(taken[worst]):.2f} ({worst}) | {p99:.2f} |", end=""
    )
    benchmark.pedantic(drawing(STRATEGIES[name], logits_of(worst, size)), rounds=20, warmup_rounds=2)


SAME: Mapping[str, tuple[Parameters, Sequence[tuple[str, float]]]] = {
    "default chain": (
        CHAIN,
        (("Temperature", 0.8), ("TopK", 40), ("TopP", 0.95), ("MinP", 0.05)),
    ),
    "chain, temperature first": (
        {**CHAIN, "order": TEMPERATURE_FIRST},
        (("Temperature", 0.8), ("TopK", 40), ("TopP", 0.95), ("MinP", 0.05)),
    ),
    "top_p": ({"top_p": 0.95}, (("TopP", 0.95),)),
    "min_p": ({"min_p": 0.05}, (("MinP", 0.05),)),
    "typical_p": ({"typical_p": 0.95}, (("Typical", 0.95),)),
    "epsilon_cutoff": (STRATEGIES["epsilon_cutoff"], (("Epsilon", 3e-4),)),
    "eta_cutoff": (STRATEGIES["eta_cutoff"], (("Eta", 3e-4),)),
}
"""By name: our profile, and the logits warpers of transformers with their argument."""


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SAME)
def test_speed_beside_transformers(name: str, size: int) -> None:
    """Prints the medians of both, draw by draw in turn; where V is large the default chain takes a third."""
    parameters, steps = SAME[name]
    for shape in ("peaked", "gaussian", "flat"):
        logits = logits_of(shape, size)
        mine, other = drawing(parameters, logits), warped(steps, logits)
        pairs = [(milliseconds(mine, rounds=1), milliseconds(other, rounds=1)) for _ in range(20)]
        ours_ms, theirs_ms = (float(np.median([pair[n] for pair in pairs])) for n in (0, 1))
        print(
            f"\n| {name} | {size} | {shape} | {ours_ms:.2f} | {theirs_ms:.2f} | {theirs_ms / ours_ms:.1f} |",
            end="",
        )
        if name == "default chain" and size == VOCABULARY:
            assert theirs_ms / ours_ms >= 3


def warped(steps: Sequence[tuple[str, float]], logits: Logits) -> Callable[[], object]:
    """Return what draws a token with transformers' warpers and torch on one thread."""
    torch: Any = required.module("torch", extra="train")
    processors = required.module("transformers.generation.logits_process", extra="train")
    torch.set_num_threads(1)
    chain = [getattr(processors, f"{name}LogitsWarper")(value) for name, value in steps]
    ids = torch.tensor([list(SEEN)])

    def drawn() -> object:
        scores = torch.from_numpy(logits)[None]
        for step in chain:
            scores = step(ids, scores)
        return torch.multinomial(torch.softmax(scores, dim=-1), 1).item()

    return drawn
