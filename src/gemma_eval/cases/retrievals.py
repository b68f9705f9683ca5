"""Read how passages are found: `[retrieval]`, the named ones, and what cases say of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from gemma_eval.cases.problems import Problems
from gemma_eval.cases.schema import CaseRow
from gemma_eval.cases.schema_retrieval import CachingRow, JudgementRow, RetrievalRow
from gemma_eval.files import locate, rows
from gemma_eval.records import Caching, CaseKind, Judgement, Retrieval

KINDS = ("bm25", "vector", "hybrid", "oracle", "none")
"""The retrievers that are no plugin's."""
UNDECLARED = ("none", "bm25", "oracle")
"""The retrievals that need no table, for all they say is their name."""

SHARED = ("redis", "rediss")
"""The schemes of servers that a cache is shared through."""

_NEEDS_MODEL = ("onnx", "llama_cpp")
_OF_SOME: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("distractors", "gold_at"): ("oracle",),
    ("fusion", "rrf_k", "alpha"): ("hybrid",),
    ("memory", "tiers", "tags", "max_age_h"): ("bm25", "vector", "hybrid", "oracle"),
    ("min_bm25",): ("bm25", "hybrid"),
    ("reranker", "diversity", "near_duplicate"): ("bm25", "vector", "hybrid"),
    ("recency_weight", "importance_weight"): ("bm25", "vector", "hybrid"),
}
"""Keys that change nothing with other retrievers than these."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """The names that retrieval may use: retrievers, models that make vectors, all models, and rerankers."""

    retrievers: Collection[str] = frozenset({"bm25"})
    models: Collection[str] = frozenset()
    embedders: Collection[str] = frozenset()
    rerankers: Collection[str] = frozenset()


def read(
    base: RetrievalRow, named: Mapping[str, RetrievalRow], *, known: Known, problems: Problems
) -> tuple[Retrieval, Mapping[str, Retrieval]]:
    """Return the retrieval of cases that name none, and the named ones; each of these begins as the first."""
    _check(("retrieval",), base, _made(base), known, problems)
    given, kinds = base.model_dump(exclude_none=True), {*KINDS, *known.retrievers}
    found = {
        name: replace(_made(base), name=name, retriever=name)
        for name in (*UNDECLARED, *known.retrievers)
        if name not in named
    }
    for name, row in named.items():
        own = row.model_dump(exclude_none=True)
        whole = RetrievalRow.model_validate(
            {**given, **({"retriever": name} if name in kinds else {}), **own}
        )
        made = replace(_made(whole), name=name)
        if flaw := rows.name_flaw(name):
            problems.say(("retrievals", name), f"the name of the retrieval {flaw}")
        _check(("retrievals", name), row, made, known, problems)
        found[name] = made
    return _made(base), found


def relevant(
    at: locate.Path, given: str | Sequence[str | JudgementRow], problems: Problems
) -> tuple[Judgement, ...]:
    """Return which passages bear on a question, and note what is no judgement or is there twice."""
    found: dict[tuple[str | None, str | None], Judgement] = {}
    for index, each in enumerate([given] if isinstance(given, str) else given):
        row = each if isinstance(each, JudgementRow) else JudgementRow(passage=each)
        place, key = (*at, "relevant", index), f"relevant[{index}]"
        if (row.passage is None) == (row.text is None):
            what = "both passage and text" if row.passage else "neither passage nor text"
            problems.say(place, f"{key} has {what}; give one of them")
        elif (row.passage, row.text) in found:
            problems.say(place, f"{key} has {rows.show(row.passage or row.text)} a second time")
        grade = 1 if row.grade is None else row.grade
        found[row.passage, row.text] = Judgement(passage=row.passage, text=row.text, grade=grade)
    return tuple(found.values())


def caching(at: locate.Path, row: CachingRow | None, known: Known, problems: Problems) -> Caching | None:
    """Return the cache of a case, and note what it lacks."""
    if row is None:
        return None
    if row.mode is None:
        if (*at, "cache", "mode") not in problems.flawed:
            problems.say((*at, "cache"), 'cache needs a mode, as {mode = "exact"}')
        return None
    if row.mode != "exact" and row.embedder is None:
        what = f'cache.mode = "{row.mode}" compares vectors, and needs an embedder, as embedder = "minilm"'
        problems.say((*at, "cache"), what)
    _check_embedder((*at, "cache", "embedder"), row.embedder, known, problems)
    if row.location is not None and row.location.partition("://")[0] not in SHARED:
        what = f"cache.location is {rows.show(row.location)}; entries are shared through a Redis server"
        problems.say((*at, "cache", "location"), f"{what}, as redis://host:6379/0, or not at all")
    return Caching(**row.model_dump(exclude_none=True))


def without_cache(row: CaseRow, kind: CaseKind, *, is_loaded: bool) -> str | None:
    """Return why a case can have no cache, `None` where it can."""
    if kind == "retrieval":
        return "a case that asks for passages alone has no answer to keep"
    if row.continuation is not None or row.choices is not None:
        return "what a model reads is not kept, only what it writes"
    if kind == "benchmark" and is_loaded:
        return "a load measures what an engine serves, and a cache would answer for it"
    return None


def _made(row: RetrievalRow) -> Retrieval:
    scalars = row.model_dump(exclude={"tiers", "tags"}, exclude_none=True)
    return Retrieval(**scalars, tiers=tuple(row.tiers or ()), tags=tuple(row.tags or ()))


def _check(at: locate.Path, row: RetrievalRow, made: Retrieval, known: Known, problems: Problems) -> None:
    """Note what does not go together, at the key of the row where it has one."""
    for key, what in _misfits(row, made, known, is_base=at == ("retrieval",)):
        problems.say((*at, key) if getattr(row, key) is not None else at, what)
    _check_embedder((*at, "embedder"), row.embedder, known, problems)
    if made.asked_reranker is not None:
        _check_reranker(at, row, made, known, problems)


def _misfits(row: RetrievalRow, made: Retrieval, known: Known, *, is_base: bool) -> Iterator[tuple[str, str]]:
    """Yield the key and what is wrong with it; what named retrievals begin with may be for some of them."""
    kinds = {*KINDS, *known.retrievers}
    if made.retriever not in kinds:
        yield "retriever", rows.unknown("retriever", made.retriever, kinds)
    if made.retriever in ("vector", "hybrid") and made.embedder is None:
        yield "retriever", f'retriever = "{made.retriever}" needs an embedder, as embedder = "minilm"'
    if not is_base:
        yield from _of_others(row, made, kinds)


def _of_others(row: RetrievalRow, made: Retrieval, kinds: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the keys of a named retrieval that change nothing with its retriever, and why."""
    if made.name in kinds and made.retriever != made.name:
        what = f'"{made.name}" is the name of a retriever, and this one is "{made.retriever}"'
        yield "retriever", f"{what}; give it another name"
    for keys, retrievers in _OF_SOME.items():
        for key in (each for each in keys if getattr(row, each) is not None):
            if made.retriever not in retrievers:
                of = " or ".join(f'"{each}"' for each in retrievers)
                yield key, f'{key} is for retriever = {of}, and this one is "{made.retriever}"'
    if row.min_cosine is not None and made.embedder is None:
        yield "min_cosine", "min_cosine needs an embedder; of words alone the floor is min_bm25"


def _check_reranker(
    at: locate.Path, row: RetrievalRow, made: Retrieval, known: Known, problems: Problems
) -> None:
    place = (*at, "reranker") if row.reranker is not None else at
    name = str(made.reranker)
    if name not in known.rerankers:
        problems.say(place, rows.unknown("reranker", name, known.rerankers))
    elif name == "maxsim" and made.embedder is None:
        problems.say(place, 'reranker = "maxsim" compares vectors of tokens, and needs an embedder')
    elif name in _NEEDS_MODEL and made.reranker_model is None:
        problems.say(place, f'reranker = "{name}" needs a reranker_model, a model of models.toml')
    if made.reranker_model is not None and made.reranker_model not in known.models:
        place = (*at, "reranker_model") if row.reranker_model is not None else at
        problems.say(place, rows.unknown("model", made.reranker_model, known.models))


def _check_embedder(at: locate.Path, name: str | None, known: Known, problems: Problems) -> None:
    if name is None or name in known.embedders:
        return
    if name in known.models:
        makers = f"; {', '.join(sorted(known.embedders))} do" if known.embedders else ""
        problems.say(at, f'the model "{name}" makes no vectors{makers}')
    else:
        problems.say(at, rows.unknown("model", name, known.models))


_NO_FIELD = {each.name for each in fields(Retrieval)} ^ {*RetrievalRow.model_fields, "name"}
if _NO_FIELD:
    raise TypeError(f"RetrievalRow and Retrieval differ in {_NO_FIELD}")
