"""Hypothesis strategies for whole records, with every text that a model, a file or a person can produce."""

from __future__ import annotations

from hypothesis import strategies as st

from gemma_eval.records import (
    Attempt,
    Case,
    Cell,
    Channel,
    Check,
    Delta,
    Document,
    EngineInfo,
    Failure,
    Generation,
    Harness,
    Host,
    Load,
    Measurement,
    Message,
    ModelSpec,
    Noise,
    Outcome,
    Passage,
    Prompt,
    Retrieval,
    RopeScaling,
    Run,
    SamplingProfile,
    Score,
    Skipped,
    Slo,
    Source,
    Template,
    Trial,
)

TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=12)
"""NUL, lone surrogates and pairs of them, emoji, separators: whatever a `str` can hold."""
NAME = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=6)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
UNIT = st.floats(min_value=0, max_value=1)
COUNT = st.integers(min_value=0, max_value=2**40)
INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
SCALAR = TEXT | st.integers(min_value=-(10**20), max_value=10**20) | FLOAT | st.booleans()
OPTIONS = st.dictionaries(TEXT, SCALAR | st.lists(SCALAR, max_size=3).map(tuple), max_size=3)


def maybe(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Return the values of `strategy`, and None."""
    return st.none() | strategy


def few(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    """Return short tuples."""
    return st.lists(strategy, max_size=2).map(tuple)


MESSAGE = st.builds(Message, role=st.sampled_from(("system", "user", "assistant")), content=TEXT)
LOAD = st.builds(
    Load,
    concurrency=maybe(COUNT),
    rate_per_s=maybe(FLOAT),
    arrival=st.sampled_from(("constant", "poisson")),
    max_in_flight=COUNT,
    warmup=COUNT,
    cooldown=COUNT,
)
CASE = st.builds(
    Case,
    id=NAME,
    kind=st.sampled_from(("quality", "benchmark")),
    messages=st.lists(MESSAGE, min_size=1, max_size=2).map(tuple),
    checks=few(st.builds(Check, scorer=NAME, options=OPTIONS, pass_at=maybe(UNIT))),
    documents=few(st.builds(Document, name=TEXT, text=TEXT)),
    tags=few(TEXT),
    repeats=COUNT,
    warmup=COUNT,
    max_tokens=maybe(COUNT),
    ignore_eos=maybe(st.booleans()),
    cluster=maybe(TEXT),
    continuation=maybe(TEXT),
    series=maybe(NAME),
    variables=st.dictionaries(NAME, FLOAT, max_size=2),
    load=maybe(LOAD),
    slo=maybe(st.builds(Slo, limits=st.dictionaries(NAME, FLOAT, max_size=2), may_miss=few(NAME))),
    models=few(NAME),
    profiles=few(NAME),
    templates=few(NAME),
    source=st.builds(Source, path=TEXT, line=COUNT),
)
ROPE_SCALING = st.builds(
    RopeScaling,
    rope_type=st.sampled_from(("default", "linear", "ntk", "dynamic", "yarn", "llama3", "longrope")),
    factor=FLOAT,
    original_max_position_embeddings=maybe(COUNT),
    attention_factor=maybe(FLOAT),
    mscale=maybe(FLOAT),
    truncate=st.booleans(),
    short_factor=few(FLOAT),
    long_factor=few(FLOAT),
    apply_to=st.sampled_from(("global", "all")),
)
CELL = st.builds(
    Cell,
    suite=NAME,
    case=CASE,
    model=st.builds(
        ModelSpec,
        name=NAME,
        backend=NAME,
        location=TEXT,
        context_tokens=maybe(COUNT),
        chat_template=maybe(TEXT),
        rope_scaling=maybe(ROPE_SCALING),
        options=OPTIONS,
    ),
    profile=st.builds(
        SamplingProfile,
        name=NAME,
        temperature=UNIT,
        stop=few(TEXT),
        ignore_eos=st.booleans(),
        logit_bias=st.dictionaries(TEXT, FLOAT, max_size=2),
        dry_sequence_breakers=few(TEXT),
        dynatemp_mode=st.sampled_from(("llama", "edt", "threshold")),
        mirostat_surprise=st.sampled_from(("renormalized", "original")),
        order=few(NAME),
        seed=maybe(INT64),
    ),
    template=st.builds(Template, name=NAME, text=TEXT),
    retrieval=st.builds(
        Retrieval,
        retriever=NAME,
        top_k=COUNT,
        budget_tokens=COUNT,
        overflow=st.sampled_from(("error", "truncate")),
    ),
    seed=INT64,
)
TRIAL = st.builds(Trial, cell=CELL, repeat=st.integers(0, 50), seed=INT64)
PASSAGE = st.builds(Passage, id=TEXT, text=TEXT, document=TEXT, score=FLOAT, rank=COUNT)
PROMPT = st.builds(
    Prompt,
    messages=few(MESSAGE),
    text=maybe(TEXT),
    n_tokens=maybe(COUNT),
    passages=few(PASSAGE),
    dropped=few(PASSAGE),
    dropped_turns=COUNT,
)
CHANNELS: tuple[Channel, ...] = ("output", "reasoning", "tool_call")
DELTAS = st.lists(
    st.builds(Delta, text=TEXT, n_tokens=maybe(COUNT), at_ns=INT64, channel=st.sampled_from(CHANNELS)),
    max_size=4,
).map(tuple)
ATTEMPT = st.builds(Attempt, kind=NAME, message=TEXT, requested_ns=maybe(INT64), ended_ns=INT64)
COUNT_SOURCES = ("engine", "server_usage", "server_per_chunk_usage", "client_tokenizer")
FINISH_REASONS = ("stop", "length", "tool_calls", "content_filter", "error", "timeout")


@st.composite
def generations(draw: st.DrawFn) -> Generation:
    """Draw a generation of which the text of each channel is that of its deltas."""
    deltas = draw(DELTAS)
    texts = {
        channel: "".join(delta.text for delta in deltas if delta.channel == channel) for channel in CHANNELS
    }
    return draw(
        st.builds(
            Generation,
            text=st.just(texts["output"]),
            reasoning=st.just(texts["reasoning"]),
            tool_calls=st.just(texts["tool_call"]),
            deltas=st.just(deltas),
            prompt_tokens=maybe(COUNT),
            cached_tokens=maybe(COUNT),
            output_tokens=maybe(COUNT),
            reasoning_tokens=maybe(COUNT),
            client_tokens=maybe(COUNT),
            count_source=st.sampled_from(COUNT_SOURCES),
            finish_reason=st.sampled_from(FINISH_REASONS),
            scheduled_ns=maybe(INT64),
            dequeued_ns=maybe(INT64),
            connected_ns=maybe(INT64),
            requested_ns=INT64,
            headers_ns=maybe(INT64),
            usage_ns=maybe(INT64),
            ended_ns=INT64,
            streamed=st.booleans(),
            attempts=few(ATTEMPT),
            effective=OPTIONS,
            engine_timings=st.dictionaries(TEXT, FLOAT, max_size=2),
            batch_size=st.integers(1, 99),
            log_probabilities=maybe(few(FLOAT)),
        )
    )


PHASE = st.sampled_from(("warmup", "measured", "cooldown"))
MEASUREMENT = st.builds(
    Measurement,
    ttft_s=maybe(FLOAT),
    ttft_sched_s=maybe(FLOAT),
    ttfo_s=maybe(FLOAT),
    time_to_first_chunk_s=maybe(FLOAT),
    queue_delay_s=maybe(FLOAT),
    tpot_s=maybe(FLOAT),
    ntpot_s=maybe(FLOAT),
    e2e_s=maybe(FLOAT),
    e2e_sched_s=maybe(FLOAT),
    operation_duration_s=maybe(FLOAT),
    output_tokens_per_s=maybe(FLOAT),
    prompt_tokens_per_s=maybe(FLOAT),
    prompt_basis=st.sampled_from((None, "engine", "ttft")),
    engine_output_tokens_per_s=maybe(FLOAT),
    tokens_per_chunk=maybe(FLOAT),
    accept_length=maybe(FLOAT),
    itl_basis=st.sampled_from((None, "token", "chunk")),
    max_stall_s=maybe(FLOAT),
    output_tokens=maybe(COUNT),
    token_count_mismatch=maybe(INT64),
    peak_memory_bytes=maybe(COUNT),
    mean_memory_bytes=maybe(COUNT),
    peak_pss_bytes=maybe(COUNT),
    peak_anonymous_bytes=maybe(COUNT),
    peak_file_bytes=maybe(COUNT),
    cpu_s=maybe(FLOAT),
    cpu_s_per_output_token=maybe(FLOAT),
    involuntary_switches=maybe(COUNT),
    gpu_peak_memory_bytes=maybe(COUNT),
    energy_j=maybe(FLOAT),
    energy_source=maybe(NAME),
    missing=st.dictionaries(NAME, TEXT, max_size=2),
)
SCORE = st.builds(
    Score,
    scorer=NAME,
    value=maybe(UNIT),
    passed=maybe(st.booleans()),
    answer=TEXT,
    explanation=TEXT,
    unscored=maybe(TEXT),
)
OUTCOME = st.builds(
    Outcome,
    trial=TRIAL,
    prompt=maybe(PROMPT),
    generation=maybe(generations()),
    measurement=maybe(MEASUREMENT),
    scores=few(SCORE),
    failure=maybe(st.builds(Failure, kind=NAME, message=TEXT)),
    phase=PHASE,
)
OUTCOMES = st.lists(OUTCOME, min_size=1, max_size=3, unique_by=lambda outcome: outcome.trial.key).map(tuple)

HOST = st.builds(
    Host,
    cpu=TEXT,
    logical_cores=COUNT,
    memory_bytes=COUNT,
    os=TEXT,
    python=TEXT,
    versions=st.dictionaries(TEXT, TEXT, max_size=2),
    details=st.dictionaries(TEXT, TEXT, max_size=2),
)
ENGINE = st.builds(
    EngineInfo,
    engine=TEXT,
    version=TEXT,
    model_sha256=maybe(st.just("ab" * 32)),
    tokenizer_sha256=maybe(st.just("cd" * 32)),
    chat_template_sha256=maybe(st.just("ef" * 32)),
    quantisation=maybe(TEXT),
    parameters=maybe(COUNT),
    context_tokens=maybe(COUNT),
    threads=maybe(COUNT),
    load_s=maybe(FLOAT),
    cold_ttft_s=maybe(FLOAT),
    details=OPTIONS,
)
NOISE = st.builds(
    Noise,
    cpu_pressure=maybe(UNIT),
    memory_pressure=maybe(UNIT),
    io_pressure=maybe(UNIT),
    steal=maybe(UNIT),
    throttled=maybe(UNIT),
    load_before=maybe(FLOAT),
    others_cpu=maybe(UNIT),
    involuntary_switches_per_s=maybe(FLOAT),
    temperature_c=maybe(FLOAT),
    reasons=few(TEXT),
)
HARNESS = st.builds(
    Harness,
    us_per_token=maybe(FLOAT),
    ms_per_request=maybe(FLOAT),
    http_cpu_us_per_token=maybe(FLOAT),
    http_ttft_error_ms=maybe(FLOAT),
    http_itl_error_ms=maybe(FLOAT),
    http_tpot_error_ms=maybe(FLOAT),
    arm=st.sampled_from(("quiet", "busy")),
)
SKIPPED = st.builds(Skipped, model=TEXT, profile=TEXT, reason=TEXT, cells=COUNT)
RUN = st.builds(
    Run,
    id=st.just("a-run"),
    started_utc=st.just("2026-01-01T00:00:00+00:00"),
    state=st.just("running"),
    suites=few(TEXT),
    planned=st.just(0),
    host=HOST,
    engines=st.dictionaries(TEXT, ENGINE, max_size=2),
    arguments=few(TEXT),
    commit=maybe(TEXT),
    definitions_version=st.integers(1, 9),
    skipped=few(SKIPPED),
    harness=maybe(HARNESS),
    clock_offset_ns=maybe(st.integers(-(1 << 62), 1 << 62)),
)
