"""What a model is given to know: how passages are found, those that are, and what was done to find them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Overflow = Literal["error", "truncate"]
MemoryTier = Literal["working", "short_term", "long_term", "episodic", "semantic"]
"""How long a passage is kept and how many of its kind there may be; the rules are in `memory.tiers`."""
Fusion = Literal["rrf", "convex"]
Order = Literal["best_first", "best_last", "edges", "chronological"]
"""How passages stand in a prompt; *edges* puts the best ones first and last."""
LongPassage = Literal["drop", "cut"]
"""What becomes of a passage that does not fit the budget: it is left out, or cut at the end of a sentence."""
Fate = Literal["kept", "cut", "dropped"]
StepName = Literal[
    "retrieve", "embed", "lexical", "vector", "fuse", "rank", "rerank", "diversify",
    "pack", "render", "generate",
]  # fmt: skip
"""*retrieve* is all that an oracle or the retriever of a plugin does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A passage as it is kept, before it is ranked.

    `id` follows from its document's name and its text unless its source gave one. Times are seconds since
    1970 (UTC): `at_s` when it was said or learned, `accessed_s` when it was last given to a model,
    `expires_s` when it is forgotten. `importance` lies in 0..1, `accesses` counts how often it was given.
    """

    id: str
    text: str
    document: str
    tier: MemoryTier = "semantic"
    at_s: float | None = None
    accessed_s: float | None = None
    expires_s: float | None = None
    importance: float = 0.5
    accesses: int = 0
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A piece of a document that retrieval returned; `rank` counts from 1, higher `score` is better."""

    id: str
    text: str
    document: str
    score: float
    rank: int
    at_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A passage that one search found, by its id; higher `score` is better."""

    id: str
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Among:
    """Which passages a search may find: any of these tiers, tags and documents, none of them older.

    Those whose `expires_s` lies before `now_s` are left out. What is empty or `None` excludes nothing.
    """

    tiers: tuple[MemoryTier, ...] = ()
    tags: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    since_s: float | None = None
    now_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Retrieval:
    """How passages are found, ranked and fitted into a prompt; `name` is that of the axis, "" without one.

    `retriever` is *bm25*, *vector*, *hybrid* (both, fused), *oracle* (what the case says is relevant),
    *none*, or one of a plugin. They search the documents of the case, or the store at `memory`. Each leg
    gives `candidates`, none below `min_bm25` or `min_cosine`; the fused ones are ranked by relevance, recency
    and importance, the best `rerank_candidates` by the `reranker`, of which `rerank_weight` is the share
    of the final score, and with `diversity` (λ of MMR) and `near_duplicate` (a cosine) the like of a better
    one is passed over. `embedder` and `reranker_model` name models. `top_k` passages remain, of which the
    prompt holds as many as `budget_tokens` allow.

    `overflow` says what happens to a prompt that the model's context cannot hold: an error, or passages
    and then earlier turns are left out, the least important first. With *oracle*, `distractors` are the best
    passages that are not relevant, and `gold_at` the place of the relevant ones among them, 0 first, 1 last.
    """

    name: str = ""
    retriever: str = "bm25"
    top_k: int = 4
    budget_tokens: int = 256
    overflow: Overflow = "error"
    memory: str | None = None
    embedder: str | None = None
    candidates: int = 50
    fusion: Fusion = "rrf"
    rrf_k: int = 60
    alpha: float = 0.7
    """The weight of the vector leg in a convex fusion; the lexical one has the rest."""
    min_bm25: float | None = None
    min_cosine: float | None = None
    relevance_weight: float = 1.0
    recency_weight: float = 0.0
    importance_weight: float = 0.0
    half_life_h: float = 138.3
    reranker: str | None = None
    reranker_model: str | None = None
    rerank_candidates: int = 20
    rerank_weight: float = 1.0
    diversity: float | None = None
    near_duplicate: float | None = None
    order: Order = "best_first"
    long_passage: LongPassage = "drop"
    tiers: tuple[MemoryTier, ...] = ()
    tags: tuple[str, ...] = ()
    max_age_h: float | None = None
    distractors: int = 0
    gold_at: float | None = None

    @property
    def searches(self) -> bool:
        """Whether passages are looked for by words or vectors, and not known or found by a plugin."""
        return self.retriever in ("bm25", "vector", "hybrid")

    @property
    def compares_vectors(self) -> bool:
        """Whether vectors of passages are looked at, in a search or to pass over the like."""
        by_likeness = self.diversity is not None or self.near_duplicate is not None
        asks = self.retriever in ("vector", "hybrid") or by_likeness
        return self.searches and self.embedder is not None and asks

    @property
    def asked_embedder(self) -> str | None:
        """The embedder, where anything here asks it; what named retrievals begin with may be for others."""
        asks = self.compares_vectors or (self.searches and self.reranker is not None)
        return self.embedder if asks else None

    @property
    def asked_reranker(self) -> str | None:
        """The reranker, where there is a search whose passages it can order."""
        return self.reranker if self.searches else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step on the way to an answer, in nanoseconds of the clock of the deltas.

    `after` are the steps whose end it had to wait for; legs that ran beside each other share theirs.
    """

    name: StepName
    began_ns: int
    ended_ns: int
    after: tuple[StepName, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """What became of a passage when the prompt was made, and why; `n_tokens` are those it takes there."""

    passage: str
    fate: Fate
    reason: str
    n_tokens: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """What was done to find passages.

    `found` are the ids that remained after each step, best first (`{"lexical": …, "vector": …, "rank": …}`).
    `relevant` has the ids of all that the searches found which a judgement of the case fits, by its name or
    text: those that a later step left out too, of which nothing else is kept.
    `degraded` says why something that was asked for was left out, as a store that could not be reached.
    """

    steps: tuple[Step, ...] = ()
    found: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    relevant: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    degraded: str | None = None

    @property
    def is_unreached(self) -> bool:
        """Whether what was to be searched was not there, which says nothing of how it is searched."""
        return self.degraded is not None and not self.found


@dataclass(frozen=True, kw_only=True, slots=True)
class Retrieved:
    """The passages that were found, best first, and how."""

    passages: tuple[Passage, ...] = ()
    trace: Trace | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryStats:
    """What a store of passages holds, by tier; `vectors` counts those of each embedder's id."""

    passages: Mapping[str, int]
    expired: int
    vectors: Mapping[str, int]
    size_bytes: int | None
