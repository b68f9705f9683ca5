"""Frequencies under every type of scaling, against published values and against `transformers`."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.gemma.architecture import Rope
from gemma_eval.gemma.rope_config import extended_tokens
from gemma_eval.gemma.rope_scaling import correction_dim, flaws, gain, ntk_theta, turning
from gemma_eval.gemma.tensors import Array
from gemma_eval.records import RopeScaling, RopeType
from tests import required

THETA = 10_000.0


def scaling(rope_type: RopeType, *, original: int = 8192, factor: float = 4.0, pairs: int = 0) -> RopeScaling:
    """Return a scaling; `pairs` is for the lists of longrope, 1 within the original length and 2 beyond."""
    return RopeScaling(
        rope_type=rope_type,
        factor=factor,
        original_max_position_embeddings=original,
        short_factor=(1.0,) * pairs,
        long_factor=(2.0,) * pairs,
    )


UNSCALED, LINEAR, NTK, DYNAMIC = RopeScaling(), scaling("linear"), scaling("ntk"), scaling("dynamic")
YARN, LLAMA3 = scaling("yarn"), scaling("llama3")

# transformers 5.23, float32, base 10,000, factor 4: scaling, tokens of the generation, then for heads of 64
# and of 128 values the frequencies at i = 1, d/8, d/4, 3d/8, d/2 - 1 and their sum over all pairs
PUBLISHED: dict[str, tuple[RopeScaling, int, dict[int, tuple[list[float], float]]]] = {
    "default": (
        UNSCALED,
        100,
        {
            64: ([0.749894202, 0.1, 0.01, 0.001, 0.00013335215], 3.9979082281),
            128: ([0.865964353, 0.1, 0.01, 0.001, 0.000115478193], 7.4599542027),
        },
    ),
    "linear": (
        LINEAR,
        100,
        {
            64: ([0.18747355, 0.025, 0.0025, 0.00025, 3.3338038e-5], 0.999477057),
            128: ([0.216491088, 0.025, 0.0025, 0.00025, 2.88695483e-5], 1.8649885507),
        },
    ),
    "ntk": (
        NTK,
        100,
        {
            64: ([0.717098296, 0.0699245483, 0.00488944259, 0.000341892068, 3.333803e-5], 3.5347125273),
            128: ([0.847117245, 0.070322752, 0.00494528981, 0.000347766414, 2.886955e-5], 6.5407976174),
        },
    ),
    "dynamic, 32768 tokens": (
        DYNAMIC,
        32768,
        {
            64: ([0.690345228, 0.0515858717, 0.00266110199, 0.000137275245, 1.0257858e-5], 3.2293802149),
            128: ([0.831415951, 0.0521307215, 0.00271761231, 0.000141671102, 8.88293835e-6], 5.9317160214),
        },
    ),
    "dynamic, 16384 tokens": (
        DYNAMIC,
        16384,
        {
            64: ([0.71195507, 0.0660116598, 0.00435753912, 0.000287648378, 2.66704283e-5], 3.4716145613),
            128: ([0.844122052, 0.0664482862, 0.00441537518, 0.000293394114, 2.30956375e-5], 6.4151498921),
        },
    ),
    "yarn": (
        YARN,
        100,
        {
            64: ([0.749894202, 0.1, 0.0076923077, 0.000307692331, 3.33380376e-5], 3.9768556582),
            128: ([0.865964353, 0.1, 0.00790000055, 0.000310000003, 2.88695483e-5], 7.4219994793),
        },
    ),
    "yarn, not truncated": (
        replace(YARN, truncate=False),
        100,
        {
            64: ([0.749894202, 0.1, 0.00805697124, 0.000307407958, 3.33380376e-5], 3.9803698718),
            128: ([0.865964353, 0.1, 0.00805697124, 0.000307407958, 2.88695483e-5], 7.4247520753),
        },
    ),
    "yarn from 2048": (
        scaling("yarn", original=2048),
        100,
        {
            64: ([0.749894202, 0.1, 0.00538461516, 0.00025, 3.33380376e-5], 3.9306857427),
            128: ([0.865964353, 0.1, 0.0052, 0.00025, 2.88695483e-5], 7.3198695788),
        },
    ),
    "llama3": (
        LLAMA3,
        100,
        {
            64: ([0.749894202, 0.1, 0.01, 0.000325949368, 3.33380376e-5], 3.9932454639),
            128: ([0.865964353, 0.1, 0.01, 0.000325949368, 2.88695483e-5], 7.4505220068),
        },
    ),
}
LONGROPE = {
    64: ([0.374947101, 0.05, 0.005, 0.0005, 6.66760752e-5], 1.9989541141),
    128: ([0.432982177, 0.05, 0.005, 0.0005, 5.77390965e-5], 3.7299771013),
}


def frequencies(kind: RopeScaling, head_dim: int, tokens: int = 100) -> Array:
    """Return the frequencies [H/2] at base 10,000."""
    return turning(Rope(theta=THETA, scaling=kind), head_dim=head_dim, tokens=tokens).frequencies


def equal_published(found: Array, values: list[float], total: float) -> bool:
    """Whether frequencies have the published values and the published sum."""
    pairs = len(found)
    at = [1, pairs // 4, pairs // 2, 3 * pairs // 4, pairs - 1]
    near = np.allclose(found[at], values, rtol=4e-7, atol=0)
    return near and math.isclose(found.sum(dtype=np.float64), total, rel_tol=2e-7)


@pytest.mark.parametrize("head_dim", [64, 128])
@pytest.mark.parametrize("name", PUBLISHED)
def test_frequencies_are_those_published(name: str, head_dim: int) -> None:
    """All types, for two sizes of head."""
    kind, tokens, expected = PUBLISHED[name]
    assert equal_published(frequencies(kind, head_dim, tokens), *expected[head_dim])


@pytest.mark.parametrize("head_dim", [64, 128])
def test_longrope_switches_lists_beyond_the_original_length(head_dim: int) -> None:
    """At 8,192 tokens still the short list, at 8,193 the long one, as at the published 9,000."""
    kind = scaling("longrope", pairs=head_dim // 2)
    assert equal_published(frequencies(kind, head_dim, 9000), *LONGROPE[head_dim])
    assert frequencies(kind, head_dim, 8192)[0] == 1.0
    assert frequencies(kind, head_dim, 8193)[0] == 0.5


PLANTED = {
    "the factor inverted": ("linear", replace(LINEAR, factor=0.25)),
    "a static base where it grows": ("dynamic, 32768 tokens", NTK),
    "the length not counted": (
        "dynamic, 32768 tokens",
        replace(DYNAMIC, original_max_position_embeddings=32768),
    ),
    "betas swapped": ("yarn", replace(YARN, beta_fast=1.0, beta_slow=32.0)),
    "truncated where it is not": ("yarn, not truncated", YARN),
    "another original length": ("yarn", scaling("yarn", original=2048)),
    "llama3 without smoothing": ("llama3", replace(LLAMA3, low_freq_factor=1.0, high_freq_factor=1.001)),
    "no scaling": ("yarn", UNSCALED),
}


@pytest.mark.parametrize("mistake", PLANTED)
def test_the_published_values_would_show(mistake: str) -> None:
    """Each mistake that a port makes misses them."""
    name, wrong = PLANTED[mistake]
    _, tokens, expected = PUBLISHED[name]
    assert not equal_published(frequencies(wrong, 64, tokens), *expected[64])


@pytest.mark.parametrize(
    ("rotations", "head_dim", "theta", "original", "expected"),
    [
        (32, 64, 1e4, 2048, 8.064001),
        (1, 64, 1e4, 2048, 20.105201),
        (32, 64, 1e4, 8192, 12.880481),
        (1, 64, 1e4, 8192, 24.921681),
        (32, 128, 1e4, 2048, 16.128002),
        (1, 128, 1e4, 2048, 40.210401),
        (32, 128, 1e4, 8192, 25.760962),
        (1, 128, 1e4, 8192, 49.843361),
        (32, 256, 1e6, 8192, 34.347949),
        (1, 256, 1e6, 8192, 66.457815),
    ],
)
def test_correction_dims_are_those_published(
    rotations: float, head_dim: int, theta: float, original: int, expected: float
) -> None:
    """Which pair turns 32 times and which once within the original length."""
    found = correction_dim(rotations, theta=theta, head_dim=head_dim, original_tokens=original)
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_bases_of_ntk_are_those_published() -> None:
    """What llama.cpp is given as `rope_freq_base`, for it knows no such type."""
    assert ntk_theta(THETA, 4.0, head_dim=64) == pytest.approx(41829.365929)
    assert ntk_theta(THETA, 4.0, head_dim=128) == pytest.approx(40889.942432)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (UNSCALED, 1.0),
        (LINEAR, 1.0),
        (LLAMA3, 1.0),
        (YARN, 1.138629436),
        (replace(YARN, factor=1.0), 1.0),
        (replace(YARN, attention_factor=1.5), 1.5),
        (replace(YARN, mscale=1.0, mscale_all_dim=1.0), 1.0),
        (replace(YARN, mscale=2.0, mscale_all_dim=0.5), 1.277258872 / 1.069314718),
        (scaling("longrope", pairs=32), 1.074172311),
        (replace(scaling("longrope", pairs=32), attention_factor=1.0), 1.0),
    ],
)
def test_the_attention_factor_is_that_published(kind: RopeScaling, expected: float) -> None:
    """Given, derived from the factor, or of two mscales."""
    assert gain(Rope(theta=THETA, scaling=kind)) == pytest.approx(expected, rel=1e-9)


@given(factor=st.floats(1.0, 64.0), head_dim=st.sampled_from([4, 8, 64, 256]), theta=st.floats(100.0, 1e6))
def test_ntk_slows_the_last_pair_by_the_factor_and_the_first_not_at_all(
    factor: float, head_dim: int, theta: float
) -> None:
    """What the exponent H/(H - 2) is for."""
    plain, scaled = (
        turning(Rope(theta=theta, scaling=kind), head_dim=head_dim, tokens=10).frequencies
        for kind in (UNSCALED, replace(NTK, factor=factor))
    )
    assert scaled[0] == plain[0] == 1.0
    assert scaled[-1] == pytest.approx(plain[-1] / factor, rel=1e-5)


@given(
    name=st.sampled_from(["ntk", "dynamic", "yarn", "llama3"]),
    factor=st.floats(1.0, 32.0),
    tokens=st.integers(1, 40_000),
    theta=st.floats(1000.0, 1e6),
)
def test_no_pair_turns_faster_than_unscaled_nor_slower_than_the_longest_context_needs(
    name: RopeType, factor: float, tokens: int, theta: float
) -> None:
    """Every scaling lies between the trained frequencies and those divided by how much the context grew."""
    kind = scaling(name, factor=factor)
    plain = turning(Rope(theta=theta), head_dim=64, tokens=tokens).frequencies
    found = turning(Rope(theta=theta, scaling=kind), head_dim=64, tokens=tokens).frequencies
    most = factor if name != "dynamic" else factor * max(tokens, 8192) / 8192 - (factor - 1)
    assert (found <= plain * 1.000001).all()
    assert (found >= plain / most * 0.99999).all()


def test_dynamic_changes_nothing_within_the_original_length() -> None:
    """A short prompt is read as the model was trained to."""
    np.testing.assert_array_equal(frequencies(DYNAMIC, 64, 8192), frequencies(UNSCALED, 64))
    assert frequencies(DYNAMIC, 64, 8193)[-1] < frequencies(UNSCALED, 64)[-1]


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (replace(LINEAR, factor=0.5), "factor is 0.5, at least 1 is needed"),
        (replace(LINEAR, factor=math.inf), "factor is inf"),
        (replace(YARN, original_max_position_embeddings=9000), "at most its own 8192"),
        (replace(YARN, original_max_position_embeddings=1), "original_max_position_embeddings is 1"),
        (replace(YARN, beta_fast=1.0), "beta_fast is 1.0, more than beta_slow (1.0) is needed"),
        (replace(LLAMA3, high_freq_factor=1.0), "high_freq_factor is 1.0, more than low_freq_factor"),
        (scaling("longrope", pairs=31), "short_factor has 31 numbers, 32 are needed: one for each pair"),
    ],
)
def test_what_a_model_cannot_be_turned_by_is_said(kind: RopeScaling, complaint: str) -> None:
    """Before anything is computed."""
    assert any(complaint in flaw for flaw in flaws(kind, head_dim=64, own_tokens=8192))


def test_what_can_be_computed_has_no_flaw() -> None:
    """All published rows; and a head of one pair has no base to raise."""
    for kind, _, _ in PUBLISHED.values():
        assert flaws(kind, head_dim=64, own_tokens=8192) == ()
    assert "one pair" in flaws(NTK, head_dim=2, own_tokens=8192)[0]


def by_transformers(rope: Rope, *, head_dim: int, tokens: int) -> tuple[Array, float]:
    """Return what `transformers` computes in float32 for a model with one rope."""
    module = required.module("transformers", extra="train")
    functions = required.module("transformers.modeling_rope_utils", extra="train").ROPE_INIT_FUNCTIONS
    kind = rope.scaling
    keys = {
        "yarn": ("beta_fast", "beta_slow", "attention_factor", "mscale", "mscale_all_dim", "truncate"),
        "llama3": ("low_freq_factor", "high_freq_factor"),
        "longrope": ("attention_factor",),
    }
    chosen = {key: getattr(kind, key) for key in ("rope_type", "factor", *keys.get(kind.rope_type, ()))}
    if kind.rope_type == "longrope":
        chosen |= {"short_factor": list(kind.short_factor), "long_factor": list(kind.long_factor)}
    if kind.rope_type in ("yarn", "llama3", "longrope"):
        chosen["original_max_position_embeddings"] = rope.original_tokens
    config = module.LlamaConfig(
        hidden_size=head_dim,
        num_attention_heads=1,
        head_dim=head_dim,
        max_position_embeddings=rope.original_tokens,
        rope_parameters={"rope_theta": rope.theta, **{k: v for k, v in chosen.items() if v is not None}},
    )
    values, factor = functions[kind.rope_type](config, seq_len=tokens)
    return values.numpy(), float(factor)


@st.composite
def ropes(draw: st.DrawFn) -> tuple[Rope, int, int]:
    """Return a rope of any type that `transformers` knows, the size of a head and a length."""
    head_dim = 2 * draw(st.integers(2, 64))
    original = draw(st.integers(64, 40_000))
    lists = st.lists(st.floats(0.5, 64.0), min_size=head_dim // 2, max_size=head_dim // 2).map(tuple)
    attention = draw(st.none() | st.floats(0.5, 2.0))
    mscale = draw(st.none() | st.floats(0.1, 2.0))
    kind = RopeScaling(
        rope_type=draw(st.sampled_from(["linear", "dynamic", "yarn", "llama3", "longrope"])),
        factor=draw(st.floats(1.0, 64.0)),
        original_max_position_embeddings=original,
        beta_fast=draw(st.floats(8.0, 64.0)),
        beta_slow=draw(st.floats(0.5, 4.0)),
        attention_factor=attention,
        mscale=mscale,
        mscale_all_dim=None if mscale is None else draw(st.floats(0.1, 2.0)),
        truncate=draw(st.booleans()),
        low_freq_factor=draw(st.floats(0.5, 2.0)),
        high_freq_factor=draw(st.floats(3.0, 8.0)),
        short_factor=draw(lists),
        long_factor=draw(lists),
    )
    return Rope(theta=draw(st.floats(500.0, 2e6)), scaling=kind), head_dim, draw(st.integers(1, 4 * original))


@given(drawn=ropes())
def test_frequencies_and_attention_factor_equal_those_of_transformers(drawn: tuple[Rope, int, int]) -> None:
    """Over the parameters of every type that it knows, in its float32."""
    rope, head_dim, tokens = drawn
    expected, factor = by_transformers(rope, head_dim=head_dim, tokens=tokens)
    found = turning(rope, head_dim=head_dim, tokens=tokens)
    np.testing.assert_allclose(found.frequencies, expected, rtol=2e-5)
    assert found.gain == pytest.approx(factor, rel=1e-6)


def test_transformers_would_show_a_factor_that_is_inverted() -> None:
    """The agreement above has teeth."""
    rope = Rope(theta=THETA, scaling=YARN)
    expected, factor = by_transformers(rope, head_dim=64, tokens=10)
    wrong = turning(replace(rope, scaling=replace(YARN, factor=0.25)), head_dim=64, tokens=10)
    assert np.abs(wrong.frequencies / expected - 1).max() > 0.5
    assert wrong.gain != pytest.approx(factor, rel=1e-2)


def test_a_model_never_holds_less_than_the_length_that_it_names() -> None:
    """A rounded factor may fall short of it; without an original length the model names all it can hold."""
    stretched = RopeScaling(rope_type="yarn", factor=1.5, original_max_position_embeddings=100)
    assert extended_tokens(stretched, own_tokens=128) == 150
    assert extended_tokens(stretched, own_tokens=160) == 160
    assert extended_tokens(RopeScaling(rope_type="linear", factor=8.0), own_tokens=128) == 128
