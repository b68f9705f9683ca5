"""An encoder in onnxruntime: rows of tokens in, its first output out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from gemma_eval.backends.model_files import sha256
from gemma_eval.backends.options import checked, count_needed
from gemma_eval.backends.sentence_folder import batches
from gemma_eval.backends.threads import default_threads
from gemma_eval.errors import BackendError, MissingDependency, ModelNotFound
from gemma_eval.gemma.tensors import Array
from gemma_eval.records import ModelSpec

Runtime = Any  # onnxruntime has no types that say more

_PLACES = ("model.onnx", "onnx/model.onnx")
"""Where exporters put the graph."""
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_FATAL = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The options by their names; `threads` is `None` when the size of the model decides."""

    threads: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Session:
    """A loaded graph; `digest` is the hash of its files, and `inputs` are those of BERT that it has."""

    path: Path
    digest: str
    runtime: Runtime
    inputs: tuple[str, ...]

    def run(self, encodings: Sequence[tokenizers.Encoding]) -> list[Array]:
        """Return for each text what the graph makes of it: [L, H] of its tokens, or [W]. Raises BackendError.

        Shorter texts of a batch are filled up and masked.
        """
        made: dict[int, Array] = {}
        for batch in batches([len(encoding) for encoding in encodings]):
            out = self._batch([encodings[at] for at in batch])
            made |= {
                at: row[: len(encodings[at])] if row.ndim == 2 else row
                for at, row in zip(batch, out, strict=True)
            }
        return [made[at] for at in range(len(encodings))]

    def tried(self, encoding: tokenizers.Encoding) -> Array:
        """Return what the graph makes of the longest text. Raises ModelNotFound where it cannot read that."""
        try:
            (made,) = self.run([encoding])
        except BackendError as error:
            raise ModelNotFound(
                f"{self.path.parent}: a text of {len(encoding)} tokens is too long for it, or its files do "
                f"not fit together: {error}"
            ) from error
        return made

    def _batch(self, encodings: Sequence[tokenizers.Encoding]) -> Array:
        longest = max(len(encoding) for encoding in encodings)
        fields = {name: np.zeros((len(encodings), longest), np.int64) for name in _INPUTS}
        for at, encoding in enumerate(encodings):
            fields["input_ids"][at, : len(encoding)] = encoding.ids
            fields["attention_mask"][at, : len(encoding)] = 1
            fields["token_type_ids"][at, : len(encoding)] = encoding.type_ids
        try:
            out = self.runtime.run(None, {name: fields[name] for name in self.inputs})[0]
        except Exception as error:  # the library raises nothing more precise
            raise BackendError(f"{self.path}: onnxruntime cannot run it: {_said(error)}") from error
        return np.asarray(out, np.float32)


def open_session(folder: Path, spec: ModelSpec) -> Session:
    """Load the graph in `folder`. Raises MissingDependency, ModelNotFound, and WrongSetting for an option."""
    settings = checked(spec, Settings(), needed=lambda _, value: count_needed(value))
    path = _graph(folder)
    try:
        module = import_module("onnxruntime")
    except ImportError:
        raise MissingDependency(f"the model {spec.name} (model.onnx)", extra="onnx") from None
    files = sorted(each for each in path.parent.iterdir() if each.name.startswith(path.name))
    runtime = _loaded(module, path, threads=settings.threads or _threads(files))
    inputs = tuple(each.name for each in runtime.get_inputs())
    if strange := [name for name in inputs if name not in _INPUTS]:
        raise ModelNotFound(f"{path}: asks for {strange[0]}; an encoder takes {', '.join(_INPUTS)}")
    return Session(path=path, digest=sha256(files), runtime=runtime, inputs=inputs)


def _graph(folder: Path) -> Path:
    for place in _PLACES:
        if (folder / place).is_file():
            return folder / place
    raise ModelNotFound(
        f"{folder}: has no {_PLACES[0]}; export the model to ONNX, or take the backend sentence_bert"
    )


def _loaded(module: Runtime, path: Path, *, threads: int) -> Runtime:
    options = module.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = _FATAL  # what is wrong is in the error, too
    try:
        return module.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library raises nothing more precise
        raise ModelNotFound(f"{path}: onnxruntime cannot load it: {_said(error)}") from error


def _threads(files: Sequence[Path]) -> int:
    parameters = sum(file.stat().st_size for file in files) // np.float32().itemsize
    return default_threads(parameters, available=os.cpu_count() or 1)


def _said(error: Exception) -> str:
    """Return what onnxruntime says, on one line and without its codes."""
    return " ".join(str(error).rpartition(" : ")[2].split())[:300]
