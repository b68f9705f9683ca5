"""What a GGUF file says of itself: which files it has, how its weights are stored, what its context is."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from gemma_eval.backends.model_files import POCKET, locate
from gemma_eval.errors import BackendError, ModelNotFound
from gemma_eval.gemma import gguf_header
from gemma_eval.gemma.gguf_header import Header, Value, shown
from gemma_eval.gemma.tensors import weight_files

POCKET_GGUF = f"{POCKET}.F32.gguf"
"""What stands for the model that ships: llama.cpp reads no folders."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GgufFile:
    """A model that llama.cpp may load; `parts` are all files of a model that was split, in order.

    `trained_tokens` is the length that the file names, `window` that of its local layers. `silent` are the
    ids of control tokens, which are no part of a text, and `beginning` is the one that an empty prompt
    consists of. `tokenizer_sha256` is of all that the file says of its tokenizer.
    """

    path: Path
    parts: tuple[Path, ...]
    architecture: str
    trained_tokens: int
    window: int | None
    scaling: Mapping[str, Value]
    vocabulary: int
    silent: frozenset[int]
    beginning: int | None
    chat_template: str | None
    tokenizer_sha256: str
    quantisation: str
    parameters: int

    @property
    def chat_template_sha256(self) -> str | None:
        """The hash of the chat template, so that an edit is seen."""
        return None if self.chat_template is None else _sha256(self.chat_template)


def read(location: str) -> GgufFile:
    """Read the header of the model at `location`, and of all its parts.

    Raises ModelNotFound: absent, damaged or no model; BackendError for a folder; MissingDependency when the
    model that ships has to be written as GGUF first.
    """
    path = locate(POCKET_GGUF if location == POCKET else location)
    if path.is_dir():
        raise BackendError(
            f"{location}: is a folder, llama.cpp runs GGUF files; {_instead_of(location, path)}"
        )
    header = gguf_header.read(path)
    said = _Said(path, header.metadata)
    parts = _parts(path, said)
    headers = [header, *(gguf_header.read(part) for part in parts[1:])]
    architecture = said.text("general.architecture")
    window = header.metadata.get(f"{architecture}.attention.sliding_window")
    template = header.metadata.get("tokenizer.chat_template")
    return GgufFile(
        path=path,
        parts=parts,
        architecture=architecture,
        trained_tokens=said.count(f"{architecture}.context_length"),
        window=window if isinstance(window, int) and window > 0 else None,
        scaling=_scaling(header.metadata, architecture),
        vocabulary=len(said.list("tokenizer.ggml.tokens")),
        silent=_silent(header.metadata),
        beginning=_beginning(header.metadata),
        chat_template=template if isinstance(template, str) else None,
        tokenizer_sha256=_tokenizer_sha256(header.metadata),
        quantisation=_quantisation(headers),
        parameters=sum(prod(info.shape) for each in headers for info in each.tensors.values()),
    )


def _beginning(metadata: Mapping[str, Value]) -> int | None:
    """Return the token that begins a text, else the one that ends the text before it."""
    named = (metadata.get(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos"))
    return next((token for token in named if isinstance(token, int)), None)


def _instead_of(location: str, folder: Path) -> str:
    """Say which file to give in place of a folder: one that is in it, or one that can be made of it."""
    inside = sorted(path.name for path in folder.glob("*.gguf"))
    if inside:
        return f"give one in it, as {Path(location) / inside[0]}"
    try:
        weight_files(folder)
    except ModelNotFound:
        return "it holds none, and no weights of which one could be made; give the file of a model"
    return f"`gemma-eval models export-gguf {location} {folder.name or 'model'}.gguf` makes one of it"


class _Said:
    """Typed access to metadata that llama.cpp needs."""

    def __init__(self, path: Path, metadata: Mapping[str, Value]) -> None:
        self.path = path
        self.metadata = metadata

    def text(self, key: str) -> str:
        value = self.metadata.get(key)
        if not isinstance(value, str):
            raise self._wrong(key, "a text")
        return value

    def count(self, key: str, default: int | None = None) -> int:
        value = self.metadata.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self._wrong(key, "a whole number of at least 1")
        return value

    def list(self, key: str) -> tuple[object, ...]:
        value = self.metadata.get(key)
        if not isinstance(value, tuple):
            raise self._wrong(key, "a list")
        return value

    def _wrong(self, key: str, needed: str) -> ModelNotFound:
        value = shown(self.metadata.get(key))
        return ModelNotFound(f"{self.path}: {key} is {value}, {needed} is needed; is it a language model?")


_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")


def _parts(path: Path, said: _Said) -> tuple[Path, ...]:
    """Return the files of a model that llama-gguf-split divided, of which the first was given."""
    number = said.count("split.count", 1) if said.metadata.get("split.count") else 1
    if number == 1:
        return (path,)
    named = _PART.search(path.name)
    if named is None or int(named[1]) != 1:
        raise ModelNotFound(f"{path}: one of {number} parts; give the first, *-00001-of-{number:05}.gguf")
    beginning = path.name[: named.start()]
    return tuple(
        path.with_name(f"{beginning}-{part:05}-of-{number:05}.gguf") for part in range(1, number + 1)
    )


def _scaling(metadata: Mapping[str, Value], architecture: str) -> Mapping[str, Value]:
    """Return what the file says of RoPE scaling, without the beginning of the keys; empty for none."""
    beginning = f"{architecture}.rope.scaling."
    said = {key.removeprefix(beginning): metadata[key] for key in metadata if key.startswith(beginning)}
    return {} if said.get("type") == "none" or said.get("factor", 1) == 1 else said


def _silent(metadata: Mapping[str, Value]) -> frozenset[int]:
    """Return the ids that llama.cpp writes no text for. Source: ggml-org/llama.cpp:src/llama-vocab.cpp."""
    kinds = metadata.get("tokenizer.ggml.token_type", ())
    listed = kinds if isinstance(kinds, tuple) else ()
    return frozenset(token for token, kind in enumerate(listed) if kind in (_UNKNOWN, _CONTROL))


_UNKNOWN, _CONTROL = 2, 3


def _tokenizer_sha256(metadata: Mapping[str, Value]) -> str:
    said = {key: metadata[key] for key in sorted(metadata) if key.startswith("tokenizer.ggml.")}
    return _sha256(json.dumps(said))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _quantisation(headers: list[Header]) -> str:
    """Return the name of the file's mix of types (`Q4_K_M`), or the type that holds the most weights."""
    named = _FILE_TYPES.get(headers[0].metadata.get("general.file_type"))
    if named is not None:
        return named
    held: Counter[str] = Counter()
    for info in (info for header in headers for info in header.tensors.values()):
        held[info.dtype] += prod(info.shape)
    return held.most_common(1)[0][0] if held else "none"


_FILE_TYPES: Mapping[object, str] = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4",
}
"""Names of `general.file_type`. Source: ggml-org/llama.cpp:include/llama.h, `llama_ftype`."""
