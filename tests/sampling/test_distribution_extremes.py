"""Whatever a profile and the logits hold, a token that may be drawn is drawn, or an error says why not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gemma_eval.errors import NonFiniteLogits, UsageError
from tests.sampling.differential import ours

EXTREMES: Mapping[str, tuple[float | str, ...]] = {
    "temperature": (0.0, 1e-9, 1e-3, 0.5, 1.0, 5.0, 1e6, 1e30),
    "dynatemp_range": (0.0, 0.5, 2.0, 1e6),
    "dynatemp_exponent": (0.0, 0.1, 1.0, 50.0),
    "dynatemp_mode": ("llama", "edt", "threshold"),
    "dynatemp_theta": (0.0, 0.5, 100.0),
    "dynatemp_base": (0.01, 0.8, 1.0),
    "dynatemp_threshold": (0.0, 1e-9, 2.0, 1e9),
    "top_k": (-1, 0, 1, 3, 10**6),
    "top_p": (0.0, 1e-9, 0.5, 0.999999, 1.0),
    "min_p": (0.0, 1e-30, 0.5, 1.0),
    "base_p": (0.0, 0.5, 1.0),
    "typical_p": (0.0, 1e-9, 0.5, 0.99999, 1.0),
    "top_n_sigma": (0.0, 1e-9, 1.0, 1e6),
    "xtc_probability": (0.0, 0.5, 1.0),
    "xtc_threshold": (0.0, 1e-9, 0.1, 0.5, 0.6),
    "epsilon_cutoff": (0.0, 1e-9, 0.5),
    "eta_cutoff": (0.0, 1e-9, 0.5),
    "repeat_penalty": (1e-3, 1.0, 2.0, 1e30),
    "presence_penalty": (-2.0, 0.0, 1e30),
    "frequency_penalty": (-1e30, 0.0, 2.0),
    "penalty_last_n": (-1, 0, 1, 64),
    "dry_multiplier": (-3.0, 0.0, 0.8, 1e30),
    "dry_base": (0.5, 1.0, 1.75, 1e10),
    "dry_allowed_length": (0, 1, 2),
    "mirostat": (0, 1, 2),
    "mirostat_tau": (0.0, 1e-9, 2.0, 1e6),
    "mirostat_eta": (0.0, 0.1, 1.0, 1e6),
    "mirostat_surprise": ("renormalized", "original"),
    "adaptive_target": (-1.0, 0.0, 0.3, 1.0),
    "adaptive_decay": (0.0, 0.9, 0.99),
}
STEPS = (
    *("logit_bias", "penalties", "dry", "top_n_sigma", "top_k", "typical_p"),
    *("top_p", "min_p", "xtc", "temperature", "epsilon_cutoff", "eta_cutoff"),
)
PROFILES = st.fixed_dictionaries(
    {"order": st.permutations(STEPS).flatmap(lambda steps: st.integers(1, 12).map(lambda n: steps[:n]))},
    optional={name: st.sampled_from(values) for name, values in EXTREMES.items()},
)


@st.composite
def extreme_logits(draw: st.DrawFn) -> NDArray[np.float32]:
    """Draw finite or masked logits of any size of number, at least one of them finite."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.sampled_from([1, 2, 3, 8, 50, 700]))
    logits = (rng.normal(size=size) * draw(st.sampled_from([0, 1e-30, 1, 50, 1e4, 1e30]))).astype(np.float32)
    if draw(st.booleans()):
        logits = np.round(logits)
    if draw(st.integers(0, 5)) == 0:
        logits = (np.sign(rng.normal(size=size)) * 3.4e38).astype(np.float32)
    masked = rng.random(size) < draw(st.sampled_from([0.0, 0.5]))
    masked[rng.integers(size)] = False
    return np.where(masked, np.float32(-np.inf), logits)


def drawn(parameters: ours.Parameters, logits: NDArray[np.float32], *, seed: int) -> list[int]:
    """Return three tokens in a row, from logits that nothing may write to."""
    sampler = ours.sampler(
        parameters,
        vocabulary=ours.Wordless(len(logits)),
        seen=[0] * 5 + list(range(len(logits)))[:9],
        seed=seed,
    )
    logits.setflags(write=False)
    return [sampler.draw(logits) for _ in range(3)]


@settings(max_examples=300)
@given(PROFILES, extreme_logits(), st.integers(0, 2**40))
def test_any_profile_draws_a_token_that_may_be_drawn(
    parameters: dict[str, object], logits: NDArray[np.float32], seed: int
) -> None:
    """Every parameter at its extremes, in any order, on logits up to 3.4e38: no NaN, no warning, no error."""
    assert all(logits[token] > -np.inf for token in drawn(parameters, logits, seed=seed))


@settings(max_examples=60)
@given(PROFILES, extreme_logits(), st.sampled_from([np.nan, np.inf]), st.integers(0, 699))
def test_no_profile_draws_from_what_is_no_number(
    parameters: dict[str, object], logits: NDArray[np.float32], wrong: float, place: int
) -> None:
    """One NaN or +inf anywhere is an error, whatever cut or draw comes first."""
    logits[place % len(logits)] = wrong
    with pytest.raises(NonFiniteLogits):
        drawn(parameters, logits, seed=0)


def test_an_exponent_below_zero_is_refused() -> None:
    """It would make a sure model endlessly hot: 0 to the power of -1."""
    with pytest.raises(UsageError, match="dynatemp_exponent is -1"):
        drawn({"dynatemp_range": 2.0, "dynatemp_exponent": -1.0}, np.zeros(3, dtype=np.float32), seed=0)
