"""Vectors from any server that speaks OpenAI's protocol, at `/v1/embeddings`: llama-server, vLLM, Ollama.

    [model.served-minilm]
    backend = "openai_embeddings"
    location = "http://127.0.0.1:8080/v1"
    options = { model = "all-minilm" }

`batch` is how many texts a request has. The other options are those of `openai_http` that are about the
connection.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gemma_eval.backends.openai_http.asking import Asking, Json, connect, placed, sendable
from gemma_eval.backends.openai_http.server import Server
from gemma_eval.backends.sentence_folder import unit
from gemma_eval.errors import BackendError, ServerError, WrongSetting
from gemma_eval.files.rows import show
from gemma_eval.gemma.tensors import Array
from gemma_eval.records import ModelSpec

PATH = "/embeddings"
USUAL_BATCH = 32
MOST_BATCH = 2048
"""More texts in one request OpenAI refuses."""

_UNLIKE = ("The baker sells bread in the morning.", "A comet is made of ice and dust.")
_SAME = 0.99
_ALIKE = 0.99999


@dataclass(frozen=True, kw_only=True)
class Load:
    """Connects to a server. `environment` holds the keys, `sleep` waits before another attempt."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, spec: ModelSpec) -> ServedEmbedder:
        """Ask the server what it is, and try it with two texts.

        Raises UnknownName, WrongSetting, and BackendError: it cannot be reached, gives vectors that are none,
        the same one to texts that are unlike, or another one where a text has another place.
        """
        batch = spec.options.get("batch", USUAL_BATCH)
        if not isinstance(batch, int) or isinstance(batch, bool) or not 1 <= batch <= MOST_BATCH:
            what = f"batch = {show(batch)}; a whole number from 1 to {MOST_BATCH} is needed"
            raise WrongSetting(spec.name, "options", "batch", what=what)
        asking = connect(spec, environment=self.environment, own=("batch",), sleep=self.sleep)
        dimensions = _tried(asking)
        return ServedEmbedder(
            id=f"{spec.name}/{asking.model}/{_dtype(asking.server)}/{dimensions}",
            asking=asking,
            dimensions=dimensions,
            batch=batch,
        )


load = Load()


@dataclass(frozen=True, kw_only=True, eq=False)
class ServedEmbedder:
    """Has a server make vectors; its `id` names the server's model as far as that tells, and their length.

    What the server does not tell is its pooling, and whether its weights are those of yesterday.
    """

    id: str
    asking: Asking
    dimensions: int
    batch: int

    def embed(self, texts: Sequence[str]) -> Array:
        """Return one vector of length 1 for each text, [N, D] float32. Raises BackendError."""
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        parts = [texts[at : at + self.batch] for at in range(0, len(texts), self.batch)]
        return np.concatenate([self._part(part) for part in parts])

    def _part(self, texts: Sequence[str]) -> Array:
        made = _asked(self.asking, texts)
        if made.shape[1] != self.dimensions:
            what = f"vectors of {made.shape[1]} numbers came, and of {self.dimensions} before"
            raise ServerError(f"{self.asking.where}{PATH}: {what}")
        return made


def _dtype(server: Server) -> str:
    """Return how the weights are stored, without what llama-server puts before it."""
    return re.sub(r"^(\(guessed\) )?((all|mostly) )?", "", server.quantisation or "") or "unknown"


def _tried(asking: Asking) -> int:
    """Return the length of the server's vectors. Raises BackendError for a server that mixes texts up."""
    one, other = _UNLIKE
    there, back = _asked(asking, (one, other)), _asked(asking, (other, one))
    where = f"{asking.where}{PATH}"
    if there[0] @ there[1] > _ALIKE:
        raise BackendError(f"{where}: texts that are unlike get the same vector; is it an embedding model?")
    if min(there[0] @ back[1], there[1] @ back[0]) < _SAME:
        raise BackendError(f"{where}: a text gets another vector where it has another place in the request")
    return int(there.shape[1])


def _asked(asking: Asking, texts: Sequence[str]) -> Array:
    """Return the vectors [N, D] that one request gets, at length 1. Raises BackendError."""
    told = asking.post(PATH, {"input": sendable(texts), "encoding_format": "float"})
    where = f"{asking.where}{PATH}"
    vectors = [_vector(row, where) for row in placed(told.get("data"), len(texts), where=where)]
    if len({len(vector) for vector in vectors}) != 1:
        raise ServerError(f"{where}: vectors of several lengths came")
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
            return unit(np.array(vectors, np.float32))
    except (BackendError, OverflowError) as error:  # of whole numbers that no float holds
        raise ServerError(f"{where}: {error}") from error


def _vector(row: Json, where: str) -> Sequence[float]:
    values = row.get("embedding")
    if not isinstance(values, list) or not values:
        raise ServerError(f"{where}: a row has no list of numbers as its embedding")
    if isinstance(values[0], list):
        raise ServerError(
            f"{where}: a vector for each token came; the server must pool them (--pooling mean)"
        )
    if not all(isinstance(value, int | float) for value in values):
        raise ServerError(f"{where}: a vector holds what is no number, as {show(_odd(values))}")
    return values


def _odd(values: Sequence[object]) -> object:
    return next(value for value in values if not isinstance(value, int | float))
