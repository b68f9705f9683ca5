"""A folder and the GGUF file that was made from it are the same model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from gemma_eval.errors import MissingDependency, ModelNotFound
from gemma_eval.gemma import checkpoint, gguf_header, gguf_names, gguf_package, gguf_write
from gemma_eval.gemma.gguf_write import DTYPES, Dtype
from gemma_eval.gemma.weights import Weights
from tests import required
from tests.gemma.tiny import merge_a_pair, write_model

SIZES: Mapping[str, object] = {"hidden_size": 64, "intermediate_size": 96, "head_dim": 16}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small random model whose rows can be quantised."""
    required.module("gguf", extra="gguf")
    return merge(write_model(tmp_path / "model", config={**SIZES, "query_pre_attn_scalar": 16}))


def merge(folder: Path) -> Path:
    """Give the tokenizer a merge, without which there is no GGUF."""
    merge_a_pair(folder)
    return folder


def written(folder: Path, *, dtype: Dtype = "F32") -> Path:
    """Return the GGUF file of a folder."""
    path = folder.with_name(f"model.{dtype}.gguf")
    gguf_write.write(folder, path, dtype=dtype)
    return path


def arrays(weights: Weights) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Return every array of a model, in order."""
    layers = [
        getattr(layer, name)
        for layer in weights.layers
        for name in ("qkv", "attention_out", "gate_up", "down", "attention_in_gain", "qk_gain")
    ]
    return [weights.embedding, weights.final_gain, *layers]


def test_float32_weights_are_the_same_numbers(folder: Path) -> None:
    """Bit for bit, gains included: 1 + w is written as it is computed."""
    ours, theirs = checkpoint.load(folder), checkpoint.load(written(folder))
    for left, right in zip(arrays(ours.weights), arrays(theirs.weights), strict=True):
        np.testing.assert_array_equal(left, right)
    assert theirs.weights.parameters == ours.weights.parameters
    eps = np.float32(ours.architecture.norm_eps)
    assert replace(theirs.architecture, norm_eps=float(eps)) == replace(
        ours.architecture, norm_eps=float(eps)
    )
    assert theirs.tokenizer.encode("<bos>a er") == ours.tokenizer.encode("<bos>a er")
    assert theirs.chat_template == ours.chat_template


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_is_read_as_the_gguf_package_unpacks_it(folder: Path, dtype: Dtype) -> None:
    """Against the package's own reader; norms are float32 in every file."""
    package = required.module("gguf", extra="gguf")
    path = written(folder, dtype=dtype)
    theirs = {tensor.name: tensor for tensor in package.GGUFReader(path).tensors}
    found = checkpoint.load(path).weights
    assert found.stored_dtype == dtype
    down = theirs["blk.2.ffn_down.weight"]
    expected = package.quants.dequantize(down.data, down.tensor_type)
    np.testing.assert_array_equal(found.layers[2].down, expected)
    assert theirs["blk.0.attn_norm.weight"].tensor_type.name == "F32"


@pytest.mark.parametrize(("dtype", "bound"), [("F32", 0.0), ("F16", 1e-3), ("Q8_0", 1e-2), ("Q4_0", 0.16)])
def test_a_smaller_type_is_further_from_the_weights(folder: Path, dtype: Dtype, bound: float) -> None:
    """Within half a step of its blocks: relative to the largest value of a row at most the bound."""
    exact = checkpoint.load(folder).weights.layers[0].gate_up
    found = checkpoint.load(written(folder, dtype=dtype)).weights.layers[0].gate_up
    error = np.abs(found - exact).max(axis=1) / np.abs(exact).max(axis=1)
    assert error.max() <= bound
    assert dtype == "F32" or error.max() > 0


def test_bfloat16_is_read(folder: Path) -> None:
    """Files of others hold it; the values are the upper halves of float32."""
    package = required.module("gguf", extra="gguf")
    path = written(folder)
    reader = package.GGUFReader(path)
    writer = package.GGUFWriter(folder.with_name("bf16.gguf"), "gemma3")
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            kinds = [*field.types, None]
            writer.add_key_value(key, field.contents(), kinds[0], sub_type=kinds[1])
    kind = package.GGMLQuantizationType.BF16
    for tensor in reader.tensors:
        packed = package.quants.quantize(tensor.data, kind) if tensor.data.ndim == 2 else tensor.data
        writer.add_tensor(tensor.name, packed, raw_dtype=kind if tensor.data.ndim == 2 else None)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    exact, found = checkpoint.load(path).weights, checkpoint.load(folder.with_name("bf16.gguf")).weights
    assert found.stored_dtype == "BF16"
    assert np.abs(found.embedding - exact.embedding).max() <= np.abs(exact.embedding).max() / 256
    assert not (found.embedding.view(np.uint32) & 0xFFFF).any()
    assert found.embedding_scale == np.float32(8), "√64: no rounding by the stored type"


def test_the_embedding_scale_of_a_file_is_exact(tmp_path: Path) -> None:
    """llama.cpp multiplies by √D whatever the type; a folder's half precision rounds it."""
    required.module("gguf", extra="gguf")
    folder = merge(write_model(tmp_path / "model", config={"hidden_size": 96}))
    stored = load_file(folder / "model.safetensors")
    save_file(
        {name: values.astype(np.float16) for name, values in stored.items()}, folder / "model.safetensors"
    )
    assert checkpoint.load(folder).weights.embedding_scale == np.float16(96**0.5)
    assert checkpoint.load(written(folder, dtype="F16")).weights.embedding_scale == np.float32(96**0.5)


def test_names_are_those_of_the_gguf_package() -> None:
    """Both ways, for every tensor of a Gemma 2 and a Gemma 3."""
    package = required.module("gguf", extra="gguf")
    for family in ("GEMMA2", "GEMMA3"):
        theirs = package.get_tensor_name_map(package.MODEL_ARCH[family], 3)
        names = ["embed_tokens", "norm", *(f"layers.2.{stem}" for stem in gguf_names.IN_LAYER)]
        for name in names:
            if family == "GEMMA2" and ("q_norm" in name or "k_norm" in name):
                continue
            ours = gguf_names.in_gguf(f"{name}.weight")
            assert ours == f"{theirs.get_name(f'model.{name}')}.weight"
            assert ours is not None
            assert gguf_names.in_folder(ours) == f"{name}.weight"
    assert gguf_names.in_gguf("lm_head.weight") is None
    assert gguf_names.in_folder("output.weight") is None
    assert gguf_names.in_folder("blk.0.attn_q.bias") is None


def _config(folder: Path, **changes: object) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, **changes}))


def _tokenizer(folder: Path, change: Callable[[dict[str, dict[str, object]]], object]) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    change(content)
    (folder / "tokenizer.json").write_text(json.dumps(content))


def _unigram(folder: Path) -> None:
    _tokenizer(folder, lambda content: content["model"].update(type="Unigram"))


def _whitespace(folder: Path) -> None:
    _tokenizer(folder, lambda content: content["pre_tokenizer"].update(type="Whitespace"))


def _no_merges(folder: Path) -> None:
    _tokenizer(folder, lambda content: content["model"].update(merges=[]))


def _no_model(folder: Path) -> None:
    _tokenizer(folder, lambda content: content.pop("model"))


def _no_local_layers(folder: Path) -> None:
    _config(folder, layer_types=["full_attention"] * 3)


def _llama3(folder: Path) -> None:
    _config(
        folder, rope_scaling={"rope_type": "llama3", "factor": 2.0, "original_max_position_embeddings": 64}
    )


def _no_embedding(folder: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    del stored["model.embed_tokens.weight"]
    save_file(stored, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (_unigram, "a tokenizer of type 'Unigram'; GGUF export knows BPE"),
        (_whitespace, "its pre_tokenizer has no name in GGUF"),
        (_no_merges, "has no merges"),
        (_no_model, "model is missing"),
        (_no_local_layers, "runs no Gemma whose layers are all global"),
        (_llama3, "no words for its RoPE scaling of type llama3"),
        (_no_embedding, r"hold no tensor \*\.embed_tokens\.weight"),
    ],
)
def test_what_gguf_cannot_say_is_not_written(
    folder: Path, damage: Callable[[Path], None], complaint: str
) -> None:
    """One clear line, and no file: neither the one asked for nor a part of it."""
    damage(folder)
    with pytest.raises(ModelNotFound, match=complaint):
        written(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_rows_that_are_no_whole_blocks_cannot_be_quantised(tmp_path: Path) -> None:
    """They can be stored in half precision."""
    required.module("gguf", extra="gguf")
    folder = merge(write_model(tmp_path / "model"))
    with pytest.raises(
        ModelNotFound, match=r"has rows of \d+ values; Q8_0 packs blocks of 32, use F16 or F32"
    ):
        written(folder, dtype="Q8_0")
    assert written(folder, dtype="F16").exists()


def test_a_file_is_readable_by_those_who_may_read_new_files(folder: Path) -> None:
    """It is made under another name, with the rights that any new file gets."""
    path = written(folder)
    beside = folder.with_name("other")
    beside.touch()
    assert path.stat().st_mode == beside.stat().st_mode
    assert os.access(path, os.R_OK)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (b"gemma3", b"gemma4", "the architecture 'gemma4' is not supported by numpy_gemma"),
        (b"gemma3", b"llama4", "run it with llama.cpp"),
        (b"gemma3.block_count", b"gemma3.block_tnuoc", "the key gemma3.block_count is missing"),
        (
            b"gemma3.attention.sliding_window\x04",
            b"gemma3.attention.sliding_windov\x04",
            "sliding_window is missing",
        ),
        (
            b"gemma3.attention.key_length\x04\0\0\0\x10",
            b"gemma3.attention.key_length\x04\0\0\0\x20",
            "heads of 32",
        ),
        (
            b"gemma3.block_count\x04\0\0\0\x03",
            b"gemma3.block_count\x04\0\0\0\xff",
            "255 layers are announced",
        ),
        (
            b"gemma3.block_count\x04\0\0\0\x03",
            b"gemma3.block_count\x04\0\0\0\x04",
            r"holds no tensor \*\.layers\.3",
        ),
        (
            b"gemma3.block_count\x04\0\0\0\x03",
            b"gemma3.block_count\x04\0\0\0\x02",
            r"the tensor layers\.2\..* is of no layer that its metadata describe",
        ),
        (
            b"gemma3.feed_forward_length\x04\0\0\0\x60",
            b"gemma3.feed_forward_length\x04\0\0\0\x61",
            "metadata ask for",
        ),
        (
            b"blk.0.ffn_up.weight",
            b"blk.0.ffn_xx.weight",
            "holds the tensor 'blk.0.ffn_xx.weight', which a Gemma",
        ),
        (b"token_embd.weight", b"token_embx.weight", "holds no matrix token_embd.weight"),
    ],
)
def test_a_file_of_another_model_is_one_clear_line(
    folder: Path, old: bytes, new: bytes, complaint: str
) -> None:
    """The message names the file and what is wrong with it."""
    path = written(folder)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    with pytest.raises(ModelNotFound, match=complaint) as caught:
        checkpoint.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_finite_are_refused(folder: Path) -> None:
    """As those of a folder are."""
    path = written(folder)
    start = gguf_header.read(path).tensors["blk.1.attn_q.weight"].start
    content = bytearray(path.read_bytes())
    content[start : start + 4] = np.float32(np.nan).tobytes()
    path.write_bytes(content)
    with pytest.raises(ModelNotFound, match=r"q_proj\.weight holds values that are not finite"):
        checkpoint.load(path)


def test_a_scale_that_is_not_finite_is_refused(folder: Path) -> None:
    """The first bytes of a block are its scale: infinity times zero is no number, and no warning either."""
    path = written(folder, dtype="Q4_0")
    start = gguf_header.read(path).tensors["blk.1.attn_q.weight"].start
    content = bytearray(path.read_bytes())
    content[start : start + 3] = np.float16(np.inf).tobytes() + b"\x88"
    path.write_bytes(content)
    with pytest.raises(ModelNotFound, match=r"q_proj\.weight holds values that are not finite"):
        checkpoint.load(path)


def test_a_type_that_cannot_be_unpacked_is_named(folder: Path) -> None:
    """With the types that can be."""
    path = written(folder, dtype="Q8_0")
    header = gguf_header.read(path)
    info = header.tensors["blk.1.attn_q.weight"]
    content = path.read_bytes()
    at = content.index(b"blk.1.attn_q.weight") + len("blk.1.attn_q.weight") + 4 + 16
    assert content[at] == 8
    path.write_bytes(content[:at] + bytes([24]) + content[at + 1 :])  # I8: fewer bytes, so that it still fits
    assert info.dtype == "Q8_0"
    with pytest.raises(ModelNotFound, match=r"of type I8, which cannot be unpacked; export the model as F32"):
        checkpoint.load(path)


def test_a_part_of_a_split_file_says_how_to_join_it(folder: Path) -> None:
    """llama.cpp's tool does it."""
    package = required.module("gguf", extra="gguf")
    writer = package.GGUFWriter(folder.with_name("part.gguf"), "gemma3")
    writer.add_uint16("split.count", 4)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with pytest.raises(ModelNotFound, match="one of 4 parts; join them with llama-gguf-split --merge"):
        checkpoint.load(folder.with_name("part.gguf"))


def test_a_missing_package_is_named_with_the_line_that_installs_it() -> None:
    """Whatever asks for it."""
    with pytest.raises(
        MissingDependency, match=r'a file needs an optional package: pip install "gemma_eval\[gguf\]"'
    ):
        gguf_package.load("a file", name="gguf_that_is_not_installed")
