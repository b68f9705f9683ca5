"""Every value that crosses a stage boundary.

    Suite ─ Case ─ Cell ─ Trial ─ Prompt ─ Generation ─ Measurement ─ Score ─ Outcome ─ Summary ─ Report
                                                                              └ Comparison ─ Gated ─ Gating

Records are frozen and hold tuples; `None` means *not measured* or *not set*, never 0 and never NaN.
Times are nanoseconds of one monotonic clock (`_ns`) or seconds (`_s`); counts are tokens.
"""

from __future__ import annotations

from gemma_eval.records.answers import (
    Attempt,
    Cell,
    Channel,
    CountSource,
    Delta,
    FinishReason,
    Generation,
    Group,
    Passage,
    Prompt,
    Trial,
)
from gemma_eval.records.cases import (
    Arrival,
    Case,
    CaseKind,
    Check,
    Document,
    Load,
    Message,
    Option,
    Options,
    Overflow,
    Phase,
    Retrieval,
    Role,
    Scalar,
    Slo,
    Source,
)
from gemma_eval.records.choices import (
    DynatempMode,
    ModelSpec,
    RopeScaling,
    RopeType,
    SamplingProfile,
    Surprise,
    Template,
)
from gemma_eval.records.gates import Acceptance, Gate, Gated, Gating, Percentile, Tier, Where
from gemma_eval.records.outcomes import Failure, Measurement, Outcome, Resources, Score
from gemma_eval.records.runs import (
    MICROBENCHMARK,
    EngineInfo,
    Harness,
    Host,
    Microbenchmark,
    Noise,
    Report,
    Run,
    Selection,
    Skipped,
    Summary,
)
from gemma_eval.records.suites import Suite
from gemma_eval.records.verdicts import Compared, Comparison, Lean, Unit, Verdict

__all__ = [
    "MICROBENCHMARK",
    "Acceptance",
    "Arrival",
    "Attempt",
    "Case",
    "CaseKind",
    "Cell",
    "Channel",
    "Check",
    "Compared",
    "Comparison",
    "CountSource",
    "Delta",
    "Document",
    "DynatempMode",
    "EngineInfo",
    "Failure",
    "FinishReason",
    "Gate",
    "Gated",
    "Gating",
    "Generation",
    "Group",
    "Harness",
    "Host",
    "Lean",
    "Load",
    "Measurement",
    "Message",
    "Microbenchmark",
    "ModelSpec",
    "Noise",
    "Option",
    "Options",
    "Outcome",
    "Overflow",
    "Passage",
    "Percentile",
    "Phase",
    "Prompt",
    "Report",
    "Resources",
    "Retrieval",
    "Role",
    "RopeScaling",
    "RopeType",
    "Run",
    "SamplingProfile",
    "Scalar",
    "Score",
    "Selection",
    "Skipped",
    "Slo",
    "Source",
    "Suite",
    "Summary",
    "Surprise",
    "Template",
    "Tier",
    "Trial",
    "Unit",
    "Verdict",
    "Where",
]
