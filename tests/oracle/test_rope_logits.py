"""The shipped model under every RoPE scaling against logits that `transformers` computed; see record.py."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from gemma_eval.gemma import decode
from gemma_eval.gemma.architecture import LayerKind, Rope, extended
from gemma_eval.gemma.decode import Decoding, all_logits
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.transformer import Transformer
from gemma_eval.records import RopeScaling

RECORDED = Path(__file__).parent / "recorded" / "pocket-rope.safetensors"
POCKET = Path(__file__).parents[2] / "src" / "gemma_eval" / "pocket"
TOLERANCE = 1e-4
MODEL = decode.load(POCKET)
EXPECTED = load_file(RECORDED)
IDS = EXPECTED["ids"].tolist()
ROWS = EXPECTED["rows"]
with safe_open(RECORDED, framework="numpy") as stored:
    METADATA = stored.metadata()


def read_scaling(settings: Mapping[str, object]) -> RopeScaling:
    """Return a recorded scaling."""
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    return RopeScaling(**given)  # type: ignore[arg-type]


SCALINGS = {name: read_scaling(settings) for name, settings in json.loads(METADATA["scalings"]).items()}


def scaled(name: str) -> Transformer:
    """Return the shipped model under a recorded scaling."""
    return replace(MODEL, architecture=extended(MODEL.architecture, SCALINGS[name], context_tokens=None))


def log_probabilities(logits: Array) -> Array:
    """Return natural log-probabilities [L, V]."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    normalised: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalised


def difference(model: Transformer, name: str) -> float:
    """Return the largest difference of log-probabilities, over the recorded rows and all tokens."""
    found = log_probabilities(all_logits(model, IDS)[ROWS])
    return float(np.abs(found - log_probabilities(EXPECTED[name])).max())


def test_the_recorded_values_are_of_the_model_that_ships() -> None:
    """A model that changed has other logits."""
    digest = hashlib.sha256((POCKET / "model.safetensors").read_bytes()).hexdigest()
    assert METADATA["model_sha256"] == digest, "the model changed: run `python tests/oracle/record.py pocket`"


@pytest.mark.parametrize("name", SCALINGS)
def test_every_scaling_equals_transformers(name: str) -> None:
    """500 tokens, well beyond the length that is stretched."""
    assert difference(scaled(name), name) <= TOLERANCE


@pytest.mark.parametrize("name", ["dynamic", "longrope"])
def test_a_generation_turns_its_prompt_and_its_answer_alike(name: str) -> None:
    """Read one by one, with room for all of it, the last token is as if all had been read at once."""
    decoding = Decoding(scaled(name), capacity=len(IDS))
    decoding.prefill(IDS[:-3])
    for token in IDS[-3:]:
        logits = decoding.step((token,))
    found, expected = log_probabilities(logits), log_probabilities(EXPECTED[name][-1:])
    assert np.abs(found - expected).max() <= TOLERANCE


def turned(change: Callable[[RopeScaling], RopeScaling], *kinds: LayerKind) -> Callable[[str], Transformer]:
    """Return a planted error in the scaling of layers, past all that would refuse it."""

    def plant(name: str) -> Transformer:
        model = scaled(name)
        right = model.architecture.rope
        wrong: Mapping[LayerKind, Rope] = {
            kind: replace(rope, scaling=change(right["global"].scaling)) if kind in kinds else rope
            for kind, rope in right.items()
        }
        return replace(model, architecture=replace(model.architecture, rope=wrong))

    return plant


PLANTED = {
    "not scaled": ("yarn", turned(lambda _: RopeScaling(), "global")),
    "scaled on local layers too": ("yarn", turned(lambda scaling: scaling, "global", "local")),
    "scaled on local layers alone": ("linear", turned(lambda scaling: scaling, "local")),
    "the attention factor left out": ("yarn", turned(lambda s: replace(s, attention_factor=1.0), "global")),
    "the attention factor squared": ("yarn", turned(lambda s: replace(s, attention_factor=1.2965), "global")),
    "the factor inverted": ("linear", turned(lambda s: replace(s, factor=0.25), "global")),
    "linear for yarn": ("yarn", turned(lambda s: replace(s, rope_type="linear"), "global")),
    "a static base for a growing one": ("dynamic", turned(lambda s: replace(s, rope_type="ntk"), "global")),
    "the short list beyond the original length": (
        "longrope",
        turned(lambda s: replace(s, long_factor=s.short_factor), "global"),
    ),
    "truncated where it is not": ("yarn-bare", turned(lambda s: replace(s, truncate=True), "global")),
    "another original length": (
        "llama3",
        turned(lambda s: replace(s, original_max_position_embeddings=512), "global"),
    ),
}


@pytest.mark.parametrize("mistake", PLANTED)
def test_the_oracle_fails_on(mistake: str) -> None:
    """Each mistake moves log-probabilities by far more than the tolerance."""
    name, plant = PLANTED[mistake]
    assert difference(plant(name), name) > 100 * TOLERANCE
