"""A folder of sentence-transformers as an embedder: its tokenizer, its BERT, its pooling.

    [model.minilm]
    backend = "sentence_bert"
    location = "@minilm"

The option `threads` sets the BLAS threads, by default one below 50 million parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import tokenizers
from threadpoolctl import ThreadpoolController

from gemma_eval.backends.model_files import sha256
from gemma_eval.backends.options import checked, count_needed
from gemma_eval.backends.sentence_bert.bert import Bert, Shape, assembled
from gemma_eval.backends.sentence_folder import SentenceFolder, batches, number, own_places, read, unit
from gemma_eval.backends.threads import default_threads
from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma import tensors
from gemma_eval.gemma.tensors import Array
from gemma_eval.records import ModelSpec

Pick = Callable[[Array, tokenizers.Encoding], Array]
"""Makes of the states [L, H] of a text what is asked for."""


@dataclass(frozen=True, kw_only=True)
class SentenceBert:
    """Makes vectors of texts; `id` names all that decides them, so that no two kinds are ever mixed.

    Any number of threads may ask at once; they are served one after the other.
    """

    id: str
    folder: SentenceFolder
    bert: Bert
    blas: ThreadpoolController
    threads: int
    lock: Lock = field(default_factory=Lock, repr=False)

    def embed(self, texts: Sequence[str]) -> Array:
        """Return one vector of length 1 for each text, [N, H] float32. Raises BackendError.

        Many are made faster together than one by one, and differ by less than 1e-6 from those.
        """
        rows = self._each(texts, lambda states, _: self.folder.pooled(states))
        return np.stack(rows) if rows else np.zeros((0, self.width), np.float32)

    def embed_tokens(self, texts: Sequence[str]) -> tuple[Array, ...]:
        """Return for each text the vectors of its T tokens, each of length 1, [T, H] float32.

        Those that the model wants around a text are left out, so that an empty one has none. Raises
        BackendError.
        """
        return tuple(self._each(texts, lambda states, encoding: unit(states[own_places(encoding)])))

    @property
    def width(self) -> int:
        """The length H of a vector in numbers."""
        return int(self.bert.words.shape[1])

    def _each(self, texts: Sequence[str], pick: Pick) -> list[Array]:
        encodings = [self.folder.encode(text) for text in texts]
        made: dict[int, Array] = {}
        for batch in batches([len(encoding) for encoding in encodings]):
            with self._computing():
                states = self.bert.hidden_states([np.array(encodings[at].ids) for at in batch])
            made |= {at: pick(state, encodings[at]) for at, state in zip(batch, states, strict=True)}
        return [made[at] for at in range(len(texts))]

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Set the threads; what overflows ends as a vector that is not finite, an error with a message.

        The setting is of the whole process: two at once would leave behind what the other had set.
        """
        with self.lock, self.blas.limit(limits=self.threads), np.errstate(over="ignore", invalid="ignore"):
            yield


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The options by their names; `threads` is `None` when the size of the model decides."""

    threads: int | None = None


def load(spec: ModelSpec) -> SentenceBert:
    """Load the folder of an embedder, as `all-MiniLM-L6-v2`.

    Raises ModelNotFound, BackendError, UnknownName and WrongSetting for an option.
    """
    settings = checked(spec, Settings(), needed=lambda _, value: count_needed(value))
    folder = read(spec)
    _refuse_other_models(folder)
    weights = _weights(folder)
    blas = ThreadpoolController().select(user_api="blas")
    digest = sha256(tensors.weight_files(folder.path))[:12]
    return SentenceBert(
        id=f"{spec.name}/{digest}/f32/{folder.pooling}/{folder.longest}",
        folder=folder,
        bert=_bert(folder, weights),
        blas=blas,
        threads=settings.threads or _threads(weights, blas),
    )


def _refuse_other_models(folder: SentenceFolder) -> None:
    config, path = folder.config, folder.path
    if config.get("model_type") != "bert" or config.get("hidden_act", "gelu") != "gelu":
        raise ModelNotFound(f"{path}: is no BERT with gelu; sentence_bert knows no other model")
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ModelNotFound(f"{path}: has positions that are not absolute; sentence_bert knows no others")


def _bert(folder: SentenceFolder, weights: Mapping[str, Array]) -> Bert:
    """Lay out the weights and try them with a text of the greatest length.

    Raises ModelNotFound where the files do not fit together.
    """
    layers, heads = (number(folder.config, name) for name in ("num_hidden_layers", "num_attention_heads"))
    highest = folder.tokenizer.get_vocab_size() - 1
    try:
        norm_eps = float(str(folder.config.get("layer_norm_eps", 1e-12)))
        shape = Shape(layers=layers, heads=heads, norm_eps=norm_eps)
        bert = assembled(weights, shape)
        bert.hidden_states([np.full(folder.longest, highest, np.int64)])
    except (KeyError, IndexError, ValueError) as error:
        raise ModelNotFound(
            f"{folder.path}: weights, config.json and tokenizer.json do not fit together: {error}"
        ) from error
    return bert


def _weights(folder: SentenceFolder) -> Mapping[str, Array]:
    named = tensors.find_tensors(folder.path)
    return {
        name.removeprefix("bert."): tensor.read()
        for name, tensor in named.items()
        if "position_ids" not in name
    }


def _threads(weights: Mapping[str, Array], blas: ThreadpoolController) -> int:
    available = max((int(pool["num_threads"]) for pool in blas.info()), default=1)
    return default_threads(sum(each.size for each in weights.values()), available=available)
