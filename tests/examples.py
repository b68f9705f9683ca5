"""Small records that tests share; each is whole, and a test changes what it is about with `replace`."""

from __future__ import annotations

from gemma_eval.measure.latency import DEFINITIONS_VERSION
from gemma_eval.records import (
    Case,
    Cell,
    Check,
    Delta,
    Document,
    EngineInfo,
    Generation,
    Host,
    Measurement,
    Message,
    ModelSpec,
    Outcome,
    Passage,
    Prompt,
    Retrieval,
    Run,
    SamplingProfile,
    Score,
    Source,
    Template,
    Trial,
)


def a_case(case_id: str = "home", **changes: object) -> Case:
    """Return a context question with one check and one document."""
    fields: dict[str, object] = {
        "id": case_id,
        "kind": "quality",
        "messages": (Message(role="user", content="Where does Finn live?"),),
        "checks": (Check(scorer="contains", options={"text": "Oslo"}),),
        "documents": (Document(name="people", text="- Finn lives in Oslo.\n- Ada lives in Rome.\n"),),
        "tags": ("context",),
        "models": ("scripted",),
        "profiles": ("greedy",),
        "templates": ("rag",),
        "source": Source(path="suite.toml", line=7),
    }
    return Case(**(fields | changes))  # type: ignore[arg-type]


def a_cell(case_id: str = "home", *, profile: str = "greedy", template: str = "rag", seed: int = 1) -> Cell:
    """Return a cell of that case with a scripted model."""
    return Cell(
        suite="example",
        case=a_case(case_id),
        model=ModelSpec(name="scripted", backend="scripted", location="", options={"reply": "Oslo"}),
        profile=SamplingProfile(name=profile, temperature=0.0),
        template=Template(name=template, text="{{ rag_context }}\n{{ query }}"),
        retrieval=Retrieval(),
        seed=seed,
    )


def a_generation(text: str = "Oslo") -> Generation:
    """Return a generation of two deltas, 10 ms and 30 ms after the request."""
    half = len(text) // 2
    return Generation(
        text=text,
        deltas=(
            Delta(text=text[:half], n_tokens=1, at_ns=10_000_000),
            Delta(text=text[half:], n_tokens=1, at_ns=30_000_000),
        ),
        prompt_tokens=12,
        output_tokens=2,
        count_source="engine",
        finish_reason="stop",
        requested_ns=0,
        ended_ns=31_000_000,
        effective={"temperature": 0.0, "order": ("temperature",)},
        engine_timings={"prompt_ms": 9.5},
    )


def an_outcome(
    case_id: str = "home", *, profile: str = "greedy", repeat: int = 0, value: float = 1.0
) -> Outcome:
    """Return a scored and measured outcome."""
    passage = Passage(id="p1", text="Finn lives in Oslo.", document="people", score=1.5, rank=1)
    return Outcome(
        trial=Trial(cell=a_cell(case_id, profile=profile), repeat=repeat, seed=41 + repeat),
        prompt=Prompt(
            messages=(Message(role="user", content="Finn lives in Oslo.\nWhere does Finn live?"),),
            text="<bos>Finn lives in Oslo.\nWhere does Finn live?",
            n_tokens=12,
            passages=(passage,),
        ),
        generation=a_generation(),
        measurement=Measurement(
            ttft_s=0.010,
            tpot_s=0.020,
            e2e_s=0.030,
            output_tokens_per_s=50.0,
            prompt_tokens_per_s=1200.0,
            max_stall_s=0.020,
            output_tokens=2,
            peak_memory_bytes=200_000_000,
            mean_memory_bytes=190_000_000,
        ),
        scores=(Score(scorer="contains", value=value, passed=None, answer="Oslo"),),
    )


def a_run(run_id: str = "20260101-000000-abcd", *, planned: int = 1) -> Run:
    """Return a finished run on a machine that does not exist."""
    return Run(
        id=run_id,
        started_utc="2026-01-01T00:00:00+00:00",
        state="done",
        suites=("example",),
        planned=planned,
        definitions_version=DEFINITIONS_VERSION,
        host=Host(cpu="a processor", logical_cores=2, memory_bytes=8 << 30, os="an os", python="3.11.7"),
        engines={
            "scripted": EngineInfo(
                engine="scripted",
                version="1",
                model_sha256="ab" * 32,
                parameters=None,
                context_tokens=1024,
                threads=1,
            )
        },
        arguments=("--gemma-suite", "example"),
    )
