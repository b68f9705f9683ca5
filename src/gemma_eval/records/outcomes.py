"""What an answer cost and how good it was: all that is known of one trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from gemma_eval.records.answers import Generation, Prompt, Trial
from gemma_eval.records.cases import Phase
from gemma_eval.records.retrieval import Passage, Step, Trace


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
class Vote:
    """What one judge said of an answer: a value in 0..1 and the label it was read from.

    `swapped` marks a comparison in which the answer came second. A vote without a value has a `reason`.
    """

    judge: str
    value: float | None
    label: str = ""
    swapped: bool = False
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """How good an answer was for one check.

    `value` lies in 0..1, `None` when the scorer could not judge; then `unscored` says why.
    `passed` is `None` when the check demands nothing.
    `answer` is the part of the text that was judged.
    `figures` are what the value was made from, in any range (`perplexity`, `log_likelihood`), and `votes`
    those of judges. `weight` is that of the check; one that `vetoes` makes the answer's score 0 if missed.
    """

    scorer: str
    value: float | None
    passed: bool | None
    answer: str = ""
    explanation: str = ""
    unscored: str | None = None
    weight: float = 1.0
    vetoes: bool = False
    figures: Mapping[str, float] = field(default_factory=dict)
    votes: tuple[Vote, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a trial has no generation: the `kind` of the error and its message."""

    kind: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What a scorer judges: the answer, or the passages that were found, best first, and their fate.

    `prompt` and `generation` are `None` where a case asks for passages alone.
    """

    passages: tuple[Passage, ...] = ()
    trace: Trace | None = None
    prompt: Prompt | None = None
    generation: Generation | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cached:
    """How the cache answered: *exact* or *semantic* with the question it knew, or *miss*.

    `reason` says why it is a miss that no new question explains: a store that cannot be reached, an answer
    that is not kept.
    """

    use: Literal["exact", "semantic", "miss"]
    similarity: float | None = None
    query: str | None = None
    reason: str | None = None

    @property
    def is_hit(self) -> bool:
        """Whether the answer was made before."""
        return self.use != "miss"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """All that is known of one trial.

    `failure` is set when no answer was made; then `generation` is what had come of one before it broke off,
    or `None`. `phase` says whether the request was one of those that a load is measured by. `trace` is there
    where passages were looked for; of a case that asks for passages alone the `prompt` has them and nothing
    else. `cached` is there where the case has a cache, and the times of a hit count nowhere.
    """

    trial: Trial
    prompt: Prompt | None
    generation: Generation | None
    measurement: Measurement | None
    scores: tuple[Score, ...] = ()
    failure: Failure | None = None
    phase: Phase = "measured"
    trace: Trace | None = None
    cached: Cached | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps from the question to the answer, where passages were looked for."""
        if self.trace is None:
            return ()
        found, made = self.trace.steps, () if self.prompt is None else self.prompt.steps
        if found and made:  # who makes a prompt does not know how its passages were found
            made = (replace(made[0], after=(found[-1].name,)), *made[1:])
        before = (*found, *made)
        if self.generation is None or not before:
            return before
        began, ended = self.generation.requested_ns, self.generation.ended_ns
        return (*before, Step(name="generate", began_ns=began, ended_ns=ended, after=(before[-1].name,)))

    @property
    def score(self) -> float | None:
        """The mean of the check values by weight; `None` when one that counts is unscored or there is none.

        It is 0 when a check that must pass was missed.
        """
        if any(score.vetoes and score.passed is False and score.value is not None for score in self.scores):
            return 0.0
        counted = [score for score in self.scores if score.weight > 0]
        known = [(score.weight, score.value) for score in counted if score.value is not None]
        if not counted or len(known) < len(counted):
            return None
        return sum(weight * value for weight, value in known) / sum(weight for weight, _ in known)

    @property
    def passed(self) -> bool:
        """Whether a generation was made and no demand on it was missed."""
        return self.failure is None and all(score.passed is not False for score in self.scores)
