"""Under which conditions a run was measured: how busy the machine was, and what measuring itself costs."""

from __future__ import annotations

from collections.abc import Callable

from gemma_eval.records import Harness, Noise, Run
from gemma_eval.report import numbers
from gemma_eval.report.facts import Pairs


def noisy(run: Run) -> str | None:
    """Return the sentence that a noisy run begins with, `None` when it is fair or nobody looked."""
    if run.noise is None or not run.noise.reasons:
        return None
    return f"This run is noisy: {', and '.join(run.noise.reasons)}. It cannot become a baseline."


def harness_sentence(run: Run) -> str | None:
    """Return what measuring itself costs on this machine and how far its times are off, in one sentence."""
    harness = run.harness
    if harness is None:
        return None
    errors = [f"{value} ({what})" for what, value in _errors(harness).items() if value != numbers.MISSING]
    over_http = f"times over HTTP are off by {', '.join(errors)}; " if errors else ""
    return (
        f"Measuring adds {_cost(harness.us_per_token, 'µs', unknown='an unknown time')} per token and "
        f"{_cost(harness.ms_per_request, 'ms', unknown='an unknown time')} per request on this machine; "
        f"{over_http}"
        f"that was measured while the machine was {harness.arm}."
    )


def noise_facts(noise: Noise | None) -> Pairs:
    """Return the evidence of how busy the machine was; a dash where it could not be read."""
    if noise is None:
        return [("noise", f"{numbers.MISSING} (nobody looked)")]
    shares = [(name, numbers.share(getattr(noise, field))) for name, field in _SHARES]
    return [
        ("verdict", ", and ".join(noise.reasons) or "fair"),
        *shares,
        ("load before, per core", _plain(noise.load_before)),
        ("involuntary switches", numbers.rate(noise.involuntary_switches_per_s)),
        ("temperature", _plain(noise.temperature_c, " °C")),
    ]


def harness_facts(harness: Harness | None) -> Pairs:
    """Return what measuring itself costs and how far it is off, each figure by itself."""
    if harness is None:
        return [("cost of measuring", f"{numbers.MISSING} (not measured; gemma-eval selftest does)")]
    return [
        ("per token", _cost(harness.us_per_token, "µs")),
        ("per request", _cost(harness.ms_per_request, "ms")),
        ("HTTP, CPU per token", _plain(harness.http_cpu_us_per_token, " µs")),
        *((f"HTTP, {what}, off by", value) for what, value in _errors(harness).items()),
        ("machine meanwhile", harness.arm),
    ]


_SHARES = (
    ("waited for a processor (PSI)", "cpu_pressure"),
    ("waited for memory (PSI)", "memory_pressure"),
    ("waited for a disk (PSI)", "io_pressure"),
    ("stolen by the hypervisor", "steal"),
    ("throttled by the cgroup", "throttled"),
    ("processors of others", "others_cpu"),
)


def _errors(harness: Harness) -> dict[str, str]:
    """Return in words how far each time over HTTP is off; that to the first token is early (-) or late."""
    return {
        "TTFT in the median": _plain(harness.http_ttft_error_ms, " ms", write=_signed),
        "ITL in the median": _plain(harness.http_itl_error_ms, " ms"),
        "TPOT at most": _plain(harness.http_tpot_error_ms, " ms"),
    }


def _cost(value: float | None, unit: str, *, unknown: str = numbers.MISSING) -> str:
    return f"{unknown} (other programs hid it)" if value is None else f"{numbers.number(value)} {unit}"


def _plain(value: float | None, unit: str = "", *, write: Callable[[float], str] = numbers.number) -> str:
    return numbers.MISSING if value is None else f"{write(value)}{unit}"


def _signed(value: float) -> str:
    """Write a small difference with two digits and its sign: too late is `+`."""
    return "0" if value == 0 else f"{value:+.2g}"
