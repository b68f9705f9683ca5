"""What a suite file may say of retrieval: how passages are found, which are relevant, and the cache."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, FiniteFloat, Tag

from gemma_eval.files.rows import ALTERNATIVE, Name, Row, Share, Text
from gemma_eval.records import CacheMode, Fusion, LongPassage, MemoryTier, Order, Overflow

Count = Annotated[int, Field(ge=1, le=1000)]
Budget = Annotated[int, Field(ge=0, le=1_000_000)]
Weight = Annotated[FiniteFloat, Field(ge=0, le=1000)]
Cosine = Annotated[FiniteFloat, Field(ge=-1, le=1)]
Hours = Annotated[FiniteFloat, Field(gt=0, le=1_000_000)]
Grade = Annotated[int, Field(ge=0, le=1000)]


def _without_password(location: str) -> str:
    """Return a location that holds no password: what a suite says is kept with its results."""
    if re.match(r"[a-z][a-z0-9+.-]*://[^/?#]*:[^/?#]*@", location, re.IGNORECASE):
        raise ValueError(
            "holds a password; name the variable that holds it, as in redis://host?password_env=NAME"
        )
    return location


Memory = Annotated[Text, AfterValidator(_without_password)]


class RetrievalRow(Row):
    """`[retrieval]`, and `[retrievals.NAME]`."""

    retriever: Name | None = None
    top_k: Count | None = None
    budget_tokens: Budget | None = None
    overflow: Overflow | None = None
    memory: Memory | None = None
    embedder: Name | None = None
    candidates: Count | None = None
    fusion: Fusion | None = None
    rrf_k: Annotated[int, Field(ge=0, le=10_000)] | None = None
    alpha: Share | None = None
    min_bm25: Annotated[FiniteFloat, Field(ge=0)] | None = None
    min_cosine: Cosine | None = None
    relevance_weight: Weight | None = None
    recency_weight: Weight | None = None
    importance_weight: Weight | None = None
    half_life_h: Hours | None = None
    reranker: Name | None = None
    reranker_model: Name | None = None
    rerank_candidates: Count | None = None
    rerank_weight: Share | None = None
    diversity: Share | None = None
    near_duplicate: Cosine | None = None
    order: Order | None = None
    long_passage: LongPassage | None = None
    tiers: list[MemoryTier] | None = None
    tags: list[Text] | None = None
    max_age_h: Hours | None = None
    distractors: Annotated[int, Field(ge=0, le=1000)] | None = None
    gold_at: Share | None = None


class JudgementRow(Row):
    """`{passage = "id", grade = 2}`, or `{text = "…"}` for whatever passage says so."""

    passage: Text | None = None
    text: Text | None = None
    grade: Grade | None = None


_ID, _TABLE = f'{ALTERNATIVE}an id in quotes, or {{text = "…"}}', f"{ALTERNATIVE}an id in quotes, or a table"
Relevant = Annotated[
    Annotated[Text, Tag(_ID)] | Annotated[JudgementRow, Tag(_TABLE)],
    Discriminator(lambda value: _TABLE if isinstance(value, dict | JudgementRow) else _ID),
]
_ONE, _SEVERAL = f"{ALTERNATIVE}an id in quotes", f'{ALTERNATIVE}a list, as ["id", {{text = "…"}}]'
Judgements = Annotated[
    Annotated[Text, Tag(_ONE)] | Annotated[list[Relevant], Tag(_SEVERAL)],
    Discriminator(lambda value: _ONE if isinstance(value, str) else _SEVERAL),
]
"""What is relevant: one id, which the row of a dataset may make a list, or several."""


class CachingRow(Row):
    """`cache = {mode = "strict", embedder = "minilm"}`."""

    mode: CacheMode | None = None
    embedder: Name | None = None
    min_cosine: Cosine | None = None
    ttl_s: Annotated[FiniteFloat, Field(gt=0, le=31_536_000)] | None = None
    max_entries: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    location: Memory | None = None
