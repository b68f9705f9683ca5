"""Weights of any stored precision become the same arrays, and damaged ones a clear error."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma import architecture, weights
from gemma_eval.gemma.tensors import find_tensors, weight_files, widen
from gemma_eval.gemma.weights import Weights, rounded
from tests.gemma.tiny import write_model


def load(folder: Path) -> Weights:
    """Load the weights of a folder by its own config."""
    return weights.load(folder, architecture.load(folder))


@pytest.mark.parametrize(
    ("hidden", "scale"), [(640, 25.25), (1152, 34.0), (2304, 48.0), (2560, 50.5), (3840, 62.0), (5376, 73.5)]
)
def test_the_embedding_scale_is_rounded_like_bfloat16_weights(hidden: int, scale: float) -> None:
    """The values that the published bfloat16 models multiply by."""
    assert rounded(hidden**0.5, dtype="BF16") == scale
    assert rounded(hidden**0.5, dtype="F32") == np.float32(hidden**0.5)
    assert rounded(hidden**0.5, dtype="F16") == np.float16(hidden**0.5)


@given(st.floats(2.0**-100, 2.0**100, width=32))
@settings(deadline=None)
def test_rounding_to_bfloat16_takes_the_nearest(value: float) -> None:
    """No neighbour in bfloat16 is nearer."""
    found = rounded(value, dtype="BF16")
    bits = int(found.view(np.uint32))
    assert bits & 0xFFFF == 0
    neighbours = [np.uint32(bits + step).view(np.float32) for step in (-0x10000, 0x10000)]
    assert all(abs(float(found) - value) <= abs(float(other) - value) for other in neighbours)


@given(st.floats(width=32, allow_nan=False))
@settings(deadline=None)
def test_bfloat16_is_the_upper_half_of_a_float32(value: float) -> None:
    """Against the bytes that `struct` writes, read from the other end."""
    upper = struct.pack(">f", value)[:2]
    stored = np.array([int.from_bytes(upper, "big")], np.uint16)
    assert struct.pack(">f", widen(stored, dtype="BF16")[0]) == upper + b"\0\0"


def test_queries_keys_and_values_are_fused_in_this_order(tmp_path: Path) -> None:
    """One product does for three, one for gate and up, and gains are 1 + w."""
    stored = load_file(write_model(tmp_path) / "model.safetensors")
    layer = load(tmp_path).layers[1]
    parts = [stored[f"model.layers.1.self_attn.{name}_proj.weight"] for name in "qkv"]
    np.testing.assert_array_equal(layer.qkv, np.concatenate(parts))
    np.testing.assert_array_equal(layer.gate_up[:24], stored["model.layers.1.mlp.gate_proj.weight"])
    np.testing.assert_allclose(layer.attention_in_gain, 1 + stored["model.layers.1.input_layernorm.weight"])
    assert layer.qk_gain is not None
    np.testing.assert_allclose(layer.qk_gain[3], 1 + stored["model.layers.1.self_attn.q_norm.weight"])
    np.testing.assert_allclose(layer.qk_gain[4], 1 + stored["model.layers.1.self_attn.k_norm.weight"])


def test_every_parameter_is_counted_once(tmp_path: Path) -> None:
    """The tied embedding is one matrix."""
    stored = load_file(write_model(tmp_path) / "model.safetensors")
    assert load(tmp_path).parameters == sum(tensor.size for tensor in stored.values())


def test_weights_do_not_keep_the_file_open(tmp_path: Path) -> None:
    """The arrays are in memory: a file that is replaced afterwards changes nothing."""
    found = load(write_model(tmp_path))
    arrays = [found.embedding, found.final_gain, *(found.layers[0].down, found.layers[0].qkv)]
    assert all(type(array) is np.ndarray for array in arrays)
    assert all(type(array.base) in {np.ndarray, type(None)} for array in arrays)


def test_shards_are_named_by_the_index(tmp_path: Path) -> None:
    """Two files with an index give what one file gives."""
    whole = load(write_model(tmp_path))
    stored = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    names = sorted(stored)
    parts = {"b.safetensors": names[:9], "a.safetensors": names[9:]}
    for file, held in parts.items():
        save_file({name: stored[name] for name in held}, tmp_path / file)
    index = {"weight_map": {name: file for file, held in parts.items() for name in held}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert [path.name for path in weight_files(tmp_path)] == ["a.safetensors", "b.safetensors"]
    np.testing.assert_array_equal(load(tmp_path).layers[2].down, whole.layers[2].down)


@pytest.mark.parametrize("prefix", ["", "model.", "language_model.model.", "model.language_model."])
def test_every_known_prefix_is_understood_and_vision_left_out(tmp_path: Path, prefix: str) -> None:
    """A tensor is known by what follows its last `model.`."""
    tensors = {
        f"{prefix}layers.0.mlp.up_proj.weight": np.ones((2, 2), np.float32),
        "vision_tower.vision_model.encoder.layers.0.mlp.up_proj.weight": np.zeros((2, 2), np.float32),
        "model.vision_tower.vision_model.layers.0.mlp.up_proj.weight": np.zeros((2, 2), np.float32),
    }
    save_file(tensors, tmp_path / "model.safetensors")
    found = find_tensors(tmp_path)
    assert set(found) == {"layers.0.mlp.up_proj.weight"}
    np.testing.assert_array_equal(found["layers.0.mlp.up_proj.weight"].read(), np.ones((2, 2)))


def _remove(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _truncate(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-40])


def _pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")


def _rewrite(folder: Path, name: str, shape: tuple[int, ...] | None, dtype: str = "float32") -> None:
    """Give a tensor another shape or type, or with no shape leave it out."""
    stored = load_file(folder / "model.safetensors")
    del stored[name]
    if shape is not None:
        stored[name] = np.ones(shape, dtype)
    save_file(stored, folder / "model.safetensors")


def _absent_tensor(folder: Path) -> None:
    _rewrite(folder, "model.layers.2.mlp.down_proj.weight", None)


def _misshapen_tensor(folder: Path) -> None:
    _rewrite(folder, "model.layers.0.self_attn.k_proj.weight", (7, 16))


def _spoil(folder: Path, *values: float) -> None:
    stored = load_file(folder / "model.safetensors")
    stored["model.layers.1.mlp.down_proj.weight"][3, : len(values)] = values
    save_file(stored, folder / "model.safetensors")


def _not_a_number(folder: Path) -> None:
    _spoil(folder, np.nan)


def _opposite_infinities(folder: Path) -> None:
    _spoil(folder, np.inf, -np.inf)


def test_the_largest_finite_weights_are_taken(tmp_path: Path) -> None:
    """Only what is not finite is refused, however large the sum."""
    largest = float(np.finfo(np.float32).max)
    _spoil(write_model(tmp_path), largest, largest)
    assert np.max(load(tmp_path).layers[1].down) == np.float32(largest)


def _a_layer_too_many(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))


def _a_bias(folder: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    stored["model.layers.1.self_attn.q_proj.bias"] = np.ones(16, np.float32)
    save_file(stored, folder / "model.safetensors")


def _integer_tensor(folder: Path) -> None:
    _rewrite(folder, "model.norm.weight", (16,), "int8")


def _empty_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text("{}")


def _absent_shard(folder: Path) -> None:
    index = {"weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (_remove, "no weights; model.safetensors or model.safetensors.index.json is needed"),
        (_truncate, "model.safetensors: not a whole safetensors file"),
        (_pointer, "model.safetensors: not a whole safetensors file"),
        (_absent_tensor, "hold no tensor *.layers.2.mlp.down_proj.weight"),
        (
            _misshapen_tensor,
            "layers.0.self_attn.k_proj.weight has shape [7, 16], config.json asks for [8, 16]",
        ),
        (_opposite_infinities, "layers.1.mlp.down_proj.weight holds values that are not finite"),
        (_not_a_number, "layers.1.mlp.down_proj.weight holds values that are not finite"),
        (
            _a_layer_too_many,
            "layernorm.weight is of no layer that config.json describes; are they of different",
        ),
        (_a_bias, "the tensor layers.1.self_attn.q_proj.bias is of no layer that config.json describes"),
        (_integer_tensor, "dtype I8 is not supported; convert it to F32, F16, BF16"),
        (_empty_index, "model.safetensors.index.json: weight_map is missing or empty"),
        (_absent_shard, "model-00001-of-00002.safetensors: no such file"),
    ],
)
def test_damaged_weights_are_one_clear_line(
    tmp_path: Path, damage: Callable[[Path], None], complaint: str
) -> None:
    """The message names the folder or file and says what is wrong with it."""
    damage(write_model(tmp_path))
    with pytest.raises(ModelNotFound) as caught:
        load(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
