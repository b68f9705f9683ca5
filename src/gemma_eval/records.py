"""Every value that crosses a stage boundary.

    Suite ─ Case ─ Cell ─ Trial ─ Prompt ─ Generation ─ Measurement ─ Score ─ Outcome ─ Summary ─ Report

Records are frozen and hold tuples; `None` means *not measured* or *not set*, never 0 and never NaN.
Times are nanoseconds of one monotonic clock (`_ns`) or seconds (`_s`); counts are tokens.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

Scalar = str | int | float | bool
Option = Scalar | tuple[Scalar, ...]
"""What a person may give as an option of a scorer, a model or a reporter."""
Options = Mapping[str, Option]

CaseKind = Literal["quality", "benchmark"]
Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error", "timeout"]
CountSource = Literal["engine", "server_usage", "server_per_chunk_usage", "client_tokenizer"]
Channel = Literal["output", "reasoning", "tool_call"]
"""What a piece of an answer is: text for the user, a chain of thought, or the arguments of a call."""
Arrival = Literal["constant", "poisson"]
Phase = Literal["warmup", "measured", "cooldown"]
RopeType = Literal["default", "linear", "ntk", "dynamic", "yarn", "llama3", "longrope"]
DynatempMode = Literal["llama", "edt", "threshold"]
Surprise = Literal["renormalized", "original"]
Overflow = Literal["error", "truncate"]


# --- what is asked -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where something was declared: a file without the folders of a machine, a line from 1."""

    path: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A text that a case draws passages from; `name` is its path in the suite's folder or its given name."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One look at an answer: a scorer and its options.

    `pass_at` is the value from which the check passes; `None` records the value and demands nothing,
    for a wrong answer is a datum first and a failure only when somebody said so.
    """

    scorer: str
    options: Options = field(default_factory=dict)
    pass_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """How the requests of a benchmark case arrive at an engine that serves several at once.

    A closed loop keeps `concurrency` requests in flight: the next is sent when one has ended. An open loop
    sends `rate_per_s` requests per second whatever has ended, evenly (*constant*) or with exponential gaps
    (*poisson*, drawn from the suite's seed), with at most `max_in_flight` at once. Exactly one of
    `concurrency` and `rate_per_s` is set. The first `warmup` and the last `cooldown` requests of a case keep
    their stamps and have no times.
    """

    concurrency: int | None = None
    rate_per_s: float | None = None
    arrival: Arrival = "poisson"
    max_in_flight: int = 64
    warmup: int = 0
    cooldown: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Slo:
    """What makes a request *good*: the most that each metric may be, by its name in `Measurement`.

    A request without a value of such a metric is not good, unless `may_miss` names the metric.
    """

    limits: Mapping[str, float]
    may_miss: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One question with the checks on its answer.

    `messages` ends with the user's turn that is asked; `prompt` in a suite file is one such turn.
    `cluster` names what cases share (a document, a needle): one datum of an interval against a variable.
    `warmup` generations per cell are made first and never recorded.
    `continuation` is a text that the model does not write but reads after the prompt, so that its
    probability can be scored. With a `load` its repeats are requests that may be in flight together, and
    `slo` says which of them are good. `variables` are numbers that were varied between the cases of one kind
    (`{"depth": 0.5}`), and `series` names that kind; reports draw the score against each variable.
    """

    id: str
    kind: CaseKind
    messages: tuple[Message, ...]
    checks: tuple[Check, ...] = ()
    documents: tuple[Document, ...] = ()
    tags: tuple[str, ...] = ()
    cluster: str | None = None
    repeats: int = 1
    warmup: int = 0
    max_tokens: int | None = None
    ignore_eos: bool | None = None
    continuation: str | None = None
    series: str | None = None
    variables: Mapping[str, float] = field(default_factory=dict)
    load: Load | None = None
    slo: Slo | None = None
    models: tuple[str, ...]
    profiles: tuple[str, ...]
    templates: tuple[str, ...]
    source: Source

    @property
    def query(self) -> str:
        """The last user turn: what retrieval searches for and what templates call `query`."""
        return self.messages[-1].content


@dataclass(frozen=True, kw_only=True, slots=True)
class Retrieval:
    """Which retriever finds passages, how many a template is given, and how many tokens they may take.

    `overflow` says what happens to a prompt that the model's context cannot hold: an error, or passages
    and then earlier turns are left out, the least important first.
    """

    retriever: str = "bm25"
    top_k: int = 4
    budget_tokens: int = 256
    overflow: Overflow = "error"


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """A suite file, read and checked. `sha256` is of its bytes and of the documents it names."""

    name: str
    path: str
    sha256: str
    description: str
    seed: int
    retrieval: Retrieval
    cases: tuple[Case, ...]


# --- what is chosen ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class RopeScaling:
    """How rotary positions are stretched beyond the trained length, in the names of Hugging Face configs.

    `original_max_position_embeddings` is the trained length, `None` the one that the model names. `apply_to`
    says which layers turn so: those that see the whole context, or also those that see a window.
    `ntk` is the static NTK-aware base, which Hugging Face does not have.
    Source: huggingface/transformers:src/transformers/modeling_rope_utils.py.
    """

    rope_type: RopeType = "default"
    factor: float = 1.0
    original_max_position_embeddings: int | None = None
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    attention_factor: float | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None
    truncate: bool = True
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    short_factor: tuple[float, ...] = ()
    long_factor: tuple[float, ...] = ()
    apply_to: Literal["global", "all"] = "global"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSpec:
    """A model and the backend that drives it; `location` is a folder, a file or a URL.

    `rope_scaling` takes the place of what the model's own configuration says; `None` leaves that alone.
    """

    name: str
    backend: str
    location: str
    context_tokens: int | None = None
    chat_template: str | None = None
    rope_scaling: RopeScaling | None = None
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingProfile:
    """How tokens are chosen, in llama.cpp's names and meanings; every default is *off*.

    `temperature = 0` is greedy. `order` names the transforms in the order they run; the default is
    llama.cpp's, with temperature last. `base_p` is a nucleus cap that `min_p` takes first. `dynatemp_mode`
    chooses which parameters make the temperature follow the entropy: `dynatemp_range` and
    `dynatemp_exponent` (llama), `dynatemp_theta` and `dynatemp_base` (edt), `dynatemp_threshold` (threshold).
    A `mirostat` leaves only the plain temperature before it. `epsilon_cutoff` and `eta_cutoff` are
    Hugging Face's. `logit_bias` is by token id (`"15"`) or by the text of one token.
    `ignore_eos` goes on where the model would end its answer, up to `max_tokens`: with it benchmarks hold
    lengths fixed. `seed = None` derives the seed of each trial from the suite's seed; a number fixes it.
    Source: ggml-org/llama.cpp:common/common.h; huggingface/transformers:src/transformers/generation.
    """

    name: str
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    base_p: float = 1.0
    typical_p: float = 1.0
    top_n_sigma: float = 0.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    epsilon_cutoff: float = 0.0
    eta_cutoff: float = 0.0
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    penalty_last_n: int = 64
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = 64
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    logit_bias: Mapping[str, float] = field(default_factory=dict)
    dynatemp_mode: DynatempMode = "llama"
    dynatemp_range: float = 0.0
    dynatemp_exponent: float = 1.0
    dynatemp_theta: float = 0.0
    dynatemp_base: float = 0.8
    dynatemp_threshold: float = 0.0
    mirostat: Literal[0, 1, 2] = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    mirostat_surprise: Surprise = "renormalized"
    adaptive_target: float = -1.0
    adaptive_decay: float = 0.9
    order: tuple[str, ...] = (
        "logit_bias",
        "penalties",
        "dry",
        "top_n_sigma",
        "top_k",
        "typical_p",
        "top_p",
        "min_p",
        "xtc",
        "temperature",
    )
    max_tokens: int = 64
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    seed: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A prompt template: Jinja2 text with `query`, `rag_context` and `rag_recent`."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """The hash of the text, so that an edit is seen."""
        return hashlib.sha256(self.text.encode()).hexdigest()


# --- what is run -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One case with one model, profile and template: what pytest shows as one item; `seed` is the suite's."""

    suite: str
    case: Case
    model: ModelSpec
    profile: SamplingProfile
    template: Template
    retrieval: Retrieval
    seed: int

    @property
    def label(self) -> str:
        """`case-id[model/profile/template]`, unique within a suite."""
        return f"{self.case.id}[{self.model.name}/{self.profile.name}/{self.template.name}]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One generation to be made: a cell, which repeat of it (from 0), and the seed."""

    cell: Cell
    repeat: int
    seed: int

    @property
    def key(self) -> str:
        """The identity of the trial: a hash of all that was chosen, and of nothing that was measured."""
        plain = asdict(self)
        del plain["cell"]["case"]["source"]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A piece of a document that retrieval returned; `rank` counts from 1, higher `score` is better."""

    id: str
    text: str
    document: str
    score: float
    rank: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """What a model reads.

    `messages` are the turns after the template was applied; `text` is the whole prompt in the model's
    chat markup, `None` when the server applies its own. `dropped` passages did not fit the budget or the
    context, and neither did the first `dropped_turns` of the conversation.
    """

    messages: tuple[Message, ...]
    text: str | None
    n_tokens: int | None
    passages: tuple[Passage, ...] = ()
    dropped: tuple[Passage, ...] = ()
    dropped_turns: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """A streamed piece of an answer: its text, how many tokens it carries, when it arrived, and its channel.

    `n_tokens` is `None` where the engine did not say; a piece that carries nothing (a role, a sign of life)
    has 0 and no text.
    """

    text: str
    n_tokens: int | None
    at_ns: int
    channel: Channel = "output"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A request that failed before another was made for the same trial: why, and when."""

    kind: str
    message: str
    requested_ns: int | None
    ended_ns: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """An answer and the stamps of its making: the event row that every time is computed from.

    Stamps are nanoseconds of one monotonic clock, in this order where they are known: `scheduled_ns` when the
    request was due, `dequeued_ns` when it was taken up, `connected_ns` when there was a connection,
    `requested_ns` when its last byte was written or the engine was called, `headers_ns` when the reply
    began, `Delta.at_ns` for each piece, `usage_ns` when the token counts came, `ended_ns` when all had come.

    `text` equals the joined texts of the deltas of channel *output*, `reasoning` and `tool_calls` those of
    the other two. `output_tokens` counts the tokens of all channels, `reasoning_tokens` those of one;
    `client_tokens` is a count of this side's own, to check the engine's by. An answer that came whole is not
    `streamed`: it is one delta, stamped with the end.
    `attempts` are those that failed before this one. With `finish_reason` *error* or *timeout* the answer is
    what had come when it broke off.
    `effective` are the sampling parameters that the engine really used; `engine_timings` what it says itself,
    with `prompt_ms` and `decode_ms` for reading and for writing, and `accept_length` for the tokens that
    speculative decoding had accepted per step.
    `batch_size` answers were decoded together, so that the stamps of one are not those it would have alone.
    `log_probabilities` (natural) are those of each output token, where the engine was asked for them.
    """

    text: str
    deltas: tuple[Delta, ...]
    reasoning: str = ""
    tool_calls: str = ""
    prompt_tokens: int | None
    cached_tokens: int | None = None
    output_tokens: int | None
    reasoning_tokens: int | None = None
    client_tokens: int | None = None
    count_source: CountSource
    finish_reason: FinishReason
    scheduled_ns: int | None = None
    dequeued_ns: int | None = None
    connected_ns: int | None = None
    requested_ns: int
    headers_ns: int | None = None
    usage_ns: int | None = None
    ended_ns: int
    streamed: bool = True
    attempts: tuple[Attempt, ...] = ()
    effective: Options = field(default_factory=dict)
    engine_timings: Mapping[str, float] = field(default_factory=dict)
    batch_size: int = 1
    log_probabilities: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What the engine took while it generated: this process, its children and the processes it serves from.

    `peak_memory_bytes` is the resident memory of the tree: *anonymous* is what nothing but memory holds,
    *file* are pages of files, as of weights that are mapped. `pss` divides shared pages among their owners.
    The kernel's own marks are used where there are any, so that a peak between two readings is seen.
    `cpu_s` is processor time of all threads; `energy_source` names what measured `energy_j`.
    """

    peak_memory_bytes: int | None = None
    mean_memory_bytes: int | None = None
    peak_pss_bytes: int | None = None
    peak_anonymous_bytes: int | None = None
    peak_file_bytes: int | None = None
    cpu_s: float | None = None
    involuntary_switches: int | None = None
    gpu_peak_memory_bytes: int | None = None
    energy_j: float | None = None
    energy_source: str | None = None
    interval_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """What one generation cost; formulas in docs/metrics.md.

    `missing` gives the reason code for each field that is `None`.
    """

    ttft_s: float | None
    ttft_sched_s: float | None = None
    ttfo_s: float | None = None
    time_to_first_chunk_s: float | None = None
    queue_delay_s: float | None = None
    tpot_s: float | None
    ntpot_s: float | None = None
    e2e_s: float | None
    e2e_sched_s: float | None = None
    operation_duration_s: float | None = None
    output_tokens_per_s: float | None
    prompt_tokens_per_s: float | None
    prompt_basis: Literal["engine", "ttft"] | None = None
    engine_output_tokens_per_s: float | None = None
    tokens_per_chunk: float | None = None
    accept_length: float | None = None
    itl_basis: Literal["token", "chunk"] | None = None
    max_stall_s: float | None
    output_tokens: int | None
    token_count_mismatch: int | None = None
    peak_memory_bytes: int | None
    mean_memory_bytes: int | None
    peak_pss_bytes: int | None = None
    peak_anonymous_bytes: int | None = None
    peak_file_bytes: int | None = None
    cpu_s: float | None = None
    cpu_s_per_output_token: float | None = None
    involuntary_switches: int | None = None
    gpu_peak_memory_bytes: int | None = None
    energy_j: float | None = None
    energy_source: str | None = None
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """How good an answer was for one check.

    `value` lies in 0..1, `None` when the scorer could not judge; then `unscored` says why.
    `passed` is `None` when the check demands nothing.
    `answer` is the part of the text that was judged.
    """

    scorer: str
    value: float | None
    passed: bool | None
    answer: str = ""
    explanation: str = ""
    unscored: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a trial has no generation: the `kind` of the error and its message."""

    kind: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """All that is known of one trial.

    `failure` is set when no answer was made; then `generation` is what had come of one before it broke off,
    or `None`. `phase` says whether the request was one of those that a load is measured by.
    """

    trial: Trial
    prompt: Prompt | None
    generation: Generation | None
    measurement: Measurement | None
    scores: tuple[Score, ...] = ()
    failure: Failure | None = None
    phase: Phase = "measured"

    @property
    def score(self) -> float | None:
        """The mean of the check values; `None` when a check is unscored or there is none."""
        values = [score.value for score in self.scores]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if values and len(known) == len(values) else None

    @property
    def passed(self) -> bool:
        """Whether a generation was made and no demand on it was missed."""
        return self.failure is None and all(score.passed is not False for score in self.scores)


# --- what follows ------------------------------------------------------------------------------------


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
    time; the HTTP figures are of streams from a server that stamps its own sends, and `None` where none was
    measured. An error is the median of client time minus server time. `arm` says how busy the machine was.
    """

    us_per_token: float
    ms_per_request: float
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
class Run:
    """One invocation over one or more suites. `state` is *done* only when every planned trial is recorded."""

    id: str
    started_utc: str
    state: Literal["running", "interrupted", "done"]
    suites: tuple[str, ...]
    planned: int
    host: Host
    engines: Mapping[str, EngineInfo] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    commit: str | None = None
    definitions_version: int = 2
    skipped: tuple[Skipped, ...] = ()
    noise: Noise | None = None
    harness: Harness | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """What a summary is taken over: one model with one profile and one template."""

    model: str
    profile: str
    template: str


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
    """A run with its outcomes and their summaries: what every reporter is given."""

    run: Run
    outcomes: tuple[Outcome, ...]
    summaries: tuple[Summary, ...]
