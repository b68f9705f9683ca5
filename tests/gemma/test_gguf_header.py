"""A GGUF header is read as the `gguf` package reads it, and a hostile one is refused at once."""

from __future__ import annotations

import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.errors import GemmaEvalError, ModelNotFound
from gemma_eval.gemma import checkpoint, gguf_header, gguf_write
from gemma_eval.gemma.gguf_header import Header
from tests import required
from tests.fresh import fresh
from tests.gemma.tiny import merge_a_pair, write_model

UINT8, UINT32, FLOAT32, BOOL, STRING, ARRAY, UINT64 = 0, 4, 6, 7, 8, 9, 10
F32, Q8_0 = 0, 8


def text(value: str) -> bytes:
    """Return a string as GGUF writes it."""
    return struct.pack("<Q", len(value.encode())) + value.encode()


def pair(key: str, kind: int, value: bytes) -> bytes:
    """Return a metadata entry."""
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: str, *sizes: int, kind: int = F32, offset: int = 0) -> bytes:
    """Return what the header says of a tensor, sizes with the values of a row first."""
    dimensions = struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes)
    return text(name) + dimensions + struct.pack("<IQ", kind, offset)


def gguf(
    *pairs: bytes, tensors: tuple[bytes, ...] = (), data: int = 0, version: int = 3, alignment: int = 32
) -> bytes:
    """Return a whole file with so many bytes of data."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs)) + b"".join((*pairs, *tensors))
    return head + bytes(-len(head) % alignment) + bytes(data)


def read(folder: Path, content: bytes) -> Header:
    """Read a file of that content."""
    path = folder / "model.gguf"
    path.write_bytes(content)
    return gguf_header.read(path)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole small model with quantised matrices."""
    required.module("gguf", extra="gguf")
    folder = tmp_path_factory.mktemp("small")
    sizes = {"hidden_size": 32, "intermediate_size": 32, "head_dim": 8, "num_hidden_layers": 1}
    merge_a_pair(write_model(folder / "model", config=sizes))
    gguf_write.write(folder / "model", folder / "model.gguf", dtype="Q8_0")
    return folder / "model.gguf"


def test_every_value_and_place_is_what_the_gguf_package_reads(small: Path) -> None:
    """Against an independent reader: its own."""
    package = required.module("gguf", extra="gguf")
    theirs, ours = package.GGUFReader(small), gguf_header.read(small)
    kept = {key: field for key, field in theirs.fields.items() if not key.startswith("GGUF.")}
    assert set(ours.metadata) == set(kept)
    for key, field in kept.items():
        value = ours.metadata[key]
        expected = field.contents()
        assert (list(value) if isinstance(value, tuple) else value) == expected, key
    assert set(ours.tensors) == {found.name for found in theirs.tensors}
    for found in theirs.tensors:
        info = ours.tensors[found.name]
        assert (info.start, info.n_bytes, info.dtype) == (
            found.data_offset,
            found.n_bytes,
            found.tensor_type.name,
        )
        assert list(info.shape) == [int(size) for size in reversed(found.shape)]


def test_the_table_of_types_is_that_of_the_gguf_package() -> None:
    """Names, block sizes and bytes of every type; a new type of the package shows here."""
    package = required.module("gguf", extra="gguf")
    expected = {kind.value: (kind.name, *sizes) for kind, sizes in package.GGML_QUANT_SIZES.items()}
    assert expected == gguf_header.TYPES


def test_metadata_of_every_type_are_read(tmp_path: Path) -> None:
    """Numbers, truth values, texts and lists of them."""
    found = read(
        tmp_path,
        gguf(
            pair("a", UINT8, b"\x07"),
            pair("b", FLOAT32, struct.pack("<f", 0.5)),
            pair("c", BOOL, b"\x01"),
            pair("d", STRING, text("héllo")),
            pair("e", ARRAY, struct.pack("<IQ3I", UINT32, 3, 1, 2, 3)),
            pair("f", ARRAY, struct.pack("<IQ", STRING, 2) + text("x") + text("")),
            pair("g", UINT64, struct.pack("<Q", 2**63)),
        ),
    )
    assert found.metadata == {
        "a": 7,
        "b": 0.5,
        "c": True,
        "d": "héllo",
        "e": (1, 2, 3),
        "f": ("x", ""),
        "g": 2**63,
    }


def test_version_two_and_another_alignment_are_read(tmp_path: Path) -> None:
    """The data begin at the next multiple of the alignment."""
    content = gguf(
        pair("general.alignment", UINT32, struct.pack("<I", 64)),
        tensors=(tensor("t", 4, 2), tensor("u", 32, kind=Q8_0, offset=64)),
        data=128,
        version=2,
        alignment=64,
    )
    found = read(tmp_path, content)
    assert found.tensors["t"].shape == (2, 4)
    assert found.tensors["t"].start % 64 == 0
    assert found.tensors["u"].n_bytes == 34


ARRAY_OF = struct.Struct("<IQ")
MALFORMED = {
    "nothing": (b"", "it ends at byte 0"),
    "another format": (b"PK\x03\x04" + bytes(60), "it does not begin with GGUF"),
    "version 1": (gguf(version=1), "GGUF version 1; versions 2 and 3 can be read"),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "a big-endian GGUF file"),
    # the one that hangs gguf 0.19.0: 49 bytes announce 2^60 values of a list
    "49 bytes": (gguf(pair("k", ARRAY, ARRAY_OF.pack(UINT8, 2**60)))[:49], "do not fit into its 49 bytes"),
    "lists of lists": (
        gguf(pair("k", ARRAY, ARRAY_OF.pack(ARRAY, 1) + ARRAY_OF.pack(UINT8, 0))),
        "the list 'k' holds values of type 9",
    ),
    "unknown type of value": (gguf(pair("k", 77, b"")), "the value of 'k' is of the unknown type 77"),
    "endless text": (gguf(pair("k", STRING, struct.pack("<Q", 2**62))), "a text of 4,611,"),
    "text beyond the end": (gguf(pair("k", STRING, struct.pack("<Q", 1000))), "1,000 more bytes"),
    "not UTF-8": (gguf(pair("k", STRING, struct.pack("<Q", 2) + b"\xff\xfe")), "is not UTF-8"),
    "too many entries": (
        b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63) + bytes(64),
        "metadata entries do not fit",
    ),
    "too many tensors": (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0) + bytes(64), "tensors do not fit"),
    "a key twice": (gguf(pair("k", BOOL, b"\0"), pair("k", BOOL, b"\1")), "the key 'k' is there twice"),
    "a tensor twice": (
        gguf(tensors=(tensor("t", 8), tensor("t", 8, offset=32)), data=64),
        "the tensor 't' is there twice",
    ),
    "no dimensions": (gguf(tensors=(tensor("t"),), data=64), "the tensor 't' has 0 dimensions"),
    "nine dimensions": (gguf(tensors=(tensor("t", *[1] * 9),), data=64), "has 9 dimensions"),
    "an empty tensor": (gguf(tensors=(tensor("t", 0),), data=64), "is not made of F32's blocks"),
    "half a block": (gguf(tensors=(tensor("t", 33, kind=Q8_0),), data=64), "Q8_0's blocks of 32"),
    "a product beyond 64 bits": (
        gguf(tensors=(tensor("t", 2**40, 2**40),), data=64),
        "the tensor 't' ends at byte",
    ),
    "unknown type of tensor": (gguf(tensors=(tensor("t", 8, kind=99),), data=64), "is of type 99"),
    "beyond the end": (gguf(tensors=(tensor("t", 8, offset=64),), data=64), "the tensor 't' ends at byte"),
    "not aligned": (gguf(tensors=(tensor("t", 8, offset=8),), data=64), "is not aligned to 32 bytes"),
    "over one another": (
        gguf(tensors=(tensor("t", 16), tensor("u", 8, offset=32)), data=64),
        "the tensor 'u' lies over the one before it",
    ),
    "a name with a line end": (
        gguf(tensors=(tensor("t\n" * 500, 8, kind=99),), data=64),
        "the tensor 't\\nt\\nt",
    ),
    "alignment 3": (gguf(pair("general.alignment", UINT32, struct.pack("<I", 3))), "a power of two"),
    "alignment 2^31": (gguf(pair("general.alignment", UINT32, struct.pack("<I", 2**31))), "a power of two"),
    "alignment as text": (gguf(pair("general.alignment", STRING, text("32"))), "a power of two"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_one_clear_line(tmp_path: Path, name: str) -> None:
    """The message names the file and what is wrong with it."""
    content, complaint = MALFORMED[name]
    with pytest.raises(ModelNotFound) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(str(tmp_path / "model.gguf"))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    """A named pipe that nobody writes to would keep an ordinary open for ever."""
    os.mkfifo(tmp_path / "pipe.gguf")
    for path, complaint in (
        (tmp_path / "pipe.gguf", "is not a regular file"),
        (tmp_path, r"is a folder; give a file \*\.gguf"),
        (tmp_path / "absent.gguf", "cannot be read: .*No such file"),
    ):
        with pytest.raises(ModelNotFound, match=complaint):
            gguf_header.read(path)


def loads(folder: Path, content: bytes) -> bool:
    """Say whether a file of that content loads; whatever is wrong with it is one error of ours, one line."""
    path = folder / "damaged.gguf"
    path.write_bytes(content)
    complaint = ""
    try:
        checkpoint.load(path)
    except GemmaEvalError as error:
        complaint = str(error)
    assert "\n" not in complaint
    assert len(complaint) < 500 + len(str(path))
    assert complaint.startswith(str(path) if complaint else "")
    return not complaint


@given(data=st.data())
@settings(deadline=2000, max_examples=60)
def test_a_truncated_file_is_refused(
    small: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """At whatever byte it ends."""
    content = small.read_bytes()
    end = data.draw(st.integers(0, len(content) - 40))
    assert not loads(tmp_path_factory.getbasetemp(), content[:end])


@given(data=st.data())
@settings(deadline=2000, max_examples=120)
def test_a_file_with_changed_bytes_loads_or_is_refused(
    small: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Never a traceback, a warning or a hang: bytes are made something else, and some are cut out."""
    content = bytearray(small.read_bytes())
    header_bytes = min(info.start for info in gguf_header.read(small).tensors.values())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, header_bytes - 1) | st.integers(0, len(content) - 1))
        content[at] = data.draw(st.sampled_from((0, 1, 2, 9, 10, 32, 124, 127, 128, 255)))
    at = data.draw(st.integers(0, header_bytes - 1))
    del content[at : at + data.draw(st.sampled_from((0, 0, 0, 1, 4, 8, 24)))]
    loads(tmp_path_factory.getbasetemp(), bytes(content))


LARGEST_COUNT = (2**63, 2**60, 2**40, 2**32, 2**24, 2**20)


def peak_bytes(small: Path, folder: Path) -> int:
    """Return the most memory that is taken while each 8 bytes of a header in turn become a huge number."""
    content = small.read_bytes()
    header_bytes = min(info.start for info in gguf_header.read(small).tensors.values())
    draw = np.random.RandomState(0)
    loads(folder, content)  # what is loaded once and kept is not counted
    tracemalloc.start()
    for at in sorted({*range(0, 400, 2), *draw.randint(400, header_bytes, size=200).tolist()}):
        changed = bytearray(content)
        changed[at : at + 8] = struct.pack("<Q", int(draw.choice(LARGEST_COUNT)))
        loads(folder, bytes(changed))
    return tracemalloc.get_traced_memory()[1]


def test_no_announced_size_makes_the_reader_allocate(small: Path, tmp_path: Path) -> None:
    """Memory stays below 16 times the file; measured where no probes of coverage are."""
    assert fresh(peak_bytes, small, tmp_path) < 16 * small.stat().st_size
