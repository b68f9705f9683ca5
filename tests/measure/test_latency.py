"""Every time and rate is exact: a known stream, an oracle of fractions over any, and planted errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.measure.events import Making, icl_s, itl_s
from gemma_eval.measure.latency import Unwatched, measure
from gemma_eval.records import Generation, Measurement, Phase, Resources
from tests.measure.event_rows import MS, SENT, STREAM, WATCHED, generation, generations

Number = float | Fraction | None
Watched = Resources | Unwatched | None

# --- the known stream --------------------------------------------------------------------------------

RESOURCES = Resources(
    peak_memory_bytes=2000,
    mean_memory_bytes=1500,
    peak_pss_bytes=1800,
    peak_anonymous_bytes=1200,
    peak_file_bytes=800,
    cpu_s=0.8,
    involuntary_switches=3,
    gpu_peak_memory_bytes=4000,
    energy_j=12.5,
    energy_source="nvml",
)
WHOLE_ROW = replace(
    STREAM,
    cached_tokens=20,
    client_tokens=9,
    scheduled_ns=SENT - 30 * MS,
    connected_ns=SENT - 2 * MS,
    headers_ns=SENT + 4 * MS,
    usage_ns=SENT + 466 * MS,
    engine_timings={"prompt_ms": 200.0, "output_tokens_per_s": 31.8, "accept_length": 1.6},
)
"""The stream with every count that an event row can have, and each stamp but that of a load's requests."""


def ms(numerator: int, denominator: int = 1) -> float:
    """Return milliseconds as seconds, rounded once."""
    return float(Fraction(numerator, 1000 * denominator))


ANSWERS: Mapping[str, float | str] = {
    "ttft_s": ms(245),
    "ttft_sched_s": ms(275),
    "ttfo_s": ms(245),
    "time_to_first_chunk_s": ms(5),
    "queue_delay_s": ms(30),
    "tpot_s": ms(220, 7),
    "ntpot_s": ms(465, 8),
    "e2e_s": ms(465),
    "e2e_sched_s": ms(495),
    "operation_duration_s": ms(476),
    "output_tokens_per_s": float(Fraction(7000, 220)),
    "prompt_tokens_per_s": 400.0,
    "prompt_basis": "engine",
    "engine_output_tokens_per_s": 31.8,
    "tokens_per_chunk": 1.6,
    "accept_length": 1.6,
    "itl_basis": "token",
    "max_stall_s": ms(120),
    "output_tokens": 8,
    "token_count_mismatch": 1,
    "peak_memory_bytes": 2000,
    "mean_memory_bytes": 1500,
    "peak_pss_bytes": 1800,
    "peak_anonymous_bytes": 1200,
    "peak_file_bytes": 800,
    "cpu_s": 0.8,
    "cpu_s_per_output_token": 0.1,
    "involuntary_switches": 3,
    "gpu_peak_memory_bytes": 4000,
    "energy_j": 12.5,
    "energy_source": "nvml",
}


def test_the_known_stream_has_its_known_answers() -> None:
    """All that a measurement holds, to the last bit; nothing is missing."""
    found = measure(WHOLE_ROW, resources=RESOURCES)
    told = {field.name: getattr(found, field.name) for field in fields(Measurement)}
    assert told == {**ANSWERS, "missing": {}}


def test_the_gaps_of_the_known_stream_are_known() -> None:
    """40, 40, 120 and 20 ms between deltas; each token of a delta has its share."""
    assert icl_s(STREAM) == (ms(40), ms(40), ms(120), ms(20))
    assert itl_s(STREAM) == (ms(40), ms(40, 3), ms(40, 3), ms(40, 3), ms(120), ms(10), ms(10))


class VirtualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_ns = SENT

    def __call__(self) -> int:
        """Return the nanoseconds."""
        return self.now_ns


def streamed_on(clock: VirtualClock) -> Generation:
    """Stamp the known stream as a backend does: each piece with what the clock says when it comes."""
    sent, deltas = clock(), []
    for delta in STREAM.deltas:
        clock.now_ns = delta.at_ns
        deltas.append(replace(delta, at_ns=clock()))
    clock.now_ns = STREAM.ended_ns
    return replace(STREAM, requested_ns=sent, deltas=tuple(deltas), ended_ns=clock())


def test_a_virtual_clock_gives_the_known_stream_its_answers_to_the_nanosecond() -> None:
    """And a clock that is read a nanosecond late gives others."""
    assert measure(streamed_on(VirtualClock())) == measure(STREAM)
    late = VirtualClock()
    late.now_ns += 1
    assert measure(streamed_on(late)).ttft_s != measure(STREAM).ttft_s


# --- any stream --------------------------------------------------------------------------------------

TIMES = (
    *("ttft_s", "ttft_sched_s", "ttfo_s", "time_to_first_chunk_s", "queue_delay_s", "tpot_s", "ntpot_s"),
    *("e2e_s", "e2e_sched_s", "operation_duration_s", "output_tokens_per_s", "prompt_tokens_per_s"),
    *("engine_output_tokens_per_s", "tokens_per_chunk", "accept_length", "max_stall_s"),
)
BEFORE_A_LIMIT = ("queue_delay_s", "time_to_first_chunk_s", "ttft_s", "ttft_sched_s", "ttfo_s")


def exact(g: Generation, watched: Watched, phase: Phase) -> dict[str, Number]:
    """Return all times, rates and counts as fractions: the definitions of docs/metrics.md, once more."""
    bearing = [d for d in g.deltas if g.streamed and (d.text if d.n_tokens is None else d.n_tokens)]
    at, told, n = [d.at_ns for d in bearing], [d.n_tokens for d in bearing], g.output_tokens
    output = [d.at_ns for d in bearing if d.channel == "output"]
    least = sum(1 if count is None else count for count in told)
    silent = any(d.n_tokens is None and d.text == "" for d in g.deltas)
    if n is not None and told:
        if n < max(1, sum(count or 0 for count in told)):
            n = None
        elif None not in told or (
            n == least + 1 and g.finish_reason in ("stop", "tool_calls") and not silent
        ):
            n = least
    first = (1 if told[0] is None and n == least else told[0]) if told else None
    after = n - first if n and first and len(at) > 1 and n > first else None
    whole = not g.streamed and bool(g.output_tokens or g.text or g.reasoning or g.tool_calls)
    last = at[-1] if at else g.ended_ns if whole else None
    said = {name: Fraction(value) for name, value in g.engine_timings.items()}
    reading = said["prompt_ms"] / 1000 if "prompt_ms" in said else seconds(at[:1], g.requested_ns)
    read = None if g.prompt_tokens is None or g.cached_tokens is None else g.prompt_tokens - g.cached_tokens
    tpot = None if after is None else Fraction(at[-1] - at[0], after * 10**9)
    found: dict[str, Number] = {
        "ttft_s": seconds(at[:1], g.requested_ns),
        "ttft_sched_s": seconds(at[:1], g.scheduled_ns),
        "ttfo_s": seconds(output[:1], g.requested_ns),
        "time_to_first_chunk_s": seconds([d.at_ns for d in g.deltas[:1] if g.streamed], g.requested_ns),
        "queue_delay_s": seconds([g.requested_ns], g.scheduled_ns),
        "tpot_s": tpot,
        "ntpot_s": None if last is None or not n else Fraction(last - g.requested_ns, n * 10**9),
        "e2e_s": seconds([last], g.requested_ns),
        "e2e_sched_s": seconds([last], g.scheduled_ns),
        "operation_duration_s": seconds([g.ended_ns], g.requested_ns),
        "output_tokens_per_s": 1 / tpot if tpot else None,
        "prompt_tokens_per_s": read / reading if read and read > 0 and reading else None,
        "engine_output_tokens_per_s": said.get("output_tokens_per_s"),
        "tokens_per_chunk": Fraction(n, len(at)) if n and at else None,
        "accept_length": said.get("accept_length"),
        "max_stall_s": Fraction(max(b - a for a, b in pairwise(at)), 10**9) if len(at) > 1 else None,
    }
    if g.finish_reason == "error" or g.attempts or phase != "measured" or g.batch_size > 1:
        found = dict.fromkeys(found)
    elif g.finish_reason == "timeout":
        found = {name: value if name in BEFORE_A_LIMIT else None for name, value in found.items()}
    return found | costs(g, watched)


def costs(g: Generation, watched: Watched) -> dict[str, Number]:
    """Return the counts, and what was watched, with the share of a token."""
    own, counted = g.client_tokens, g.output_tokens
    is_alone = g.batch_size == 1 and g.dequeued_ns is None
    alone = watched if isinstance(watched, Resources) and is_alone else Resources()
    return {
        "output_tokens": counted,
        "token_count_mismatch": None if own is None or counted is None else own - counted,
        "cpu_s": alone.cpu_s,
        "cpu_s_per_output_token": Fraction(alone.cpu_s) / counted
        if alone.cpu_s is not None and counted
        else None,
        "energy_j": alone.energy_j,
        "peak_memory_bytes": watched.peak_memory_bytes if isinstance(watched, Resources) else None,
    }


def seconds(until: list[int] | list[int | None], since: int | None) -> Fraction | None:
    """Return the time between two stamps, `None` where one is not known."""
    known = [stamp for stamp in until if stamp is not None]
    return Fraction(known[0] - since, 10**9) if known and since is not None else None


Measure = Callable[[Generation, Watched, Phase], Measurement]


def ours(made: Generation, watched: Watched = None, phase: Phase = "measured") -> Measurement:
    """Return the measurement."""
    return measure(made, resources=watched, phase=phase)


def agrees(measured: Measure, made: Generation, watched: Watched = None, phase: Phase = "measured") -> bool:
    """Say whether every value is the double that is nearest to its fraction, or is missing with a reason."""
    found = measured(made, watched, phase)
    return all(
        getattr(found, name) == (None if expected is None else float(expected))
        and (expected is None) == (name in found.missing)
        for name, expected in exact(made, watched, phase).items()
    )


PHASES = st.sampled_from(("measured", "measured", "measured", "warmup", "cooldown"))


@given(generations(), WATCHED, PHASES)
def test_every_value_is_that_of_exact_arithmetic(made: Generation, watched: Watched, phase: Phase) -> None:
    """Rounded once; and what has no value has a reason."""
    assert agrees(ours, made, watched, phase)


@given(generations())
def test_the_gaps_are_those_of_exact_arithmetic(made: Generation) -> None:
    """The times of tokens share the gaps between deltas, so that their mean is the time per token."""
    fair = replace(made, attempts=(), batch_size=1, finish_reason="length")
    at = [d.at_ns for d in fair.deltas if fair.streamed and (d.text if d.n_tokens is None else d.n_tokens)]
    assert icl_s(fair) == tuple(float(Fraction(b - a, 10**9)) for a, b in pairwise(at))
    tokens, found = itl_s(fair) or (), ours(fair)
    assert (found.itl_basis == "token") == bool(tokens)
    if tokens:
        assert sum(tokens) / len(tokens) == pytest.approx(found.tpot_s, rel=1e-12)


@given(generations(), WATCHED, PHASES, st.sampled_from(("written", "read")))
def test_every_field_is_a_value_or_has_a_reason(
    made: Generation, watched: Watched, phase: Phase, how: Making
) -> None:
    """Never both, never neither."""
    found = measure(made, resources=watched, made=how, phase=phase)
    for field in fields(Measurement):
        if field.name != "missing":
            assert (getattr(found, field.name) is None) == (field.name in found.missing)


@given(generations(), st.integers(-(10**12), 10**15))
def test_only_differences_of_stamps_count(made: Generation, shift: int) -> None:
    """The zero of the clock is arbitrary."""
    stamps = (
        "scheduled_ns",
        "dequeued_ns",
        "connected_ns",
        "requested_ns",
        "headers_ns",
        "usage_ns",
        "ended_ns",
    )
    moved = {name: stamp + shift for name in stamps if (stamp := getattr(made, name)) is not None}
    deltas = tuple(replace(delta, at_ns=delta.at_ns + shift) for delta in made.deltas)
    assert ours(replace(made, deltas=deltas, **moved)) == ours(made)


# --- planted errors ----------------------------------------------------------------------------------

S = 10**9
WRONG: Mapping[str, Callable[[Generation], float]] = {
    "ttft_s": lambda g: (g.deltas[0].at_ns - g.requested_ns) / S,  # latches the role
    "ttft_sched_s": lambda g: (g.deltas[1].at_ns - g.requested_ns) / S,  # forgets the time in the line
    "ttfo_s": lambda g: (g.ended_ns - g.requested_ns) / S,
    "time_to_first_chunk_s": lambda g: (g.deltas[1].at_ns - g.requested_ns) / S,  # skips the role
    "queue_delay_s": lambda g: (g.connected_ns - g.scheduled_ns) / S,  # type: ignore[operator]
    "tpot_s": lambda g: (g.deltas[-1].at_ns - g.requested_ns) / (S * 8),  # includes the first token
    "ntpot_s": lambda g: (g.ended_ns - g.requested_ns) / (S * 8),  # ends with the stream
    "e2e_s": lambda g: (g.ended_ns - g.requested_ns) / S,
    "e2e_sched_s": lambda g: (g.deltas[-1].at_ns - g.connected_ns) / S,  # type: ignore[operator]
    "operation_duration_s": lambda g: (g.deltas[-1].at_ns - g.requested_ns) / S,
    "output_tokens_per_s": lambda g: S * 8 / (g.deltas[-1].at_ns - g.deltas[1].at_ns),  # counts the first
    "prompt_tokens_per_s": lambda g: 1000 * 100 / g.engine_timings["prompt_ms"],  # counts cached ones
    "engine_output_tokens_per_s": lambda g: S * 7 / (g.deltas[-1].at_ns - g.deltas[1].at_ns),
    "tokens_per_chunk": lambda g: 8 / len(g.deltas),  # counts the role
    "accept_length": lambda g: 1.0,
    "max_stall_s": lambda g: (g.deltas[1].at_ns - g.requested_ns) / S,  # takes waiting for a stall
    "output_tokens": lambda g: len(g.deltas),
    "token_count_mismatch": lambda g: -1,
    "cpu_s": lambda g: 0.8 / 8,
    "cpu_s_per_output_token": lambda g: 0.8 / 7,
    "energy_j": lambda g: 12.5 / 8,
    "peak_memory_bytes": lambda g: 1500,
}
"""For each formula another one, most of them that of some tool."""


def test_an_error_is_planted_in_every_formula() -> None:
    """And in no other place."""
    assert WRONG.keys() == exact(WHOLE_ROW, RESOURCES, "measured").keys() >= set(TIMES)


@pytest.mark.parametrize("name", WRONG)
def test_exact_arithmetic_catches_a_wrong_formula(name: str) -> None:
    """On one row that has every stamp."""

    def planted(made: Generation, watched: Watched, phase: Phase) -> Measurement:
        return replace(ours(made, watched, phase), **{name: WRONG[name](made)})  # type: ignore[arg-type]

    assert agrees(ours, WHOLE_ROW, RESOURCES)
    assert not agrees(planted, WHOLE_ROW, RESOURCES)


@pytest.mark.parametrize(
    ("claim", "seen", "planted"),
    [
        ("a nanosecond", STREAM, lambda g: replace(g, requested_ns=g.requested_ns - 1)),
        ("a token", STREAM, lambda g: replace(g, deltas=(*g.deltas[:-1], replace(g.deltas[-1], n_tokens=1)))),
        ("the end of a turn", replace(STREAM, output_tokens=9), lambda g: replace(g, deltas=g.deltas[:-1])),
        (
            "a delta without tokens",
            STREAM,
            lambda g: replace(g, deltas=(replace(g.deltas[0], n_tokens=1), *g.deltas[1:])),
        ),
        (
            "a channel",
            STREAM,
            lambda g: replace(g, deltas=tuple(replace(d, channel="reasoning") for d in g.deltas)),
        ),
        ("a cached prompt", STREAM, lambda g: replace(g, cached_tokens=1)),
        ("a time limit", STREAM, lambda g: replace(g, finish_reason="timeout")),
        ("a batch", STREAM, lambda g: replace(g, batch_size=2)),
        ("an answer that came whole", STREAM, lambda g: replace(g, streamed=False)),
    ],
)
def test_exact_arithmetic_catches_a_row_that_is_read_wrongly(
    claim: str, seen: Generation, planted: Callable[[Generation], Generation]
) -> None:
    """What is measured is another row than the one that was recorded."""
    assert agrees(ours, seen)
    assert not agrees(lambda made, watched, phase: ours(planted(made), watched, phase), seen), claim


def test_the_known_answers_catch_each_planted_formula() -> None:
    """A wrong value of any field is seen in the table, too."""
    for name, wrong in WRONG.items():
        assert wrong(WHOLE_ROW) != ANSWERS[name], name


# --- resources ---------------------------------------------------------------------------------------


def test_what_was_watched_is_taken_over_and_what_was_not_has_the_reason() -> None:
    """Not 0; and what this machine does not tell is told from what nobody asked for."""
    found = ours(STREAM, Resources(peak_memory_bytes=2000, mean_memory_bytes=1500))
    assert (found.peak_memory_bytes, found.mean_memory_bytes) == (2000, 1500)
    assert found.missing["cpu_s"] == found.missing["energy_source"] == "unavailable"
    for reason in ("not_watched", "shared"):
        missing = ours(STREAM, reason).missing
        assert {missing[field.name] for field in fields(Resources) if field.name in missing} == {reason}
    assert ours(STREAM).missing["peak_memory_bytes"] == "not_watched"


def test_a_batch_has_one_peak_and_no_share_of_what_it_took() -> None:
    """Processor time of eight answers is not that of each of them."""
    found = ours(replace(STREAM, batch_size=8), RESOURCES)
    assert (found.peak_memory_bytes, found.gpu_peak_memory_bytes) == (2000, 4000)
    shares = ("cpu_s", "cpu_s_per_output_token", "involuntary_switches", "energy_j", "energy_source")
    assert {found.missing[name] for name in shares} == {"batched"}


def test_a_request_of_a_load_has_the_peak_of_all_and_no_share_of_what_they_took() -> None:
    """It is known by the stamp of its being taken up, also when it is measured again."""
    found = ours(replace(STREAM, dequeued_ns=SENT - MS), RESOURCES)
    assert (found.peak_memory_bytes, found.gpu_peak_memory_bytes) == (2000, 4000)
    shares = ("cpu_s", "cpu_s_per_output_token", "involuntary_switches", "energy_j", "energy_source")
    assert {found.missing[name] for name in shares} == {"shared"}


def test_processor_time_per_token_needs_tokens() -> None:
    """Without a count, or without a token, there is none."""
    name = "cpu_s_per_output_token"
    empty = generation([], output_tokens=0, ended_ns=MS)
    assert ours(empty, RESOURCES).missing[name] == "no_tokens"
    assert ours(replace(STREAM, output_tokens=None), RESOURCES).missing[name] == "no_usage"
