"""A synthetic run with realistic spreads, failures and gaps, to test the reports on and to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import pairwise
from random import Random

from gemma_eval.measure.latency import DEFINITIONS_VERSION
from gemma_eval.records import (
    Attempt,
    Case,
    Cell,
    Check,
    Delta,
    Document,
    EngineInfo,
    Failure,
    Generation,
    Host,
    Measurement,
    Message,
    ModelSpec,
    Noise,
    Option,
    Outcome,
    Passage,
    Prompt,
    Report,
    Retrieval,
    Run,
    SamplingProfile,
    Score,
    Skipped,
    Source,
    Template,
    Trial,
)
from gemma_eval.stats.summary import summarise

PLACES = ("Oslo", "Lima", "Turin", "Kyoto", "Accra", "Quito", "Bergen", "Porto", "Dakar", "Hanoi")
NAMES = ("Finn", "Mara", "Tove", "Ivo", "Rosa", "Nils", "Aino", "Luca", "Edda", "Jon")
TEMPLATES = {
    "plain": "{{ query }}",
    "rag": "Use the notes.\n{{ rag_context }}\n\nQuestion: {{ query }}",
    "rag-cited": "Answer from the numbered notes and cite one.\n{{ rag_context }}\n\nQuestion: {{ query }}",
}
PROFILES = (
    SamplingProfile(name="greedy", temperature=0.0),
    SamplingProfile(name="min-p", temperature=0.7, min_p=0.1),
    SamplingProfile(name="hot", temperature=1.6),
)
RIGHT = {  # chance of a right answer by template, then by profile
    "plain": {"greedy": 0.35, "min-p": 0.35, "hot": 0.2},
    "rag": {"greedy": 0.97, "min-p": 0.9, "hot": 0.6},
    "rag-cited": {"greedy": 0.95, "min-p": 0.85, "hot": 0.5},
}
PROMPT_TOKENS = {"plain": 18, "rag": 118, "rag-cited": 146}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How large the synthetic run is."""

    models: tuple[str, ...] = ("pocket",)
    cases: int = 20
    repeats: int = 1
    tokens: int = 24
    unfinished: int = 2


def example(shape: Shape = Shape(), *, seed: int = 7) -> Report:
    """Return a run of `shape` with a few failures, unscored answers and values that were not measured."""
    random = Random(seed)  # noqa: S311 - a synthetic run, no secret
    outcomes = tuple(
        _outcome(_cell(model, profile, template, number, shape.repeats), repeat, random, shape.tokens)
        for model in shape.models
        for number in range(shape.cases)
        for profile in PROFILES
        for template in TEMPLATES
        for repeat in range(shape.repeats)
    )
    return report_of(outcomes, unfinished=shape.unfinished)


def report_of(outcomes: Sequence[Outcome], *, unfinished: int = 0) -> Report:
    """Return a report over any outcomes, with `unfinished` planned trials that have none."""
    models = sorted({outcome.trial.cell.model.name for outcome in outcomes})
    run = Run(
        id="20261120T181500-3f4a58d",
        started_utc="2026-11-20T18:15:00Z",
        state="interrupted" if unfinished else "done",
        suites=("standard",),
        planned=len(outcomes) + unfinished,
        definitions_version=DEFINITIONS_VERSION,
        host=Host(
            cpu="Example CPU at 2.4 GHz",
            logical_cores=2,
            memory_bytes=8 * 10**9,
            os="Linux 6.8",
            python="3.11.9",
            versions={"gemma_eval": "0.1.0", "numpy": "2.2.1", "tokenizers": "0.21.0"},
        ),
        engines={model: _engine(model) for model in models},
        arguments=("pytest", "--gemma-suite", "standard"),
        commit="3f4a58d0c1e2b3a4958677665544332211009988",
    )
    return Report(run=run, outcomes=tuple(outcomes), summaries=summarise(outcomes))


def with_text(report: Report, *texts: str) -> Report:
    """Return the report with the texts wherever outside text can reach: all in the run, one per outcome."""
    outcomes = tuple(
        _tainted(outcome, texts[index % len(texts)]) for index, outcome in enumerate(report.outcomes)
    )
    text = " ".join(texts)
    run = replace(
        report.run,
        id=f"run {text}",
        suites=(f"suite {text}",),
        arguments=(f"argument {text}",),
        host=replace(
            report.run.host,
            cpu=f"cpu {text}",
            versions={f"package {text}": f"version {text}"},
            details={f"setting {text}": f"state {text}"},
        ),
        engines={f"model {text}": _tainted_engine(text)},
        skipped=(
            Skipped(model=f"model {text}", profile=f"profile {text}", reason=f"reason {text}", cells=2),
        ),
        noise=Noise(reasons=(f"noise {text}",)),
    )
    return Report(run=run, outcomes=outcomes, summaries=summarise(outcomes))


def _tainted_engine(text: str) -> EngineInfo:
    return replace(
        _engine("pocket"),
        engine=f"engine {text}",
        tokenizer_sha256=f"tokenizer {text}",
        chat_template_sha256=f"chat template {text}",
        quantisation=f"quantisation {text}",
        details={"key": text},
    )


def _engine(model: str) -> EngineInfo:
    return EngineInfo(
        engine="numpy_gemma",
        version="0.1.0",
        model_sha256=sha256(model.encode()).hexdigest(),
        parameters=1_310_720,
        context_tokens=512,
        threads=1,
        details={"dtype": "float32"},
    )


def _cell(model: str, profile: SamplingProfile, template: str, number: int, repeats: int) -> Cell:
    name, place = NAMES[number % len(NAMES)], PLACES[(number * 3) % len(PLACES)]
    facts = tuple(
        f"{NAMES[(number + step) % len(NAMES)]} lives in {PLACES[((number + step) * 3) % len(PLACES)]}."
        for step in range(4)
    )
    case = Case(
        id=f"where-{name.lower()}-{number:03d}",
        kind="benchmark" if number % 2 else "quality",
        messages=(Message(role="user", content=f"Where does {name} live?"),),
        checks=(
            Check(scorer="contains", options={"expected": place}, pass_at=1.0 if number % 4 == 0 else None),
            Check(scorer="token_f1", options={"expected": place}),
        ),
        documents=(Document(name="people.txt", text="\n".join(facts)),),
        tags=("context", "place") if number % 2 else ("context",),
        repeats=repeats,
        models=(model,),
        profiles=tuple(each.name for each in PROFILES),
        templates=tuple(TEMPLATES),
        source=Source(path="suites/standard.toml", line=14 + 9 * number),
    )
    return Cell(
        suite="standard",
        case=case,
        model=ModelSpec(name=model, backend="numpy_gemma", location="@pocket"),
        profile=profile,
        template=Template(name=template, text=TEMPLATES[template]),
        retrieval=Retrieval(),
        seed=11,
    )


def _outcome(cell: Cell, repeat: int, random: Random, tokens: int) -> Outcome:
    trial = Trial(cell=cell, repeat=repeat, seed=random.randrange(2**31))
    prompt = _prompt(cell)
    fate = random.random()
    if fate < 0.012:
        message = "the prompt has 530 tokens, the context of the model holds 512; shorten the prompt"
        return Outcome(
            trial=trial, prompt=prompt, generation=None, measurement=None,
            failure=Failure(kind="context_overflow", message=message),
        )  # fmt: skip
    if fate < 0.02:
        failure = Failure(kind="timeout", message="no token for 30 s; the limit is timeout_s = 30")
        return Outcome(trial=trial, prompt=None, generation=None, measurement=None, failure=failure)
    right = random.random() < RIGHT[cell.template.name][cell.profile.name]
    place = str(cell.case.checks[0].options["expected"])
    generation = _generation(cell, place if right else random.choice(PLACES), random, tokens)
    return Outcome(
        trial=trial,
        prompt=prompt,
        generation=generation,
        measurement=_measurement(generation, random),
        scores=_scores(cell.case, generation.text, place, random),
    )


def _prompt(cell: Cell) -> Prompt:
    lines = cell.case.documents[0].text.split("\n")
    passages = tuple(
        Passage(id=f"people.txt#{rank}", text=line, document="people.txt", score=5.2 / rank, rank=rank)
        for rank, line in enumerate(lines, start=1)
    )
    used = () if cell.template.name == "plain" else passages
    context = "\n".join(f"- {passage.text}" for passage in used[:3])
    content = cell.template.text.replace("{{ rag_context }}", context)
    content = content.replace("{{ query }}", cell.case.query)
    return Prompt(
        messages=(Message(role="user", content=content),),
        text=f"<bos><start_of_turn>user\n{content}<end_of_turn>\n<start_of_turn>model\n",
        n_tokens=PROMPT_TOKENS[cell.template.name],
        passages=used[:3],
        dropped=used[3:],
    )


def _generation(cell: Cell, place: str, random: Random, tokens: int) -> Generation:
    name = cell.case.query.split()[2]
    words = f"{name} lives in {place}.".split(" ")
    if cell.profile.name == "hot" and random.random() < 0.5:
        words += ["The", "harbour", "was", "quiet", "and", "the", "lamps", "were", "lit."]
    extra = max(0, min(tokens, random.randrange(3, 2 * tokens)) - len(words))
    words += [random.choice(("and", "then", "home", "again", "by", "night")) for _ in range(extra)]
    speed = 1.25 if cell.profile.name == "hot" else 1.0
    now = 1_000_000_000
    at = now + int(1e6 * PROMPT_TOKENS[cell.template.name] * 0.11 * math.exp(random.gauss(0, 0.16)) + 2.5e6)
    deltas = []
    for place_in_text, word in enumerate(words):
        deltas.append(Delta(text=word if place_in_text == 0 else f" {word}", n_tokens=1, at_ns=at))
        stall = 9.0 if random.random() < 0.01 else 1.0
        at += int(1.15e6 * speed * stall * math.exp(random.gauss(0, 0.18)))
    effective: dict[str, Option] = {"temperature": cell.profile.temperature, "min_p": cell.profile.min_p}
    return Generation(
        text="".join(delta.text for delta in deltas),
        deltas=tuple(deltas),
        prompt_tokens=PROMPT_TOKENS[cell.template.name],
        cached_tokens=0,
        output_tokens=len(words),
        count_source="engine",
        finish_reason="length" if len(words) >= tokens else "stop",
        requested_ns=now,
        ended_ns=deltas[-1].at_ns + 60_000,
        effective=effective,
        engine_timings={"prefill_s": 0.0101},
    )


def _measurement(generation: Generation, random: Random) -> Measurement:
    stamps = [delta.at_ns for delta in generation.deltas]
    tpot = (stamps[-1] - stamps[0]) / 1e9 / (len(stamps) - 1)
    unknown_memory = random.random() < 0.05
    return Measurement(
        ttft_s=(stamps[0] - generation.requested_ns) / 1e9,
        tpot_s=tpot,
        e2e_s=(stamps[-1] - generation.requested_ns) / 1e9,
        output_tokens_per_s=1 / tpot,
        prompt_tokens_per_s=None,
        max_stall_s=max(after - before for before, after in pairwise(stamps)) / 1e9,
        output_tokens=len(stamps),
        peak_memory_bytes=None if unknown_memory else int(184e6 + random.random() * 4e6),
        mean_memory_bytes=None if unknown_memory else 180_000_000,
        missing={"prompt_tokens_per_s": "not_reported"}
        | ({"peak_memory_bytes": "no_reading"} if unknown_memory else {}),
    )


def _scores(case: Case, text: str, place: str, random: Random) -> tuple[Score, ...]:
    hit = 1.0 if place in text else 0.0
    demand = case.checks[0].pass_at
    contains = Score(
        scorer="contains",
        value=hit,
        passed=None if demand is None else hit >= demand,
        answer=text[:40],
        explanation=f'"{place}" is {"" if hit else "not "}in the answer',
    )
    if random.random() < 0.01:
        return (
            contains,
            Score(scorer="token_f1", value=None, passed=None, unscored="the reference is empty"),
        )
    return (contains, Score(scorer="token_f1", value=hit, passed=None, answer=text[:40]))


def _tainted(outcome: Outcome, text: str) -> Outcome:
    """Put `text` into the names, the case, the prompt, the answer, the scores or the error of an outcome."""
    case = replace(
        outcome.trial.cell.case,
        id=f"case {text}",
        tags=(f"tag {text}",),
        messages=(Message(role="user", content=f"query {text}"),),
    )
    cell = replace(
        outcome.trial.cell,
        case=case,
        suite=f"suite {text}",
        model=replace(outcome.trial.cell.model, name=f"model {text}"),
        profile=replace(outcome.trial.cell.profile, name=f"profile {text}"),
        template=replace(outcome.trial.cell.template, name=f"template {text}"),
    )
    trial = replace(outcome.trial, cell=cell)
    failure = Failure(kind=f"kind {text}", message=f"message {text}")
    if outcome.generation is None or outcome.prompt is None:
        return replace(outcome, trial=trial, generation=None, failure=failure)
    passage = Passage(id=f"id {text}", text=f"passage {text}", document=f"document {text}", score=1.0, rank=1)
    return replace(
        outcome,
        trial=trial,
        prompt=replace(outcome.prompt, text=f"prompt {text}", passages=(passage,), dropped=(passage,)),
        generation=replace(
            outcome.generation,
            text=text,
            deltas=(Delta(text=text, n_tokens=1, at_ns=outcome.generation.requested_ns),),
            reasoning=f"thought {text}",
            tool_calls=f"call {text}",
            attempts=(Attempt(kind=f"kind {text}", message=f"message {text}", requested_ns=0, ended_ns=1),),
            effective={f"option {text}": f"value {text}"},
            engine_timings={f"timing {text}": 1.0},
        ),
        failure=None if outcome.failure is None else failure,
        scores=tuple(
            replace(score, scorer=f"scorer {text}", answer=f"answer {text}", explanation=f"because {text}")
            for score in outcome.scores
        ),
    )
