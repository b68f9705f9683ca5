"""The tensors of a checkpoint, and those of safetensors files as float32 arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma.folder import read_json

Array = NDArray[np.float32]
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"


class Tensor(Protocol):
    """A tensor in a file, of a dtype as its format names it."""

    @property
    def file(self) -> Path:
        """The file that holds it."""

    @property
    def dtype(self) -> str:
        """How its values are stored: `F32`, `BF16`, `Q8_0` …"""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first, the values of a row last."""

    def read(self) -> Array:
        """Return the values as float32, in memory. Raises ModelNotFound."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensors:
    """The tensors of the text model in `where` by their names after the last `model.`.

    By the convention of `folder` an RMSNorm weight w is stored as it is and embeddings are multiplied by √D
    in the stored dtype; by that of `gguf` 1 + w is stored and √D is exact.
    """

    where: Path
    named: Mapping[str, Tensor]
    convention: Literal["folder", "gguf"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTensor:
    """A tensor in a safetensors file: its dtype (`F32`, `BF16` …), shape, and the place of its bytes."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int

    def read(self) -> Array:
        """Return the values as float32, in memory: the file may change afterwards. Raises ModelNotFound."""
        if self.dtype not in STORED_AS:
            known = ", ".join(STORED_AS)
            raise ModelNotFound(f"{self.file}: dtype {self.dtype} is not supported; convert it to {known}")
        stored = np.memmap(self.file, STORED_AS[self.dtype], "r", offset=self.start, shape=self.shape)
        return widen(stored.view(np.ndarray), dtype=self.dtype)


STORED_AS: Mapping[str, str] = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""How NumPy reads the dtypes that are plain numbers, bfloat16 as 16 bits."""


def widen(stored: NDArray[np.generic], *, dtype: str) -> Array:
    """Return float32 of the same values; bfloat16, read as 16-bit integers, is the upper half of one."""
    if dtype == "BF16":
        wide = stored.astype(np.uint32)
        wide <<= np.uint32(16)
        return wide.view(np.float32)
    return stored.astype(np.float32)


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors files of a model in the order of their names. Raises ModelNotFound."""
    if (folder / INDEX).exists():
        names = read_json(folder / INDEX).get("weight_map")
        if not isinstance(names, Mapping) or not names:
            raise ModelNotFound(f"{folder / INDEX}: weight_map is missing or empty")
        return tuple(folder / name for name in sorted({str(name) for name in names.values()}))
    if (folder / SINGLE).exists():
        return (folder / SINGLE,)
    raise ModelNotFound(f"{folder}: no weights; {SINGLE} or {INDEX} is needed")


def find_tensors(folder: Path) -> Mapping[str, StoredTensor]:
    """Return the tensors of the text model by their names after the last `model.`; vision parts are left out.

    The prefix differs between layouts: `model.`, `language_model.model.`, `model.language_model.`.
    Raises ModelNotFound.
    """
    found: dict[str, StoredTensor] = {}
    for file in weight_files(folder):
        for name, tensor in _tensors(file).items():
            if not any(part in name for part in _NOT_TEXT):
                found[name.rpartition("model.")[2]] = tensor
    return found


_NOT_TEXT = ("vision_tower", "vision_model", "multi_modal_projector", "embed_vision")


def _tensors(file: Path) -> Mapping[str, StoredTensor]:
    """Read the header of one file, after the library has checked it against the file's size."""
    try:
        with safe_open(file, framework="numpy"):
            pass
        with file.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(size))
    except FileNotFoundError:
        raise ModelNotFound(f"{file}: no such file, though {INDEX} names it") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelNotFound(f"{file}: not a whole safetensors file: {error}") from error
    return {
        name: StoredTensor(
            file=file,
            dtype=entry["dtype"],
            shape=tuple(entry["shape"]),
            start=8 + size + entry["data_offsets"][0],
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }
