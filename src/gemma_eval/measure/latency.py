"""The times and rates of one generation, each a formula over its event row.

With t_sent the stamp `requested_ns`, t_first and t_last those of the first and the last token-bearing delta,
n_first the tokens of the first, n those that had come by t_last and n_out all that the engine counts:

    queue_delay = t_sent - t_scheduled              ttft = t_first - t_sent
    time_to_first_chunk = t_first_chunk - t_sent    ttft_sched = t_first - t_scheduled
    ttfo = t_first_output_token - t_sent            e2e = t_last - t_sent
    tpot = (t_last - t_first) / (n - n_first)       e2e_sched = t_last - t_scheduled
    ntpot = (t_last - t_sent) / n                   operation_duration = t_end - t_sent
    output_tokens_per_s = 1 / tpot                  max_stall = the longest gap between two deltas
    tokens_per_chunk = n / token-bearing deltas     cpu_s_per_output_token = cpu_s / n_out
    prompt_tokens_per_s = (n_in - n_in_cached) / the engine's time of reading, or / ttft

What cannot be had is `None`, with a reason code in `missing`:

    failed            the generation ended in an error
    cached            the answer was made before, and a cache gave it again
    timeout           it was ended at a time limit before it had come so far
    retried           the first attempt failed, and its timing is the one that counts
    warmup            the request is one of those that a load begins with
    cooldown          the request is one of those that a load ends with
    not_generated     the text was given and read, not written
    batched           answers were decoded together, so that none has times or a share of its own
    clock_went_back   a stamp lies before an earlier one
    no_tokens         nothing was generated
    not_streamed      the answer came in one piece: only its end is known
    no_output         there were tokens, and none for the user
    single_delta      all tokens came at once, so there is no time between tokens
    no_usage          the engine gave no count of output tokens, or of prompt tokens
    no_delta_tokens   it is unknown how many tokens the first delta carried
    count_mismatch    the engine counts fewer tokens than its deltas carried
    cache_unknown     the engine did not say how many prompt tokens it had cached
    all_cached        every prompt token was cached, so none was read
    zero_duration     two stamps are equal, so there is no rate
    not_scheduled     the request was not due at a time, but sent when there was room
    no_engine_timing  the engine does not say
    no_client_count   the tokens were not counted on this side as well
    not_watched       memory, processor and energy were not watched
    elsewhere         the engine runs in processes that are not seen from here
    shared            the load was watched as a whole, so that no request has a share of its own
    judge_loaded      another engine, that of a judge, was in memory as well
    unavailable       this machine does not tell, or an earlier version did not ask
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from gemma_eval.measure.events import NS, Events, Making, Value, fault
from gemma_eval.records import Generation, Measurement, Phase, Resources

DEFINITIONS_VERSION = 2
"""The version of the formulas here; a change of any of them is another version."""

Unwatched = Literal["not_watched", "elsewhere", "shared", "judge_loaded", "cached"]
"""Why there are no resources."""


def measure(
    generation: Generation,
    *,
    resources: Resources | Unwatched | None = None,
    made: Making = "written",
    phase: Phase = "measured",
) -> Measurement:
    """Return what `generation` cost; each field that is `None` has its reason in `missing`.

    `resources` are what was watched while it was made, or why nothing was.
    """
    events = Events(generation)
    reason = fault(generation, made=made, phase=phase)
    times = {name: _unless(reason, name, events) for name in _TIMES}
    costs = _costs(generation, resources or "not_watched")
    counts = _counts(generation)
    known = {name: None if isinstance(value, str) else value for name, value in (times | costs).items()}
    whole = {name: None if isinstance(value, str) else value for name, value in counts.items()}
    found = times | costs | counts
    missing = {name: value for name, value in found.items() if isinstance(value, str)}
    if reason:
        missing |= {"prompt_basis": reason, "itl_basis": reason}
    elif known["prompt_tokens_per_s"] is None:
        missing["prompt_basis"] = missing["prompt_tokens_per_s"]
    return Measurement(
        **known,  # type: ignore[arg-type]  # the names of the tables are those of the fields
        **whole,
        prompt_basis=None if "prompt_basis" in missing else _prompt_basis(generation),
        itl_basis=_itl_basis(events, missing),
        energy_source=_energy_source(resources, missing),
        missing=missing,
    )


def _unless(reason: str | None, name: str, events: Events) -> Value:
    """Return one of the times, unless there is a reason why it does not count.

    Of an answer that was ended at a limit, what had come before the limit counts.
    """
    if reason is None:
        return _TIMES[name](events)
    if reason != "timeout" or name not in _BEFORE_A_LIMIT:
        return reason
    value = _TIMES[name](events)
    return reason if value in _NOT_YET else value


def _since(later: int | str, earlier: int | None) -> Value:
    """Return the seconds between two stamps, or why one of them is not known."""
    if isinstance(later, str):
        return later
    return "not_scheduled" if earlier is None else (later - earlier) / NS


def _tpot(events: Events) -> Value:
    tokens = events.n_after_first
    return tokens if isinstance(tokens, str) else _writing_ns(events) / (NS * tokens)


def _output_rate(events: Events) -> Value:
    """Return the inverse of the time per output token, rounded once."""
    tokens, took_ns = events.n_after_first, _writing_ns(events)
    if isinstance(tokens, str):
        return tokens
    return NS * tokens / took_ns if took_ns else "zero_duration"


def _writing_ns(events: Events) -> int:
    return events.bearing[-1].at_ns - events.bearing[0].at_ns if events.bearing else 0


def _ntpot(events: Events) -> Value:
    last, tokens = events.t_last_token, events.n_seen
    if isinstance(last, str):
        return last
    if isinstance(tokens, str):
        return tokens
    return (last - events.generation.requested_ns) / (NS * tokens) if tokens else "no_tokens"


def _max_stall(events: Events) -> Value:
    if events.gaps_ns:
        return max(events.gaps_ns) / NS
    return "single_delta" if events.bearing else events.gap


def _prompt_rate(events: Events) -> Value:
    """Return the prompt tokens read per second, by the engine's own time or up to the first token."""
    g, first = events.generation, events.t_first_token
    took_ms = g.engine_timings.get("prompt_ms")
    if took_ms is None and isinstance(first, str):
        return first
    if g.prompt_tokens is None:
        return "no_usage"
    if g.cached_tokens is None:
        return "cache_unknown"
    read = g.prompt_tokens - g.cached_tokens
    if read < 1:
        return "all_cached"
    if took_ms is not None:
        # Some engines leave the last token to the first step of writing, and say how many they read before.
        timed = g.engine_timings.get("prefill_tokens", read)
        return 1000 * timed / took_ms if took_ms > 0 else "zero_duration"
    took_ns = int(first) - g.requested_ns
    return NS * read / took_ns if took_ns else "zero_duration"


def _per_chunk(events: Events) -> Value:
    if not events.bearing:
        return events.gap
    return events.n_seen if isinstance(events.n_seen, str) else events.n_seen / len(events.bearing)


def _said(name: str) -> Callable[[Events], Value]:
    return lambda events: events.generation.engine_timings.get(name, "no_engine_timing")


_TIMES: Mapping[str, Callable[[Events], Value]] = {
    "ttft_s": lambda row: _since(row.t_first_token, row.generation.requested_ns),
    "ttft_sched_s": lambda row: _since(row.t_first_token, row.generation.scheduled_ns),
    "ttfo_s": lambda row: _since(row.t_first_output_token, row.generation.requested_ns),
    "time_to_first_chunk_s": lambda row: _since(row.t_first_chunk, row.generation.requested_ns),
    "queue_delay_s": lambda row: _since(row.generation.requested_ns, row.generation.scheduled_ns),
    "tpot_s": _tpot,
    "ntpot_s": _ntpot,
    "e2e_s": lambda row: _since(row.t_last_token, row.generation.requested_ns),
    "e2e_sched_s": lambda row: _since(row.t_last_token, row.generation.scheduled_ns),
    "operation_duration_s": lambda row: _since(row.generation.ended_ns, row.generation.requested_ns),
    "output_tokens_per_s": _output_rate,
    "prompt_tokens_per_s": _prompt_rate,
    "engine_output_tokens_per_s": _said("output_tokens_per_s"),
    "tokens_per_chunk": _per_chunk,
    "accept_length": _said("accept_length"),
    "max_stall_s": _max_stall,
}
"""Every time and rate by the name of its field."""

_BEFORE_A_LIMIT = ("queue_delay_s", "time_to_first_chunk_s", "ttft_s", "ttft_sched_s", "ttfo_s")
"""What an answer may have got as far as before it was ended at a time limit."""

_NOT_YET = ("no_tokens", "not_streamed", "no_output")

_RESOURCES = (
    *("peak_memory_bytes", "mean_memory_bytes", "peak_pss_bytes", "peak_anonymous_bytes", "peak_file_bytes"),
    *("cpu_s", "involuntary_switches", "gpu_peak_memory_bytes", "energy_j"),
)
_SUMS = ("cpu_s", "involuntary_switches", "energy_j")
"""Resources of which the answers of a batch, or of a load, have each a share that nobody knows."""


def _costs(generation: Generation, resources: Resources | Unwatched) -> dict[str, Value]:
    """Return what was watched; a batch or a load is so as a whole, which is its peak and no answer's share.

    The requests of a load are those that were taken up by a thread.
    """
    if isinstance(resources, str):
        return dict.fromkeys((*_RESOURCES, "cpu_s_per_output_token"), resources)
    found: dict[str, Value] = {}
    for name in _RESOURCES:
        value: float | None = getattr(resources, name)
        found[name] = "unavailable" if value is None else value
    if generation.batch_size > 1:
        found |= dict.fromkeys(_SUMS, "batched")
    elif generation.dequeued_ns is not None:
        found |= dict.fromkeys(_SUMS, "shared")
    return found | {"cpu_s_per_output_token": _per_token(found["cpu_s"], generation)}


def _per_token(cpu_s: Value, generation: Generation) -> Value:
    if isinstance(cpu_s, str):
        return cpu_s
    if generation.output_tokens is None:
        return "no_usage"
    return cpu_s / generation.output_tokens if generation.output_tokens else "no_tokens"


def _counts(generation: Generation) -> dict[str, int | str]:
    counted, own = generation.output_tokens, generation.client_tokens
    known = counted is not None and own is not None
    return {
        "output_tokens": "no_usage" if counted is None else counted,
        "token_count_mismatch": own - counted if known else "no_client_count",  # type: ignore[operator]
    }


def _prompt_basis(generation: Generation) -> Literal["engine", "ttft"]:
    return "engine" if "prompt_ms" in generation.engine_timings else "ttft"


def _energy_source(resources: Resources | Unwatched | None, missing: dict[str, str]) -> str | None:
    if "energy_j" not in missing and isinstance(resources, Resources) and resources.energy_source:
        return resources.energy_source
    missing["energy_source"] = missing.get("energy_j", "unavailable")
    return None


def _itl_basis(events: Events, missing: dict[str, str]) -> Literal["token", "chunk"] | None:
    """Return whether gaps can be shared among tokens; note the reason where there is no gap."""
    if "itl_basis" not in missing and not events.gaps_ns:
        missing["itl_basis"] = "single_delta" if events.bearing else events.gap
    if "itl_basis" in missing:
        return None
    return "chunk" if isinstance(events.counts, str) else "token"
