"""Reads the header of a GGUF file within bounds: no count or length in it is believed unchecked."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO, NoReturn

from gemma_eval.errors import ModelNotFound

Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar, ...]

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
LARGEST_HEADER_BYTES = 64 << 20
"""Names, metadata and tokenizer together; those of a vocabulary of 262,144 take about 10 MiB."""
LARGEST_STRING_BYTES = 1 << 20
LARGEST_ARRAY = 4 << 20
MOST_DIMENSIONS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorInfo:
    """Where a tensor lies: its type as ggml names it, its shape [rows, …, values of a row], its bytes."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    n_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """The metadata by key and the tensors by name."""

    metadata: Mapping[str, Value]
    tensors: Mapping[str, TensorInfo]


def read(path: Path) -> Header:
    """Read the header of `path` and check that every tensor lies within the file.

    Memory and time stay in proportion to the header's bytes, whatever the file claims. Raises ModelNotFound.
    Source: ggml-org/ggml:docs/gguf.md.
    """
    try:
        if path.is_dir():
            raise ModelNotFound(f"{path}: is a folder; give a file *.gguf")
        with open(path, "rb", opener=_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ModelNotFound(f"{path}: is not a regular file")
            return _Reader(path, file, status.st_size).header()
    except (OSError, ValueError) as error:
        raise ModelNotFound(f"{path}: cannot be read: {error}") from error


def shown(value: Value | None) -> str:
    """Return a value of a file that nobody knows for a message: on one line, and short."""
    if value is None:
        return "missing"
    if isinstance(value, tuple):
        return f"a list of {len(value)}"
    return repr(value[:60] if isinstance(value, str) else value)


TYPES: Mapping[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
}
"""Types of tensors: name, values of a block, bytes of a block. Source: ggml-org/ggml:include/ggml.h."""


def _at_once(path: str, flags: int) -> int:
    """Open without waiting: a named pipe would keep the reader for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


_SCALARS: Mapping[int, str] = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_STRING, _ARRAY = 8, 9
_SMALLEST_PAIR = 8 + 1 + 4 + 1
_SMALLEST_TENSOR = 8 + 1 + 4 + 8 + 4 + 8


class _Reader:
    """Reads on from one place of the file to the next, and never beyond what is there."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.path = path
        self.file = file
        self.size = size
        self.at = 0

    def header(self) -> Header:
        self.begin()
        n_tensors = self.count("tensors", each=_SMALLEST_TENSOR)
        n_pairs = self.count("metadata entries", each=_SMALLEST_PAIR)
        metadata: dict[str, Value] = {}
        for _ in range(n_pairs):
            key = self.string()
            if key in metadata:
                self.fail(f"the key {shown(key)} is there twice")
            metadata[key] = self.value(self.number("I"), key)
        raw = [self.tensor() for _ in range(n_tensors)]
        alignment = self.alignment(metadata)
        start = -(-self.at // alignment) * alignment
        tensors: dict[str, TensorInfo] = {}
        for name, info in raw:
            if name in tensors:
                self.fail(f"the tensor {shown(name)} is there twice")
            if info.start % alignment:
                self.fail(f"the tensor {shown(name)} is not aligned to {alignment} bytes")
            placed = TensorInfo(
                dtype=info.dtype, shape=info.shape, start=start + info.start, n_bytes=info.n_bytes
            )
            tensors[name] = placed
        self.check_places(tensors)
        return Header(metadata=metadata, tensors=tensors)

    def fail(self, what: str) -> NoReturn:
        raise ModelNotFound(f"{self.path}: not a whole GGUF file: {what}; is the download complete?")

    def begin(self) -> None:
        if self.bytes(4) != MAGIC:
            self.fail("it does not begin with GGUF")
        version = self.number("I")
        if version in VERSIONS:
            return
        if int.from_bytes(version.to_bytes(4, "little"), "big") in VERSIONS:
            raise ModelNotFound(f"{self.path}: a big-endian GGUF file; export it for little-endian machines")
        known = " and ".join(map(str, VERSIONS))
        raise ModelNotFound(f"{self.path}: GGUF version {version}; versions {known} can be read")

    def bytes(self, number: int) -> bytes:
        """Return the next bytes, which the file must have."""
        if number > self.left():
            self.fail(f"it ends at byte {self.size:,}, {number:,} more bytes are announced at {self.at:,}")
        if self.at + number > LARGEST_HEADER_BYTES:
            self.fail(f"its header is larger than {LARGEST_HEADER_BYTES >> 20} MiB")
        data = self.file.read(number)
        if len(data) != number:
            self.fail(f"it became shorter than {self.size:,} bytes while it was read")
        self.at += number
        return data

    def left(self) -> int:
        return self.size - self.at

    def number(self, code: str) -> int:
        """Return the next whole number."""
        return int(self.scalars(code, 1)[0])

    def scalars(self, code: str, number: int) -> tuple[Scalar, ...]:
        form = f"<{number}{code}"
        return struct.unpack(form, self.bytes(struct.calcsize(form)))

    def count(self, what: str, *, each: int) -> int:
        """Return a count of things of which each takes at least so many bytes."""
        number = self.number("Q")
        if number * each > self.left():
            self.fail(f"{number:,} {what} do not fit into its {self.size:,} bytes")
        return number

    def string(self) -> str:
        length = self.number("Q")
        if length > LARGEST_STRING_BYTES:
            self.fail(f"a text of {length:,} bytes is announced at {self.at:,}")
        try:
            return self.bytes(length).decode("utf-8")
        except UnicodeDecodeError:
            self.fail(f"a text before byte {self.at:,} is not UTF-8")

    def value(self, kind: int, key: str) -> Value:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.array(key)
        if kind not in _SCALARS:
            self.fail(f"the value of {shown(key)} is of the unknown type {kind}")
        return self.scalars(_SCALARS[kind], 1)[0]

    def array(self, key: str) -> tuple[Scalar, ...]:
        kind = self.number("I")
        code = _SCALARS.get(kind)
        if code is None and kind != _STRING:
            self.fail(f"the list {shown(key)} holds values of type {kind}; texts and numbers are possible")
        number = self.count(f"values of {shown(key)}", each=struct.calcsize(code) if code else 8)
        if number > LARGEST_ARRAY:
            self.fail(f"the list {shown(key)} has {number:,} values, more than {LARGEST_ARRAY:,}")
        if code is None:
            return tuple(self.string() for _ in range(number))
        return self.scalars(code, number)

    def tensor(self) -> tuple[str, TensorInfo]:
        """Return a name and what is said of it; the start counts from where the data begin."""
        name = self.string()
        n_dimensions = self.number("I")
        if not 1 <= n_dimensions <= MOST_DIMENSIONS:
            self.fail(f"the tensor {shown(name)} has {n_dimensions} dimensions")
        sizes = [self.number("Q") for _ in range(n_dimensions)]
        kind = self.number("I")
        if kind not in TYPES:
            self.fail(f"the tensor {shown(name)} is of type {kind}, which is unknown")
        dtype, block, block_bytes = TYPES[kind]
        if sizes[0] % block or 0 in sizes:
            self.fail(
                f"the tensor {shown(name)} of shape {sizes[::-1]} is not made of {dtype}'s blocks of {block}"
            )
        n_bytes = prod(sizes) // block * block_bytes
        shape = tuple(reversed(sizes))
        return name, TensorInfo(dtype=dtype, shape=shape, start=self.number("Q"), n_bytes=n_bytes)

    def alignment(self, metadata: Mapping[str, Value]) -> int:
        value = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1 << 20:
            self.fail(f"general.alignment is {shown(value)}, a power of two is needed")
        if value & (value - 1):
            self.fail(f"general.alignment is {value}, a power of two is needed")
        return value

    def check_places(self, tensors: Mapping[str, TensorInfo]) -> None:
        """Refuse tensors beyond the end of the file or over one another."""
        end = 0
        for name, info in sorted(tensors.items(), key=lambda item: item[1].start):
            if info.start + info.n_bytes > self.size:
                self.fail(
                    f"the tensor {shown(name)} ends at byte {info.start + info.n_bytes:,} of {self.size:,}"
                )
            if info.start < end:
                self.fail(f"the tensor {shown(name)} lies over the one before it")
            end = info.start + info.n_bytes
