"""The answers of an evaluation: a row for each result that an answer is part of."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence

from gemma_eval.records import Case, Generation, Measurement, Outcome, Score
from gemma_eval.report.exports.eee.evaluation import SCHEMA_VERSION, Evaluation, result_id
from gemma_eval.report.exports.parts import ACCURACY
from gemma_eval.report.exports.references import references
from gemma_eval.report.groups import group_of
from gemma_eval.wire import Plain

SPEED = "e2e_s"
"""The result that an answer without checks is part of, with its value as the score."""

_EXTRACTED = 2000
"""The longest part of an answer that is told twice."""


def instances(evaluation: Evaluation, *, results: Collection[str]) -> Iterator[dict[str, Plain]]:
    """Yield a row for each answer and metric of quality, or of time where nothing is checked.

    A row is joined with the result of its metric where that is among the ids of `results`.

    The format wants a score of every row: an answer that failed or could not be judged has one row with 0
    that belongs to no result, with its `error` or, in `metadata`, with why it is `unscored`.
    """
    for outcome in evaluation.outcomes:
        for metric, value, is_right in _values(outcome):
            row = _row(evaluation, outcome, metric)
            evaluated: dict[str, Plain] = {"score": value, "is_correct": is_right}
            if row["interaction_type"] == "multi_turn":
                evaluated["num_turns"] = len(outcome.trial.cell.case.messages) + 1
            joined = "" if metric is None else result_id(group_of(outcome), metric)
            if joined in results:
                row["evaluation_result_id"] = joined
            yield row | {"evaluation": evaluated}


def _values(outcome: Outcome) -> Iterator[tuple[str | None, float, bool]]:
    """Yield the metrics of an answer with its value and whether it is right, or none, 0 and false."""
    if outcome.failure is None and not outcome.scores:
        e2e_s = outcome.measurement.e2e_s if outcome.measurement else None
        yield (SPEED if e2e_s is not None else None), e2e_s or 0.0, True
        return
    if outcome.failure is not None or outcome.score is None:
        yield None, 0.0, False
        return
    values = {ACCURACY: float(outcome.score == 1), **_by_scorer(outcome), "score": outcome.score}
    yield from ((metric, value, value == 1) for metric, value in values.items())


def _by_scorer(outcome: Outcome) -> dict[str, float]:
    """Return the mean value of each scorer, of which a case may have several checks."""
    known: dict[str, list[float]] = {}
    for score in outcome.scores:
        if score.value is not None:
            known.setdefault(score.scorer, []).append(score.value)
    return {scorer: sum(values) / len(values) for scorer, values in known.items()}


def _row(evaluation: Evaluation, outcome: Outcome, metric: str | None) -> dict[str, Plain]:
    case, generation = outcome.trial.cell.case, outcome.generation
    reference = references(case)
    is_single = len(case.messages) <= 1
    row: dict[str, Plain] = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": evaluation.id,
        "model_id": evaluation.model_id,
        "evaluation_name": evaluation.suite,
        "sample_id": case.id,
        "sample_hash": hashlib.sha256(
            (case.query + "".join(reference)).encode("utf-8", "replace")
        ).hexdigest(),
        "interaction_type": "single_turn" if is_single else "multi_turn",
        "input": {
            "raw": case.query,
            "formatted": outcome.prompt.text if outcome.prompt else None,
            "reference": reference,
            "choices": list(case.choices) or None,
        },
        "output": _output(generation) if is_single else None,
        "messages": None if is_single else _turns(case, generation),
        "answer_attribution": _attribution(outcome, metric, turn=0 if is_single else len(case.messages)),
        "token_usage": _usage(generation),
        "performance": _performance(outcome.measurement),
        "metadata": _metadata(outcome),
    }
    if outcome.failure is not None:
        row["error"] = f"{outcome.failure.kind}: {outcome.failure.message}"
    return row


def _output(generation: Generation | None) -> dict[str, Plain]:
    if generation is None:
        return {"raw": []}
    return {
        "raw": [generation.text],
        "reasoning_trace": [generation.reasoning] if generation.reasoning else None,
    }


def _turns(case: Case, generation: Generation | None) -> list[Plain]:
    turns: list[tuple[str, str]] = [(message.role, message.content) for message in case.messages]
    if generation is not None:
        turns.append(("assistant", generation.text))
    return [{"turn_idx": at, "role": role, "content": text} for at, (role, text) in enumerate(turns)]


def _attribution(outcome: Outcome, metric: str | None, *, turn: int) -> list[Plain]:
    """Return the parts of the answer that the scorers of a metric judged."""
    chosen: Sequence[Score] = [score for score in outcome.scores if score.scorer == metric] or outcome.scores
    return [
        {
            "turn_idx": turn,
            "source": "output.raw" if turn == 0 else "messages[turn_idx].content",
            "extracted_value": score.answer[:_EXTRACTED],
            "extraction_method": score.scorer,
            "is_terminal": True,
        }
        for score in chosen
    ]


def _usage(generation: Generation | None) -> dict[str, Plain] | None:
    if generation is None or generation.prompt_tokens is None or generation.output_tokens is None:
        return None
    return {
        "input_tokens": generation.prompt_tokens,
        "output_tokens": generation.output_tokens,
        "total_tokens": generation.prompt_tokens + generation.output_tokens,
        "input_tokens_cache_read": generation.cached_tokens,
        "reasoning_tokens": generation.reasoning_tokens,
    }


def _performance(measured: Measurement | None) -> dict[str, Plain] | None:
    """Return the times in milliseconds, and what has no place of its own as texts."""
    if measured is None:
        return None
    decoding = None if measured.e2e_s is None or measured.ttft_s is None else measured.e2e_s - measured.ttft_s
    others = (
        "tpot_s",
        "output_tokens_per_s",
        "prompt_tokens_per_s",
        "max_stall_s",
        "peak_memory_bytes",
        "energy_j",
    )
    details = {name: repr(value) for name in others if (value := getattr(measured, name)) is not None}
    return {
        "latency_ms": _ms(measured.e2e_s),
        "time_to_first_token_ms": _ms(measured.ttft_s),
        "generation_time_ms": _ms(decoding),
        "additional_details": details or None,
    }


def _ms(seconds: float | None) -> float | None:
    """Return milliseconds; the format knows no negative time."""
    return None if seconds is None or seconds < 0 else seconds * 1000


def _metadata(outcome: Outcome) -> Mapping[str, Plain]:
    trial, case = outcome.trial, outcome.trial.cell.case
    unscored = [f"{score.scorer}: {score.unscored}" for score in outcome.scores if score.unscored]
    told = {
        "profile": trial.cell.profile.name,
        "template": trial.cell.template.name,
        "retrieval": trial.cell.retrieval.name,
        "kind": case.kind,
        "repeat": str(trial.repeat),
        "seed": str(trial.seed),
        "tags": " ".join(case.tags),
        "cluster": case.cluster or "",
        "finish_reason": outcome.generation.finish_reason if outcome.generation else "",
        "unscored": "; ".join(unscored),
    }
    return {name: text for name, text in told.items() if text}
