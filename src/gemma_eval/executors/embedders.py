"""The embedders in use: each loaded when first a text is to be embedded, and a vector made once a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from gemma_eval.errors import GemmaEvalError
from gemma_eval.plugins import Registry
from gemma_eval.protocols import Embedder
from gemma_eval.records import ModelSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

MOST_VECTORS = 4096
"""How many vectors are kept: references are asked for again with every answer."""


@dataclass(kw_only=True)
class Embedders:
    """Embeds texts with the embedder of a model spec."""

    registry: Registry
    _lock: Lock = field(default_factory=Lock, init=False)
    _loaded: list[tuple[ModelSpec, Embedder | GemmaEvalError]] = field(default_factory=list, init=False)
    _known: dict[tuple[str, str], Vector] = field(default_factory=dict, init=False)

    def embed(self, spec: ModelSpec, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of `texts`, [N, D]. Raises UnknownName, BackendError."""
        import numpy as np

        embedder = self.embedder(spec)
        new = [text for text in dict.fromkeys(texts) if (embedder.id, text) not in self._known]
        if len(self._known) + len(new) > MOST_VECTORS:
            self._known.clear()
            new = list(dict.fromkeys(texts))
        made = zip(new, embedder.embed(new), strict=True) if new else ()
        self._known |= {(embedder.id, text): vector for text, vector in made}
        return np.stack([self._known[embedder.id, text] for text in texts])

    def embedder(self, spec: ModelSpec) -> Embedder:
        """Return the embedder of a model spec, loaded once, whichever thread asks first.

        One that could not be loaded is not tried again: it raises the same error. Raises UnknownName,
        BackendError.
        """
        with self._lock:
            made = next((made for known, made in self._loaded if known == spec), None)
            if made is None:
                made = self._load(spec)
                self._loaded.append((spec, made))
        if isinstance(made, GemmaEvalError):
            raise made.with_traceback(None)  # without what it gathered each time before
        return made

    def _load(self, spec: ModelSpec) -> Embedder | GemmaEvalError:
        try:
            return self.registry.embedders.find(spec.backend)(spec)
        except GemmaEvalError as error:
            return error
