"""Search by words and by vectors, beside each other where that is worth a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from gemma_eval.errors import BackendError, StoreError, UnknownName, UsageError
from gemma_eval.memory.fuse import fuse
from gemma_eval.memory.steps import Tracing
from gemma_eval.protocols import PassageSource
from gemma_eval.records import Among, Hit, Retrieval, StepName

if TYPE_CHECKING:
    from gemma_eval.protocols.scorers import Embeddings

Embed = Callable[[Sequence[str]], "Embeddings"]
"""Makes one vector of length 1 for each text, [N, D] float32. Raises BackendError."""

_Hits = tuple[Hit, ...]
_Made = _Hits | StoreError | BackendError
"""What a leg found, or why it found nothing."""
_LEGS: Mapping[str, tuple[StepName, ...]] = {
    "bm25": ("lexical",),
    "vector": ("vector",),
    "hybrid": ("lexical", "vector"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Legs:
    """Where the legs of a search run, and what they may find; `embedder_id` names what `embed` is of."""

    source: PassageSource
    retrieval: Retrieval
    among: Among
    tracing: Tracing
    embed: Embed | None = None
    embedder_id: str | None = None

    def search(self, query: str) -> tuple[_Hits, tuple[StepName, ...]]:
        """Return what the legs of the retrieval found, fused, and the steps that this had to wait for.

        Where one of two legs fails, what the other one found is returned and the trace says why. Raises
        StoreError and BackendError where no leg is left, UsageError where vectors are searched without an
        embedder.
        """
        names = self._names()
        if len(names) == 1 or getattr(self.source, "is_quick", False):
            made = [self._attempt(name, query, after=names[:at]) for at, name in enumerate(names)]
        else:
            made = _in_parallel(*(partial(self._attempt, name, query) for name in names))
        failed = {name: each for name, each in zip(names, made, strict=True) if isinstance(each, Exception)}
        if len(failed) == len(names):
            raise failed[names[0]]
        self.tracing.degraded.extend(f"{name}: {error}" for name, error in failed.items())
        found = [each for each in made if not isinstance(each, Exception)]
        if len(found) == 1:
            return found[0], names
        with self.tracing.step("fuse", after=names):
            fused = fuse(*found, retrieval=self.retrieval)
        self.tracing.found("fuse", [hit.id for hit in fused])
        return fused, ("fuse",)

    def lexical(self, query: str, *, after: Sequence[StepName] = ()) -> _Hits:
        """Return what shares words with `query`. Raises StoreError."""
        with self.tracing.step("lexical", after=after):
            hits = self.source.lexical(query, k=self._k, among=self.among)
        return self._above("lexical", hits, self.retrieval.min_bm25)

    def vector(self, query: str, *, after: Sequence[StepName] = ()) -> _Hits:
        """Return what lies near `query`. Raises StoreError, BackendError, UsageError without an embedder."""
        if self.embed is None or self.embedder_id is None:
            raise UsageError(
                f'the retriever "{self.retrieval.retriever}" searches by vectors and needs an embedder, as '
                'embedder = "minilm" in its table'
            )
        with self.tracing.step("embed", after=after):
            asked = self.embed((query,))[0]
        with self.tracing.step("vector", after=("embed",)):
            hits = self.source.nearest(asked, k=self._k, embedder=self.embedder_id, among=self.among)
        return self._above("vector", hits, self.retrieval.min_cosine)

    @property
    def _k(self) -> int:
        return max(self.retrieval.candidates, self.retrieval.top_k)

    def _names(self) -> tuple[StepName, ...]:
        retriever = self.retrieval.retriever
        if retriever not in _LEGS:
            raise UnknownName("retriever", retriever, (*_LEGS, "oracle", "none"))
        return _LEGS[retriever]

    def _above(self, name: StepName, hits: _Hits, floor: float | None) -> _Hits:
        """Leave out what lies below a floor, before any scaling makes the best of a bad lot look good."""
        kept = hits if floor is None else tuple(hit for hit in hits if hit.score >= floor)
        self.tracing.found(name, [hit.id for hit in kept])
        return kept

    def _attempt(self, name: StepName, query: str, *, after: Sequence[StepName] = ()) -> _Made:
        try:
            return (self.lexical if name == "lexical" else self.vector)(query, after=after)
        except (StoreError, BackendError) as error:
            return error


def _in_parallel(first: Callable[[], _Made], second: Callable[[], _Made]) -> list[_Made]:
    """Run the first in a thread beside the second, which is the longer one where it embeds a text."""
    made: list[_Made] = []
    broken: list[BaseException] = []

    def run() -> None:
        try:
            made.append(first())
        except BaseException as error:  # noqa: BLE001 - raised again where somebody waits for it
            broken.append(error)

    thread = Thread(target=run, name="lexical", daemon=True)
    thread.start()
    try:
        other = second()
    finally:
        thread.join()
    if broken:
        raise broken[0]
    return [*made, other]
