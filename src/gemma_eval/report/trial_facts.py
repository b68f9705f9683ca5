"""What was asked of one trial, what became of it and what it cost, as facts with the reason of every gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from gemma_eval.records import Attempt, Cached, Generation, Measurement, Outcome
from gemma_eval.report import numbers
from gemma_eval.report.benchmarks import BASES
from gemma_eval.report.facts import Fact, facts, option
from gemma_eval.report.visible import visible
from gemma_eval.stats.critical_path import before_answer, span_s

PHASES = {"warmup": ", warm-up", "measured": "", "cooldown": ", cool-down"}
"""What is said of a request that a load begins or ends with."""

Write = Callable[[float | None], str]


def trial_facts(outcome: Outcome) -> tuple[Fact, ...]:
    """Return the facts of a trial in words."""
    return facts((visible(name), visible(value)) for name, value in _pairs(outcome))


def _pairs(outcome: Outcome) -> Iterator[tuple[str, str]]:
    trial, generation = outcome.trial, outcome.generation
    case = trial.cell.case
    yield "seed", str(trial.seed)
    yield "repeat", f"{trial.repeat + 1} of {case.repeats}, {case.kind}{PHASES[outcome.phase]}"
    if outcome.cached is not None:
        yield "cache", _cached(outcome.cached)
    if outcome.trial.cell.retrieval.name:
        yield from _retrieved(outcome)
    if generation is not None:
        yield from _generated(generation)
    if outcome.measurement is not None:
        yield from _measured(outcome.measurement)
    if generation is not None and generation.effective:
        effective = sorted(generation.effective.items())
        yield "sampling", ", ".join(f"{name} = {option(value)}" for name, value in effective)
    if case.tags:
        yield "tags", ", ".join(case.tags)
    yield "declared at", f"{case.source.path}:{case.source.line}"


def _cached(cached: Cached) -> str:
    """Say how the cache answered: with the question it knew, or why it did not."""
    if not cached.is_hit:
        return "miss" if cached.reason is None else f"miss ({cached.reason})"
    near = "" if cached.similarity is None or cached.use == "exact" else f", cosine {cached.similarity:.3f}"
    return f"{cached.use} hit{near}: {cached.query}"


def _retrieved(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield how passages were found, and how long each step took; steps may have run beside each other."""
    steps = before_answer(outcome)
    took = numbers.seconds(span_s(steps))
    yield "retrieval", f"{outcome.trial.cell.retrieval.name}, {took} to the prompt" if steps else "none"
    if steps:
        each = (f"{step.name} {numbers.seconds((step.ended_ns - step.began_ns) / 1e9)}" for step in steps)
        yield "its steps", ", ".join(each)
    if outcome.trace is not None and outcome.trace.degraded:
        yield "went without", outcome.trace.degraded


def _generated(generation: Generation) -> Iterator[tuple[str, str]]:
    cached = f" ({generation.cached_tokens} cached)" if generation.cached_tokens else ""
    thought = generation.reasoning_tokens
    reasoned = f" ({numbers.count(thought)} of them reasoning)" if thought else ""
    read, written = numbers.count(generation.prompt_tokens), numbers.count(generation.output_tokens)
    yield "finish reason", generation.finish_reason
    yield "tokens", f"{read} read{cached}, {written} written{reasoned}, counted by {generation.count_source}"
    yield from _attempts(generation.attempts)
    if generation.engine_timings:
        timings = sorted(generation.engine_timings.items())
        yield "the engine says", ", ".join(f"{name} = {numbers.number(value)}" for name, value in timings)


def _attempts(attempts: Sequence[Attempt]) -> Iterator[tuple[str, str]]:
    """Yield the requests that failed before this one; the times of a trial with any do not count."""
    for number, attempt in enumerate(attempts, start=1):
        asked_ns = attempt.requested_ns
        took = "" if asked_ns is None else f" after {numbers.seconds((attempt.ended_ns - asked_ns) / 1e9)}"
        yield f"attempt {number}", f"{attempt.kind}{took}: {attempt.message}"


def _measured(measured: Measurement) -> Iterator[tuple[str, str]]:
    """Yield what every answer should have, a dash with its reason where it has not, and what tells more."""
    for label, field, write in _ALWAYS:
        yield label, _with_note(write(getattr(measured, field)), _note(measured, field))
    for label, field, write, usual in _WHERE_TELLING:
        value = getattr(measured, field)
        if value is not None and value != usual(measured):
            yield label, _with_note(write(value), _note(measured, field))


def _with_note(value: str, note: str) -> str:
    return f"{value} ({note})" if note else value


def _note(measured: Measurement, field: str) -> str:
    """Return why a value is missing, or what it is made of where that is worth a word."""
    if field in measured.missing:
        return measured.missing[field]
    if field == "prompt_tokens_per_s" and measured.prompt_basis is not None:
        return BASES[measured.prompt_basis]
    if field == "peak_memory_bytes":
        parts = ((measured.peak_anonymous_bytes, "anonymous"), (measured.peak_file_bytes, "of files"))
        return ", ".join(f"{numbers.bytes_(value)} {word}" for value, word in parts if value is not None)
    if field == "energy_j":
        return measured.energy_source or ""
    return ""


def _count(value: float | None) -> str:
    return numbers.MISSING if value is None else numbers.count(round(value))


def _nothing(_: Measurement) -> None:
    return None


def _joules(value: float | None) -> str:
    return numbers.MISSING if value is None else f"{numbers.number(value)} J"


_ALWAYS: tuple[tuple[str, str, Write], ...] = (
    ("TTFT", "ttft_s", numbers.seconds),
    ("TPOT", "tpot_s", numbers.seconds),
    ("output tokens/s", "output_tokens_per_s", numbers.known),
    ("prompt tokens/s", "prompt_tokens_per_s", numbers.known),
    ("end to end", "e2e_s", numbers.seconds),
    ("longest stall", "max_stall_s", numbers.seconds),
    ("peak memory", "peak_memory_bytes", numbers.bytes_),
)

_WHERE_TELLING: tuple[tuple[str, str, Write, Callable[[Measurement], float | None]], ...] = (
    ("TTFT from schedule", "ttft_sched_s", numbers.seconds, _nothing),
    ("end to end from schedule", "e2e_sched_s", numbers.seconds, _nothing),
    ("queue delay", "queue_delay_s", numbers.seconds, _nothing),
    ("first output token", "ttfo_s", numbers.seconds, lambda measured: measured.ttft_s),
    ("first chunk", "time_to_first_chunk_s", numbers.seconds, lambda measured: measured.ttft_s),
    ("tokens per chunk", "tokens_per_chunk", numbers.known, lambda _: 1.0),
    ("accepted per step", "accept_length", numbers.known, _nothing),
    ("counted here minus by the engine", "token_count_mismatch", _count, lambda _: 0.0),
    ("CPU per token", "cpu_s_per_output_token", numbers.seconds, _nothing),
    ("involuntary switches", "involuntary_switches", _count, lambda _: 0.0),
    ("peak GPU memory", "gpu_peak_memory_bytes", numbers.bytes_, _nothing),
    ("energy", "energy_j", _joules, _nothing),
)
"""What is told where it is known and not as usual: the first chunk of most answers is their first token."""
