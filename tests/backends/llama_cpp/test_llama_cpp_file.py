"""What is read of a GGUF file before llama.cpp is given it, and which files it is not given."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gemma_eval.backends.llama_cpp import file as llama_cpp_file
from gemma_eval.backends.model_files import locate
from gemma_eval.errors import BackendError, ModelNotFound
from gemma_eval.gemma import checkpoint, gguf_write
from tests import required
from tests.gemma.tiny import merge_a_pair, write_model


@pytest.fixture(scope="module")
def pocket() -> Path:
    """The F32 export of the shipped model."""
    required.module("gguf", extra="gguf")
    return locate("@pocket.F32.gguf")


def split(source: Path, folder: Path, *, tensors: int) -> tuple[Path, ...]:
    """Write the model in `source` as files of at most so many tensors, as llama-gguf-split does."""
    gguf = required.module("gguf", extra="gguf")
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(folder / "model.gguf", "gemma3", split_max_tensors=tensors)
    for field in reader.fields.values():
        if field.name != "general.architecture" and not field.name.startswith("GGUF."):
            kind = field.types[0]
            inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tuple(sorted(folder.glob("model-*.gguf")))


def test_the_shipped_model_is_described_as_it_is(pocket: Path) -> None:
    """Against the model that the NumPy engine loads."""
    file, loaded = llama_cpp_file.read("@pocket"), checkpoint.load(pocket)
    assert file.path == pocket
    assert file.architecture == "gemma3"
    assert file.parameters == loaded.weights.parameters
    assert file.trained_tokens == loaded.architecture.context_tokens
    assert file.window == loaded.architecture.window
    assert file.vocabulary == loaded.architecture.vocab_size
    assert file.silent == set(loaded.tokenizer.markup)
    assert file.chat_template == loaded.chat_template
    assert file.chat_template_sha256 == hashlib.sha256((loaded.chat_template or "").encode()).hexdigest()
    assert file.scaling == {}


@pytest.mark.parametrize("dtype", gguf_write.DTYPES)
def test_the_quantisation_is_the_one_that_was_written(dtype: str) -> None:
    """As `general.file_type` has it."""
    required.module("gguf", extra="gguf")
    assert llama_cpp_file.read(f"@pocket.{dtype}.gguf").quantisation == dtype


def test_without_a_file_type_the_quantisation_is_that_of_most_weights(pocket: Path, tmp_path: Path) -> None:
    """Norms stay float32, whatever the matrices are."""
    source = locate("@pocket.Q8_0.gguf").read_bytes()
    path = tmp_path / "model.gguf"
    path.write_bytes(source.replace(b"general.file_type", b"general.file_kind"))
    assert llama_cpp_file.read(str(path)).quantisation == "Q8_0"


def test_exports_of_one_model_have_one_tokenizer() -> None:
    """Its hash depends on neither the weights nor the order of keys."""
    required.module("gguf", extra="gguf")
    first, second = (llama_cpp_file.read(f"@pocket.{dtype}.gguf") for dtype in ("F32", "Q4_0"))
    assert first.tokenizer_sha256 == second.tokenizer_sha256


def test_another_tokenizer_has_another_hash(pocket: Path, tmp_path: Path) -> None:
    """One token that is another is enough."""
    path = tmp_path / "model.gguf"
    path.write_bytes(pocket.read_bytes().replace(b"Oslo", b"Oslx"))
    other = llama_cpp_file.read(str(path))
    assert other.tokenizer_sha256 != llama_cpp_file.read("@pocket").tokenizer_sha256
    assert other.chat_template_sha256 == llama_cpp_file.read("@pocket").chat_template_sha256


def test_a_scaling_in_the_file_is_seen(tmp_path: Path) -> None:
    """One that scales by 1 is none."""
    required.module("gguf", extra="gguf")
    scaling = {"rope_type": "linear", "factor": 8.0}
    folder = write_model(tmp_path / "model", config={"rope_scaling": scaling})
    merge_a_pair(folder)
    gguf_write.write(folder, tmp_path / "model.gguf", dtype="F32")
    assert llama_cpp_file.read(str(tmp_path / "model.gguf")).scaling == {"type": "linear", "factor": 8.0}


def test_a_model_in_parts_is_all_of_them(pocket: Path, tmp_path: Path) -> None:
    """Its parameters and its files are those of every part."""
    parts = split(pocket, tmp_path, tensors=30)
    assert len(parts) > 1
    file = llama_cpp_file.read(str(parts[0]))
    assert file.parts == parts
    assert file.parameters == llama_cpp_file.read("@pocket").parameters


def test_a_part_that_is_missing_or_not_the_first_is_refused(pocket: Path, tmp_path: Path) -> None:
    """The message says which is needed."""
    parts = split(pocket, tmp_path, tensors=30)
    with pytest.raises(ModelNotFound, match=rf"one of {len(parts)} parts; give the first, \*-00001-of-"):
        llama_cpp_file.read(str(parts[1]))
    parts[-1].unlink()
    with pytest.raises(ModelNotFound, match=parts[-1].name):
        llama_cpp_file.read(str(parts[0]))
    renamed = parts[0].rename(tmp_path / "first.gguf")
    with pytest.raises(ModelNotFound, match="give the first"):
        llama_cpp_file.read(str(renamed))


def test_a_folder_is_refused_with_the_way_to_a_gguf_file(tmp_path: Path) -> None:
    """The command can be copied."""
    folder = write_model(tmp_path / "mine")
    with pytest.raises(
        BackendError,
        match=r"llama\.cpp runs GGUF files; `gemma-eval models export-gguf .*mine mine\.gguf` makes",
    ):
        llama_cpp_file.read(str(folder))


def test_a_folder_that_cannot_become_a_file_is_told_what_it_lacks(tmp_path: Path) -> None:
    """It has no weights to be exported; one with a GGUF file in it is told the file."""
    with pytest.raises(BackendError, match=r"GGUF files; it holds none, and no weights of which one could"):
        llama_cpp_file.read(str(tmp_path))
    (tmp_path / "small.gguf").touch()
    with pytest.raises(BackendError, match=r"GGUF files; give one in it, as .*/small\.gguf$"):
        llama_cpp_file.read(str(tmp_path))


DAMAGE: Mapping[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "not a whole GGUF file: it ends at byte 0"),
    "no GGUF": (lambda data: b"PK" + data[2:], "not a whole GGUF file: it does not begin with GGUF"),
    "cut in the magic": (lambda data: data[:3], "not a whole GGUF file"),
    "cut in the metadata": (lambda data: data[:5000], "not a whole GGUF file"),
    "cut in the tensors": (
        lambda data: data[: len(data) // 2],
        "not a whole GGUF file: the tensor .* ends at",
    ),
    "last byte missing": (lambda data: data[:-1], "not a whole GGUF file: the tensor .* ends at"),
    "big-endian": (lambda data: data[:4] + data[4:8][::-1] + data[8:], "a big-endian GGUF file"),
    "no architecture": (
        lambda data: data.replace(b"general.architecture", b"general.architextur_"),
        "general.architecture is missing, a text is needed; is it a language model?",
    ),
    "no context": (
        lambda data: data.replace(b"gemma3.context_length", b"gemma3.context_lengtX"),
        "gemma3.context_length is missing, a whole number of at least 1 is needed",
    ),
    "no tokens": (
        lambda data: data.replace(b"tokenizer.ggml.tokens", b"tokenizer.ggml.tokenX"),
        "tokenizer.ggml.tokens is missing, a list is needed",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_one_clear_error(pocket: Path, tmp_path: Path, name: str) -> None:
    """Which file, what is wrong; llama.cpp never sees it."""
    damage, what = DAMAGE[name]
    path = tmp_path / "model.gguf"
    path.write_bytes(damage(pocket.read_bytes()))
    with pytest.raises(ModelNotFound, match=what) as caught:
        llama_cpp_file.read(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    """Not left to llama.cpp, which says no more than that it failed."""
    with pytest.raises(ModelNotFound, match="no such folder or file"):
        llama_cpp_file.read(str(tmp_path / "absent.gguf"))
