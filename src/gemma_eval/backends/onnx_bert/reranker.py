"""A cross-encoder with a `model.onnx`: it reads query and passage as one text, and says how well they fit.

The model of the reranker is one of models.toml whose location is the folder:

    [model.ms-marco]
    backend = "onnx_bert"
    location = "models/ms-marco-MiniLM-L6-v2"
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import tokenizers

from gemma_eval.backends.onnx_bert.session import Session, open_session
from gemma_eval.backends.sentence_folder import LONGEST, folder_of, number, read_tokenizer, readable
from gemma_eval.errors import BackendError, ModelNotFound, UsageError
from gemma_eval.gemma.folder import read_json
from gemma_eval.gemma.tensors import Array
from gemma_eval.protocols import RerankerParts


@dataclass(frozen=True, kw_only=True, eq=False)
class CrossEncoder:
    """Scores passages with a graph that gives one logit, or one against and one for."""

    tokenizer: tokenizers.Tokenizer
    session: Session

    def score(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """Return the logit of each text, for minus against where there are two. Raises BackendError."""
        asked = readable(query)
        encodings = [self.tokenizer.encode(asked, readable(text)) for text in texts]
        return tuple(_logit(row) for row in self.session.run(encodings))


def load(parts: RerankerParts) -> CrossEncoder:
    """Load the folder of the model and try it with a long passage.

    Raises UsageError without a model, ModelNotFound, MissingDependency, BackendError.
    """
    if parts.model is None:
        raise UsageError("the reranker onnx needs a reranker_model: one of models.toml with the folder of it")
    folder = folder_of(parts.model)
    longest = min(LONGEST, number(read_json(folder / "config.json"), "max_position_embeddings", LONGEST))
    tokenizer = read_tokenizer(folder / "tokenizer.json")
    tokenizer.enable_truncation(longest)
    session = open_session(folder, parts.model)
    made = CrossEncoder(tokenizer=tokenizer, session=session)
    row = session.tried(tokenizer.encode("a question", "a passage " * longest))
    if row.shape not in ((1,), (2,)):
        raise ModelNotFound(
            f"{session.path}: its first output is not [texts, 1] or [texts, 2], as that of a cross-encoder"
        )
    return made


def _logit(row: Array) -> float:
    value = float(row[-1] - row[0]) if len(row) == 2 else float(row[0])
    if not math.isfinite(value):
        raise BackendError("a score is not finite (weights or arithmetic are broken)")
    return value
