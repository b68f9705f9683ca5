"""What the files of a model say of it: architecture, parameters, quantisation, context, size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import cast

from gemma_eval.errors import GemmaEvalError, ModelNotFound
from gemma_eval.report import numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is written in the header of a model; `None` is what it does not say."""

    architecture: str | None = None
    parameters: int | None = None
    quantisation: str | None = None
    context_tokens: int | None = None
    file_bytes: int | None = None

    def as_plain(self) -> dict[str, object]:
        """Return them by name."""
        return asdict(self)

    def said(self) -> str:
        """Return what is known in a line."""
        known = (
            self.architecture,
            None if self.parameters is None else f"{_short(self.parameters)} parameters",
            self.quantisation,
            None if self.context_tokens is None else f"context {numbers.count(self.context_tokens)}",
            None if self.file_bytes is None else numbers.bytes_(self.file_bytes),
        )
        return ", ".join(part for part in known if part) or "its files say nothing of it"


def of_gguf(location: str) -> Facts:
    """Return what a GGUF file says. Raises ModelNotFound, MissingDependency."""
    from gemma_eval.backends.llama_cpp.file import read

    found = read(location)
    return Facts(
        architecture=found.architecture,
        parameters=found.parameters,
        quantisation=found.quantisation,
        context_tokens=found.trained_tokens,
        file_bytes=sum(part.stat().st_size for part in found.parts),
    )


def of_folder(folder: Path) -> Facts:
    """Return what a folder of Hugging Face says. Raises ModelNotFound where it is not whole."""
    from gemma_eval.gemma.folder import read_json
    from gemma_eval.gemma.tensors import find_tensors

    config = read_json(folder / "config.json")
    text = config.get("text_config")
    inner = cast("Mapping[str, object]", text) if isinstance(text, Mapping) else config
    tensors = list(find_tensors(folder).values())
    stored = Counter[str]()
    for tensor in tensors:
        stored[tensor.dtype] += prod(tensor.shape)
    context = inner.get("max_position_embeddings")
    kind = config.get("model_type")
    return Facts(
        architecture=kind if isinstance(kind, str) else None,
        parameters=sum(stored.values()),
        quantisation=stored.most_common(1)[0][0] if stored else None,
        context_tokens=context if isinstance(context, int) else None,
        file_bytes=sum(file.stat().st_size for file in {tensor.file for tensor in tensors}),
    )


def of_location(location: str) -> Facts | None:
    """Return what the files at a location say, `None` where there are none that do. Raises ModelNotFound."""
    from gemma_eval.backends.model_files import locate

    if "://" in location:
        return None
    try:
        path = locate(location)
    except ModelNotFound:
        return None
    return of_folder(path) if path.is_dir() else of_gguf(location)


def is_there(location: str) -> bool | None:
    """Return whether the files of a location are there, `None` where it names none, as that of a server."""
    from gemma_eval.backends.model_files import POCKET_FILES, locate

    if "://" in location or Path(location).name == "-":
        return None
    if location in POCKET_FILES:
        return True
    try:
        locate(location)
    except GemmaEvalError:
        return Path(location).exists()
    return True


def _short(count: int) -> str:
    for size, unit in ((1_000_000_000, "B"), (1_000_000, "M"), (1000, "k")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)
