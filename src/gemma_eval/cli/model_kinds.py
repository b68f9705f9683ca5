"""Which backend runs what is at a location, and why; what no backend can run is refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from gemma_eval.backends import extras
from gemma_eval.cli import model_facts
from gemma_eval.cli.model_facts import Facts
from gemma_eval.errors import GemmaEvalError, ModelNotFound, UsageError
from gemma_eval.files import read

GEMMAS = ("gemma2", "gemma3", "gemma3_text")
"""What `numpy_gemma` runs, as files call it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """What is at a location: the backend for it, why that one, what its files say, and what it lacks here."""

    backend: str
    why: str
    facts: Facts | None = None
    lacking: str | None = None


def recognised(
    location: str, *, backend: str | None = None, lacking: Callable[..., str | None] = extras.lacking
) -> Kind:
    """Return the backend for what is at a location: the one that is asked for, if that can run it.

    Files are looked at, servers are not asked; `lacking` says which packages are not installed. Raises
    GemmaEvalError: it is not there, is not whole, or is nothing that a backend runs.
    """
    kind = _found(location, lacking) if backend is None else _asked_for(location, backend)
    packages, extra = _NEEDED.get(kind.backend, ((), ""))
    return replace(kind, lacking=lacking(*packages, extra=extra))


def with_weights(location: str, options: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    """Return location and options of a model that is given as a program with the option `weights`.

    The weights are its location, and the program is its option `binary`.
    """
    weights = options.get("weights")
    if not isinstance(weights, str) or not os.access(read.expanded(location), os.X_OK):
        return location, options
    others = {key: value for key, value in options.items() if key != "weights"}
    return weights, {"binary": str(read.expanded(location).absolute()), **others}


def _found(location: str, lacking: Callable[..., str | None]) -> Kind:
    if not location.strip():
        raise UsageError("the location is empty; give a file *.gguf, a folder of a model, or a URL")
    if "://" in location:
        return _server(location)
    if location.startswith("@"):
        return _shipped(location, lacking)
    path = read.expanded(location)
    if read.exists(path, "folder"):
        return _folder(path)
    if not read.exists(path, "file"):
        raise ModelNotFound(
            f"{location}: there is no such file or folder; give a file *.gguf, a folder of a model, or a URL"
        )
    return _file(path, location, lacking)


def _file(path: Path, location: str, lacking: Callable[..., str | None]) -> Kind:
    try:
        with path.open("rb") as file:
            begins = file.read(4)
    except OSError as error:
        raise ModelNotFound(f"{location}: cannot be read: {error.strerror or error}") from error
    if begins == b"GGUF":
        return _gguf(location, lacking)
    if path.suffix == ".sbs":
        return _weights_of_gemma_cpp(path)
    if path.suffix in (".safetensors", ".json", ".onnx"):
        raise UsageError(f"{location}: is one file of a model; give its folder, as {path.parent}")
    if path.suffix == ".gguf":
        raise ModelNotFound(f"{location}: does not begin as a GGUF file; is the download complete?")
    if os.access(path, os.X_OK):
        raise UsageError(f"{location}: is a program; name what it runs, as --option weights=gemma.sbs")
    raise UsageError(f"{location}: is no model that is known; give a file *.gguf or *.sbs, or a folder")


def _gguf(location: str, lacking: Callable[..., str | None]) -> Kind:
    facts = model_facts.of_gguf(location)
    if facts.architecture in _EMBEDDERS:
        raise UsageError(
            f"{location}: is an embedder ({facts.architecture}), which no backend here runs as GGUF; "
            "serve it (llama-server --embedding) and add its URL with --backend openai_embeddings"
        )
    missing = lacking("xllamacpp", extra="llama-cpp")
    if missing and facts.architecture in GEMMAS:
        why = f"it is a {facts.architecture}, and llama_cpp {missing}"
        return Kind(backend="numpy_gemma", why=why, facts=facts)
    return Kind(backend="llama_cpp", why="llama.cpp runs GGUF files", facts=facts)


def _folder(folder: Path) -> Kind:
    if read.exists(folder / "modules.json", "file"):
        return _sentence_folder(folder)
    if read.exists(folder / "adapter_config.json", "file"):
        raise UsageError(f"{folder}: is an adapter; merge it into its model and give the folder of that")
    if not read.exists(folder / "config.json", "file"):
        files = sorted(path.name for path in folder.glob("*.gguf"))
        instead = f"give one of its files, as {folder / files[0]}" if files else "give the folder of a model"
        raise UsageError(f"{folder}: has no config.json; {instead}")
    facts = model_facts.of_folder(folder)
    if facts.architecture in GEMMAS:
        try:
            _of_gemma(folder)
        except GemmaEvalError as error:
            why = f"it is a {facts.architecture} that numpy_gemma cannot run: {error}"
            return Kind(backend="hf_transformers", why=why, facts=facts)
        why = f"it is a {facts.architecture}, which the engine in the package runs"
        return Kind(backend="numpy_gemma", why=why, facts=facts)
    why = f"it is a {facts.architecture or 'model'}, which transformers may know"
    return Kind(backend="hf_transformers", why=why, facts=facts)


def _sentence_folder(folder: Path) -> Kind:
    """Return what runs a folder of sentence-transformers: weights in safetensors, or a graph of ONNX."""
    if list(folder.glob("*.safetensors")):
        facts = model_facts.of_folder(folder)
        if facts.architecture != "bert":
            raise UsageError(
                f"{folder}: is an embedder ({facts.architecture}), and sentence_bert runs BERT alone; "
                "serve it and add its URL with --backend openai_embeddings"
            )
        return Kind(backend="sentence_bert", why="it is an embedder, a BERT", facts=facts)
    if read.exists(folder / "model.onnx", "file") or read.exists(folder / "onnx" / "model.onnx", "file"):
        why = "it is an embedder as a graph of ONNX"
        return Kind(backend="onnx_bert", why=why)
    raise ModelNotFound(
        f"{folder}: is an embedder without weights; model.safetensors or model.onnx is needed"
    )


def _weights_of_gemma_cpp(path: Path) -> Kind:
    facts = Facts(file_bytes=path.stat().st_size)
    return Kind(backend="gemma_cpp", why="gemma.cpp runs files *.sbs", facts=facts)


def _server(location: str) -> Kind:
    from gemma_eval.backends.openai_http.address import parse

    parse(location, model=location)
    path = urlsplit(location).path.rstrip("/")
    for end in _REQUESTS:
        if path.endswith(end):
            base = location[: location.rindex(end)]
            vectors = " with --backend openai_embeddings" if end == "/embeddings" else ""
            raise UsageError(f"{location}: is the address of one request; give {base}{vectors}")
    return Kind(backend="openai_http", why="it is a URL; for vectors give --backend openai_embeddings")


def _shipped(location: str, lacking: Callable[..., str | None]) -> Kind:
    from gemma_eval.backends.model_files import MINILM, POCKET_FILES, locate

    if location in POCKET_FILES:
        return _gguf(location, lacking)
    path = locate(location)
    if location == MINILM:
        return Kind(backend="sentence_bert", why="it is an embedder", facts=model_facts.of_folder(path))
    return Kind(backend="numpy_gemma", why="it is the model that ships", facts=model_facts.of_folder(path))


def _asked_for(location: str, backend: str) -> Kind:
    """Return a kind of the backend that a person names, once that has looked at the files."""
    facts = _LOOKS[backend](location) if backend in _LOOKS else None
    return Kind(backend=backend, why="it is asked for", facts=facts)


def _of_gemma(path: Path) -> Facts:
    """Return what a model for `numpy_gemma` says. Raises ModelNotFound where it is none."""
    from gemma_eval.gemma import architecture, gguf_architecture, gguf_header

    if path.is_dir():
        architecture.load(path)
        return model_facts.of_folder(path)
    gguf_architecture.load(path, gguf_header.read(path))
    return model_facts.of_gguf(str(path))


def _for_numpy(location: str) -> Facts:
    from gemma_eval.backends.model_files import locate

    return _of_gemma(locate(location))


def _for_transformers(location: str) -> Facts:
    from gemma_eval.backends.hf_transformers.folder import find

    return model_facts.of_folder(find(location))


def _for_http(location: str) -> None:
    from gemma_eval.backends.openai_http.address import parse

    parse(location, model=location)


def _where_it_is(location: str) -> None:
    """Refuse a path that nothing is at. Raises ModelNotFound."""
    if not location.startswith("@") and not read.stands(read.expanded(location)):
        raise ModelNotFound(f"{location}: there is no such file or folder")


_LOOKS: Mapping[str, Callable[[str], Facts | None]] = {
    "numpy_gemma": _for_numpy,
    "llama_cpp": model_facts.of_gguf,
    "hf_transformers": _for_transformers,
    "gemma_cpp": _where_it_is,
    "sentence_bert": _where_it_is,
    "onnx_bert": _where_it_is,
    "openai_http": _for_http,
    "openai_embeddings": _for_http,
}
"""How the files for a backend are looked at before it loads any."""

_NEEDED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "llama_cpp": (("xllamacpp",), "llama-cpp"),
    "hf_transformers": (("torch", "transformers"), "transformers"),
    "onnx_bert": (("onnxruntime",), "onnx"),
}
_EMBEDDERS = ("bert", "nomic-bert", "jina-bert-v2", "gemma-embedding", "t5encoder")
_REQUESTS = ("/chat/completions", "/completions", "/embeddings", "/rerank")
