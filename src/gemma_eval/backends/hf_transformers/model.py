"""A causal language model in PyTorch: a folder that `transformers` loads, ids in, logits out."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, cast

from gemma_eval.errors import BackendError, MissingDependency, ModelNotFound
from gemma_eval.gemma.decode import PREFILL_TOKENS
from gemma_eval.gemma.reading import HEAD_TOKENS, Reading, found, groups, joined
from gemma_eval.gemma.tensors import Array

if TYPE_CHECKING:
    import torch

Dtype = Literal["float32", "bfloat16", "auto"]
Device = Literal["cpu", "cuda", "mps"]

NAMES: Mapping[str, str] = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
"""The dtypes of PyTorch as weights are named elsewhere."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TorchModel:
    """A model in memory, ready to answer; `context_tokens` is what it was trained for."""

    module: torch.nn.Module
    libraries: Libraries
    device: Device
    dtype: str
    vocab_size: int
    parameters: int
    context_tokens: int | None
    attention: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Libraries:
    """`torch` and `transformers`, imported."""

    torch: ModuleType
    transformers: ModuleType

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Keep them from writing to the terminal; afterwards all is as it was set before."""
        logging = self.transformers.utils.logging
        level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity(logging.CRITICAL)
        logging.disable_progress_bar()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()


def libraries() -> Libraries:
    """Import `torch` and `transformers`. Raises MissingDependency, BackendError for a broken installation."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch
            import transformers
    except ModuleNotFoundError as error:
        raise MissingDependency("the backend hf_transformers", extra="transformers") from error
    except (ImportError, OSError) as error:
        raise BackendError(f"torch and transformers cannot be imported: {_first_line(error)}") from error
    return Libraries(torch=torch, transformers=transformers)


def load(folder: Path, *, dtype: Dtype, device: Device, loaded: Libraries) -> TorchModel:
    """Load the model in `folder` from safetensors, with no code of its own and no network.

    Raises BackendError for a device that is not there, ModelNotFound for what cannot be loaded or lacks a
    weight: `transformers` by itself would draw the missing one at random.
    """
    _demand_device(device, loaded)
    kept = dtype if dtype == "auto" else getattr(loaded.torch, dtype)
    try:
        with loaded.quiet():
            module, report = loaded.transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=kept,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                ignore_mismatched_sizes=True,  # the report names them, an error would not
                output_loading_info=True,
            )
            _demand_all(folder, report)
            module = module.to(device).eval()
    except ModelNotFound:
        raise
    except Exception as error:  # whatever the library makes of a damaged or an unknown model
        raise ModelNotFound(f"{folder}: transformers cannot load it: {_first_line(error)}") from error
    config = module.config.get_text_config()
    return TorchModel(
        module=module,
        libraries=loaded,
        device=device,
        dtype=_name(next(module.parameters()).dtype),
        vocab_size=int(module.get_input_embeddings().num_embeddings),
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        context_tokens=getattr(config, "max_position_embeddings", None),
        attention=str(getattr(config, "_attn_implementation", None) or "eager"),
    )


class Decoding:
    """The state of one text: what was read of it stays in the cache of its model."""

    def __init__(self, model: TorchModel) -> None:
        self._model = model
        self._cache: object = None
        takes = inspect.signature(model.module.forward).parameters
        self._cache_name = "cache" if "cache" in takes else "past_key_values"  # renamed in transformers 5.24
        self._keeps_last = "logits_to_keep" in takes

    def read(self, ids: Sequence[int], *, last: int = 1) -> Array:
        """Read more tokens; return the logits [last, V] of what follows each of the last, float32.

        They are copied to the memory of this process, which waits for a device that computes on its own: a
        stamp that is taken afterwards is of logits that are there.
        """
        torch = self._model.libraries.torch
        keeping = {"logits_to_keep": last} if self._keeps_last else {}
        with torch.inference_mode():
            output = self._model.module(
                input_ids=torch.tensor([list(ids)], device=self._model.device),
                use_cache=True,
                **{self._cache_name: self._cache},
                **keeping,
            )
            self._cache = getattr(output, self._cache_name)
            return cast(Array, output.logits[0, -last:].float().cpu().numpy())

    @property
    def divides(self) -> bool:
        """Whether what was read can be had several times, for texts that are read beside each other."""
        return hasattr(self._cache, "batch_repeat_interleave")

    def read_rows(self, texts: Sequence[Sequence[int]]) -> Array:
        """Read several texts after what was read so far; return their logits [B, L, V], float32.

        Each begins at the same position and sees none of the others; what was read so far stays as it is. To
        shorter ones something is added behind, which they do not see.
        """
        torch = self._model.libraries.torch
        longest = max(1, *map(len, texts))
        rows = [[*text, *[0] * (longest - len(text))] for text in texts]
        shared = copy.deepcopy(self._cache)
        shared.batch_repeat_interleave(len(rows))  # type: ignore[attr-defined]
        with torch.inference_mode():
            output = self._model.module(
                input_ids=torch.tensor(rows, device=self._model.device),
                use_cache=True,
                **{self._cache_name: shared},
            )
            return cast(Array, output.logits.float().cpu().numpy())


def read_after(model: TorchModel, before: Sequence[int], tokens: Sequence[int]) -> Reading:
    """Read `tokens` after at least one token `before` them."""
    decoding = Decoding(model)
    readings = [found(decoding.read(before), tokens[:1])]
    for start in range(0, len(tokens) - 1, HEAD_TOKENS):
        part = tokens[start : min(start + HEAD_TOKENS, len(tokens) - 1)]
        readings.append(found(decoding.read(part, last=len(part)), tokens[start + 1 : start + 1 + len(part)]))
    return joined(readings)


def read_beside(
    model: TorchModel, before: Sequence[int], texts: Sequence[Sequence[int]]
) -> tuple[Reading, ...]:
    """Read each of `texts`, of one token at least, after what stands `before` all, which is read once.

    One of more than 256 tokens is read with all that is before it, and so is each with a model whose cache
    cannot be had several times.
    """
    if min(map(len, texts)) > PREFILL_TOKENS:
        return tuple(read_after(model, before, text) for text in texts)
    decoding = Decoding(model)
    firsts = decoding.read(before)
    known: list[Reading] = []
    for group in groups(texts, size=lambda some: len(some) * max(map(len, some))):
        if len(group[0]) > PREFILL_TOKENS or not decoding.divides:
            known.extend(read_after(model, before, text) for text in group)
            continue
        rests = decoding.read_rows([text[:-1] for text in group])
        for text, rest in zip(group, rests, strict=True):
            known.append(joined((found(firsts, text[:1]), found(rest[: len(text) - 1], text[1:]))))
    return tuple(known)


def _demand_device(device: Device, loaded: Libraries) -> None:
    torch = loaded.torch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a driver that is too old is told by a warning
        there = {
            "cpu": True,
            "cuda": torch.cuda.is_available(),
            "mps": torch.backends.mps.is_available(),
        }
    if not there[device]:
        usable = ", ".join(f'"{name}"' for name, is_there in there.items() if is_there)
        raise BackendError(f'device = "{device}": torch {torch.__version__} sees none; there is {usable}')


def _demand_all(folder: Path, report: Mapping[str, Iterable[object]]) -> None:
    """Refuse a model of which a weight is missing or of another shape than config.json says."""
    missing = [f"{name} is missing" for name in sorted(str(name) for name in report["missing_keys"])]
    # a name, or since transformers 5 a name and two shapes
    names = [
        entry if isinstance(entry, str) else cast("tuple[object]", entry)[0]
        for entry in report["mismatched_keys"]
    ]
    other = [f"{name} has another shape" for name in names]
    if wrong := [*missing, *sorted(other)]:
        more = f", and {len(wrong) - 1} more are wrong" if len(wrong) > 1 else ""
        raise ModelNotFound(f"{folder}: the weights are not those of config.json: {wrong[0]}{more}")


def _name(dtype: object) -> str:
    name = str(dtype).removeprefix("torch.")
    return NAMES.get(name, name)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
