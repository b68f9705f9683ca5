"""A synthetic run whose retrievals differ in what they find and how long they take, to test reports on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gemma_eval.records import (
    NOBODY,
    Case,
    Cell,
    Check,
    Delta,
    Generation,
    Judgement,
    Measurement,
    Message,
    ModelSpec,
    Outcome,
    Packed,
    Passage,
    Prompt,
    Report,
    Retrieval,
    SamplingProfile,
    Score,
    Source,
    Step,
    Template,
    Trace,
    Trial,
)
from tests.report.example import report_of

MS = 1_000_000
WAYS: Mapping[str, Retrieval] = {
    "none": Retrieval(name="none", retriever="none"),
    "bm25": Retrieval(name="bm25"),
    "hybrid": Retrieval(name="hybrid", retriever="hybrid", embedder="minilm"),
    "oracle": Retrieval(name="oracle", retriever="oracle"),
}
FOUND = {"none": (), "bm25": (0, 1, 2, 3), "hybrid": (0, 1, 2, 3, 4, 5, 6), "oracle": tuple(range(10))}
"""Of the cases, by their numbers, those of which a retrieval finds the passage; these are answered right."""
MODEL = ModelSpec(name="pocket", backend="numpy_gemma", location="@pocket")
NOBODY_ASKED = ModelSpec(name=NOBODY, backend=NOBODY, location=NOBODY)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the synthetic run has."""

    templates: tuple[str, ...] = ("rag",)
    profiles: tuple[str, ...] = ("greedy",)
    ways: tuple[str, ...] = tuple(WAYS)
    cases: int = 10
    alone: bool = True
    """Whether cases ask for passages alone, too."""


def retrieved(asked: Asked = Asked()) -> Report:
    """Return the run: answers of each template, profile and retrieval, and passages alone of each."""
    outcomes = [
        answered(number, way, template=template, profile=profile)
        for profile in asked.profiles
        for template in asked.templates
        for way in (asked.ways if template != "plain" else ("none",))
        for number in range(asked.cases)
    ]
    if asked.alone:
        outcomes += [
            alone(number, way) for way in asked.ways if way != "none" for number in range(asked.cases)
        ]
    return report_of(outcomes)


def answered(
    number: int, way: str, *, template: str = "rag", profile: str = "greedy", case_id: str | None = None
) -> Outcome:
    """Return an answer to a case, right where its passage was found."""
    case = a_case(case_id or f"where-{number}", number)
    is_found = number in FOUND[way]
    began = 1_000 * MS
    steps = steps_of(way, began_ns=began, number=number)
    pack = Step(name="pack", began_ns=_end(steps, began), ended_ns=_end(steps, began) + MS)
    render = Step(name="render", began_ns=pack.ended_ns, ended_ns=pack.ended_ns + MS // 2, after=("pack",))
    passages = passages_of(number, way)
    cell = _cell(case, MODEL, WAYS[way], template=template, profile=profile)
    return Outcome(
        trial=Trial(cell=cell, repeat=0, seed=number),
        prompt=Prompt(
            messages=case.messages,
            text=case.query,
            n_tokens=40,
            passages=passages,
            packing=tuple(Packed(passage=each.id, fate="kept", reason="it fits") for each in passages),
            steps=(pack, render),
        ),
        generation=_generation("Oslo" if is_found else "Rome", render.ended_ns),
        measurement=_measurement(number),
        scores=(
            _score("contains", is_found),
            *(() if way == "none" else (replace(_score("context_recall", is_found), weight=0.0),)),
        ),
        trace=None if way == "none" else Trace(steps=steps, found={"rank": [each.id for each in passages]}),  # type: ignore[dict-item]
    )


def alone(number: int, way: str) -> Outcome:
    """Return what a retrieval finds for a case that asks for passages alone."""
    checks = tuple(Check(scorer=name, of_passages=True) for name in ("recall", "mrr"))
    case = replace(a_case(f"find-{number}", number), kind="retrieval", checks=checks)
    case = replace(case, models=(), profiles=(), templates=())
    cell = _cell(case, NOBODY_ASKED, WAYS[way], template=NOBODY, profile=NOBODY)
    passages = passages_of(number, way)
    return Outcome(
        trial=Trial(cell=cell, repeat=0, seed=number),
        prompt=Prompt(messages=(), text=None, n_tokens=None, passages=passages),
        generation=None,
        measurement=None,
        scores=(_score("recall", number in FOUND[way]), _score("mrr", number in FOUND[way])),
        trace=Trace(steps=steps_of(way, began_ns=0, number=number)),
    )


def a_case(case_id: str, number: int) -> Case:
    """Return a question whose passage is known."""
    return Case(
        id=case_id,
        kind="quality",
        messages=(Message(role="user", content=f"Where does number {number} live?"),),
        checks=(
            Check(scorer="contains", options={"text": "Oslo"}),
            Check(scorer="context_recall", weight=0.0, of_passages=True),
        ),
        relevant=(Judgement(passage=f"right-{number}"),),
        models=("pocket",),
        profiles=("greedy", "hot"),
        templates=("plain", "rag"),
        retrievals=tuple(WAYS),
        source=Source(path="rag.toml", line=3 + number),
    )


def steps_of(way: str, *, began_ns: int, number: int) -> tuple[Step, ...]:
    """Return the steps of a retrieval: legs that overlap where there are two, a few ms more for each case."""
    more = number * MS // 10
    if way == "none":
        return ()
    lexical = Step(name="lexical", began_ns=began_ns, ended_ns=began_ns + 2 * MS + more)
    if way != "hybrid":
        rank = Step(
            name="rank", began_ns=lexical.ended_ns, ended_ns=lexical.ended_ns + MS, after=("lexical",)
        )
        return lexical, rank
    embed = Step(name="embed", began_ns=began_ns, ended_ns=began_ns + 6 * MS + more)
    vector = Step(name="vector", began_ns=embed.ended_ns, ended_ns=embed.ended_ns + MS, after=("embed",))
    fuse = Step(
        name="fuse", began_ns=vector.ended_ns, ended_ns=vector.ended_ns + MS, after=("lexical", "vector")
    )
    rank = Step(name="rank", began_ns=fuse.ended_ns, ended_ns=fuse.ended_ns + MS, after=("fuse",))
    return embed, lexical, vector, fuse, rank


def passages_of(number: int, way: str) -> tuple[Passage, ...]:
    """Return what a retrieval finds: the right passage and a wrong one, or two wrong ones."""
    if way == "none":
        return ()
    first = f"right-{number}" if number in FOUND[way] else f"wrong-{number}"
    ids = (first, f"other-{number}")
    return tuple(
        Passage(id=each, text=f"The text of {each}.", document=each, score=1.0 / rank, rank=rank)
        for rank, each in enumerate(ids, 1)
    )


def _cell(case: Case, model: ModelSpec, way: Retrieval, *, template: str, profile: str) -> Cell:
    text = "{{ query }}" if template == "plain" else "{{ rag_context }}\n{{ query }}"
    return Cell(
        suite="rag",
        case=case,
        model=model,
        profile=SamplingProfile(name=profile, temperature=0.0),
        template=Template(name=template, text=text),
        retrieval=way,
        seed=1,
    )


def _generation(text: str, requested_ns: int) -> Generation:
    deltas = [
        Delta(text=text[:2], n_tokens=1, at_ns=requested_ns + 20 * MS),
        Delta(text=text[2:], n_tokens=1, at_ns=requested_ns + 30 * MS),
    ]
    return Generation(
        text=text,
        deltas=tuple(deltas),
        prompt_tokens=40,
        output_tokens=2,
        count_source="engine",
        finish_reason="stop",
        requested_ns=requested_ns,
        ended_ns=requested_ns + 31 * MS,
    )


def _measurement(number: int) -> Measurement:
    return Measurement(
        ttft_s=0.02 + number / 1e4,
        tpot_s=0.01,
        e2e_s=0.031,
        output_tokens_per_s=100.0 + number,
        prompt_tokens_per_s=2000.0,
        max_stall_s=0.01,
        output_tokens=2,
        peak_memory_bytes=200_000_000,
        mean_memory_bytes=190_000_000,
    )


def _score(scorer: str, is_right: bool) -> Score:
    return Score(scorer=scorer, value=float(is_right), passed=None, answer="")


def _end(steps: Sequence[Step], otherwise: int) -> int:
    return max((step.ended_ns for step in steps), default=otherwise)
