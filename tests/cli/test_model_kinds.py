"""What is at a location is recognised by what it says itself, and what nothing runs is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gemma_eval.backends.model_files import locate
from gemma_eval.cli.model_kinds import recognised
from gemma_eval.errors import GemmaEvalError
from tests import bert, bert_gguf, bert_onnx, required
from tests.gemma.tiny import write_model


def nothing_lacks(*packages: str, extra: str) -> str | None:
    """Say that all is installed."""
    return None


def all_lacks(*packages: str, extra: str) -> str | None:
    """Say that nothing is installed that is not in the package."""
    return f"needs {' and '.join(packages)}" if packages else None


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    """Return a GGUF file of a Gemma 3."""
    required.module("gguf", extra="gguf")
    path = tmp_path / "any.bin"
    path.write_bytes(locate("@pocket.Q8_0.gguf").read_bytes())
    return path.rename(path.with_suffix(".gguf"))


def test_a_gguf_file_is_for_llama_cpp_where_that_is_installed(gguf: Path) -> None:
    """A Gemma 3 runs in the package otherwise; the reason is said, and what its header does."""
    kind = recognised(str(gguf), lacking=nothing_lacks)
    assert (kind.backend, kind.why, kind.lacking) == ("llama_cpp", "llama.cpp runs GGUF files", None)
    assert kind.facts is not None
    assert kind.facts.said() == "gemma3, 1.42M parameters, Q8_0, context 2 048, 1.58 MB"
    kind = recognised(str(gguf), lacking=all_lacks)
    assert (kind.backend, kind.why) == ("numpy_gemma", "it is a gemma3, and llama_cpp needs xllamacpp")


def test_a_folder_is_for_the_engine_that_has_its_architecture(tmp_path: Path) -> None:
    """Gemma 3 is for the package; another model, and a Gemma with what that lacks, for transformers."""
    gemma = write_model(tmp_path / "gemma")
    kind = recognised(str(gemma), lacking=all_lacks)
    assert (kind.backend, kind.lacking) == ("numpy_gemma", None)
    assert kind.facts is not None
    assert (kind.facts.architecture, kind.facts.context_tokens) == ("gemma3_text", 128)
    other = write_model(tmp_path / "other", config={"model_type": "llama"})
    kind = recognised(str(other), lacking=all_lacks)
    assert (kind.backend, kind.lacking) == ("hf_transformers", "needs torch and transformers")
    odd = write_model(tmp_path / "odd", config={"hidden_activation": "relu"})
    assert recognised(str(odd), lacking=nothing_lacks).backend == "hf_transformers"


def test_embedders_are_told_from_models_that_write(tmp_path: Path) -> None:
    """By the folder of sentence-transformers; a graph of ONNX is for onnxruntime."""
    required.module("torch", extra="transformers")
    folder = bert.write(tmp_path / "bert")
    (folder / "modules.json").write_text("[]")
    assert recognised(str(folder), lacking=nothing_lacks).backend == "sentence_bert"
    required.module("onnx", extra="test")
    bert_onnx.write(folder)
    for weights in folder.glob("*.safetensors"):
        weights.unlink()
    assert recognised(str(folder), lacking=nothing_lacks).backend == "onnx_bert"
    other = write_model(tmp_path / "embedding-gemma")
    (other / "modules.json").write_text("[]")
    with pytest.raises(GemmaEvalError, match=r"is an embedder \(gemma3_text\), and sentence_bert runs BERT"):
        recognised(str(other))


@pytest.mark.parametrize(
    ("location", "backend"),
    [
        ("@pocket", "numpy_gemma"),
        ("@pocket.Q8_0.gguf", "llama_cpp"),
        ("http://127.0.0.1:8080/v1", "openai_http"),
        ("https://example.org", "openai_http"),
    ],
)
def test_names_that_ship_and_servers_are_known(location: str, backend: str) -> None:
    """No server is asked."""
    assert recognised(location, lacking=nothing_lacks).backend == backend


def test_weights_of_gemma_cpp_are_known_by_their_ending(tmp_path: Path) -> None:
    """They begin with nothing that tells."""
    path = tmp_path / "gemma.sbs"
    path.write_bytes(b"\0" * 64)
    kind = recognised(str(path))
    assert kind.backend == "gemma_cpp"
    assert kind.facts is not None
    assert kind.facts.said() == "64 B"


def test_the_backend_that_is_asked_for_looks_at_the_files(gguf: Path, tmp_path: Path) -> None:
    """What it cannot run it says before anything is written."""
    assert recognised(str(gguf), backend="numpy_gemma").facts is not None
    other = write_model(tmp_path / "other", config={"model_type": "llama"})
    with pytest.raises(GemmaEvalError, match="llama"):
        recognised(str(other), backend="numpy_gemma")
    with pytest.raises(GemmaEvalError, match=r"is a folder, llama\.cpp runs GGUF files"):
        recognised(str(other), backend="llama_cpp")
    with pytest.raises(GemmaEvalError, match="is a GGUF file"):
        recognised(str(gguf), backend="hf_transformers")
    assert recognised("http://x/v1", backend="openai_embeddings").backend == "openai_embeddings"


def refused(folder: Path, name: str) -> str:
    """Make something that is no model, and return its path."""
    path = folder / name
    if name == "half.gguf":
        path.write_bytes(b"GGUF\3\0\0\0" + b"\0" * 4)
    elif name == "adapter":
        path.mkdir()
        (path / "adapter_config.json").write_text("{}")
    elif name == "ggufs":
        path.mkdir()
        (path / "a.gguf").touch()
    elif name == "half":
        write_model(path)
        (path / "model.safetensors").unlink()
    elif name == "embedder":
        path.mkdir()
        (path / "modules.json").write_text("[]")
    elif name != "nothing":
        path.write_bytes(b"text")
        path.chmod(0o755 if name == "gemma" else 0o644)
    return str(path)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("nothing", "there is no such file or folder"),
        ("half.gguf", "not a whole GGUF file"),
        ("text.gguf", "does not begin as a GGUF file; is the download complete?"),
        ("gemma", "is a program; name what it runs, as --option weights=gemma.sbs"),
        ("model.safetensors", "is one file of a model; give its folder"),
        ("notes.txt", "is no model that is known"),
        ("adapter", "is an adapter; merge it into its model"),
        ("ggufs", "has no config.json; give one of its files, as"),
        ("half", "no weights; model.safetensors or"),
        ("embedder", "is an embedder without weights"),
    ],
)
def test_what_cannot_work_is_a_clear_sentence(tmp_path: Path, name: str, what: str) -> None:
    """With what would be right."""
    with pytest.raises(GemmaEvalError) as caught:
        recognised(refused(tmp_path, name), lacking=nothing_lacks)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("location", "what"),
    [
        ("https://me:secret@example.org/v1", "has a user, a password or parameters in it"),
        ("ftp://example.org", "is no http or https URL"),
        ("http://x/v1/chat/completions", "is the address of one request; give http://x/v1"),
        ("http://x/v1/embeddings", "give http://x/v1 with --backend openai_embeddings"),
        ("", "the location is empty"),
        ("@poket", 'no model ships as @poket; did you mean "@pocket"'),
    ],
)
def test_addresses_that_cannot_be_are_said(location: str, what: str) -> None:
    """No password is stored with a run."""
    with pytest.raises(GemmaEvalError) as caught:
        recognised(location)
    assert what in str(caught.value)


def test_an_embedder_as_gguf_is_to_be_served(tmp_path: Path) -> None:
    """No backend here embeds with llama.cpp in this process."""
    required.module("gguf", extra="gguf")
    required.module("torch", extra="transformers")
    path = bert_gguf.write(bert.write(tmp_path / "bert"), tmp_path / "bert.gguf", pooling="MEAN")
    with pytest.raises(GemmaEvalError, match=r"is an embedder \(bert\).*--backend openai_embeddings"):
        recognised(str(path), lacking=nothing_lacks)


def test_a_configuration_that_is_no_json_is_said(tmp_path: Path) -> None:
    """With its path."""
    folder = write_model(tmp_path / "gemma")
    (folder / "config.json").write_text(json.dumps([]))
    with pytest.raises(GemmaEvalError, match=r"config\.json: holds a list"):
        recognised(str(folder))
