"""A made-up run of benchmarks: cells of two models, two loads, a noisy machine, skips, and broken answers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from random import Random
from typing import Literal

from gemma_eval.measure.events import icl_s, itl_s
from gemma_eval.measure.latency import DEFINITIONS_VERSION, measure
from gemma_eval.records import (
    Attempt,
    Case,
    Cell,
    Delta,
    EngineInfo,
    Failure,
    Generation,
    Harness,
    Host,
    Load,
    Message,
    ModelSpec,
    Noise,
    Outcome,
    Phase,
    Prompt,
    Report,
    Resources,
    Retrieval,
    Run,
    SamplingProfile,
    Skipped,
    Slo,
    Source,
    Template,
    Trial,
)
from gemma_eval.stats.summary import summarise

MS = 1_000_000
CASES = {  # prompt tokens and output tokens by case
    "read-128": (128, 16),
    "read-512": (512, 16),
    "read-2048": (2048, 16),
    "write-128": (16, 128),
    "write-128-after-2048": (2048, 128),
    "chat-of-a-rather-long-name": (256, 64),
}
SPEEDS = {"small": (4000.0, 160.0), "large": (900.0, 42.0)}  # prompt and output tokens per second
CLOSED = Load(concurrency=4, warmup=2)
OPEN = Load(rate_per_s=6.0, max_in_flight=4, warmup=2, cooldown=2)
WORDS = ("The", " harbour", " was", " quiet", " and", " lit")
PROMISES = {
    "four-at-once": Slo(limits={"ttft_s": 0.14}),
    "six-a-second": Slo(limits={"ttft_sched_s": 1.0, "tpot_s": 0.05}, may_miss=("tpot_s",)),
}
NOISE = Noise(
    cpu_pressure=0.342,
    memory_pressure=0.0,
    io_pressure=0.012,
    steal=0.081,
    throttled=None,
    load_before=1.7,
    others_cpu=0.46,
    involuntary_switches_per_s=210.0,
    reasons=("some task waited for a processor 34.2 % of the time", "others used 46 % of the processors"),
)
HARNESS = Harness(
    us_per_token=2.13,
    ms_per_request=0.31,
    http_cpu_us_per_token=41.0,
    http_ttft_error_ms=0.052,
    http_itl_error_ms=0.004,
    http_tpot_error_ms=0.001,
    arm="busy",
)
SKIPPED = (
    Skipped(model="large", profile="mirostat", reason='the backend "gemma_cpp" has no mirostat', cells=6),
    Skipped(
        model="large",
        profile="greedy",
        reason='the backend "gemma_cpp" answers one request at a time',
        cells=2,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What the made-up run has."""

    models: tuple[str, ...] = ("small", "large")
    repeats: int = 10
    loads: bool = True
    noisy: bool = True
    trouble: bool = True


def timed_run(shape: Timed = Timed(), *, seed: int = 5) -> Report:
    """Return the run; equal shapes and seeds give equal runs."""
    random = Random(seed)  # noqa: S311 - a synthetic run, no secret
    outcomes: list[Outcome] = []
    for model in shape.models:
        for name in CASES:
            outcomes += _alone(cell_of(name, model=model, repeats=shape.repeats), random)
    if shape.trouble:
        outcomes += _troubled(outcomes)
    if shape.loads:
        outcomes += under_load(cell_of("four-at-once", model="small", repeats=40, load=CLOSED), random)
        outcomes += under_load(cell_of("six-a-second", model="small", repeats=60, load=OPEN), random)
    return timed_report(outcomes, noisy=shape.noisy)


def timed_report(outcomes: list[Outcome], *, noisy: bool = False) -> Report:
    """Return a report over any outcomes as a run makes it, with gaps, conditions and skips."""
    models = sorted({outcome.trial.cell.model.name for outcome in outcomes})
    run = Run(
        id="20261201T101500-77aa10c",
        started_utc="2026-12-01T10:15:00Z",
        state="done",
        suites=("performance",),
        planned=len(outcomes),
        definitions_version=DEFINITIONS_VERSION,
        host=Host(
            cpu="Example CPU at 2.4 GHz",
            logical_cores=2,
            memory_bytes=8 * 10**9,
            os="Linux 6.8",
            python="3.11.9",
            versions={"gemma_eval": "0.1.0", "xllamacpp": "2026.10"},
            details={"governor": "powersave", "cgroup cpu.max": "150000 100000"},
        ),
        engines={model: _engine(model) for model in models},
        arguments=("pytest", "--gemma-suite", "performance"),
        commit="77aa10c0c1e2b3a4958677665544332211009988",
        skipped=SKIPPED,
        noise=NOISE if noisy else replace(NOISE, reasons=()),
        harness=HARNESS,
    )
    summaries = summarise(outcomes, gaps={"icl_s": icl_s, "itl_s": itl_s})
    return Report(run=run, outcomes=tuple(outcomes), summaries=summaries)


def cell_of(
    case_id: str,
    *,
    model: str = "small",
    repeats: int = 10,
    load: Load | None = None,
    profile: str = "greedy",
) -> Cell:
    """Return a cell of a benchmark case."""
    case = Case(
        id=case_id,
        kind="benchmark",
        messages=(Message(role="user", content="Tell of the harbour."),),
        repeats=repeats,
        load=load,
        slo=PROMISES.get(case_id),
        models=(model,),
        profiles=(profile,),
        templates=("plain",),
        source=Source(path="suites/performance.toml", line=12),
    )
    return Cell(
        suite="performance",
        case=case,
        model=ModelSpec(name=model, backend="llama_cpp", location=f"{model}.gguf"),
        profile=SamplingProfile(name=profile, temperature=0.0),
        template=Template(name="plain", text="{{ query }}"),
        retrieval=Retrieval(),
        seed=11,
    )


def answer(
    *arrivals_ms: float,
    sent_ms: float = 0.0,
    scheduled_ms: float | None = None,
    prompt_tokens: int = 128,
    cached_tokens: int | None = 0,
) -> Generation:
    """Return an answer of one token at each of the times after it was sent."""
    deltas = tuple(
        Delta(text=WORDS[index % len(WORDS)], n_tokens=1, at_ns=round((sent_ms + at) * MS))
        for index, at in enumerate(arrivals_ms)
    )
    end_ns = deltas[-1].at_ns if deltas else round(sent_ms * MS)
    return Generation(
        text="".join(delta.text for delta in deltas),
        deltas=deltas,
        prompt_tokens=prompt_tokens,
        cached_tokens=cached_tokens,
        output_tokens=len(deltas),
        count_source="engine",
        finish_reason="length",
        scheduled_ns=None if scheduled_ms is None else round(scheduled_ms * MS),
        dequeued_ns=None if scheduled_ms is None else round(sent_ms * MS),
        requested_ns=round(sent_ms * MS),
        ended_ns=end_ns + 60_000,
    )


def outcome_of(
    cell: Cell,
    generation: Generation | None,
    *,
    repeat: int = 0,
    phase: Phase = "measured",
    resources: Resources | None = None,
    failure: Failure | None = None,
) -> Outcome:
    """Return an outcome that is measured as a run measures it."""
    measured = None
    if generation is not None:
        took: Resources | Literal["shared"] | None = resources if cell.case.load is None else "shared"
        measured = measure(generation, resources=took, phase=phase)
    return Outcome(
        trial=Trial(cell=cell, repeat=repeat, seed=100 + repeat),
        prompt=Prompt(
            messages=(Message(role="user", content=cell.case.query),),
            text="<bos>Tell of the harbour.",
            n_tokens=128,
        ),
        generation=generation,
        measurement=measured,
        failure=failure,
        phase=phase,
    )


def resources_of(model: str, *, cpu_s: float) -> Resources:
    """Return what a mapped model takes: most of it are pages of its file."""
    weights = 290_000_000 if model == "small" else 1_100_000_000
    return Resources(
        peak_memory_bytes=weights + 61_000_000,
        mean_memory_bytes=weights + 58_000_000,
        peak_anonymous_bytes=61_000_000,
        peak_file_bytes=weights,
        cpu_s=cpu_s,
        involuntary_switches=3,
    )


def _alone(cell: Cell, random: Random) -> Iterator[Outcome]:
    n_in, n_out = CASES[cell.case.id]
    reads, writes = SPEEDS[cell.model.name]
    for repeat in range(cell.case.repeats):
        at = 1000 * n_in / reads * math.exp(random.gauss(0, 0.05)) + 3
        arrivals = []
        for _ in range(n_out - (repeat % 3 if cell.case.id.startswith("chat") else 0)):
            arrivals.append(at)
            at += 1000 / writes * (1 + n_in / 9000) * math.exp(random.gauss(0, 0.08))
        cached = 40 if cell.case.id == "read-2048" and cell.model.name == "large" and repeat else 0
        generation = answer(*arrivals, prompt_tokens=n_in, cached_tokens=cached)
        timings = {"prompt_ms": 0.97 * arrivals[0]} if cell.model.name == "small" else {}
        used = resources_of(cell.model.name, cpu_s=at / 1000 * 1.9)
        yield outcome_of(cell, replace(generation, engine_timings=timings), repeat=repeat, resources=used)


def _troubled(outcomes: list[Outcome]) -> list[Outcome]:
    """Return trials that broke off, were retried, thought aloud or called a tool."""
    cell = cell_of("what-may-happen", repeats=4)
    whole = answer(30, 40, 50, 60)
    timeout = Failure(
        kind="timeout", message="the answer took longer than total_s = 0.2; a larger one would wait"
    )
    broken = replace(whole, finish_reason="timeout", ended_ns=200 * MS)
    attempt = Attempt(
        kind="server_error", message="503 Service Unavailable", requested_ns=0, ended_ns=12 * MS
    )
    thought = Delta(text="The user wants a tale.", n_tokens=2, at_ns=35 * MS, channel="reasoning")
    call = Delta(text='{"name": "weather"}', n_tokens=2, at_ns=70 * MS, channel="tool_call")
    thinking = replace(
        whole,
        deltas=(whole.deltas[0], thought, *whole.deltas[1:], call),
        reasoning=thought.text,
        tool_calls=call.text,
        reasoning_tokens=2,
        output_tokens=8,
        ended_ns=71 * MS,
        finish_reason="tool_calls",
    )
    silent = replace(answer(), output_tokens=0, finish_reason="stop")
    return [
        outcome_of(cell, broken, repeat=0, failure=timeout),
        outcome_of(cell, replace(whole, attempts=(attempt,)), repeat=1),
        outcome_of(cell, thinking, repeat=2),
        outcome_of(cell, silent, repeat=3),
    ]


def under_load(cell: Cell, random: Random) -> Iterator[Outcome]:
    """Yield the requests of a load to a server with four places; every 20th breaks off, one runs too long."""
    load, free_ms, due_ms = cell.case.load, [0.0] * 4, 100.0
    assert load is not None
    for repeat in range(cell.case.repeats):
        if load.rate_per_s is not None:
            due_ms += random.expovariate(load.rate_per_s) * 1000
        place = free_ms.index(min(free_ms))
        sent_ms = max(free_ms[place], due_ms)
        arrivals = [120 * math.exp(random.gauss(0, 0.2))]
        for _ in range(23):
            arrivals.append(arrivals[-1] + 26 * math.exp(random.gauss(0, 0.1)))
        scheduled_ms = None if load.rate_per_s is None else due_ms
        made = answer(*arrivals, sent_ms=sent_ms, scheduled_ms=scheduled_ms, cached_tokens=0)
        phase: Phase = "warmup" if repeat < load.warmup else "measured"
        if repeat >= cell.case.repeats - load.cooldown:
            phase = "cooldown"
        outcome = _fated(cell, made, repeat, phase)
        assert outcome.generation is not None
        free_ms[place] = outcome.generation.ended_ns / MS
        yield outcome


def _fated(cell: Cell, made: Generation, repeat: int, phase: Phase) -> Outcome:
    if repeat % 20 == 13:
        failure = Failure(kind="server_error", message="500 Internal Server Error")
        return outcome_of(
            cell, replace(made, finish_reason="error"), repeat=repeat, phase=phase, failure=failure
        )
    if repeat % 40 == 17:
        failure = Failure(kind="timeout", message="no token for 2 s")
        silent = replace(
            made,
            text="",
            deltas=(),
            output_tokens=0,
            finish_reason="timeout",
            ended_ns=made.requested_ns + 2000 * MS,
        )
        return outcome_of(cell, silent, repeat=repeat, phase=phase, failure=failure)
    return outcome_of(cell, made, repeat=repeat, phase=phase)


def _engine(model: str) -> EngineInfo:
    return EngineInfo(
        engine="llama.cpp",
        version="b9999",
        model_sha256=sha256(model.encode()).hexdigest(),
        tokenizer_sha256=sha256(b"tokenizer").hexdigest(),
        chat_template_sha256=sha256(b"template").hexdigest(),
        quantisation="Q8_0",
        parameters=268_098_176,
        context_tokens=4096,
        threads=2,
        load_s=1.234,
        cold_ttft_s=0.412,
        details={"flash_attn": "auto"},
    )
