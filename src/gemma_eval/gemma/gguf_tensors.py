"""The tensors of a GGUF file as float32 arrays, under the names of a Hugging Face folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma import gguf_package
from gemma_eval.gemma.gguf_header import Header, TensorInfo, shown
from gemma_eval.gemma.gguf_names import in_folder
from gemma_eval.gemma.tensors import STORED_AS, Array, Tensors, widen


def load(path: Path, header: Header) -> Tensors:
    """Return the tensors in `path`. Raises ModelNotFound for one that no Gemma 2 or 3 has: it has a use."""
    named: dict[str, GgufTensor] = {}
    for name, info in header.tensors.items():
        folder_name = in_folder(name)
        if folder_name is None:
            raise ModelNotFound(f"{path}: holds the tensor {shown(name)}, which a Gemma 2 or 3 does not have")
        named[folder_name] = GgufTensor(file=path, name=name, info=info)
    return Tensors(where=path, named=named, convention="gguf")


@dataclass(frozen=True, kw_only=True, slots=True)
class GgufTensor:
    """A tensor in a GGUF file."""

    file: Path
    name: str
    info: TensorInfo

    @property
    def dtype(self) -> str:
        """The type as ggml names it: `F32`, `BF16`, `Q8_0` …"""
        return self.info.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first, the values of a row last."""
        return self.info.shape

    def read(self) -> Array:
        """Return the values as float32. Raises ModelNotFound, MissingDependency for a quantised type."""
        info = self.info
        if info.dtype in STORED_AS:
            stored = np.fromfile(
                self.file, STORED_AS[info.dtype], count=int(np.prod(info.shape)), offset=info.start
            )
            return self._whole(stored if info.dtype == "F32" else widen(stored, dtype=info.dtype))
        gguf = gguf_package.load(f"{self.file}: a tensor of type {info.dtype}")
        packed = np.fromfile(self.file, np.uint8, count=info.n_bytes, offset=info.start)
        rows = packed.reshape(*info.shape[:-1], -1)
        try:
            # scales of a damaged file may be infinite; what becomes of them is refused when it is taken
            with np.errstate(all="ignore"):
                values = gguf.quants.dequantize(rows, gguf.GGMLQuantizationType[info.dtype])
        except NotImplementedError:
            raise ModelNotFound(
                f"{self.file}: {shown(self.name)} is of type {info.dtype}, which cannot be unpacked; "
                "export the model as F32, F16, BF16, Q8_0 or Q4_0"
            ) from None
        return self._whole(values)

    def _whole(self, values: Array) -> Array:
        """Return the values in their shape. Raises ModelNotFound when the file has become shorter."""
        if values.size != int(np.prod(self.info.shape)):
            raise ModelNotFound(f"{self.file}: became shorter while it was read")
        return np.asarray(values.reshape(self.info.shape), dtype=np.float32)
