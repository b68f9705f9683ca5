"""A folder of sentence-transformers with a `model.onnx` as an embedder.

    [model.minilm-onnx]
    backend = "onnx_bert"
    location = "models/all-MiniLM-L6-v2-onnx"

Its id has the hash of the graph, so that what a quantised one makes is never mixed with other vectors. The
option `threads` sets the threads of onnxruntime, by default one below 50 million parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemma_eval.backends.onnx_bert.session import Session, open_session
from gemma_eval.backends.sentence_folder import SentenceFolder, own_places, read, unit
from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma.tensors import Array
from gemma_eval.records import ModelSpec


@dataclass(frozen=True, kw_only=True, eq=False)
class OnnxBert:
    """Makes vectors of texts; `id` names all that decides them, so that no two kinds are ever mixed."""

    id: str
    folder: SentenceFolder
    session: Session
    width: int

    def embed(self, texts: Sequence[str]) -> Array:
        """Return one vector of length 1 for each text, [N, H] float32. Raises BackendError."""
        states = self.session.run([self.folder.encode(text) for text in texts])
        rows = [self.folder.pooled(state) for state in states]
        return np.stack(rows) if rows else np.zeros((0, self.width), np.float32)

    def embed_tokens(self, texts: Sequence[str]) -> tuple[Array, ...]:
        """Return for each text the vectors of its T tokens, each of length 1, [T, H] float32.

        Those that the model wants around a text are left out. Raises BackendError.
        """
        encodings = [self.folder.encode(text) for text in texts]
        made = zip(self.session.run(encodings), encodings, strict=True)
        return tuple(unit(states[own_places(encoding)]) for states, encoding in made)


def load(spec: ModelSpec) -> OnnxBert:
    """Load the folder and try it with a long text. Raises ModelNotFound, MissingDependency, BackendError."""
    folder = read(spec)
    session = open_session(folder.path, spec)
    states = session.tried(folder.encode("a text " * folder.longest))
    if states.ndim != 2:
        raise ModelNotFound(
            f"{session.path}: its first output is not [texts, tokens, width], as the last hidden states are"
        )
    return OnnxBert(
        id=f"{spec.name}/{session.digest[:12]}/onnx/{folder.pooling}/{folder.longest}",
        folder=folder,
        session=session,
        width=states.shape[1],
    )
