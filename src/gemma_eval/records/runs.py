"""What follows: a run on its machine, summaries of its outcomes, and the report of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gemma_eval.records.answers import Group
from gemma_eval.records.cases import Options
from gemma_eval.records.gates import Gating
from gemma_eval.records.outcomes import Outcome

Selection = Literal["all", "matrix", "part"]

MICROBENCHMARK = "microbenchmark_s"
"""The metric of which the values are those of `Microbenchmark`, and not of an answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineInfo:
    """What a backend drives: engine, version, content hashes and settings that change results or speed.

    `quantisation` is that of the weights (`F32`, `Q8_0`). `load_s` is the time that loading took, and
    `cold_ttft_s` the time to first token of the first request after it.
    """

    engine: str
    version: str
    model_sha256: str | None
    tokenizer_sha256: str | None = None
    chat_template_sha256: str | None = None
    quantisation: str | None = None
    parameters: int | None
    context_tokens: int | None
    threads: int | None
    load_s: float | None = None
    cold_ttft_s: float | None = None
    details: Options = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """The machine that a run was made on; `details` is what else decides its speed, where it can be read."""

    cpu: str
    logical_cores: int
    memory_bytes: int
    os: str
    python: str
    versions: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """How busy the machine was with other things while a run was made; a share lies in 0..1.

    `cpu_pressure`, `memory_pressure` and `io_pressure` are the shares of the time in which some task waited
    (PSI), `steal` what the hypervisor gave to others, `throttled` the share of the cgroup's periods in which
    it was stopped; `load_before` is the load average per core. `others_cpu` is the share of the machine's
    processor time that went to processes other than ours. `reasons` is empty when the run is fair: a run
    with a reason is *noisy* and cannot be a baseline.
    """

    cpu_pressure: float | None = None
    memory_pressure: float | None = None
    io_pressure: float | None = None
    steal: float | None = None
    throttled: float | None = None
    load_before: float | None = None
    others_cpu: float | None = None
    involuntary_switches_per_s: float | None = None
    temperature_c: float | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Harness:
    """What measuring itself costs on this machine, and how far its times are off.

    `us_per_token` and `ms_per_request` are what gemma_eval adds to an engine in this process that takes no
    time, `None` where other programs hid it; the HTTP figures are of streams from a server that stamps its
    own sends, and `None` where none was measured. `http_ttft_error_ms` is the median of client time minus
    server time, with its sign; `http_itl_error_ms` the median absolute error of a gap, and
    `http_tpot_error_ms` the largest of a stream. `arm` says how busy the machine was.
    """

    us_per_token: float | None
    ms_per_request: float | None
    http_cpu_us_per_token: float | None = None
    http_ttft_error_ms: float | None = None
    http_itl_error_ms: float | None = None
    http_tpot_error_ms: float | None = None
    arm: Literal["quiet", "busy"] = "quiet"


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """Cells that a model could not run, and why."""

    model: str
    profile: str
    reason: str
    cells: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Microbenchmark:
    """What pytest-benchmark measured of one test of a session; `name` is the test's full name.

    The times are seconds per call, over `rounds` rounds, which are of one process and no independent data.
    """

    name: str
    median_s: float
    mean_s: float
    sd_s: float
    rounds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Scoring:
    """One time that the stored answers of a run were scored again, by the checks of its suites as they were.

    Scorings are counted from 1; 0 are the scores that the run was made with. `suites` has the hash of each
    suite by its name, `answers` is how many were scored and `changed` how many of them have another score.
    """

    number: int
    at_utc: str
    suites: Mapping[str, str]
    answers: int
    changed: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One invocation over one or more suites. `state` is *done* only when every planned trial is recorded.

    `definitions_version` is that of the formulas by which its answers were measured. `clock_offset_ns` and a
    stamp of an answer make nanoseconds since 1970 (UTC). They belong together unless the machine was started
    anew before the run was gone on with. `base` is the id of the run that was made in turn with this one, to
    compare the two. `selection` says whether its suites were run with *all* that they name, with a *matrix*
    of chosen models, profiles, templates or kinds, or only in *part*. `microbenchmarks` are those of the
    session that made it, and `scorings` the times that its answers were scored again, oldest first.
    """

    id: str
    started_utc: str
    ended_utc: str | None = None
    clock_offset_ns: int | None = None
    state: Literal["running", "interrupted", "done"]
    suites: tuple[str, ...]
    planned: int
    definitions_version: int
    host: Host
    engines: Mapping[str, EngineInfo] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    commit: str | None = None
    skipped: tuple[Skipped, ...] = ()
    noise: Noise | None = None
    harness: Harness | None = None
    base: str | None = None
    selection: Selection = "all"
    microbenchmarks: tuple[Microbenchmark, ...] = ()
    scorings: tuple[Scoring, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """One metric over one group. `n` counts the data used, `missing` those that could not be measured.

    For `score` the datum is the case (repeats averaged first); for timings it is the generation.
    A percentile is `None` where `n` is too small to estimate it. `censored` generations were ended at a time
    limit of `limit`: they are longer than that, and a percentile among them is `None` and printed as
    `> limit`.
    """

    group: Group
    metric: str
    n: int
    missing: int
    mean: float | None
    sd: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    ci_low: float | None
    ci_high: float | None
    interval: str
    """How the interval was made: `wilson`, `t`, `median` (order statistics) or `none`."""
    minimum: float | None = None
    maximum: float | None = None
    mad: float | None = None
    """The median distance from the median."""
    censored: int = 0
    limit: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A run with its outcomes and their summaries: what every reporter is given.

    `gating` is there when the run was held against a base or a limit.
    """

    run: Run
    outcomes: tuple[Outcome, ...]
    summaries: tuple[Summary, ...]
    gating: Gating | None = None
