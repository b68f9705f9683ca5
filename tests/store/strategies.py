"""Hypothesis strategies for whole records, with every text that a model, a file or a person can produce."""

from __future__ import annotations

from hypothesis import strategies as st

from gemma_eval.records import (
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
    Outcome,
    Passage,
    Prompt,
    Retrieval,
    RopeScaling,
    Run,
    SamplingProfile,
    Score,
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
CASE = st.builds(
    Case,
    id=NAME,
    kind=st.sampled_from(("quality", "benchmark")),
    messages=st.lists(MESSAGE, min_size=1, max_size=2).map(tuple),
    checks=few(st.builds(Check, scorer=NAME, options=OPTIONS, pass_at=maybe(UNIT))),
    documents=few(st.builds(Document, name=TEXT, text=TEXT)),
    tags=few(TEXT),
    cluster=maybe(TEXT),
    continuation=maybe(TEXT),
    series=maybe(NAME),
    variables=st.dictionaries(NAME, FLOAT, max_size=2),
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
DELTAS = few(st.builds(Delta, text=TEXT, n_tokens=maybe(COUNT), at_ns=INT64))


@st.composite
def generations(draw: st.DrawFn) -> Generation:
    """Draw a generation whose text is that of its deltas."""
    deltas = draw(DELTAS)
    text = "".join(delta.text for delta in deltas if isinstance(delta, Delta))
    return draw(
        st.builds(
            Generation,
            text=st.just(text),
            deltas=st.just(deltas),
            prompt_tokens=maybe(COUNT),
            cached_tokens=maybe(COUNT),
            output_tokens=maybe(COUNT),
            count_source=st.sampled_from(("engine", "server_usage", "client_tokenizer")),
            finish_reason=st.sampled_from(("stop", "length", "error")),
            requested_ns=INT64,
            ended_ns=INT64,
            effective=OPTIONS,
            engine_timings=st.dictionaries(TEXT, FLOAT, max_size=2),
            batch_size=st.integers(1, 99),
            log_probabilities=maybe(few(FLOAT)),
        )
    )


MEASUREMENT = st.builds(
    Measurement,
    ttft_s=maybe(FLOAT),
    tpot_s=maybe(FLOAT),
    e2e_s=maybe(FLOAT),
    output_tokens_per_s=maybe(FLOAT),
    prompt_tokens_per_s=maybe(FLOAT),
    max_stall_s=maybe(FLOAT),
    output_tokens=maybe(COUNT),
    peak_memory_bytes=maybe(COUNT),
    mean_memory_bytes=maybe(COUNT),
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
)
ENGINE = st.builds(
    EngineInfo,
    engine=TEXT,
    version=TEXT,
    model_sha256=maybe(st.just("ab" * 32)),
    parameters=maybe(COUNT),
    context_tokens=maybe(COUNT),
    threads=maybe(COUNT),
    details=OPTIONS,
)
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
)
